"""A tiny NumPy world with the interface of SelectionEnv: seconds-long tests of the training loop.

Each camera sees which action pays now (action feature 0), so acting well is learnable at once.
Every environment owns one splitmix64 stream: row i depends on the seed of row i alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camsim.tables import EPISODE_COLUMNS


class FakeLayout(NamedTuple):
    """Named parts of a flat observation: context | targets | actions."""

    n_targets: int
    n_actions: int
    context_size: int = 2
    target_size: int = 3
    action_size: int = 2
    row_flag: int = 0
    plan_advantage: int = -1
    n_target_coverages: int = 0
    plan_size: int = 0
    glance_sizes: tuple[int, int, int] = (2, 3, 2)
    n_search: int = 0

    @property
    def glance_columns(self) -> list[int]:
        return [*range(self.size)]

    @property
    def size(self) -> int:
        return (
            self.context_size
            + self.n_targets * self.target_size
            + self.n_actions * self.action_size
        )


class FakeOptions(NamedTuple):
    """What agents ask of the real options."""

    decision_frames: int


class FakeOutput(NamedTuple):
    obs: NDArray[np.float32]
    state: NDArray[np.float32]
    avail_actions: NDArray[np.bool_]
    reward: NDArray[np.float64]
    coverage: NDArray[np.float64]
    initial_coverage: NDArray[np.float64]
    bonus: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    frames: NDArray[np.int64]
    episode: NDArray[np.float64]
    difference_reward: NDArray[np.float64]
    stereo_difference_reward: NDArray[np.float64]


def uniform(rng: NDArray[np.uint64], n: int) -> NDArray[np.float64]:
    """Return [N, n] uniform numbers and advance the splitmix64 states ``rng`` [N] in place."""
    steps = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = rng[:, None] + steps
    rng[:] = z[:, -1]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) * 2.0**-53


class FakeEnv:
    """N episodes of up to ``max_decisions`` decisions; a tenth of them ends early by itself."""

    def __init__(
        self,
        n_envs: int,
        *,
        n_agents: int = 2,
        n_targets: int = 2,
        n_actions: int = 4,
        decision_frames: int = 5,
        max_decisions: int = 20,
        p_terminate: float = 0.02,
    ) -> None:
        self.n_envs, self.n_agents, self.n_targets = n_envs, n_agents, n_targets
        self.n_actions = n_actions
        self.feature_layout = FakeLayout(n_targets, n_actions)
        self.obs_size = self.feature_layout.size
        self.state_size = 3
        self.selection_bits = np.zeros((n_actions, n_targets), np.bool_)
        self.selection_bits[: min(n_actions, n_targets)] = np.eye(n_targets, dtype=np.bool_)[
            : min(n_actions, n_targets)
        ]
        self._decision_frames = decision_frames
        self.options = FakeOptions(decision_frames)
        self._max_decisions = max_decisions
        self._p_terminate = p_terminate
        self._rng = np.zeros(n_envs, np.uint64)
        self._decision = np.zeros(n_envs, np.int64)
        self._paying = np.zeros((n_envs, n_agents), np.int64)
        self._coverage = np.zeros(n_envs)
        self._statistics = np.zeros((n_envs, len(EPISODE_COLUMNS)))

    def reset(self, seeds: NDArray[np.uint64]) -> FakeOutput:
        self._rng[:] = seeds
        self._begin(np.ones(self.n_envs, np.bool_))
        return self._idle_output()

    def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
        assert self._available()[
            np.arange(self.n_envs)[:, None], np.arange(self.n_agents), actions
        ].all(), "an unavailable action"
        coverage = (actions == self._paying).mean(axis=1)
        draws = uniform(self._rng, 2)
        self._decision += 1
        terminated = draws[:, 0] < self._p_terminate
        truncated = ~terminated & (self._decision >= self._max_decisions)
        frames = np.where(
            terminated,
            1 + (draws[:, 1] * self._decision_frames).astype(np.int64),
            self._decision_frames,
        )
        self._count(coverage, frames)
        statistics = self._statistics.copy()
        self._coverage = coverage.copy()
        self._draw_paying()
        self._begin(terminated | truncated)
        return self._output(coverage, coverage, terminated, truncated, frames, statistics)

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        return {
            "rng": self._rng.copy(),
            "decision": self._decision.copy(),
            "paying": self._paying.copy(),
            "coverage": self._coverage.copy(),
            "statistics": self._statistics.copy(),
        }

    def load_state_dict(self, arrays: dict[str, NDArray[np.generic]]) -> FakeOutput:
        for name, array in arrays.items():
            kept = getattr(self, f"_{name}")
            if kept.shape != array.shape:
                raise ValueError(f"{name} has shape {array.shape}; expected {kept.shape}")
            kept[...] = array
        return self._idle_output()

    def _idle_output(self) -> FakeOutput:
        """Return the present frame, reached by no decision."""
        no = np.zeros(self.n_envs, np.bool_)
        zeros = np.zeros(self.n_envs)
        return self._output(zeros, zeros, no, no, np.zeros(self.n_envs, np.int64), zeros[:, None])

    def _count(self, coverage: NDArray[np.float64], frames: NDArray[np.int64]) -> None:
        rows = {
            "length": frames,
            "coverage_sum": coverage * frames,
            "real_coverage_sum": 0.5 * coverage * frames,
            "stereo_coverage_sum": 0.25 * coverage * frames,
            "camera_return": -1.0 * frames,
            "reward_sum": coverage,
            "selected": self.n_agents * frames,
            "valid_selected": coverage * self.n_agents * frames,
        }
        for name, values in rows.items():
            self._statistics[:, EPISODE_COLUMNS.index(name)] += values

    def _begin(self, rows: NDArray[np.bool_]) -> None:
        self._decision[rows] = 0
        self._statistics[rows] = 0.0
        self._coverage[rows] = 0.0
        new = self._rng.copy()
        draws = uniform(new, self.n_agents)
        self._rng[rows] = new[rows]
        self._paying[rows] = (draws * self.n_actions).astype(np.int64)[rows]

    def _draw_paying(self) -> None:
        draws = uniform(self._rng, self.n_agents)
        self._paying[:] = (draws * self.n_actions).astype(np.int64)

    def _available(self) -> NDArray[np.bool_]:
        """Return [N, C, U]: all but the action after the paying one."""
        return np.arange(self.n_actions) != ((self._paying + 1) % self.n_actions)[..., None]

    def _output(
        self,
        reward: NDArray[np.float64],
        coverage: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        frames: NDArray[np.int64],
        statistics: NDArray[np.float64],
    ) -> FakeOutput:
        layout = self.feature_layout
        lead = (self.n_envs, self.n_agents)
        actions = np.zeros((*lead, self.n_actions, layout.action_size), np.float32)
        actions[..., 0] = np.arange(self.n_actions) == self._paying[..., None]
        targets = np.ones((*lead, self.n_targets, layout.target_size), np.float32)
        context = np.zeros((*lead, layout.context_size), np.float32)
        context[..., 0] = self._decision[:, None] / self._max_decisions
        obs = np.concatenate(
            [context, targets.reshape(*lead, -1), actions.reshape(*lead, -1)], axis=-1
        )
        state = np.stack(
            [self._decision / self._max_decisions, self._coverage, self._paying[:, 0]], axis=-1
        ).astype(np.float32)
        return FakeOutput(
            obs=obs,
            state=state,
            avail_actions=self._available(),
            reward=reward.copy(),
            coverage=coverage.copy(),
            initial_coverage=self._coverage.copy(),
            bonus=np.zeros(self.n_envs),
            terminated=terminated,
            truncated=truncated,
            frames=frames,
            episode=statistics,
            difference_reward=np.repeat(reward[:, None] / self.n_agents, self.n_agents, axis=1),
            stereo_difference_reward=np.repeat(reward[:, None] * [[0.5]], self.n_agents, axis=1),
        )
