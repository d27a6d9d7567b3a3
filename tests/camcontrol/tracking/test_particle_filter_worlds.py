"""The particle belief in whole worlds: legal knowledge alone, sound features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camcontrol.features.layout import (
    ACTION_FEATURES,
    BELIEF_ACTION_FEATURES,
    BELIEF_CONTEXT_FEATURES,
    BELIEF_TARGET_FEATURES,
    CONTEXT_FEATURES,
    TARGET_FEATURES,
)
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.scenario.schema import load_scenario

OURS = SelectionOptions(
    lookahead=False, coverage_per_target=False, max_episode_steps=60, check_actions=False
)


def make(options: SelectionOptions, n_envs: int) -> SelectionEnv:
    """An environment after its reset."""
    env = SelectionEnv(load_scenario("MATE-4v4-9"), options, n_envs)
    env.reset(np.arange(n_envs, dtype=np.uint64))
    return env


def test_worlds_do_not_depend_on_the_belief() -> None:
    """The same seeds and moves give the same worlds: the belief has random numbers of its own."""
    envs = [
        make(replace(OURS, belief=belief, action_mode="discrete"), 3)
        for belief in ("last_seen", "particles")
    ]
    rng = np.random.default_rng(1)
    for _ in range(14):
        actions = rng.integers(0, envs[0].n_actions, (3, 4))
        for env in envs:
            env.step(actions)
    mine, theirs = (env.sim.state_dict() for env in envs)
    for name in mine:
        np.testing.assert_array_equal(theirs[name], mine[name], name)


@pytest.mark.jit
def test_what_is_hidden_does_not_change_the_belief() -> None:
    """Unseen targets are moved about and unloaded; as long as nobody sees them nothing changes."""
    env, other = make(OURS, 8), make(OURS, 8)
    rng = np.random.default_rng(2)
    n_compared = 0
    for _ in range(40):
        targets = other.sim.view.targets
        hidden = targets.tracked == 0.0
        place = rng.uniform(-900.0, 900.0, (*hidden.shape, 2))
        targets.xy[hidden] = place[hidden]
        targets.load[hidden] = 0.0
        actions = rng.integers(0, env.n_actions, (8, 4))
        for one in (env, other):
            one.run_frames(actions, 1)
        same = (env.sim.obs.camera_obs == other.sim.obs.camera_obs).all(-1)  # [N, C]
        mine, theirs = env.state_dict(), other.state_dict()
        for name in ("particles", "origins", "stream", "belief"):
            np.testing.assert_array_equal(
                mine[f"agents.{name}"][same], theirs[f"agents.{name}"][same], name
            )
        n_compared += int((same & hidden.any(1)[:, None]).sum())
        other.load_state_dict(mine)
    assert n_compared > 300


@pytest.mark.jit
@pytest.mark.parametrize("mode", ["own", "shared"])
def test_features_are_finite_and_of_moderate_size(mode: str) -> None:
    options = replace(OURS, observation_mode=mode, executor="upstream")  # it has no pointing offset
    env = make(options, 4)
    layout = env.feature_layout
    assert layout.context_size == CONTEXT_FEATURES + BELIEF_CONTEXT_FEATURES
    assert layout.target_size == TARGET_FEATURES + BELIEF_TARGET_FEATURES
    assert layout.action_size == ACTION_FEATURES + BELIEF_ACTION_FEATURES
    rng = np.random.default_rng(3)
    start = layout.context_size
    for _ in range(25):
        obs = env.step(rng.integers(0, env.n_actions, (4, 4))).obs
        assert np.isfinite(obs).all()
        assert np.abs(obs).max() < 20.0
        rows = obs[..., start : start + 4 * layout.target_size].reshape(4, 4, 4, -1)
        assert (rows[..., layout.row_flag] == 1.0).all()
        search = obs[..., -16 * layout.action_size :].reshape(4, 4, 16, -1)
        np.testing.assert_allclose(
            search[..., ACTION_FEATURES], obs[..., CONTEXT_FEATURES:start], atol=1e-6
        )
