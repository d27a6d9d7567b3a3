"""Stored states that no world leads to: refused, for features of them would not be finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from selection_worlds import REGIMES, make

from camcontrol.selection_env import EnvOutput, SelectionOptions
from camcontrol.tracking.motion_models import Q_GOAL, Q_RANDOM_WALK, Q_STEP
from camcontrol.tracking.track import B_AGE, B_KNOWN, B_SEEN, B_SPEED, B_STREAK, B_VX

SHARED = replace(REGIMES["looking ahead"], max_episode_steps=11, random_walk_share=0.5)
OWN = replace(SHARED, observation_mode="own")

Craft = Callable[[np.ndarray, np.ndarray], object]
"""Changes particles [N, M, T, K, P] and belief [N, C, T, columns] of a state."""

REFUSED: dict[str, tuple[str, Craft]] = {
    "all walk at random": ("motion models", lambda p, b: p[..., Q_RANDOM_WALK, :].fill(1.0)),
    "one more does": ("motion models", lambda p, b: p[0, 0, 0, Q_RANDOM_WALK, -1:].fill(1.0)),
    "half a model": ("motion models", lambda p, b: p[..., Q_RANDOM_WALK, :].fill(0.5)),
    "a leap of what is seen": (
        "velocity far above",
        lambda p, b: (b[..., B_SEEN].fill(1.0), b[..., B_VX].fill(1e4)),
    ),
    "a leap of what was just seen": (
        "velocity far above",
        lambda p, b: (b[..., B_KNOWN].fill(1.0), b[..., B_VX].fill(1e4), b[..., B_AGE].fill(0.0)),
    ),
    "a leap of what seems to be detected": (
        "velocity far above",
        lambda p, b: (b[..., B_STREAK].fill(2.0), b[..., B_VX].fill(1e4)),
    ),
}

HARMLESS: dict[str, Craft] = {
    "nothing is changed": lambda p, b: None,
    "all have weight 0": lambda p, b: p[..., Q_GOAL, :].fill(-1.0),
    "of one target all have": lambda p, b: p[:, :, 0, Q_GOAL].fill(-1.0),
    "none moves": lambda p, b: p[..., Q_STEP, :].fill(0.0),
    "very fast ones": lambda p, b: b[..., B_SPEED].fill(1e9),
}


def is_finite(output: EnvOutput) -> bool:
    """All but the statistics of an episode, which may be undefined."""
    return all(np.isfinite(a).all() for name, a in output._asdict().items() if name != "episode")


@pytest.mark.parametrize("what", REFUSED)
def test_states_that_no_world_leads_to_are_refused(what: str) -> None:
    env = make(SHARED, 2)
    state = env.state_dict()
    told, craft = REFUSED[what]
    craft(state["agents.particles"], state["agents.belief"])
    with pytest.raises(ValueError, match=told):
        env.load_state_dict(state)


@pytest.mark.jit
@pytest.mark.parametrize("options", [SHARED, OWN], ids=["shared", "own"])
@pytest.mark.parametrize("what", HARMLESS)
def test_features_are_finite_also_at_an_end_and_after_it(
    what: str, options: SelectionOptions
) -> None:
    env, rng = make(options, 3), np.random.default_rng(96)
    env.step(rng.integers(0, env.n_actions, (3, 4)))
    state, n_ends = env.state_dict(), 0
    HARMLESS[what](state["agents.particles"], state["agents.belief"])
    assert is_finite(env.load_state_dict(state))
    for _ in range(8):
        output = env.step(rng.integers(0, env.n_actions, (3, 4)))
        assert is_finite(output)
        n_ends += int(output.truncated.sum())
    assert n_ends >= 6


@pytest.mark.jit
@pytest.mark.parametrize("n_frames", [1, 7])
def test_short_episodes_have_finite_features_and_states_that_are_accepted(n_frames: int) -> None:
    """Particles may be pushed far out of an obstacle in the frames after a reset."""
    options = replace(OWN, max_episode_steps=n_frames, decision_frames=1)
    env, rng = make(options, 16, "MATE-8v8-9"), np.random.default_rng(97)
    for _ in range(40):
        assert is_finite(env.step(rng.integers(0, env.n_actions, (16, env.n_agents))))
        env.load_state_dict(env.state_dict())
