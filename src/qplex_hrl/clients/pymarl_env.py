"""One world as PyMARL's and EPyMARL's `MultiAgentEnv`, without importing either.

`PymarlEnv` steps as PyMARL and PyMARL2 expect it (reward, terminated, info), `EpymarlEnv` as
EPyMARL does (observations, reward, terminated, truncated, info).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from camsim.arrays import Float32s, Floats
from camsim.bounds import check_choices
from qplex_hrl.clients.pymarl_worlds import WorldsStep, first_seeds, worlds_of_arguments

if TYPE_CHECKING:
    from camsim.render import FrameRecord, Window

__all__ = ["EpymarlEnv", "PymarlEnv", "checked_scalarisation", "episode_information"]

Infos = dict[str, float]
_FPS = 30


class _OneWorld:
    """What PyMARL and EPyMARL ask of a world between its steps."""

    def __init__(
        self, task: str, replay_dir: str | Path | None, arguments: Mapping[str, Any]
    ) -> None:
        self._worlds, self._seed = worlds_of_arguments(arguments, task, 1)
        self.n_agents = self._worlds.n_agents
        self.episode_limit = self._worlds.episode_limit
        self._replay_dir = None if replay_dir is None else Path(replay_dir)
        self._frames: list[FrameRecord] = []
        self._window: Window | None = None
        self._step: WorldsStep | None = None

    def get_obs(self) -> list[Float32s]:
        """Return the cameras' observations, each [D]; copies."""
        return list(self._now().obs[0].copy())

    def get_obs_agent(self, agent_id: int) -> Float32s:
        """Return one camera's observation [D], a copy."""
        return self.get_obs()[agent_id]

    def get_obs_size(self) -> int:
        """Return the length D of an observation."""
        return self._worlds.obs_size

    def get_state(self) -> Float32s:
        """Return the global state [S] in about [-1, 1], for training only; a copy."""
        state: Float32s = self._now().state[0].copy()
        return state

    def get_state_size(self) -> int:
        """Return the length S of the global state."""
        return self._worlds.state_size

    def get_avail_actions(self) -> list[list[int]]:
        """Return 1 for each action that a camera may choose, 0 for the others; [C][U]."""
        flags: list[list[int]] = self._now().avail_actions[0].astype(np.int64).tolist()
        return flags

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """Return the same for one camera [U]."""
        return self.get_avail_actions()[agent_id]

    def get_total_actions(self) -> int:
        """Return the number of actions U of a camera."""
        return self._worlds.n_actions

    def get_env_info(self) -> dict[str, int]:
        """Return all sizes, under PyMARL's names."""
        return {
            "state_shape": self.get_state_size(),
            "obs_shape": self.get_obs_size(),
            "n_actions": self.get_total_actions(),
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }

    def get_stats(self) -> dict[str, float]:
        """Return nothing: the info of an episode's last step says all."""
        return {}

    def seed(self, seed: int | None = None) -> None:
        """Let the next reset start the episodes of a seed."""
        self._seed, self._step = seed, None

    def render(self) -> None:
        """Show the world as it is now in a window."""
        from camsim.render import Window, draw_frame, record_frame

        self._now()
        if self._window is None:
            self._window = Window("MATE", fps=_FPS)
        if not self._window.closed:
            self._window.show(draw_frame(record_frame(self._worlds.sim, 0)))

    def save_replay(self) -> None:
        """Write the latest episode as `replay.mp4` into `replay_dir`, one picture per step.

        Raises:
            ValueError: there is no `replay_dir`, or no episode was begun.
            OSError: the file cannot be written.
        """
        from camsim.render import draw_frames, write_video

        if self._replay_dir is None:
            raise ValueError("save_replay without replay_dir; expected a folder in env_args")
        self._now()
        self._replay_dir.mkdir(parents=True, exist_ok=True)
        write_video(draw_frames(self._frames), self._replay_dir / "replay.mp4", _FPS)

    def close(self) -> None:
        """Close the window if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _start(self, seed: int | None) -> None:
        """Start an episode: of a seed if there is one, else the next of the running stream."""
        if seed is not None:
            self.seed(seed)
        seeds = first_seeds(self._seed, 1) if self._step is None else None
        self._step = self._worlds.restart(np.ones(1, np.bool_), seeds)
        self._frames.clear()
        self._record()

    def _play(self, actions: ArrayLike) -> WorldsStep:
        last = self._now()
        if last.terminated[0] or last.truncated[0]:
            raise ValueError("step after the end of the episode; expected reset")
        self._step = self._worlds.step(np.asarray(actions).reshape(1, -1))
        self._record()
        return self._step

    def _record(self) -> None:
        if self._replay_dir is not None:
            from camsim.render import record_frame

            self._frames.append(record_frame(self._worlds.sim, 0))

    def _now(self) -> WorldsStep:
        if self._step is None:
            raise ValueError("no episode has begun; expected reset")
        return self._step


class PymarlEnv(_OneWorld):
    """A world for PyMARL and PyMARL2: `env_args` are its arguments.

    The reward is the team's. The info of an episode's last step holds `coverage_rate` and
    `mean_transport_rate` of the episode, and `episode_limit` where the time limit struck.
    """

    def __init__(
        self,
        task: str = "selection",
        replay_dir: str | Path | None = None,
        **arguments: Any,  # checked by worlds_of_arguments
    ) -> None:
        """Build the world.

        Args:
            task: selection (cameras choose targets) or raw (turns and zooms in every frame).
            replay_dir: where `save_replay` writes; None: episodes are not recorded.
            arguments: `scenario`, `max_episode_steps`, `seed`, and fields of `SelectionOptions`,
                or for raw worlds of `TeamOptions`.

        Raises:
            ValueError: a value is not allowed.
        """
        super().__init__(task, replay_dir, arguments)

    def reset(self) -> tuple[list[Float32s], Float32s]:
        """Start an episode; return all observations and the state."""
        self._start(None)
        return self.get_obs(), self.get_state()

    def step(self, actions: ArrayLike) -> tuple[float, bool, Infos]:
        """Play the actions [C]; return reward, whether the episode is over, and info."""
        step = self._play(actions)
        over = bool(step.terminated[0] or step.truncated[0])
        return float(step.reward[0].mean()), over, episode_information(step, 0)


class EpymarlEnv(_OneWorld):
    """A world for EPyMARL: `env_args` are its arguments, with the names of its `gymma`.

    Infos are those of `PymarlEnv`.
    """

    def __init__(
        self,
        common_reward: bool = True,
        reward_scalarisation: str = "sum",
        task: str = "selection",
        replay_dir: str | Path | None = None,
        **arguments: Any,  # checked by worlds_of_arguments
    ) -> None:
        """Build the world.

        Args:
            common_reward: one reward for all cameras; otherwise each has its own.
            reward_scalarisation: sum or mean, over the cameras, for the common one.
            task: selection or raw.
            replay_dir: where `save_replay` writes; None: episodes are not recorded.
            arguments: `key` (the scenario), `time_limit`, `seed`, and all that `PymarlEnv` takes.

        Raises:
            ValueError: a value is not allowed.
        """
        checked_scalarisation(reward_scalarisation)
        self._common, self._by_sum = common_reward, reward_scalarisation == "sum"
        super().__init__(task, replay_dir, arguments)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[list[Float32s], Infos]:
        """Start an episode; return all observations and an empty info. `options` has no effect."""
        self._start(seed)
        return self.get_obs(), {}

    def step(
        self, actions: ArrayLike
    ) -> tuple[list[Float32s], float | list[float], bool, bool, Infos]:
        """Play the actions [C]; return observations, reward, terminated, truncated and info."""
        step = self._play(actions)
        rewards: Floats = step.reward[0]
        reward: float | list[float] = rewards.tolist()
        if self._common:
            reward = float(rewards.sum() if self._by_sum else rewards.mean())
        ends = bool(step.terminated[0]), bool(step.truncated[0])
        return self.get_obs(), reward, *ends, episode_information(step, 0)


def checked_scalarisation(name: str) -> None:
    """Check EPyMARL's `reward_scalarisation`.

    Raises:
        ValueError: it is neither sum nor mean.
    """
    check_choices((("reward_scalarisation", name, ("sum", "mean")),))


def episode_information(step: WorldsStep, row: int) -> Infos:
    """Return the info of one world's step: of the episode, where it ended, and else nothing.

    `episode_limit` tells a learner to bootstrap from the last observation.
    """
    if not (step.terminated[row] or step.truncated[row]):
        return {}
    info = {name: float(values[row]) for name, values in step.rates.items()}
    return info | ({"episode_limit": True} if step.truncated[row] else {})
