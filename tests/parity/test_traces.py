"""Every recorded frame through the kernels: phase by phase as users verify it, and in one go."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from parity.golden import HRL_TRACES, TRACES, Array, load_trace
from parity.replay import replay_views

from camsim.parity.teacher_forcing import ACCOUNT_FIELDS, read, simulator_at
from camsim.parity.verify import Verification, sight_share_allowed, verify_trace

POSITION_TOLERANCE = 1e-9

ALL_TRACES = [*TRACES, *HRL_TRACES]
OPAQUE_TRACES = [name for name in ALL_TRACES if load_trace(name).transmittance == 0.0]
TRANSPARENT_TRACES = [name for name in ALL_TRACES if name not in OPAQUE_TRACES]
SEEN_BY_UPSTREAM_ONLY = {"hrl_MATE-4v4-9_enhanced_s4131": 1, "hrl_MATE-4v4-9_single_s4130": 1}
"""Pairs at the edge of a shadow that upstream's polyline shows and geometry hides."""


@cache
def verified(name: str) -> Verification:
    """The verification of a trace, done once per process."""
    return verify_trace(load_trace(name))


@pytest.mark.parametrize("name", ALL_TRACES)
def test_trace(name: str) -> None:
    report = verified(name)
    wrong = [c.first_failure for c in report.comparisons.values() if not c.agrees]
    assert not wrong
    skipped = {c.quantity: c.skipped for c in report.comparisons.values() if c.skipped}
    skipped.pop("target orientations", None)  # moves too short to have a direction
    allowed = SEEN_BY_UPSTREAM_ONLY.get(name)
    assert skipped == ({"camera-target mask": allowed} if allowed else {})
    assert report.tangent_pairs == (allowed or 0)
    trace = load_trace(name)
    assert report.of("target positions").compared == 2 * trace.n_frames * trace.n_targets
    assert report.of("step counter").compared == trace.n_frames
    assert report.of("target observations").compared == trace.arrays["target_obs"].size
    assert report.of("global states").compared == trace.arrays["global_state"].size
    assert report.of("drawn goals have cargo").compared == trace.arrays["picked_up"].sum()


def test_camera_target_mask_over_all_files() -> None:
    opaque = [verified(name) for name in OPAQUE_TRACES]
    assert sum(report.pairs_in_view for report in opaque) == 23_831
    assert sum(report.tangent_pairs for report in opaque) == 2
    assert sight_share_allowed(opaque)


@pytest.mark.jit
@pytest.mark.parametrize("name", TRANSPARENT_TRACES)
def test_camera_target_mask_with_transmittance(name: str) -> None:
    """Our own draws: what is hidden is seen sometimes, what is clear always, the rest never."""
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
    report = verified(name)
    assert ever.sum() == report.pairs_in_view
    assert (ever & ~always).sum() == report.hidden_pairs > 0
    assert 0 < report.hidden_seen < report.hidden_pairs
    recorded = trace.after("camera_target_mask")
    assert (always <= recorded).all()
    assert (recorded <= ever).all()


def disagreements(name: str) -> Array:
    """Camera-target pairs [K, C, T] that upstream and the kernels judge differently."""
    recorded = load_trace(name).after("camera_target_mask")
    different: Array = replay_views(name)["camera_target_mask"] != recorded
    return different


@pytest.mark.parametrize("name", OPAQUE_TRACES)
def test_fused_step(name: str) -> None:
    """`step` in one go, on frames in which nothing is drawn and upstream's masks agree."""
    trace = load_trace(name)
    drawn = trace.frame("picked_up").any(1) | disagreements(name).any((1, 2))
    certain = np.flatnonzero(~drawn)
    assert len(certain) > 0.9 * trace.n_frames
    sim = simulator_at(trace, trace.times_before[certain])
    result = sim.step(trace.frame("camera_action")[certain], trace.frame("target_action")[certain])
    recorded = trace.after("target_xy")[certain]
    np.testing.assert_allclose(read(sim, "target_xy"), recorded, 0, POSITION_TOLERANCE)
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
        recorded = trace.after("target_xy")[k]
        np.testing.assert_allclose(read(sim, "target_xy")[0], recorded, 0, POSITION_TOLERANCE)
        assert result.target_reward[0] == trace.frame("target_team_reward")[k]
        assert result.done[0] == trace.frame("done")[k]
    assert result.done[0]
