"""RLlib's learner and module around ours, without a cluster: the same weights, update by update."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("ray")

from ray_parts import ray_config, settings
from tiny import CPU, make_fake_env

from qplex_hrl.config import RunConfig
from qplex_hrl.data.replay import ReplayBuffer
from qplex_hrl.data.rollout import Rollout
from qplex_hrl.learner import Learner, TrainingDiverged
from qplex_hrl.rllib.learner import GroupLearner, QPLEXHRLLearner
from qplex_hrl.runtime.seeding import make_generators
from qplex_hrl.training.loop import build_learner, initial_model
from qplex_hrl.types import SequenceBatch

pytestmark = pytest.mark.ray

CONFIG = ray_config(1, 4, algorithm={"ema_decay": 0.9})


class Result:
    def __init__(self, value: object) -> None:
        self.get = lambda: value


class Alone:
    """A learner group of one learner, in this process."""

    def __init__(self, learner: QPLEXHRLLearner) -> None:
        self.learner = learner

    def foreach_learner(self, func: Any) -> list[Result]:
        return [Result(func(self.learner))]

    def update(self, **kwargs: Any) -> list[Any]:
        return [self.learner.update(**kwargs)]


def in_rllib(config: RunConfig = CONFIG) -> GroupLearner:
    made = settings(config)
    spaces = {"default_policy": (made.observation_space, made.action_space)}
    learner = made.build_learner(spaces=spaces)
    return GroupLearner(Alone(learner), lambda results: None)  # type: ignore[arg-type]


def ours(config: RunConfig = CONFIG) -> Learner:
    env: Any = make_fake_env(config, 1)
    return build_learner(config, initial_model(config, env, make_generators(0).init))


def replay(rollout: Rollout) -> ReplayBuffer:
    training = CONFIG.training
    buffer = ReplayBuffer(
        rollout._sizes,
        capacity=400,
        sequence_length=training.sequence_length,
        burn_in=training.burn_in,
        rng=np.random.default_rng(1),
    )
    buffer.add(rollout.collect(60, 0.5).decisions)
    return buffer


@pytest.fixture(scope="module")
def batches() -> list[SequenceBatch]:
    from qplex_hrl.training.loop import build_rollout

    env: Any = make_fake_env(CONFIG, 4)
    rollout = build_rollout(CONFIG, env, ours().model.agent, np.random.default_rng(0))
    rollout.reset(np.arange(4, dtype=np.uint64))
    buffer = replay(rollout)
    return [buffer.sample(4, CPU) for _ in range(6)]


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return torch.equal(left, right) if isinstance(left, torch.Tensor) else bool(left == right)


def test_the_module_begins_with_the_weights_of_standalone_training() -> None:
    assert equal(in_rllib().model.state_dict(), ours().model.state_dict())


def test_updates_are_ours_to_the_last_bit(batches: list[SequenceBatch]) -> None:
    outer, inner = in_rllib(), ours()
    for i, batch in enumerate(batches):
        rate = 1e-3 / (i + 1)
        assert equal(outer.update(batch, rate), inner.update(batch, rate))
    assert outer.n_updates == inner.n_updates == len(batches)
    assert equal(outer.state_dict(), inner.state_dict())
    assert equal(outer.ema_agent.state_dict(), inner.ema_agent.state_dict())
    again = in_rllib()
    again.load_state_dict(inner.state_dict())
    assert equal(again.state_dict(), inner.state_dict())


def test_divergence_is_found_and_no_weight_changes(batches: list[SequenceBatch]) -> None:
    outer = in_rllib()
    poisoned = batches[0]._replace(reward=batches[0].reward * float("nan"))
    with pytest.raises(TrainingDiverged):
        outer.update(poisoned, 1e-3)
    assert equal(outer.model.state_dict(), ours().model.state_dict())


def test_rllib_reports_loss_and_gradient(batches: list[SequenceBatch]) -> None:
    reported: list[Any] = []
    made = settings(CONFIG)
    learner = made.build_learner(
        spaces={"default_policy": (made.observation_space, made.action_space)}
    )
    outer = GroupLearner(Alone(learner), reported.extend)  # type: ignore[arg-type]
    metrics = outer.update(batches[0], 1e-3)
    stats = reported[0]["default_policy"]
    assert float(stats["total_loss"].peek()) == pytest.approx(float(metrics["loss"]))


def test_the_module_acts_as_the_cameras_network() -> None:
    env: Any = make_fake_env(CONFIG, 2)
    output = env.reset(np.arange(2, dtype=np.uint64))
    made = settings(CONFIG)
    spaces = {"default_policy": (made.observation_space, made.action_space)}
    module = made.get_rl_module_spec(spaces=spaces, inference_only=True).build()
    assert not hasattr(module, "mixer")
    network = ours().model.agent
    inputs = {
        "obs": torch.from_numpy(output.obs),
        "avail_actions": torch.from_numpy(output.avail_actions),
        "hidden_state": torch.zeros(2, env.n_agents, network.recurrent_size),
    }
    with torch.no_grad():
        acted, expected = module.forward_inference(inputs), network.step(*inputs.values())
    assert torch.equal(acted["q_values"], expected.q_values)
    assert torch.equal(acted["actions"], expected.q_values.argmax(dim=-1))
    assert torch.equal(acted["hidden_state"], expected.hidden_state)


def test_settings_are_checked(tmp_path: Path) -> None:
    made = settings(CONFIG)
    assert made.observation_space.shape == (
        made.dims["n_agents"],
        make_fake_env(CONFIG, 1).obs_size,
    )
    with pytest.raises(ValueError, match="the learner runs in the driver"):
        made.copy(copy_frozen=False).learners(num_learners=2).validate()
