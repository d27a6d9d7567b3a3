"""A world as EPyMARL's wrapper of Gymnasium environments (`gymma`) expects it."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from camsim.arrays import Float32s
from qplex_hrl.clients.pymarl_env import EpymarlEnv

__all__ = ["GymmaEnv"]

Obs = tuple[Float32s, ...]


class GymmaEnv(gymnasium.Env[Obs, Sequence[int]]):
    """Observations, actions and rewards are one per camera, in tuples.

    `gymma` knows no masks: it offers every action in every step. Selections that are masked are
    therefore taken, as MATE takes selections of targets out of view. Where masks matter,
    `qplex_hrl.clients.epymarl` has them.
    """

    def __init__(
        self,
        task: str = "selection",
        episode_limit: int | None = None,
        **arguments: Any,  # checked by EpymarlEnv
    ) -> None:
        """Build the world.

        Args:
            task: selection or raw.
            episode_limit: the step of that number truncates the episode, and its info says so.
                `gymma` takes the words `time_limit` and `max_episode_steps` for itself; where they
                strike alone, it takes that for the end of the world.
            arguments: the others of `PymarlEnv`.

        Raises:
            ValueError: a value is not allowed.
        """
        if task == "selection":
            arguments = {"check_actions": False} | arguments
        self._env = EpymarlEnv(
            common_reward=False, task=task, time_limit=episode_limit, **arguments
        )
        self.n_agents = self._env.n_agents
        shape = (self._env.get_obs_size(),)
        obs = spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.observation_space = spaces.Tuple([obs] * self.n_agents)
        self.action_space = spaces.Tuple(
            [spaces.Discrete(self._env.get_total_actions()) for _ in range(self.n_agents)]
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Start an episode; `options` has no effect."""
        super().reset(seed=seed)
        obs, info = self._env.reset(seed)
        return tuple(obs), dict(info)

    def step(  # type: ignore[override]  # gymma adds up a list of rewards
        self, action: Sequence[int]
    ) -> tuple[Obs, list[float], bool, bool, dict[str, Any]]:
        """Play one action per camera."""
        obs, rewards, terminated, truncated, info = self._env.step(action)
        return tuple(obs), list(np.atleast_1d(rewards)), terminated, truncated, dict(info)

    def render(self) -> None:
        """Show the world as it is now in a window."""
        self._env.render()

    def close(self) -> None:
        """Close the window if there is one."""
        self._env.close()
