"""The oracle itself against upstream's recordings, so that kernel tests may trust it.

Each frame starts from the recorded state (teacher forcing). What upstream draws comes from the
record: destinations of new cargo, and, with transmittance, who is seen through an obstacle.
"""

from __future__ import annotations

import numpy as np
import pytest
import reference_hrl
import reference_sim as sim
import reference_views
from parity.golden import (
    DATA,
    FLAG_STATE_ARRAYS,
    HRL_TRACES,
    INTEGER_STATE_ARRAYS,
    MASK_ARRAYS,
    SCALAR_STATE_ARRAYS,
    TRACES,
    Array,
    Trace,
    load_arrays,
    load_trace,
)
from reference_world import State, World, empty_state

POSITION_TOLERANCE = 1e-9
RATE_TOLERANCE = 1e-12
STRIDE = 11
"""Every 11th frame and all special ones in the quick run; all frames in the slow one."""

SEEN_BY_UPSTREAM_ONLY = {
    ("hrl_MATE-4v4-9_enhanced_s4131", 48),
    ("hrl_MATE-4v4-9_single_s4130", 133),
}
"""Frames with the two pairs that exact geometry hides and upstream's polyline shows."""


def special_frames(trace: Trace) -> Array:
    """Frames with a pick-up, a delivery, an end, or a start on a disc's edge; and every 11th."""
    special = trace.frame("picked_up").any(1) | (trace.frame("delivered_weight") > 0).any(1)
    special |= trace.frame("done") | trace.frame("move_starts_on_edge").any(1)
    special[::STRIDE] = True
    return np.flatnonzero(special)


def check_motion(trace: Trace, k: int, state: State) -> None:
    """Frame k's poses, positions and collision flags."""
    world, wanted = trace.world(), trace.state(k + 1)
    sim.move_cameras(world, state, trace.frame("camera_action")[k])
    sim.move_targets(world, state, trace.frame("target_action")[k])
    np.testing.assert_array_equal(state.camera_orientation, wanted.camera_orientation)
    np.testing.assert_array_equal(state.camera_viewing_angle, wanted.camera_viewing_angle)
    np.testing.assert_array_equal(state.camera_sight_range, wanted.camera_sight_range)
    np.testing.assert_allclose(state.target_xy, wanted.target_xy, 0, POSITION_TOLERANCE)
    np.testing.assert_array_equal(state.target_is_colliding, wanted.target_is_colliding)


def check_masks(trace: Trace, k: int, state: State) -> None:
    """All masks after frame k; `state` holds the recorded positions."""
    world, wanted = trace.world(), trace.state(k + 1)
    sim.see(world, state)
    for name in MASK_ARRAYS[1:]:
        np.testing.assert_array_equal(getattr(state, name), getattr(wanted, name), name)
    surely, recorded = state.camera_target_mask, wanted.camera_target_mask
    if trace.transmittance == 0.0 and (trace.name, k) not in SEEN_BY_UPSTREAM_ONLY:
        np.testing.assert_array_equal(surely, recorded)
    for c in range(world.n_cameras):
        for t in range(world.n_targets):
            inside = sim.in_sector(world, state, c, state.target_xy[t])
            assert surely[c, t] <= recorded[c, t] <= inside, (trace.name, k, c, t)


def check_cargo(trace: Trace, k: int, state: State) -> None:
    """Accounts, rewards, rates and the end after frame k; `state` holds the recorded masks."""
    world, wanted = trace.world(), trace.state(k + 1)
    destinations = trace.picked_destination()[k]
    picked: list[int] = []

    def recorded_destination(target: int, options: list[int]) -> int:
        assert destinations[target] in options
        picked.append(target)
        return int(destinations[target])

    rewards = sim.cargo(world, state, recorded_destination)
    assert picked == np.flatnonzero(trace.frame("picked_up")[k]).tolist()
    for name in (*INTEGER_STATE_ARRAYS, *FLAG_STATE_ARRAYS, *SCALAR_STATE_ARRAYS):
        np.testing.assert_array_equal(getattr(state, name), getattr(wanted, name), name)
    assert rewards.target_team == trace.frame("target_team_reward")[k]
    assert -rewards.target_team == trace.frame("camera_team_reward")[k]
    assert rewards.done == trace.frame("done")[k]
    names = ("coverage_rate", "real_coverage_rate", "mean_transport_rate")
    recorded = [trace.after(name)[k] for name in names]
    np.testing.assert_allclose(sim.rates(world, state), recorded, 0, RATE_TOLERANCE)


def check_frame(trace: Trace, k: int) -> None:
    """All phases of frame k; each phase starts from the record, so a fault is named where it is."""
    state, wanted = trace.state(k), trace.state(k + 1)
    check_motion(trace, k, state)
    state.target_xy = wanted.target_xy.copy()
    check_masks(trace, k, state)
    for name in MASK_ARRAYS:
        setattr(state, name, getattr(wanted, name))
    check_cargo(trace, k, state)


def check_views(trace: Trace) -> int:
    """Observations and global states wherever they were recorded; returns their number."""
    world = trace.world()
    index = trace.arrays["obs_index"]
    for row, time in enumerate(index):
        state = trace.state(int(time))
        cameras = [
            reference_views.camera_observation(world, state, c) for c in range(world.n_cameras)
        ]
        targets = [
            reference_views.target_observation(world, state, t) for t in range(world.n_targets)
        ]
        if cameras:
            recorded = trace.arrays["camera_obs"][row]
            np.testing.assert_allclose(np.stack(cameras), recorded, 0, POSITION_TOLERANCE)
        recorded = trace.arrays["target_obs"][row]
        np.testing.assert_allclose(np.stack(targets), recorded, 0, POSITION_TOLERANCE)
        recorded = trace.arrays["global_state"][row]
        computed = reference_views.global_state(world, state)
        np.testing.assert_allclose(computed, recorded, 0, POSITION_TOLERANCE)
    return len(index)


@pytest.mark.parametrize("name", [*TRACES, *HRL_TRACES])
def test_special_frames(name: str) -> None:
    trace = load_trace(name)
    recorded = trace.arrays["camera_obstacle_mask"]
    np.testing.assert_array_equal(sim.camera_obstacle_mask(trace.world()), recorded)
    for k in special_frames(trace):
        check_frame(trace, int(k))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TRACES, *HRL_TRACES])
def test_every_frame(name: str) -> None:
    trace = load_trace(name)
    for k in range(trace.n_frames):
        check_frame(trace, k)


@pytest.mark.parametrize("name", [*TRACES, *HRL_TRACES])
def test_views(name: str) -> None:
    assert check_views(load_trace(name)) > 0


def test_collision_cases() -> None:
    cases, _ = load_arrays(DATA / "collision_cases.npz")
    checked = 0
    for k in np.flatnonzero(~cases["move_order_ambiguous"]):
        discs = [
            ((float(x), float(y)), float(radius))
            for (x, y), radius in zip(
                cases["obstacle_xy"][k], cases["obstacle_radius"][k], strict=True
            )
            if not np.isnan(radius)
        ]
        x, y = cases["target_xy"][k].tolist()
        ax, ay = cases["target_action"][k].tolist()
        end, colliding = sim.move_target(
            (x, y), (ax, ay), float(cases["target_step_size"][k]), discs
        )
        np.testing.assert_allclose(end, cases["next_target_xy"][k], 0, POSITION_TOLERANCE)
        assert colliding == cases["next_is_colliding"][k], k
        checked += 1
    assert checked == 2802


def test_hrl_cases() -> None:
    cases, _ = load_arrays(DATA / "hrl_cases.npz")
    pose = [cases[f"camera_{name}"] for name in ("orientation", "viewing_angle", "sight_range")]
    limits = [
        cases[f"camera_{name}"]
        for name in ("min_viewing_angle", "max_sight_range", "rotation_step", "zooming_step")
    ]
    followed = cases["selection"] & cases["view_mask"]
    for k in range(len(followed)):
        x, y = cases["camera_xy"][k].tolist()
        phi, theta, reach = (float(array[k]) for array in pose)
        low, far, turn, zoom = (float(array[k]) for array in limits)
        for wanted, chosen in (
            ("action", followed[k]),
            ("action_track_all", np.ones(4, np.bool_)),
        ):
            points = [(float(p[0]), float(p[1])) for p in cases["target_xy"][k][chosen]]
            action = reference_hrl.executor_action(
                (x, y), (phi, theta, reach), (low, far, turn, zoom), points
            )
            np.testing.assert_allclose(action, cases[wanted][k], 0, POSITION_TOLERANCE)


def test_selection_masks_and_joint_index() -> None:
    cases, _ = load_arrays(DATA / "hrl_cases.npz")
    for k, visible in enumerate(cases["mask_view"].tolist()):
        assert reference_hrl.multi_action_mask(visible) == cases["mask_multi"][k].tolist()
        assert reference_hrl.single_action_mask(visible) == cases["mask_single"][k].tolist()
        assert reference_hrl.joint_index_mask(visible) == cases["mask_joint_index"][k].tolist()
    for index, bits in zip(
        cases["mapper_index"].tolist(), cases["mapper_bits"].tolist(), strict=True
    ):
        assert reference_hrl.selection_bits_of_index(index, 4) == bits
        assert reference_hrl.index_of_selection_bits(bits) == index


def test_perception_cases() -> None:
    cases, _ = load_arrays(DATA / "perception_cases.npz")
    in_view = disagreements = 0
    for k in range(len(cases["camera_xy"])):
        world, state = perception_case(cases, k)
        for point, seen in zip(cases["points"][k], cases["seen"][k], strict=True):
            inside = sim.in_sector(world, state, 0, point)
            visible = inside and not sim.is_occluded(world, 0, point)
            in_view += inside
            disagreements += visible != seen
    assert in_view == 14225
    assert disagreements <= 1  # upstream's polyline against exact geometry, golden README


def perception_case(cases: dict[str, Array], k: int) -> tuple[World, State]:
    """Camera k of the perception cases, alone with its obstacles."""
    real = ~np.isnan(cases["obstacle_radius"][k])
    world = World(
        camera_xy=cases["camera_xy"][k : k + 1],
        camera_radius=np.full(1, 40.0),
        camera_max_sight_range=cases["camera_max_sight_range"][k : k + 1],
        camera_min_viewing_angle=np.full(1, 30.0),
        camera_rotation_step=np.full(1, 5.0),
        camera_zooming_step=np.full(1, 2.5),
        target_step_size=np.zeros(0),
        target_capacity=np.zeros(0, np.int64),
        target_sight_range=np.zeros(0),
        obstacle_xy=cases["obstacle_xy"][k][real],
        obstacle_radius=cases["obstacle_radius"][k][real],
        transmittance=0.0,
        freight_scale=100,
        bounty_scale=100,
        max_episode_steps=1,
        sparse_reward=False,
    )
    state = empty_state(n_cameras=1, n_targets=0)
    state.camera_orientation = cases["camera_orientation"][k : k + 1]
    state.camera_viewing_angle = cases["camera_viewing_angle"][k : k + 1]
    state.camera_sight_range = cases["camera_sight_range"][k : k + 1]
    return world, state


@pytest.mark.parametrize("name", HRL_TRACES)
def test_hrl_decisions(name: str) -> None:
    """Executor actions, wrapped observations and action masks of every recorded decision."""
    trace = load_trace(name)
    for decision in range(len(trace.arrays["hrl_selection"])):
        check_decision_mask(trace, decision)
        first = int(trace.arrays["hrl_first_frame"][decision])
        for k in range(first, first + int(trace.arrays["hrl_num_frames"][decision])):
            check_executor(trace, decision, k)
    starts = np.append(trace.arrays["hrl_first_frame"], trace.n_frames)
    mode = "own" if trace.meta["enhanced_observation"] is None else "enhanced"
    world = trace.world()
    kinds = reference_views.camera_observation_kinds(world)
    for row, decision in enumerate(trace.arrays["hrl_obs_index"]):
        state = trace.state(int(starts[decision]))
        for c in range(world.n_cameras):
            obs = reference_views.camera_observation(world, state, c, mode=mode)
            obs = reference_views.relative_camera_observation(world, obs)
            obs = reference_views.rescaled(obs, kinds)
            recorded = trace.arrays["hrl_camera_obs"][row, c]
            np.testing.assert_allclose(obs, recorded, 0, POSITION_TOLERANCE)


def visible_to_executor(trace: Trace, time: int) -> Array:
    """Target flags [C, T] of the observations that the selection wrapper reads."""
    flags: Array = trace.arrays["camera_target_mask"][time].copy()
    flags[...] |= trace.meta["enhanced_observation"] is not None
    return flags


def selection_bits(trace: Trace, decision: int) -> Array:
    """Selected targets [C, T] bool of a decision, from bits or from single indices."""
    selection = trace.arrays["hrl_selection"][decision]
    if not trace.meta["multi_selection"]:
        selection = selection[:, None] == np.arange(trace.meta["num_targets"])
    bits: Array = selection.astype(np.bool_)
    return bits


def check_decision_mask(trace: Trace, decision: int) -> None:
    """The action mask before a decision."""
    multi = trace.meta["multi_selection"]
    mask_of = reference_hrl.multi_action_mask if multi else reference_hrl.single_action_mask
    visible = visible_to_executor(trace, int(trace.arrays["hrl_first_frame"][decision]))
    masks = [mask_of(row) for row in visible.tolist()]
    assert masks == trace.arrays["hrl_action_mask"][decision].tolist()


def check_executor(trace: Trace, decision: int, k: int) -> None:
    """The camera actions of frame k, from the mask and positions before it."""
    world, state = trace.world(), trace.state(k)
    chosen = selection_bits(trace, decision) & visible_to_executor(trace, k)
    for c in range(world.n_cameras):
        x, y = world.camera_xy[c].tolist()
        action = reference_hrl.executor_action(
            (x, y),
            (
                float(state.camera_orientation[c]),
                float(state.camera_viewing_angle[c]),
                float(state.camera_sight_range[c]),
            ),
            (
                float(world.camera_min_viewing_angle[c]),
                float(world.camera_max_sight_range[c]),
                float(world.camera_rotation_step[c]),
                float(world.camera_zooming_step[c]),
            ),
            [(float(p[0]), float(p[1])) for p in state.target_xy[chosen[c]]],
        )
        recorded = trace.frame("camera_action")[k, c]
        np.testing.assert_allclose(action, recorded, 0, POSITION_TOLERANCE)
