"""A core and a mixer from outside: a class each, a maker of models, a call that trains."""

import itertools
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import torch
from fake_env import FakeEnv
from small_model import availability, observations, world
from tiny import CPU, NETWORK, make_fake_env, tiny_config
from torch import Tensor, nn

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.config import MixingNetworkConfig, RunConfig
from qplex_hrl.data.collector import Collector
from qplex_hrl.model import build_model
from qplex_hrl.networks.cores import Core
from qplex_hrl.networks.mixers import Mixer
from qplex_hrl.runtime.exit_codes import DONE
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training.loop import TrainingLoop
from qplex_hrl.training.trainer import train
from qplex_hrl.types import MixerOutput


class MeanMixer(Mixer):
    """The mean of the cameras' values, and a bias of the state."""

    def __init__(
        self, n_agents: int, n_actions: int, state_size: int, config: MixingNetworkConfig
    ) -> None:
        super().__init__(n_agents)
        self.bias = nn.Linear(state_size, 1)

    def mix(
        self, agent_qs: Tensor, max_agent_qs: Tensor, state_embedding: Tensor, actions: Tensor
    ) -> MixerOutput:
        return MixerOutput(agent_qs.mean(-1, keepdim=True) + self.bias(state_embedding))


class FadingCore(Core):
    """A memory that fades by half in every frame."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(recurrent_size=hidden_size)
        self.layer = nn.Linear(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        outputs = []
        for new in torch.tanh(self.layer(inputs)):
            hidden_state = 0.5 * hidden_state + new
            outputs.append(hidden_state)
        return torch.stack(outputs), hidden_state


make_model = partial(build_model, make_mixer=MeanMixer, make_core=FadingCore)


def config_of(folder: Path) -> RunConfig:
    """A run of a second; its core and mixer are replaced."""
    network = NETWORK.model_dump()
    network["q_network"]["type"] = "attention_rnn"
    return tiny_config(folder, network=network)


def test_a_run_trains_them_stores_them_and_goes_on(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    make_env = cast("type[SelectionEnv]", make_fake_env)
    assert train(config, make_env=make_env, make_model=make_model) == DONE
    final = tmp_path / "models" / "qplex_hrl_final.pth"
    weights = load_checkpoint(final)["training"]["learner"]["model"]
    assert {"mixer.bias.weight", "agent.core.layer.weight"} <= weights.keys()
    longer = tiny_config(
        tmp_path, network=config.network.model_dump(), training={"total_timesteps": 4000}
    )
    assert train(longer, final, make_env=make_env, make_model=make_model) == DONE


def test_training_moves_them(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    env = cast(SelectionEnv, FakeEnv(config.env.num_envs))
    loop = TrainingLoop(config, env, CPU, make_model=make_model)
    model = loop.learner.model
    assert isinstance(model.mixer, MeanMixer)
    assert isinstance(model.agent.core, FadingCore)
    parts = [model.mixer.bias.weight, model.agent.core.layer.weight]
    before = [weights.detach().clone() for weights in parts]
    with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        while loop.learner.n_updates < 3:
            loop.iterate(collector)
    for weights, old in zip(parts, before, strict=True):
        assert not torch.equal(weights, old)


@torch.no_grad()
def test_a_decision_at_a_time_equals_a_window() -> None:
    dims, bits = world()
    torch.manual_seed(0)
    network = NETWORK.model_copy(update={"q_network": config_of(Path()).network.q_network})
    agent = make_model(dims, bits, network).agent
    obs, avail = observations(dims, 1, 6), availability(dims, 1, 6)
    window = agent(obs, torch.zeros(1, dims.n_agents, agent.recurrent_size)).q_values
    hidden = torch.zeros(1, dims.n_agents, agent.recurrent_size)
    for n in range(6):
        output = agent.step(obs[:, n], avail[:, n], hidden)
        hidden = output.hidden_state
        possible = avail[:, n]
        torch.testing.assert_close(output.q_values[possible], window[:, n][possible])


@torch.no_grad()
def test_the_joint_greedy_action_is_the_tuple_of_the_cameras_own() -> None:
    dims, bits = world()
    torch.manual_seed(0)
    mixer = make_model(dims, bits, NETWORK).mixer
    q_values = torch.randn(dims.n_agents, 4)
    best, state = q_values.amax(-1).view(1, 1, -1), torch.randn(1, 1, 8)
    joint = {}
    for actions in itertools.product(range(4), repeat=dims.n_agents):
        chosen = torch.tensor(actions)
        own = q_values.gather(-1, chosen[:, None]).view(1, 1, -1)
        joint[actions] = mixer(own, best, state, chosen.view(1, 1, -1)).q_tot.item()
    assert max(joint, key=lambda a: joint[a]) == tuple(q_values.argmax(-1).tolist())


def test_shapes_that_go_into_a_mixer_from_outside_are_checked() -> None:
    mixer = MeanMixer(2, 3, 4, MixingNetworkConfig())
    qs, actions = torch.zeros(1, 1, 3), torch.zeros(1, 1, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"mixer of 2 cameras: agent_qs \(1, 1, 3\)"):
        mixer(qs, qs, torch.zeros(1, 1, 4), actions)
