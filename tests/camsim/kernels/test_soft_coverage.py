"""Soft coverage against the oracle, and at the edges of sector and boundary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_worlds import random_simulator, scenario_with
from reference_bridge import state_of, world_of
from reference_rewards import soft_coverage

from camsim.kernels.boundary import BoundaryTables, allocate_boundaries, trace_batch
from camsim.kernels.soft_coverage import allocate_scores, score_batch
from camsim.parity.teacher_forcing import fields
from camsim.sim import BatchSim


def scored(sim: BatchSim) -> tuple[Any, BoundaryTables]:  # Any: an array of scores
    sim.see()
    n_cameras, n_targets = sim.tables.camera_target.shape[1:]
    boundaries = allocate_boundaries(sim.num_envs, n_cameras, sim.tables.obstacles.shape[1])
    scores = allocate_scores(sim.num_envs, n_cameras, n_targets)
    trace_batch(sim.params, sim.tables, boundaries)
    score_batch(sim.tables, boundaries, scores)
    return scores, boundaries


def tables_of(boundaries: BoundaryTables, i: int) -> list[Any]:
    """Both tables of every camera of environment i, as the oracle takes them."""
    tables = []
    for c in range(boundaries.n_knots.shape[1]):
        n, m = boundaries.n_knots[i, c]
        angle, x, y = boundaries.outer[i, c, :, :m]
        inner = boundaries.inner[i, c, :, :n]
        tables.append(((inner[0], inner[1]), (angle, np.hypot(x, y))))
    return tables


def assert_as_the_oracle(sim: BatchSim) -> None:
    scores, boundaries = scored(sim)
    for i in range(sim.num_envs):
        wanted = soft_coverage(world_of(sim, i), state_of(sim, i), tables_of(boundaries, i))
        np.testing.assert_allclose(scores[i], wanted, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-8v8-9", "MATE-2v4-0", "MATE-Navigation"])
def test_scores_equal_the_oracle(name: str) -> None:
    assert_as_the_oracle(random_simulator(scenario_with(name, transmittance=0.3), 12, seed=41))


@settings(max_examples=40)
@given(
    phi=st.floats(-180.0, 179.9) | st.sampled_from([-180.0, -90.0, 0.0, 90.0]),
    theta=st.floats(30.0, 180.0) | st.sampled_from([30.0, 60.0, 180.0]),
    at=st.tuples(st.floats(-1000.0, 1000.0), st.floats(-1000.0, 1000.0)),
    radius=st.floats(0.0, 300.0) | st.just(0.0),
)
def test_any_pose(phi: float, theta: float, at: tuple[float, float], radius: float) -> None:
    """One camera at the origin, one target, one disc that may even lie on the camera."""
    sim = in_the_open(phi, theta, at)
    arrays = fields(sim)
    arrays["obstacle_xy"][0, 0] = 200.0, -150.0
    arrays["obstacle_radius"][0, 0] = radius
    sim.refresh()
    assert_as_the_oracle(sim)


def in_the_open(phi: float, theta: float, at: tuple[float, float]) -> BatchSim:
    """A camera at the origin and a target; obstacles are far away."""
    sim = random_simulator(scenario_with("MATE-1v1-9", transmittance=0.0), 1, seed=5)
    arrays = fields(sim)
    arrays["camera_xy"][...] = 0.0
    arrays["camera_orientation"][...] = phi
    arrays["camera_viewing_angle"][...] = theta
    arrays["obstacle_xy"][...] = 9000.0
    arrays["target_xy"][...] = at
    sim.refresh()
    return sim


def test_where_the_score_is_known() -> None:
    sim = in_the_open(0.0, 90.0, (0.0, 0.0))
    narrow, reach = sim.params.theta_min_deg, sim.params.max_range
    sine = math.sin(math.radians(narrow / 2))
    deepest = reach / (1.0 + sine)  # centre of the largest disc in the sector
    for theta, x, wanted in (
        (narrow, deepest, 1.0),
        (narrow, 0.0, 0.0),  # on the camera: both edges end there
        (narrow, reach * 0.999, 0.001 * (1.0 + sine) / sine),
        (180.0, -300.0, -300.0 / (0.5 * reach * math.sqrt(narrow / 180.0))),
    ):
        score = scored(in_the_open(0.0, theta, (x, 0.0)))[0][0, 0, 0]
        assert score == pytest.approx(wanted, abs=2e-3)


def test_on_the_edge() -> None:
    """A target on the sixteenth part of an edge ray: distance zero."""
    sim = in_the_open(10.0, 60.0, (0.0, 0.0))
    angle = math.radians(40.0)
    length = sim.params.max_range * 5.0 / 16.0
    fields(sim)["target_xy"][...] = length * math.cos(angle), length * math.sin(angle)
    assert abs(scored(sim)[0][0, 0, 0]) < 1e-10


def test_nothing_to_score() -> None:
    sim = in_the_open(0.0, 90.0, (10.0, 0.0))
    boundaries = allocate_boundaries(1, 1, 9)
    assert allocate_scores(7, 1, 1, used=False).shape == (0, 1, 1)
    score_batch(sim.tables, boundaries, allocate_scores(1, 1, 1, used=False))
