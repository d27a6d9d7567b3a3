"""Every auxiliary camera reward of a recorded trace, and the polylines that they rest on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
from compiled import from_python
from parity.golden import DATA, Array, Trace, load_trace
from reference_bridge import world_of
from reference_rewards import tangents_of

from camsim.envs.rewards import combine
from camsim.kernels.boundary import (
    INNER,
    OUTER,
    BoundaryTables,
    allocate_boundaries,
    free_range,
    trace_batch,
)
from camsim.kernels.reward_terms import CAMERA_TERMS, write_camera_terms
from camsim.kernels.soft_coverage import allocate_scores, score_batch
from camsim.parity.teacher_forcing import VIEW_FIELDS, fields, read, simulator_at
from camsim.sim import BatchSim

NAME = "aux_MATE-4v4-9_s4128"
TABLES = (("inner", INNER), ("outer", OUTER))
TOLERANCE = 1e-9
ROUNDED_SHARE, ROUNDED_SCORE = 0.1, 0.1
"""Upstream decides by rounding whether a tangent ray is cut, which moves single boundary points:
share of pairs whose score may differ for that, and by how much (measured: 0.074 and 0.060)."""


def recorded_knots(trace: Trace, c: int, name: str) -> tuple[Array, Array]:
    """Angles and lengths of one of upstream's tables."""
    angle, length = (trace.arrays[f"camera_{name}_knots_{part}"][c] for part in ("phi", "rho"))
    used = np.isfinite(angle)
    return angle[used], length[used]


@cache
def own_tables() -> tuple[BatchSim, BoundaryTables]:
    """One environment with the recorded layout, and its traced boundaries."""
    trace = load_trace(NAME)
    sim = simulator_at(trace, np.arange(1))
    boundaries = allocate_boundaries(1, *trace.arrays["camera_obstacle_mask"].shape)
    trace_batch(sim.params, sim.tables, boundaries)
    return sim, boundaries


@cache
def upstream_tables() -> BoundaryTables:
    """The recorded knots in our record."""
    trace = load_trace(NAME)
    boundaries = allocate_boundaries(1, *trace.arrays["camera_obstacle_mask"].shape)
    for c in range(boundaries.n_knots.shape[1]):
        for name, which in TABLES:
            angle, length = recorded_knots(trace, c, name)
            n = len(angle)
            boundaries.n_knots[0, c, which] = n
            at = [np.flatnonzero(angle == degree)[0] for degree in range(-180, 181)]
            boundaries.degree[0, c, which] = at
            if which == INNER:
                boundaries.inner[0, c, :, :n] = angle, length
            else:
                x, y = length * np.cos(np.radians(angle)), length * np.sin(np.radians(angle))
                boundaries.outer[0, c, :, :n] = angle, x, y
    return boundaries


def scores_with(boundaries: BoundaryTables) -> tuple[BatchSim, Array]:
    """Scores [K, C, T] after every frame, with the recorded masks and the given tables."""
    trace = load_trace(NAME)
    sim = simulator_at(trace, trace.times_after)
    repeated = [np.ascontiguousarray(np.repeat(x, trace.n_frames, axis=0)) for x in boundaries]
    scores = allocate_scores(*trace.after("camera_target_mask").shape)
    score_batch(sim.tables, BoundaryTables(*repeated), scores)
    return sim, scores


@pytest.mark.parametrize(("name", "which"), TABLES)
def test_knots(name: str, which: int) -> None:
    """Each knot has its equal, but where a ray touches a disc and rounding decides."""
    sim, boundaries = own_tables()
    world, trace = world_of(sim, 0), load_trace(NAME)
    for c in range(world.n_cameras):
        n = boundaries.n_knots[0, c, which]
        if which == INNER:
            angle, length = boundaries.inner[0, c, :, :n]
        else:
            angle, x, y = boundaries.outer[0, c, :, :n]
            length = np.hypot(x, y)
        recorded_angle, recorded_length = recorded_knots(trace, c, name)
        tangents = np.array(tangents_of(world, c))
        for some, others in (
            ((angle, length), (recorded_angle, recorded_length)),
            ((recorded_angle, recorded_length), (angle, length)),
        ):
            same = np.abs(some[0][:, None] - others[0]) < TOLERANCE
            assert same.any(1).all()  # no angle is missing, tangents included
            same &= np.abs(some[1][:, None] - others[1]) < 1e-7
            touching = (np.abs(some[0][:, None] - tangents) < 1e-7).any(1)
            assert (same.any(1) | touching).all()
            assert same.any(1).mean() > 0.98


free_range_of = from_python(free_range)


def test_samples_of_the_inner_boundary() -> None:
    sim, boundaries = own_tables()
    trace, world = load_trace(NAME), world_of(sim, 0)
    angles = trace.arrays["boundary_angles"]
    for c in range(world.n_cameras):
        found = np.array([free_range_of(0, c, boundaries, float(angle)) for angle in angles])
        clear = np.abs(angles[:, None] - np.array(tangents_of(world, c))).min(1) > 0.011
        wanted = trace.arrays["camera_boundary_inner"][c]
        np.testing.assert_allclose(found[clear], wanted[clear], rtol=2e-7)


def test_samples_of_the_outer_boundary() -> None:
    sim, boundaries = own_tables()
    trace, world = load_trace(NAME), world_of(sim, 0)
    angles = trace.arrays["boundary_angles"]
    for c in range(world.n_cameras):
        n = boundaries.n_knots[0, c, OUTER]
        angle, x, y = boundaries.outer[0, c, :, :n]
        found = np.interp(angles, angle, np.hypot(x, y))
        clear = np.abs(angles[:, None] - np.array(tangents_of(world, c))).min(1) > 1.0
        wanted = trace.arrays["camera_boundary_outer"][c]
        np.testing.assert_allclose(found[clear], wanted[clear], rtol=2e-7)


def test_scores_with_upstreams_knots() -> None:
    _, scores = scores_with(upstream_tables())
    recorded = load_trace(NAME).frame("aux_score_matrix")
    np.testing.assert_allclose(scores, recorded, rtol=0.0, atol=TOLERANCE)


def test_scores_with_our_knots() -> None:
    _, scores = scores_with(own_tables()[1])
    difference = np.abs(scores - load_trace(NAME).frame("aux_score_matrix"))
    assert (difference > TOLERANCE).mean() < ROUNDED_SHARE
    assert difference.max() < ROUNDED_SCORE


@numba.njit
def write_terms(params: Any, s: Any, scores: Any, out: Any) -> None:
    for i in range(len(s.rng)):
        write_camera_terms(i, params, s, scores, out)


def test_terms_and_their_sum() -> None:
    trace = load_trace(NAME)
    sim, scores = scores_with(upstream_tables())
    before = simulator_at(trace, trace.times_before)  # rewards belong to the frame in between
    for view in VIEW_FIELDS:
        read(before, view)[...] = trace.after(view)
    fields(before)["target_xy"][...] = trace.after("target_xy")
    before.settle(trace.picked_destination())
    terms = np.zeros((*trace.frame("aux_num_tracked").shape, len(CAMERA_TERMS)))
    write_terms(sim.params, before.tables, scores, terms)
    for name, tolerance in (("num_tracked", 0), ("raw_reward", 0), ("soft_coverage_score", 1e-9)):
        found, wanted = terms[..., CAMERA_TERMS.index(name)], trace.frame(f"aux_{name}")
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=tolerance, err_msg=name)
    total = combine(terms, trace.meta["aux_coefficients"])
    np.testing.assert_allclose(total, trace.frame("aux_total_reward"), rtol=0.0, atol=TOLERANCE)


def test_the_recording_is_small() -> None:
    assert (DATA / f"{NAME}.npz").stat().st_size < 350_000
