"""Tables of free range against the oracle, and where the rule is at its limits."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st
from random_worlds import random_simulator, scenario_with
from reference_bridge import world_of
from reference_rewards import Knots, knots, tangents_of

from camsim.kernels import boundary as tables
from camsim.kernels.boundary import INNER, OUTER, BoundaryTables, allocate_boundaries
from camsim.parity.teacher_forcing import fields
from camsim.sim import BatchSim

SAME_ANGLE, SAME_LENGTH = 1e-9, 1e-6


def traced(sim: BatchSim) -> BoundaryTables:
    sizes = sim.tables.cameras.shape[1], sim.tables.obstacles.shape[1]
    boundaries = allocate_boundaries(sim.num_envs, *sizes)
    tables.trace_batch(sim.params, sim.tables, boundaries)
    return boundaries


def knots_of(boundaries: BoundaryTables, i: int, c: int, which: int) -> Knots:
    """One table as the oracle has it: angles, lengths."""
    n = boundaries.n_knots[i, c, which]
    if which == INNER:
        return boundaries.inner[i, c, 0, :n], boundaries.inner[i, c, 1, :n]
    angle, x, y = boundaries.outer[i, c, :, :n]
    return angle, np.hypot(x, y)


def strangers(some: Knots, others: Knots, tangents: list[float]) -> int:
    """How many knots have no equal among the others, tangent ones left out."""
    angles, lengths = some
    gap = np.abs(angles[:, None] - np.array([*tangents, np.inf]))
    touching = (np.minimum(gap, 360.0 - gap) < 1e-7).any(1)
    same = np.abs(angles[:, None] - others[0]) < SAME_ANGLE
    same &= np.abs(lengths[:, None] - others[1]) < SAME_LENGTH
    return int((~same.any(1) & ~touching).sum())


@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-8v8-9", "MATE-2v4-0", "MATE-Navigation"])
def test_knots_equal_the_oracle(name: str) -> None:
    n_envs = 3
    sim = random_simulator(scenario_with(name, transmittance=0.1), n_envs, seed=31)
    if sim.tables.obstacles.shape[1] > 2:
        fields(sim)["obstacle_radius"][:, 1] = 0.0  # one that found no place at the reset
        sim.refresh()
    boundaries = traced(sim)
    for i in range(n_envs):
        world = world_of(sim, i)
        for c in range(world.n_cameras):
            tangents = tangents_of(world, c)
            for which in (INNER, OUTER):
                mine = knots_of(boundaries, i, c, which)
                wanted = knots(world, c, outer=which == OUTER)
                assert (np.diff(mine[0]) > 0).all()
                assert strangers(mine, wanted, tangents) == 0
                assert strangers(wanted, mine, tangents) == 0
                at = boundaries.degree[i, c, which]
                np.testing.assert_array_equal(mine[0][at], np.arange(-180.0, 181.0))


free_range = from_python(tables.free_range)


def one_disc(x: float, y: float, radius: float, transmittance: float = 0.0) -> BatchSim:
    """A camera at the origin, whose greatest range is 1000 or 1500, and one disc."""
    sim = random_simulator(scenario_with("MATE-1v1-9", transmittance=transmittance), 1, seed=3)
    arrays = fields(sim)
    arrays["camera_xy"][...] = 0.0
    arrays["obstacle_xy"][...] = 9000.0
    arrays["obstacle_xy"][0, 0] = x, y
    arrays["obstacle_radius"][0, 0] = radius
    sim.refresh()
    return sim


def test_one_disc() -> None:
    sim = one_disc(400.0, 0.0, 100.0)
    boundaries = traced(sim)
    reach = sim.params.max_range
    for angle, wanted in ((0.0, 300.0), (90.0, reach), (-180.0, reach), (20.0, reach)):
        assert free_range(0, 0, boundaries, angle) == pytest.approx(wanted, abs=1e-9)
    angle, length = knots_of(boundaries, 0, 0, OUTER)
    assert length[angle == 0.0] == pytest.approx(500.0)
    assert length[angle == 90.0] == pytest.approx(reach)


@pytest.mark.parametrize(
    ("x", "radius", "transmittance"), [(400.0, 100.0, 1.0), (9000.0, 100.0, 0.0)]
)
def test_what_hides_nothing_leaves_a_circle(x: float, radius: float, transmittance: float) -> None:
    sim = one_disc(x, 0.0, radius, transmittance)
    boundaries = traced(sim)
    assert (boundaries.n_knots == 361).all()
    for which in (INNER, OUTER):
        angle, length = knots_of(boundaries, 0, 0, which)
        np.testing.assert_array_equal(angle, np.arange(-180.0, 181.0))
        np.testing.assert_allclose(length, sim.params.max_range, rtol=1e-14)


def test_a_disc_of_radius_zero_leaves_a_spike() -> None:
    boundaries = traced(one_disc(300.0, 300.0, 0.0))
    reach = free_range(0, 0, boundaries, 40.0)
    at_the_disc = free_range(0, 0, boundaries, np.degrees(np.arctan2(300.0, 300.0)))
    assert at_the_disc == pytest.approx(np.hypot(300.0, 300.0))
    assert free_range(0, 0, boundaries, 45.02) == pytest.approx(reach)


@pytest.mark.parametrize("x", [0.0, 30.0, 100.0])
def test_inside_a_disc_all_stays_finite(x: float) -> None:
    boundaries = traced(one_disc(x, 0.0, 100.0))
    for which in (INNER, OUTER):
        angle, length = knots_of(boundaries, 0, 0, which)
        assert np.isfinite(length).all()
        assert (np.diff(angle) > 0).all()
        assert (angle[0], angle[-1]) == (-180.0, 180.0)


def test_no_cameras_and_no_environments() -> None:
    sim = BatchSim(scenario_with("MATE-1v1-9"), 1)
    sim.reset(np.zeros(1, np.uint64))
    empty = allocate_boundaries(0, 1, 9)
    tables.trace_batch(sim.params, sim.tables, empty)
    bare = sim.tables._replace(
        cameras=sim.tables.cameras[:, :0].copy(), camera_obstacle=np.zeros((1, 0, 9), np.bool_)
    )
    tables.trace_batch(sim.params, bare, allocate_boundaries(1, 0, 9))


sort_rays = from_python(tables.sort_rays)
ray = st.tuples(st.integers(-3, 3), st.integers(0, 5))


@given(st.lists(ray, min_size=1, max_size=30))
def test_sorted_and_the_shortest_of_equal_angle(rays: list[tuple[int, int]]) -> None:
    table = np.zeros((1, 1, 2, 30))
    table[0, 0, :, : len(rays)] = np.array(rays, np.float64).T
    n = sort_rays(0, 0, table, len(rays))
    shortest = {angle: min(r for a, r in rays if a == angle) for angle, _ in rays}
    wanted = np.array(sorted(shortest.items()), np.float64).T
    np.testing.assert_array_equal(table[0, 0, :, :n], wanted)
