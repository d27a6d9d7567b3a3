"""Cameras that have learned nothing, in the world of a configuration: what learning adds to.

Both choose from what the trained cameras observe, once per decision, and hold the action:

- ``best_plan``: the action that the look-ahead rates best.
- ``first_available``: the first action that is available.
"""

import numpy as np
from numpy.typing import NDArray

from camcontrol.selection_env import React, SelectionEnv
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env
from qplex_hrl.evaluation.players import AgentPlayer

__all__ = [
    "BEST_PLAN",
    "FIRST_AVAILABLE",
    "UntrainedCameras",
    "untrained_player",
    "untrained_rules",
]

BEST_PLAN, FIRST_AVAILABLE = "best_plan", "first_available"


class UntrainedCameras:
    """Chooses the actions of all cameras of an environment by one of the two rules."""

    def __init__(self, env: SelectionEnv, rule: str) -> None:
        """Choose for the cameras of `env`.

        Raises:
            ValueError: the rule is unknown, or its plans are missing from what cameras observe.
        """
        if rule not in untrained_rules(env):
            expected = " or ".join(untrained_rules(env))
            raise ValueError(f"rule = {rule!r}; expected {expected} in this world")
        self.reaction: React | None = None
        """They hold their actions."""

        self._layout = env.feature_layout
        self._by_plan = rule == BEST_PLAN

    def act(self, obs: NDArray[np.float32], avail_actions: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return actions [N, C] of the next decision from obs [N, C, D] and masks [N, C, U]."""
        layout = self._layout
        ranks = avail_actions.astype(np.float32)
        if self._by_plan:
            rows = obs[..., layout.size - layout.n_actions * layout.action_size :]
            advantages = rows[..., layout.plan_advantage :: layout.action_size]  # [N, C, U]
            ranks = np.where(avail_actions, advantages, -np.inf)
        actions: NDArray[np.int64] = ranks.argmax(axis=-1)  # the first of equal ones
        return actions

    def reset_rows(self, ended: NDArray[np.bool_]) -> None:
        """Do nothing at the end of episodes, `ended` [N]: they remember nothing."""


def untrained_rules(env: SelectionEnv) -> tuple[str, ...]:
    """Return the rules that can choose in this world: plans need looking ahead."""
    plans = env.feature_layout.plan_advantage >= 0
    return (BEST_PLAN, FIRST_AVAILABLE) if plans else (FIRST_AVAILABLE,)


def untrained_player(config: RunConfig, rule: str, num_envs: int) -> AgentPlayer:
    """Return who plays episodes of a configuration by a rule.

    Raises:
        ValueError: the rule is unknown or cannot choose there.
    """
    env = build_env(config, num_envs)
    return AgentPlayer(env, UntrainedCameras(env, rule))
