"""Auxiliary terms against the oracle, their weighted sum, and their place in a SelectionEnv."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from random_worlds import random_simulator, scenario_with
from reference_bridge import state_of
from reference_rewards import goal_distance, own_score
from reference_stereo import of_world

from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.envs import rewards
from camsim.envs.rewards import combine
from camsim.kernels import reward_terms
from camsim.kernels.boundary import allocate_boundaries, trace_batch
from camsim.kernels.reward_terms import CAMERA_TERMS, MATE_CAMERA_TERMS, TARGET_TERMS
from camsim.kernels.soft_coverage import allocate_scores, score_batch
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim


@numba.njit
def write_all(params: Any, s: Any, scores: Any, cameras: Any, targets: Any) -> None:
    for i in range(len(s.rng)):
        reward_terms.write_camera_terms(i, params, s, scores, cameras)
        reward_terms.write_target_terms(i, params, s, scores, targets)


def terms_of(sim: BatchSim, scores: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """All terms of a batch by name: cameras' [N, C], targets' [N, T]."""
    _, n_cameras, n_targets = sim.tables.camera_target.shape
    cameras = np.full((sim.num_envs, n_cameras, len(CAMERA_TERMS)), np.nan)
    targets = np.full((sim.num_envs, n_targets, len(TARGET_TERMS)), np.nan)
    write_all(sim.params, sim.tables, scores, cameras, targets)
    return (
        {name: cameras[..., k] for k, name in enumerate(CAMERA_TERMS)},
        {name: targets[..., k] for k, name in enumerate(TARGET_TERMS)},
    )


@pytest.mark.parametrize("reward_type", ["dense", "sparse"])
@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-Navigation"])
def test_terms_equal_the_oracle(name: str, reward_type: str) -> None:
    sim = random_simulator(scenario_with(name, reward_type=reward_type), 40, seed=51)
    sim.see()
    sim.settle()
    scores = np.random.default_rng(0).normal(size=sim.tables.camera_target.shape)
    cameras, targets = terms_of(sim, scores)
    np.testing.assert_array_equal(
        cameras["stereo_coverage_rate"],
        np.broadcast_to(of_world(sim)[0][:, None], scores.shape[:2]),
    )
    result = sim.result()
    for i in range(sim.num_envs):
        state = state_of(sim, i)
        seen = state.camera_target_mask
        for terms, sign in ((cameras, -1.0), (targets, 1.0)):
            assert (terms["raw_reward"][i] == sign * result.target_reward[i]).all()
            assert (terms["baseline"][i] == 1.0).all()
            for rate in ("coverage_rate", "real_coverage_rate", "mean_transport_rate"):
                assert (terms[rate][i] == read(sim, rate)[i]).all()
        for c in range(seen.shape[0]):
            assert cameras["num_tracked"][i, c] == seen[c].sum()
            wanted = own_score(scores[i, c], seen[c])
            assert cameras["soft_coverage_score"][i, c] == pytest.approx(wanted)
        for t in range(seen.shape[1]):
            wanted = own_score(scores[i, :, t], seen[:, t])
            assert targets["soft_coverage_score"][i, t] == pytest.approx(wanted)
            wanted = goal_distance(state, t)
            assert targets["normalized_goal_distance"][i, t] == pytest.approx(wanted)
        assert (targets["sparse_delivery"][i] == state.target_dones).all()
        assert (targets["is_tracked"][i] == seen.any(0)).all()
        assert (targets["is_colliding"][i] == state.target_is_colliding).all()


def test_mates_terms_stand_first_in_their_order() -> None:
    mate = "raw_reward coverage_rate real_coverage_rate mean_transport_rate soft_coverage_score "
    assert tuple((mate + "num_tracked baseline").split()) == MATE_CAMERA_TERMS
    assert CAMERA_TERMS[: len(MATE_CAMERA_TERMS)] == MATE_CAMERA_TERMS
    assert CAMERA_TERMS[len(MATE_CAMERA_TERMS) :] == ("stereo_coverage_rate",)


def test_targets_that_know_all_warehouses_to_be_empty() -> None:
    sim = random_simulator(scenario_with("MATE-1v1-9"), 2, seed=52)
    sim.view.targets.goal[...] = -1
    sim.view.targets.empty_bits[0] = 1.0
    sim.view.targets.empty_bits[1] = [[0.0, 1.0, 1.0, 1.0]]
    sim.view.targets.xy[...] = 925.0, 800.0
    _, targets = terms_of(sim, allocate_scores(2, 1, 1, used=False))
    assert targets["normalized_goal_distance"].ravel().tolist() == [0.5, 50.0 / 2000.0]
    assert (targets["soft_coverage_score"] == 0.0).all()


TERMS = np.random.default_rng(1).normal(size=(3, 4, len(CAMERA_TERMS)))


def column(name: str) -> Any:
    return TERMS[..., CAMERA_TERMS.index(name)]


def test_weighted_sum() -> None:
    found = combine(TERMS, {"raw_reward": 2.0, "baseline": -1.0})
    np.testing.assert_allclose(found, 2.0 * column("raw_reward") - column("baseline"))
    assert combine(TERMS, {}).tolist() == np.zeros((3, 4)).tolist()


@pytest.mark.parametrize("reduction", ["mean", "sum", "max", "min"])
def test_shared_rewards(reduction: str) -> None:
    found = combine(TERMS, {"num_tracked": 3.0}, reduction)
    wanted = getattr(3.0 * column("num_tracked"), reduction)(axis=1)
    np.testing.assert_allclose(found, np.repeat(wanted[:, None], 4, axis=1))
    assert combine(TERMS[:, :0], {"baseline": 1.0}, reduction).shape == (3, 0)


def test_functions_as_coefficients() -> None:
    def weight(agent: Any, episode: Any, step: Any, raw: Any, value: Any) -> Any:
        assert {x.shape for x in (agent, episode, step, raw, value)} == {(3, 4)}
        return agent + 10 * episode + 100 * step + raw * value

    episodes, steps = np.array([0, 1, 2]), np.array([7, 8, 9])
    found = combine(
        TERMS, {"coverage_rate": weight, "baseline": lambda *_: 2}, "none", None, episodes, steps
    )
    value = column("coverage_rate")
    factor = np.arange(4) + (10 * episodes + 100 * steps)[:, None] + column("raw_reward") * value
    np.testing.assert_allclose(found, factor * value + 2 * column("baseline"))


@pytest.mark.parametrize(
    ("coefficients", "reduction", "message"),
    [
        ({"coverage": 1.0}, "none", "reward term 'coverage'; .*did you mean 'coverage_rate'"),
        ({"is_tracked": 1.0}, "none", "reward term 'is_tracked'; expected one of raw_reward"),
        ({}, "median", "reduction 'median'; expected one of none, mean, sum, max, min"),
        ({"baseline": lambda *_: np.ones(2)}, "none", r"'baseline' has shape \(2,\); expected"),
    ],
)
def test_bad_choices(coefficients: Any, reduction: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        combine(TERMS, coefficients, reduction)


def test_columns_tell_the_team() -> None:
    terms = np.ones((2, 3, len(TARGET_TERMS)))
    assert combine(terms, {"is_tracked": 2.0}).tolist() == np.full((2, 3), 2.0).tolist()
    assert rewards.uses_soft_coverage({"soft_coverage_score": 0.0})
    assert not rewards.uses_soft_coverage({"baseline": 1.0})


def make_selecting(n_envs: int) -> SelectionEnv:
    options = SelectionOptions(
        decision_frames=1,
        belief="last_seen",
        lookahead=False,
        max_episode_steps=6,
        check_actions=False,
        reward_coefficients={"soft_coverage_score": 2.0, "baseline": 1.0},
    )
    return SelectionEnv(load_scenario("MATE-4v4-9"), options, n_envs)


@pytest.mark.jit
def test_selecting_cameras_earn_the_mean_score() -> None:
    """Across the end of an episode: the boundaries are those of the new one."""
    env, again = make_selecting(3), make_selecting(3)
    env.reset(np.arange(3, dtype=np.uint64))
    rng = np.random.default_rng(2)
    scores = allocate_scores(3, 4, 4)
    stored: Any = None
    for step in range(10):
        if step == 8:
            stored = env.state_dict()
        actions = rng.integers(0, env.n_actions, (3, 4))
        output = env.step(actions)
        if output.truncated.any():  # the last frame's state is gone
            continue
        boundaries = allocate_boundaries(3, 4, 9)
        trace_batch(env.sim.params, env.sim.tables, boundaries)
        score_batch(env.sim.tables, boundaries, scores)
        cameras, _ = terms_of(env.sim, scores)
        wanted = 2.0 * cameras["soft_coverage_score"].mean(1) + 1.0
        np.testing.assert_allclose(output.reward, wanted, rtol=1e-12)
        if step == 8:
            again.load_state_dict(stored)
            np.testing.assert_array_equal(again.step(actions).reward, output.reward)
