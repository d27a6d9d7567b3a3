"""TeamEnv: equal to BatchSim, auto-reset, restarts, actions, rewards, information, continuation."""

from __future__ import annotations

import contextlib
import io
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_worlds import random_actions
from reference_bridge import read

from camsim import BatchSim, Link, TeamEnv, TeamOptions, load_scenario
from camsim.envs.grids import camera_grid, target_grid
from camsim.envs.scripted import ScriptedEnv
from camsim.envs.team import TeamOutput
from camsim.envs.team_rewards import CAMERA_TERMS, TARGET_TERMS
from camsim.policies.rules import camera_rules
from camsim.sim import OBSERVATION_MODES

BOTH = TeamOptions(targets="external")
TEAMS = ("cameras", "targets")
TABLES = ("cameras", "targets", "obstacles", "world", "camera_target", "target_camera", "rng")


def make(
    n_envs: int = 3, options: TeamOptions = BOTH, name: str = "MATE-4v4-9", **changes: object
) -> TeamEnv:
    """A TeamEnv, both teams external unless `options` or `changes` say otherwise."""
    return TeamEnv(load_scenario(name), replace(options, **changes), n_envs)  # type: ignore[arg-type]


def seeds(n: int, first: int = 0) -> NDArray[np.uint64]:
    return np.arange(first, first + n, dtype=np.uint64)


def nothing(env: TeamEnv) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Actions of both teams that move nobody."""
    n = env.num_envs
    return np.zeros((n, env.n_cameras, 2)), np.zeros((n, env.n_targets, 2))


def copied(out: TeamOutput) -> TeamOutput:
    return TeamOutput(*(array.copy() for array in out))


def assert_equal_rows(one: TeamOutput, other: TeamOutput, rows: object = slice(None)) -> None:
    for name, a, b in zip(TeamOutput._fields, one, other, strict=True):
        np.testing.assert_array_equal(a[rows], b[rows], name)


@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-Navigation"])
def test_equals_batch_sim(name: str) -> None:
    env = make(4, name=name)
    sim = BatchSim(load_scenario(name), 4, target_obs=True)
    rng = np.random.default_rng(1)
    obs = sim.reset(seeds(4))
    out = env.reset(seeds(4))
    for _ in range(40):
        np.testing.assert_array_equal(out.camera_obs, obs.camera_obs)
        np.testing.assert_array_equal(out.target_obs, obs.target_obs)
        np.testing.assert_array_equal(out.state, obs.state)
        actions = random_actions(sim, rng)
        result = sim.step(*actions)
        out = env.step(*actions)
        shape = (4, env.n_cameras)
        np.testing.assert_array_equal(
            out.camera_reward, np.broadcast_to(result.camera_reward[:, None], shape)
        )
        np.testing.assert_array_equal(out.target_reward[:, 0], result.target_reward)
    for table in TABLES:
        np.testing.assert_array_equal(getattr(env.sim.tables, table), getattr(sim.tables, table))


@pytest.mark.parametrize("cameras", ["random", "greedy"])
def test_scripted_teams_equal_scripted_env(cameras: str) -> None:
    env = make(3, cameras=cameras, targets="greedy")
    wanted = ScriptedEnv(load_scenario("MATE-4v4-9"), 3, camera_policy=cameras)
    env.reset(seeds(3))
    wanted.reset(seeds(3))
    for _ in range(30):
        env.step()
        wanted.run_frames(1)
    for table in ("cameras", "targets", "world", "camera_target", "rng"):
        mine, theirs = getattr(env.sim.tables, table), getattr(wanted.sim.tables, table)
        np.testing.assert_array_equal(mine, theirs, table)


def test_rows_are_independent() -> None:
    """Row 2 of a batch is the episode that a batch of one plays, through automatic resets."""
    options = replace(BOTH, targets="greedy", max_episode_steps=6, relative=True, rescaled=True)
    batch, single = make(4, options), make(1, options)
    rng = np.random.default_rng(2)
    many, one = batch.reset(seeds(4)), single.reset(seeds(1, 2))
    for _ in range(20):
        for a, b, name in zip(many, one, TeamOutput._fields, strict=True):
            np.testing.assert_array_equal(a[2], b[0], name)
        action = rng.uniform(-5, 5, (4, 4, 2))
        many, one = batch.step(action), single.step(action[2:3])


def coefficients(terms: tuple[str, ...]) -> st.SearchStrategy[dict[str, float] | None]:
    return st.none() | st.dictionaries(st.sampled_from(terms), st.floats(-2.0, 2.0), max_size=3)


ALL_OPTIONS = st.fixed_dictionaries(
    {
        "cameras": st.sampled_from(["external", "random", "greedy", "greedy=1,naive=2"]),
        "targets": st.sampled_from(["external", "random", "greedy", "greedy=1,random=2"]),
        "camera_view": st.sampled_from(["own", "shared", "enhanced"]),
        "target_view": st.sampled_from(["own", "shared", "enhanced"]),
        "relative": st.booleans(),
        "rescaled": st.booleans(),
        "camera_action_levels": st.sampled_from([None, 3, 5]),
        "target_action_levels": st.sampled_from([None, 3, 7]),
        "camera_rewards": coefficients(CAMERA_TERMS),
        "camera_reduction": st.sampled_from(["none", "mean", "sum", "max", "min"]),
        "target_rewards": coefficients(TARGET_TERMS),
        "target_reduction": st.sampled_from(["none", "mean", "sum", "max", "min"]),
        "target_done_at_destination": st.booleans(),
        "max_episode_steps": st.integers(1, 8),
    }
)


@settings(max_examples=30, deadline=None)
@given(ALL_OPTIONS, st.integers(0, 1000))
def test_any_combination_of_options(options: dict[str, Any], seed: int) -> None:
    """Everything finite, and row 1 of three is the episode that it would be alone."""
    for team in ("camera", "target"):
        if options[f"{team}s"] != "external":
            options[f"{team}_action_levels"] = None
        if options[f"{team}_rewards"] is None:
            options[f"{team}_reduction"] = "none"
    batch, single = make(3, TeamOptions(**options)), make(1, TeamOptions(**options))
    rng = np.random.default_rng(seed)
    many, one = batch.reset(seeds(3, seed)), single.reset(seeds(1, seed + 1))
    for _ in range(12):
        actions = []
        for team in ("camera", "target"):
            levels = options[f"{team}_action_levels"]
            drawn = rng.uniform(-20, 20, (3, 4, 2)) if levels is None else None
            actions.append(rng.integers(0, levels**2, (3, 4)) if drawn is None else drawn)
        chosen = [
            a if options[k] == "external" else None for a, k in zip(actions, TEAMS, strict=True)
        ]
        many = batch.step(*chosen)
        one = single.step(*(None if a is None else a[1:2] for a in chosen))
        for a, b, name in zip(many, one, TeamOutput._fields, strict=True):
            assert np.isfinite(a).all()
            np.testing.assert_array_equal(a[1], b[0], name)
    wanted = single.information()
    for name, array in batch.information().items():
        np.testing.assert_array_equal(array[1], wanted[name][0], name)


def test_time_limit_and_automatic_reset() -> None:
    """A limit of 4 gives 5 frames; the step after that starts the next episode and pays nothing."""
    env = make(2, targets="greedy", max_episode_steps=4)
    out = env.reset(seeds(2))
    assert env.episode_id.tolist() == [0, 0]
    idle = nothing(env)[0]
    for frame in range(1, 6):
        out = env.step(idle)
        assert (read(env.sim, "episode_step") == frame).all()
        assert out.truncated.tolist() == [frame == 5] * 2
        assert (out.camera_done == (frame == 5)).all()
        assert (out.target_done == (frame == 5)).all()
    assert not out.terminated.any()
    last = copied(out)
    out = env.step(np.full((2, 4, 2), 3.0))
    assert env.episode_id.tolist() == [1, 1]
    assert (read(env.sim, "episode_step") == 0).all()
    assert not out.truncated.any()
    assert not out.camera_done.any()
    assert (out.camera_reward == 0.0).all()
    assert (out.target_reward == 0.0).all()
    assert (out.camera_obs[:, :, 13:15] != last.camera_obs[:, :, 13:15]).all()  # a new layout
    np.testing.assert_array_equal(out.camera_obs, env.sim.obs.camera_obs)


def test_without_automatic_reset_worlds_run_on() -> None:
    env = make(2, targets="greedy", max_episode_steps=2, auto_reset=False)
    env.reset(seeds(2))
    for frame in range(1, 6):
        out = env.step(nothing(env)[0])
        assert (out.truncated == (frame > 2)).all()
        assert (read(env.sim, "episode_step") == frame).all()
    out = env.restart(out.truncated.copy())
    assert (read(env.sim, "episode_step") == 0).all()


def test_delivery_of_everything_terminates() -> None:
    env = make(3, max_episode_steps=3)
    env.reset(seeds(3))
    for _ in range(2):
        env.step(*nothing(env))
    env.sim.view.world.awaiting[1] = 0.0
    out = env.step(*nothing(env))
    assert out.terminated.tolist() == [False, True, False]
    assert out.truncated.tolist() == [False, False, False]
    env.sim.view.world.awaiting[0] = 0.0  # delivered in the very frame of the time limit
    out = env.step(*nothing(env))
    assert out.terminated.tolist() == [True, False, False]
    assert out.truncated.tolist() == [False, False, True]


def test_restart_leaves_other_rows_alone() -> None:
    rewards = {"coverage_rate": 1.0}
    env = make(4, targets="greedy", camera_rewards=rewards, relative=True, max_episode_steps=6)
    env.reset(seeds(4))
    for _ in range(6):
        env.step(nothing(env)[0])
    which = np.array([False, True, False, True])
    before, out = env.state_dict(), copied(env.output)
    new = env.restart(which)
    assert_equal_rows(new, out, ~which)
    after = env.state_dict()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name][~which], array[~which], name)
    for row in (1, 3):
        assert (after["sim.cameras"][row] != before["sim.cameras"][row]).any()
        assert (after["sim.world"][row, 28:30] == 0.0).all()
    assert env.episode_id.tolist() == [0, 1, 0, 1]
    assert (new.camera_reward[which] == 0.0).all()
    unchanged = copied(new)
    assert_equal_rows(env.restart(np.zeros(4, np.bool_)), unchanged)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("cameras", None, "a rule's name, a mixture"),
        ("camera_action_levels", "5", "an odd integer or None"),
        ("max_episode_steps", 10.5, "an integer or None"),
        ("target_link", {"delay": 3}, "a Link"),
        ("relative", "no", "True or False"),
    ],
)
def test_options_of_a_wrong_kind(option: str, value: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"{option} = .*; expected {allowed}"):
        make(1, **{option: value})


def test_a_single_world_leaves_the_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(numba, "get_num_threads", lambda: 4)
    monkeypatch.setattr(numba, "set_num_threads", asked.append)
    make(1).reset(seeds(1))
    assert asked == [1, 4]


def test_a_delay_is_a_whole_number() -> None:
    with pytest.raises(ValueError, match=r"delay = 1.5; expected 0 or more frames"):
        make(1, target_link=Link(delay=1.5))  # type: ignore[arg-type]


@pytest.mark.parametrize("which", [np.zeros(3), np.zeros(4, np.bool_)])
def test_bad_restart(which: NDArray[np.float64]) -> None:
    env = make(3)
    env.reset(seeds(3))
    with pytest.raises(ValueError, match="expected 3 flags"):
        env.restart(which)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "cameras", "targets", "error"),
    [
        ({}, None, (3, 4, 2), "camera_action is missing; the team is external"),
        ({}, (3, 4, 2), None, "target_action is missing; the team is external"),
        ({"targets": "greedy"}, (3, 4, 2), (3, 4, 2), "target_action was given, but a rule drives"),
        ({}, (3, 4), (3, 4, 2), r"camera_action has shape \(3, 4\); expected \(3, 4, 2\)"),
        ({}, (3, 4, 2), (4, 4, 2), r"target_action has shape \(4, 4, 2\); expected \(3, 4, 2\)"),
        ({"camera_action_levels": 5}, (3, 4), (3, 4, 2), "camera_action is float64 of shape"),
    ],
)
def test_bad_actions(
    changes: dict[str, object],
    cameras: tuple[int, ...] | None,
    targets: tuple[int, ...] | None,
    error: str,
) -> None:
    env = make(3, **changes)
    env.reset(seeds(3))
    before = env.state_dict()
    with pytest.raises(ValueError, match=error) as caught:
        env.step(*(None if shape is None else np.zeros(shape) for shape in (cameras, targets)))
    assert "\n" not in str(caught.value)
    for name, array in env.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_actions_that_are_not_finite() -> None:
    env = make(3)
    env.reset(seeds(3))
    cameras, targets = nothing(env)
    targets[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"target_action\[2, 1, 0\] = nan; expected a finite"):
        env.step(cameras, targets)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"camera_view": "all"}, "camera_view = 'all'; expected one of own, shared, enhanced"),
        ({"target_view": "all"}, "target_view = 'all'"),
        ({"dtype": "float16"}, "dtype = 'float16'; expected one of float64, float32"),
        ({"max_episode_steps": 0}, "max_episode_steps = 0; expected at least 1"),
        ({"camera_action_levels": 4}, "action levels = 4; expected an odd number"),
        ({"targets": "greedy", "target_action_levels": 5}, "a rule drives the targets"),
        ({"cameras": "clever"}, "camera.policy = 'clever'"),
        ({"camera_rewards": {"cover": 1.0}}, "cameras: reward term 'cover'; expected one of"),
        (
            {"target_rewards": {"baseline": "1"}},
            "target_rewards: baseline = '1'; expected a",
        ),
        ({"camera_rewards": {"baseline": np.nan}}, "camera_rewards: baseline = nan"),
        ({"camera_rewards": {}, "camera_reduction": "most"}, "cameras: reduction 'most'"),
        ({"target_reduction": "mean"}, "target_reduction = 'mean' needs target_rewards"),
        ({"targets": "greedy", "target_link": Link(dropout=2.0)}, "dropout = 2.0"),
    ],
)
def test_bad_options(changes: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make(2, **changes)


def test_discrete_actions_are_points_of_the_grid() -> None:
    rng = np.random.default_rng(3)
    discrete = make(3, camera_action_levels=5, target_action_levels=3)
    continuous = make(3)
    discrete.reset(seeds(3))
    continuous.reset(seeds(3))
    steps = continuous.sim.view.targets.step_size
    for _ in range(10):
        cameras, targets = rng.integers(0, 25, (3, 4)), rng.integers(0, 9, (3, 4))
        wanted = continuous.step(
            camera_grid(5)[cameras] * [5.0, 2.5], target_grid(3)[targets] * steps[..., None]
        )
        assert_equal_rows(discrete.step(cameras, targets.astype(np.int32)), wanted)
    with pytest.raises(ValueError, match=r"target_action\[0, 0\] = 9; expected 0 to 8"):
        discrete.step(cameras, np.full((3, 4), 9))


def test_step_needs_an_episode() -> None:
    env = make(2)
    with pytest.raises(ValueError, match="step before the first episode; expected reset"):
        env.step(*nothing(env))


def test_action_bounds() -> None:
    env = make(1)
    assert env.camera_action_bounds.tolist() == [5.0, 2.5]
    assert env.target_action_bounds.tolist() == [20.0, 20.0]


def test_target_done_at_destination() -> None:
    env = make(2, target_done_at_destination=True)
    env.reset(seeds(2))
    env.sim.view.targets.xy[0, 2] = [900.0, 900.0]
    env.sim.view.targets.goal[0, 2] = 0
    env.sim.view.targets.load[0, 2] = 1.0
    out = env.step(*nothing(env))
    assert out.target_done.tolist() == [[False, False, True, False], [False] * 4]
    assert not out.camera_done.any()
    assert not env.step(*nothing(env)).target_done.any()


# Rewards.


def test_rewards_are_weighted_terms() -> None:
    weights = {
        "coverage_rate": 2.0,
        "num_tracked": 0.5,
        "raw_reward": np.float32(0.25),
        "baseline": -1,
    }
    plain = make(6, targets="greedy")
    shaped = make(6, targets="greedy", camera_rewards=weights)
    shared = make(6, targets="greedy", camera_rewards=weights, camera_reduction="max")
    for env in (plain, shaped, shared):
        env.reset(seeds(6))
    assert (shaped.output.camera_reward == 0.0).all()
    for _ in range(10):
        raw = plain.step(nothing(plain)[0]).camera_reward
        own = shaped.step(nothing(plain)[0]).camera_reward
        everybody = shared.step(nothing(plain)[0]).camera_reward
        seen = read(plain.sim, "camera_target_mask").sum(2)
        rate = read(plain.sim, "coverage_rate")[:, None]
        np.testing.assert_allclose(own, 2.0 * rate + 0.5 * seen + 0.25 * raw - 1.0, rtol=1e-12)
        np.testing.assert_array_equal(everybody, np.broadcast_to(own.max(1)[:, None], own.shape))
        np.testing.assert_array_equal(shaped.output.target_reward, plain.output.target_reward)
    info = shared.information()
    np.testing.assert_array_equal(info["camera.reward"], own)
    np.testing.assert_array_equal(info["camera.shared_reward"], everybody)
    np.testing.assert_array_equal(info["camera.auxiliary_reward_num_tracked"], seen)
    np.testing.assert_array_equal(info["camera.reward_coefficient_num_tracked"], 0.5)
    np.testing.assert_array_equal(info["camera.baseline"], 1.0)
    assert "target.reward" not in info
    assert "camera.shared_reward" not in shaped.information()


def test_all_terms_of_both_teams() -> None:
    """Every term alone, through resets; soft coverage keeps to each episode's obstacles."""
    env = make(
        3,
        cameras="greedy",
        targets="greedy",
        camera_rewards=dict.fromkeys(CAMERA_TERMS, 1.0),
        target_rewards=dict.fromkeys(TARGET_TERMS, 1.0),
        max_episode_steps=5,
    )
    env.reset(seeds(3))
    for frame in range(1, 15):
        out = env.step()
        info = env.information()
        for team, terms, reward in (
            ("camera", CAMERA_TERMS, out.camera_reward),
            ("target", TARGET_TERMS, out.target_reward),
        ):
            total = sum(info[f"{team}.auxiliary_reward_{term}"] for term in terms)
            if frame % 7 == 0:  # episodes have six frames
                total = np.zeros_like(reward)
            np.testing.assert_allclose(reward, total, atol=1e-12)
    again = make(3, options=env.options)
    restored = again.load_state_dict(env.state_dict())
    assert_equal_rows(restored, env.output)
    for name, array in env.information().items():
        np.testing.assert_array_equal(again.information()[name], array, name)


def test_coefficients_as_functions() -> None:
    """They get agent, episode, frame after the step, raw reward and the term's value."""
    seen: list[tuple[object, ...]] = []

    def coefficient(*arguments: object) -> object:
        seen.append(arguments)
        return np.asarray(arguments[1]) + 1.0

    env = make(2, camera_rewards={"baseline": coefficient}, max_episode_steps=2)
    env.reset(seeds(2))
    rewards = [env.step(*nothing(env)).camera_reward[0, 0] for _ in range(6)]
    assert rewards == [1.0, 1.0, 1.0, 0.0, 2.0, 2.0]
    agents, episode, step, raw, value = (np.asarray(a) for a in seen[-1])
    assert agents.tolist() == [[0, 1, 2, 3]] * 2
    assert (episode == 1).all()
    assert (step == 2).all()
    assert raw.shape == value.shape == (2, 4)
    assert (value == 1.0).all()


# Information, continuation, buffers.


def test_information() -> None:
    env = make(5, cameras="greedy", targets="greedy")
    env.reset(seeds(5))
    for _ in range(60):
        out = env.step()
    info, view = env.information(), env.sim.view
    np.testing.assert_array_equal(info["state"], out.state)
    np.testing.assert_array_equal(info["camera_states"], out.camera_obs[:, :, 13:22])
    np.testing.assert_array_equal(info["target_states"], out.target_obs[:, :, 13:27])
    for name in ("camera_target", "camera_obstacle", "target_camera", "target_obstacle"):
        recorded = read(env.sim, f"{name}_mask")
        np.testing.assert_array_equal(info[f"{name}_view_mask"], recorded)
    for name in ("coverage_rate", "real_coverage_rate", "mean_transport_rate"):
        np.testing.assert_array_equal(info[name], read(env.sim, name))
    np.testing.assert_array_equal(info["num_delivered_cargoes"], view.world.delivered)
    np.testing.assert_array_equal(info["remaining_cargo_counts"], info["remaining_cargoes"].sum(2))
    np.testing.assert_array_equal(info["awaiting_cargo_counts"], view.world.awaiting)
    np.testing.assert_array_equal(info["camera.raw_reward"], out.camera_reward)
    np.testing.assert_array_equal(info["target.raw_reward"], out.target_reward)
    normalized = out.target_reward / (200 * 8 * 4)
    np.testing.assert_allclose(info["target.normalized_raw_reward"], normalized)
    np.testing.assert_allclose(info["camera.normalized_raw_reward"], -normalized)
    masks = info["camera_target_view_mask"]
    np.testing.assert_array_equal(info["camera.num_tracked"], masks.sum(2))
    np.testing.assert_array_equal(info["target.is_tracked"], masks.any(1))
    sensed = info["target_camera_view_mask"].any(1)
    np.testing.assert_array_equal(info["camera.is_sensed"], sensed)
    np.testing.assert_array_equal(info["target.is_colliding"], view.targets.colliding > 0)
    np.testing.assert_array_equal(info["target.individual_done"], view.targets.delivered_now > 0)
    copies = {name: array.copy() for name, array in info.items()}
    env.step()
    for name, array in info.items():
        np.testing.assert_array_equal(array, copies[name])


def test_goal_distances() -> None:
    env = make(1)
    env.reset(seeds(1))
    targets = env.sim.view.targets
    targets.xy[0, :3] = [[925.0, 825.0], [925.0, 700.0], [0.0, 0.0]]
    targets.goal[0, :3] = [0, 0, -1]
    info = env.information()
    np.testing.assert_allclose(info["target.goal_distance"][0, :3], [25.0, 150.0, 1000.0])
    np.testing.assert_allclose(info["target.warehouse_distances"][0, 2], 925 * 2**0.5 - 75)
    targets.xy[0, 0] = [900.0, 900.0]
    assert env.information()["target.goal_distance"][0, 0] == 0.0


@pytest.mark.parametrize(
    "options",
    [
        TeamOptions(cameras="greedy=0.5,random=0.5", targets="greedy", max_episode_steps=20),
        TeamOptions(
            targets={"random": 1.0, "greedy": 1.0},
            relative=True,
            rescaled=True,
            dtype="float32",
            camera_rewards={"soft_coverage_score": 1.0},
            max_episode_steps=12,
        ),
    ],
)
def test_exact_continuation(options: TeamOptions) -> None:
    one, other = make(3, options), make(3, options)
    one.reset(seeds(3))
    other.reset(seeds(3, 50))
    action = None if options.cameras != "external" else np.full((3, 4, 2), 0.7)
    for _ in range(9):
        one.step(action)
        other.step(action)
    assert_equal_rows(other.load_state_dict(one.state_dict()), one.output)
    for _ in range(30):
        assert_equal_rows(other.step(action), one.step(action))
    np.testing.assert_array_equal(one.episode_id, other.episode_id)


def test_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="stored shape"):
        make(2).load_state_dict(make(3).state_dict())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rescaled", [False, True])
def test_torch_shares_the_buffers(dtype: str, rescaled: bool) -> None:
    torch = pytest.importorskip("torch")
    env = make(2, targets="greedy", dtype=dtype, rescaled=rescaled)
    out = env.reset(seeds(2))
    tensors = [torch.from_numpy(array) for array in out]
    for _ in range(5):
        out = env.step(torch.ones((2, 4, 2)))
        for tensor, array in zip(tensors, out, strict=True):
            assert tensor.data_ptr() == array.ctypes.data
            np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensors[0].dtype == getattr(torch, dtype)


def test_unwanted_vectors() -> None:
    lean = make(2, with_camera_obs=False, with_target_obs=False, with_state=False, rescaled=True)
    full = make(2)
    out, wanted = lean.reset(seeds(2)), full.reset(seeds(2))
    assert out.camera_obs.shape == (0, 4, 106)
    assert out.target_obs.shape == (0, 4, 111)
    assert out.state.shape == (0, 156)
    for _ in range(5):
        out, wanted = lean.step(*nothing(lean)), full.step(*nothing(full))
        np.testing.assert_array_equal(out.camera_reward, wanted.camera_reward)
    np.testing.assert_array_equal(lean.information()["state"], wanted.state)


def test_world_without_cameras() -> None:
    env = make(2, TeamOptions(), "MATE-Navigation")
    out = env.reset(seeds(2))
    out = env.step()
    assert out.camera_obs.shape[1] == out.camera_reward.shape[1] == 0
    assert out.target_obs.shape == (2, 8, 195)
    info = env.information()
    assert not info["target.is_tracked"].any()
    env = make(2, cameras="greedy", name="MATE-Navigation")
    env.reset(seeds(2))
    assert env.step(None, np.zeros((2, 8, 2))).state.shape == (2, 253)


def test_example_of_the_documentation_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "environments.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[1].split("```")[0].replace("256", "2")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "environments.md", "exec"), {})
    assert printed.getvalue().startswith("(2, 4, 106) ")


def test_every_option_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "environments.md").read_text(encoding="utf-8")
    for field in fields(TeamOptions):
        assert f"`{field.name}`" in page, field.name
    env = make(1, cameras="greedy", targets="greedy", camera_rewards={"baseline": 1.0})
    env.reset(seeds(1))
    for key in env.information():
        if "_baseline" not in key and key != "camera.baseline":
            assert f"`{key}`" in page or f"`{key.replace('target.', 'camera.')}`" in page, key


def test_full_rules_drive_a_team() -> None:
    """Parameters of the rules count; the view is the option's."""
    rules = camera_rules("greedy", memory_period=2, link=Link(silent=True))
    options = TeamOptions(cameras=rules, camera_view="shared")
    env = TeamEnv(load_scenario("MATE-4v4-9"), options, 2)
    assert env.teams[0].memory_period == 2
    assert env.teams[0].silent
    assert env.teams[0].observes == OBSERVATION_MODES["shared"]
    with pytest.raises(ValueError, match="camera_link was given beside full rules"):
        TeamEnv(load_scenario("MATE-4v4-9"), replace(options, camera_link=Link(delay=1)), 2)
