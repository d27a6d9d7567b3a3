"""Cameras that have learned nothing: what they choose, and in which worlds they can."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qplex_bench.tables.untrained import (
    BEST_PLAN,
    FIRST_AVAILABLE,
    UntrainedCameras,
    untrained_rules,
)

N, C, U = 2, 3, 5
CONTEXT, ACTION, PLAN = 4, 6, 2
"""Lengths of context and an action's row, and where that has its plan advantage."""


def env(plan_advantage: int = PLAN) -> Any:  # stands for a SelectionEnv
    layout = SimpleNamespace(
        n_actions=U, action_size=ACTION, plan_advantage=plan_advantage, size=CONTEXT + U * ACTION
    )
    return SimpleNamespace(feature_layout=layout)


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return observations [N, C, D], masks and the plan advantages in them [N, C, U]."""
    rng = np.random.default_rng(0)
    obs = rng.random((N, C, CONTEXT + U * ACTION)).astype(np.float32)
    avail = rng.random((N, C, U)) < 0.6
    avail[..., -1] = True
    return obs, avail, obs[..., CONTEXT:].reshape(N, C, U, ACTION)[..., PLAN]


def test_the_best_plan_among_available_actions() -> None:
    obs, avail, advantages = inputs()
    actions = UntrainedCameras(env(), BEST_PLAN).act(obs, avail)
    for i, c in np.ndindex(N, C):
        possible = [u for u in range(U) if avail[i, c, u]]
        assert actions[i, c] == max(possible, key=lambda u: advantages[i, c, u])


def test_the_first_available_action() -> None:
    obs, avail, _ = inputs()
    actions = UntrainedCameras(env(), FIRST_AVAILABLE).act(obs, avail)
    assert actions.tolist() == [[list(row).index(True) for row in rows] for rows in avail]


def test_plans_need_looking_ahead() -> None:
    assert untrained_rules(env()) == (BEST_PLAN, FIRST_AVAILABLE)
    assert untrained_rules(env(plan_advantage=-1)) == (FIRST_AVAILABLE,)
    with pytest.raises(ValueError, match="rule = 'best_plan'; expected first_available in this"):
        UntrainedCameras(env(plan_advantage=-1), BEST_PLAN)


def test_they_hold_what_they_chose_and_remember_nothing() -> None:
    cameras = UntrainedCameras(env(), FIRST_AVAILABLE)
    assert cameras.reaction is None
    cameras.reset_rows(np.ones(N, np.bool_))
