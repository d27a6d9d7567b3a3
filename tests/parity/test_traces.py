"""Every recorded frame through the kernels, phase by phase, each phase from recorded input."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from parity.golden import HRL_TRACES, MASK_ARRAYS, TRACES, Array, load_trace
from parity.replay import replay_views, simulator_at, write
from reference_bridge import ACCOUNT_FIELDS, POSE_FIELDS, RATE_FIELDS, VIEW_FIELDS, read

POSITION_TOLERANCE = 1e-9
RATE_TOLERANCE = 1e-12
DISAGREEMENTS_ALL_FILES = 0.001
DISAGREEMENTS_ONE_FILE = 0.01
"""Share of the camera-target pairs in view that upstream's polyline may judge differently."""

ALL_TRACES = [*TRACES, *HRL_TRACES]
OPAQUE_TRACES = [name for name in ALL_TRACES if load_trace(name).transmittance == 0.0]
TRANSPARENT_TRACES = [name for name in ALL_TRACES if name not in OPAQUE_TRACES]


def assert_close(computed: Array, recorded: Array, tolerance: float = POSITION_TOLERANCE) -> None:
    """Equal shapes, and nowhere further apart than `tolerance`."""
    np.testing.assert_allclose(computed, recorded, rtol=0.0, atol=tolerance)


@cache
def in_view(name: str) -> Array:
    """Camera-target pairs after each frame within range and angle [K, C, T], obstacles ignored."""
    trace = load_trace(name)
    offset = trace.after("target_xy")[:, None] - trace.arrays["camera_xy"][None, :, None]
    distance = np.hypot(offset[..., 0], offset[..., 1])
    bearing = np.degrees(np.arctan2(offset[..., 1], offset[..., 0]))
    turn = np.abs(trace.after("camera_orientation")[..., None] - bearing)
    turn = np.minimum(turn, 360.0 - turn)
    near = distance <= trace.after("camera_sight_range")[..., None]
    mask: Array = near & (2.0 * turn <= trace.after("camera_viewing_angle")[..., None])
    return mask


def disagreements(name: str) -> Array:
    """Camera-target pairs [K, C, T] that upstream and the kernels judge differently."""
    recorded = load_trace(name).after("camera_target_mask")
    different: Array = replay_views(name)["camera_target_mask"] != recorded
    return different


@pytest.mark.parametrize("name", ALL_TRACES)
def test_motion(name: str) -> None:
    trace = load_trace(name)
    sim = simulator_at(trace, trace.times_before)
    sim.move(trace.frame("camera_action"), trace.frame("target_action"))
    for field in ("camera_orientation", "camera_viewing_angle", "camera_sight_range", "target_xy"):
        assert_close(read(sim, field), trace.after(field))
    colliding = trace.after("target_is_colliding")
    np.testing.assert_array_equal(read(sim, "target_is_colliding"), colliding)


@pytest.mark.parametrize("name", ALL_TRACES)
def test_masks_without_chance(name: str) -> None:
    trace = load_trace(name)
    seen = replay_views(name)
    for mask in MASK_ARRAYS[1:]:
        np.testing.assert_array_equal(seen[mask], trace.after(mask), mask)
    sim = simulator_at(trace, trace.times_before[:1])
    recorded = trace.arrays["camera_obstacle_mask"]
    np.testing.assert_array_equal(read(sim, "camera_obstacle_mask")[0], recorded)


@pytest.mark.parametrize("name", OPAQUE_TRACES)
def test_camera_target_mask(name: str) -> None:
    seen = replay_views(name)
    assert disagreements(name).sum() <= DISAGREEMENTS_ONE_FILE * in_view(name).sum()
    np.testing.assert_array_equal(seen["tracked_bits"], seen["camera_target_mask"].any(1))


def test_camera_target_mask_over_all_files() -> None:
    pairs = sum(int(in_view(name).sum()) for name in OPAQUE_TRACES)
    different = sum(int(disagreements(name).sum()) for name in OPAQUE_TRACES)
    assert pairs == 23_831
    assert different <= DISAGREEMENTS_ALL_FILES * pairs


@pytest.mark.parametrize("name", TRANSPARENT_TRACES)
def test_camera_target_mask_with_transmittance(name: str) -> None:
    """Clear pairs are seen, hidden ones sometimes, by upstream and by us; others never."""
    trace = load_trace(name)
    sim = simulator_at(trace, trace.times_after)
    mask = read(sim, "camera_target_mask")
    always = np.ones_like(mask)
    ever = np.zeros_like(mask)
    sim.tables.rng[...] = np.arange(trace.n_frames, dtype=np.uint64)
    for _ in range(200):  # with chance 0.1, a hidden pair stays hidden 200 times in 1 of 10**9
        sim.see()
        mask = read(sim, "camera_target_mask")
        always &= mask
        ever |= mask
    recorded = trace.after("camera_target_mask")
    np.testing.assert_array_equal(ever, in_view(name))
    assert (always <= recorded).all()
    assert (recorded <= ever).all()
    assert (ever & ~always).any()


@pytest.mark.parametrize("name", ALL_TRACES)
def test_cargo(name: str) -> None:
    trace = load_trace(name)
    sim = simulator_at(trace, trace.times_before)
    write(sim, trace, trace.times_after, POSE_FIELDS + VIEW_FIELDS)
    result = sim.settle(trace.picked_destination())
    np.testing.assert_array_equal(result.target_reward, trace.frame("target_team_reward"))
    np.testing.assert_array_equal(result.camera_reward, trace.frame("camera_team_reward"))
    np.testing.assert_array_equal(result.done, trace.frame("done"))
    for field in ACCOUNT_FIELDS:
        np.testing.assert_array_equal(read(sim, field), trace.after(field), field)
    for rate in RATE_FIELDS:
        assert_close(read(sim, rate), trace.after(rate), RATE_TOLERANCE)


@pytest.mark.parametrize("name", ALL_TRACES)
def test_observations(name: str) -> None:
    trace = load_trace(name)
    obs = simulator_at(trace, trace.arrays["obs_index"]).observe()
    assert_close(obs.camera_obs, trace.arrays["camera_obs"])
    assert_close(obs.target_obs, trace.arrays["target_obs"])
    assert_close(obs.state, trace.arrays["global_state"])


@pytest.mark.parametrize("name", OPAQUE_TRACES)
def test_fused_step(name: str) -> None:
    """`step` in one go, on frames in which nothing is drawn and upstream's masks agree."""
    trace = load_trace(name)
    drawn = trace.frame("picked_up").any(1) | disagreements(name).any((1, 2))
    certain = np.flatnonzero(~drawn)
    assert len(certain) > 0.9 * trace.n_frames
    sim = simulator_at(trace, trace.times_before[certain])
    result = sim.step(trace.frame("camera_action")[certain], trace.frame("target_action")[certain])
    assert_close(read(sim, "target_xy"), trace.after("target_xy")[certain])
    for field in ("camera_target_mask", *ACCOUNT_FIELDS):
        np.testing.assert_array_equal(read(sim, field), trace.after(field)[certain], field)
    recorded = trace.frame("target_team_reward")[certain]
    np.testing.assert_array_equal(result.target_reward, recorded)
    np.testing.assert_array_equal(result.done, trace.frame("done")[certain])


def test_whole_episode() -> None:
    """An episode played from its first state alone: nothing drifts, to the last delivery."""
    trace = load_trace("trace_MATE-4v4-9_greedy_s4100")
    sim = simulator_at(trace, trace.times_before[:1])
    destination = trace.picked_destination()
    for k in range(trace.n_frames):
        sim.move(trace.frame("camera_action")[k : k + 1], trace.frame("target_action")[k : k + 1])
        sim.see()
        result = sim.settle(destination[k : k + 1])
        assert_close(read(sim, "target_xy")[0], trace.after("target_xy")[k])
        assert result.target_reward[0] == trace.frame("target_team_reward")[k]
        assert result.done[0] == trace.frame("done")[k]
    assert result.done[0]
