"""Selections for RLlib's own algorithms; needs the extra `ray`.

Raw worlds need no class of ours: RLlib makes `camsim.registration:MATE-4v4-9-v0` itself, N worlds
in one compiled call with `gym_env_vectorize_mode="vector_entry_point"`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from qplex_hrl.clients.pymarl_worlds import WorldsStep, first_seeds, make_worlds

__all__ = ["SelectionMultiAgentEnv"]

Obs = dict[str, dict[str, NDArray[np.float32]]]


class SelectionMultiAgentEnv(MultiAgentEnv):
    """One world; every camera is an agent, and its step a decision.

    Observations have the keys `observations` [D] and `action_mask` [U], as RLlib's modules with
    action masks expect them. Each camera earns the team's reward.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Build the world from RLlib's `env_config`.

        Args:
            config: `scenario`, `max_episode_steps` (decisions) and fields of `SelectionOptions`.

        Raises:
            ValueError: a value is not allowed.
            TypeError: there is no such field.
        """
        super().__init__()
        given = dict(config or {})
        named = {key: given.pop(key) for key in ("scenario", "max_episode_steps") if key in given}
        self._worlds = make_worlds(**named, keywords=given)
        self.possible_agents = [f"camera_{c}" for c in range(self._worlds.n_agents)]
        self.agents = list(self.possible_agents)
        observed, n_actions = (self._worlds.obs_size,), self._worlds.n_actions
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "observations": spaces.Box(-np.inf, np.inf, observed, np.float32),
                    "action_mask": spaces.Box(0.0, 1.0, (n_actions,), np.float32),
                }
            )
            for agent in self.agents
        }
        self.action_spaces: dict[str, Any] = {
            agent: spaces.Discrete(n_actions) for agent in self.agents
        }
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Start an episode; `options` has no effect."""
        seeds = None if self._started and seed is None else first_seeds(seed, 1)
        self._started = True
        return self._obs(self._worlds.restart(np.ones(1, np.bool_), seeds)), {}

    def step(
        self, action_dict: Mapping[str, int]
    ) -> tuple[Obs, dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Play one action per camera; `terminated` and `truncated` are the same for all."""
        actions = np.array([[action_dict[agent] for agent in self.agents]])
        step = self._worlds.step(actions)
        ends = [
            dict.fromkeys([*self.agents, "__all__"], bool(flag[0]))
            for flag in (step.terminated, step.truncated)
        ]
        rewards = dict(zip(self.agents, step.reward[0].tolist(), strict=True))
        infos: dict[str, Any] = {}
        if ends[0]["__all__"] or ends[1]["__all__"]:
            rates = {name: float(values[0]) for name, values in step.rates.items()}
            infos = {agent: dict(rates) for agent in self.agents}
        return self._obs(step), rewards, ends[0], ends[1], infos

    def _obs(self, step: WorldsStep) -> Obs:
        obs, masks = step.obs[0].copy(), step.avail_actions[0].astype(np.float32)
        return {
            agent: {"observations": obs[c], "action_mask": masks[c]}
            for c, agent in enumerate(self.agents)
        }
