"""Training makes a policy better, in seconds; a learner that is broken does not pass for one.

In this world two of four actions are marked, one of which pays. A feature of the context tells
which mark it is, so that cameras must learn to read the two together: chance earns a third, a
camera that always follows one mark a half.
"""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from tiny import CPU, tiny_config

from camcontrol.selection_env import SelectionEnv
from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.data.collector import Collector
from qplex_hrl.evaluation.players import AgentPlayer
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.model import CameraNetwork
from qplex_hrl.training.loop import TrainingLoop

LEARNED, CHANCE = 0.8, 0.6
"""Mean reward of a decision that training reaches, and that nothing else does."""


class MarkedEnv(FakeEnv):
    """The fake world with two marks; see above."""

    def _output(self, *parts: NDArray[np.generic]) -> FakeOutput:
        output = super()._output(*parts)  # type: ignore[arg-type]
        layout, lead = self.feature_layout, (self.n_envs, self.n_agents)
        bit = (self._rng[:, None] >> np.arange(5, 5 + self.n_agents, dtype=np.uint64)) & np.uint64(
            1
        )
        marked = np.stack([self._paying, (self._paying + 2) % self.n_actions], axis=-1)
        marked = np.where(bit[..., None] == 1, marked, marked[..., ::-1])  # [N, C, 2]
        rows = marked[:, :, None] == np.arange(self.n_actions)[:, None]  # [N, C, U, 2]
        output.obs[..., 1] = 2.0 * bit - 1.0
        output.obs[..., -self.n_actions * layout.action_size :] = rows.reshape(*lead, -1)
        return output


class DeceivingEnv(MarkedEnv):
    """Each environment is paid what another one has earned."""

    def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
        output = super().step(actions)
        return output._replace(
            reward=np.roll(output.reward, 1),
            difference_reward=np.roll(output.difference_reward, 1, axis=0),
        )


def mean_reward(network: CameraNetwork) -> float:
    """What greedy cameras earn in a decision, over 40 episodes that training does not see."""
    env = cast(SelectionEnv, MarkedEnv(20))
    seeds = np.arange(1000, 1040, dtype=np.uint64)
    episodes = AgentPlayer(env, greedy_agent(network, env, CPU)).run_episodes(seeds)
    covered, frames = (
        episodes[:, EPISODE_COLUMNS.index(name)].sum() for name in ("coverage_sum", "length")
    )
    return float(covered / frames)


def rewards(
    mixer: str, world: type[FakeEnv] = MarkedEnv, learning_rate: float = 1e-2
) -> tuple[float, float]:
    """What greedy cameras earn before and after a short training."""
    network = tiny_config(Path("unused")).network.model_dump()
    network["mixing_network"]["type"] = mixer
    config = tiny_config(
        Path("unused"),
        network=network,
        algorithm={
            "learning_rate": learning_rate,
            "learning_rate_end": learning_rate,
            "epsilon_end": 0.5,
        },
        training={"total_timesteps": 3000, "train_freq": 60.0, "batch_size": 8},
    )
    loop = TrainingLoop(config, cast(SelectionEnv, world(config.env.num_envs)), CPU)
    before = mean_reward(loop.learner.model.agent)
    with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        while not loop.done:
            loop.iterate(collector)
    return before, mean_reward(loop.learner.model.agent)


@pytest.mark.jit
@pytest.mark.parametrize("mixer", ["none", "qmix", "adaptive"])
def test_training_improves_the_greedy_policy(mixer: str) -> None:
    before, after = rewards(mixer)
    assert before < CHANCE
    assert after > LEARNED


@pytest.mark.jit
def test_training_without_steps_does_not() -> None:
    before, after = rewards("adaptive", learning_rate=1e-9)
    assert after == pytest.approx(before, abs=0.02)
    assert after < CHANCE


@pytest.mark.jit
def test_training_on_foreign_rewards_does_not() -> None:
    assert rewards("adaptive", DeceivingEnv)[1] < CHANCE
