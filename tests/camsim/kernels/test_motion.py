"""Pan, zoom, walking, sliding and bouncing against the oracle, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference_sim
from compiled import from_python
from hypothesis import example, given
from hypothesis import strategies as st
from random_worlds import SCENARIOS, random_actions, random_simulator, scenario_with
from reference_bridge import state_of, world_of

from camsim.compiled import geometry
from camsim.kernels import motion
from camsim.parity.teacher_forcing import fields, read
from camsim.scenario.schema import Scenario
from camsim.sim import BatchSim

obstruct = from_python(motion.obstruct)
fused_norm = from_python(geometry.fused_norm)
N_ENVS = 60
TOLERANCE = 1e-9


@pytest.mark.parametrize("name", SCENARIOS)
def test_moves_equal_the_oracle(name: str) -> None:
    sim = random_simulator(scenario_with(name), N_ENVS, seed=11)
    camera_action, target_action = random_actions(sim, np.random.default_rng(12))
    before = [(world_of(sim, i), state_of(sim, i)) for i in range(N_ENVS)]
    sim.move(camera_action, target_action)
    for i, (world, state) in enumerate(before):
        reference_sim.move_cameras(world, state, camera_action[i])
        reference_sim.move_targets(world, state, target_action[i])
        moved = state_of(sim, i)
        for field in ("camera_orientation", "camera_viewing_angle", "camera_sight_range"):
            np.testing.assert_allclose(
                getattr(moved, field), getattr(state, field), rtol=0, atol=TOLERANCE
            )
        np.testing.assert_allclose(moved.target_xy, state.target_xy, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(moved.target_is_colliding, state.target_is_colliding)


@example(where_deg=0.75, gap=1.0, heading_deg=106.0, radius=2.0, length=1.0)  # reversed (Q4)
@given(
    st.floats(0.0, 360.0),
    st.floats(0.0, 1.3),
    st.floats(0.0, 360.0),
    st.floats(1.0, 100.0),
    st.floats(0.0, 40.0),
)
def test_one_disc(
    where_deg: float, gap: float, heading_deg: float, radius: float, length: float
) -> None:
    """A step from inside, from the edge or from outside a disc, in any direction."""
    distance = radius * gap if gap < 1.0 else radius + 60.0 * (gap - 1.0)
    centre = (
        distance * math.cos(math.radians(where_deg)),
        distance * math.sin(math.radians(where_deg)),
    )
    step = (
        length * math.cos(math.radians(heading_deg)),
        length * math.sin(math.radians(heading_deg)),
    )
    end = obstruct(*step, *centre, radius)
    wanted = reference_sim.obstruct((0.0, 0.0), step, centre, radius)
    np.testing.assert_allclose(end, wanted, rtol=0, atol=TOLERANCE)
    assert math.hypot(*end) <= length + TOLERANCE
    if distance > radius + TOLERANCE:  # on the edge itself, rounding may take the start for inside
        assert math.dist(end, centre) >= radius - TOLERANCE


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ((20.0, 0.0), (10.0, 0.0)),  # head-on: stops at the edge
        ((-20.0, 0.0), (-20.0, 0.0)),  # away
        ((5.0, 0.0), (5.0, 0.0)),  # cannot reach
        ((0.0, 20.0), (0.0, 20.0)),  # past it
        ((0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_disc_ahead(step: tuple[float, float], wanted: tuple[float, float]) -> None:
    """A disc of radius 50 whose edge is 10 ahead."""
    np.testing.assert_allclose(obstruct(*step, 60.0, 0.0, 50.0), wanted, rtol=0, atol=1e-12)


def test_start_inside_reverses_the_step() -> None:
    assert obstruct(3.0, 4.0, 10.0, 0.0, 50.0) == (-3.0, -4.0)
    assert obstruct(3.0, 4.0, 0.0, 0.0, 50.0) == (-3.0, -4.0)  # from the very centre


def test_slide_keeps_the_tangential_part() -> None:
    """Contact at 45 degrees to the normal: half of the rest of the path survives."""
    end = np.array(obstruct(10.0, 10.0, 50.0, 0.0, 50.0))
    np.testing.assert_allclose(end[0], 0.0, atol=1e-12)
    np.testing.assert_allclose(end[1], 10.0, atol=1e-12)


def test_camera_limits() -> None:
    """The zoom stops at its limits and theta * R**2 stays what it is."""
    sim = random_simulator(scenario_with("MATE-4v4-9"), 8, seed=1)
    still = np.zeros((8, 4, 2))
    theta, reach = read(sim, "camera_viewing_angle"), read(sim, "camera_sight_range")
    for zoom, limit in ((-1e9, 30.0), (1e9, 180.0)):
        action = np.broadcast_to(np.array([7.0, zoom]), (8, 4, 2)).copy()
        for _ in range(80):
            before = read(sim, "camera_orientation").copy()
            sim.move(action, still)
            turned = read(sim, "camera_orientation") - before
            np.testing.assert_allclose(turned % 360.0, 5.0, atol=1e-9)
            np.testing.assert_allclose(theta * reach**2, 30.0 * 1500.0**2, rtol=1e-12)
        np.testing.assert_array_equal(theta, limit)
    assert (read(sim, "camera_orientation") >= -180.0).all()
    assert (read(sim, "camera_orientation") < 180.0).all()


def test_walls_stop_targets() -> None:
    sim = random_simulator(scenario_with("MATE-2v4-0"), 4, seed=2)
    arrays = fields(sim)
    arrays["target_xy"][...] = [[[999.0, 0.0], [-999.0, 500.0], [500.0, 999.5], [0.0, -995.0]]]
    action = np.zeros((4, 4, 2))
    action[:, 0, 0], action[:, 1, 0], action[:, 2, 1], action[:, 3, 1] = 5.0, -5.0, 5.0, -5.0
    sim.move(np.zeros((4, 2, 2)), action)
    wanted = [[1000.0, 0.0], [-1000.0, 500.0], [500.0, 1000.0], [0.0, -1000.0]]
    np.testing.assert_array_equal(arrays["target_xy"], np.broadcast_to(wanted, (4, 4, 2)))
    colliding = [[True, True, True, False]] * 4
    np.testing.assert_array_equal(arrays["target_is_colliding"] > 0, colliding)


@pytest.mark.parametrize(("beyond", "colliding"), [(1e-5, True), (1e-7, False), (0.0, False)])
def test_collision_flag_has_a_tolerance(beyond: float, colliding: bool) -> None:
    """It says that the end is more than 1e-6 from where the step would have gone."""
    sim = random_simulator(scenario_with("MATE-2v4-0"), 1, seed=3)
    fields(sim)["target_xy"][...] = [[[999.0, 0.0], [0.0, 999.0], [-999.0, 0.0], [0.0, -999.0]]]
    length = 1.0 + beyond
    action = np.array([[[length, 0.0], [0.0, length], [-length, 0.0], [0.0, -length]]])
    sim.move(np.zeros((1, 2, 2)), action)
    assert (read(sim, "target_is_colliding") > 0).tolist() == [[colliding] * 4]


def pressing(directions_deg: np.ndarray, depth: float) -> tuple[np.ndarray, BatchSim]:
    """Move targets at the origin by 5, straight to discs that begin just `depth` ahead.

    Returns where they end [N, 2] and the worlds, whose targets headed for 123 degrees before.
    """
    n = len(directions_deg)
    scenario = Scenario.from_mapping(
        {
            "num_cargoes_per_target": 8,
            "target": {"location": [[0, 0]], "step_size": 20},
            "obstacle": {"location": [[0, 0]], "radius": 50},
        }
    )
    sim = BatchSim(scenario, n)
    arrays = fields(sim)
    angles = np.radians(directions_deg)
    inward = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    arrays["target_xy"][...] = 0.0
    arrays["target_step_size"][...] = 20.0
    arrays["target_orientation"][...] = 123.0
    arrays["obstacle_xy"][:, 0] = 50.0 * inward
    arrays["obstacle_radius"][:, 0] = [fused_norm(x, y) - depth for x, y in 50.0 * inward]
    sim.refresh()
    sim.move(np.zeros((n, 0, 2)), 5.0 * inward[:, None])
    return arrays["target_xy"][:, 0], sim


def test_a_move_undone_by_a_collision_does_not_turn_a_target() -> None:
    """Straight into the disc it touches a target stays; only rounding is left of its move."""
    ends, sim = pressing(np.arange(0.5, 360.0, 3.0), depth=0.0)
    left = np.abs(ends).max(-1)
    assert ((left > 0.0) & (left < 1e-13)).sum() > 20
    still = left < 1.0  # some bounce, which is a move: world 4.3, case 1
    assert still.sum() > 60
    np.testing.assert_array_equal(read(sim, "target_orientation")[still, 0], 123.0)
    assert (read(sim, "target_is_colliding")[still] > 0).all()


def test_the_shortest_moves_turn_a_target() -> None:
    directions_deg = np.arange(-179.0, 180.0, 7.0)
    ends, sim = pressing(directions_deg, depth=2e-8)  # as short as upstream's shortest slides
    np.testing.assert_allclose(np.hypot(*ends.T), 2e-8, rtol=1e-5)
    np.testing.assert_allclose(read(sim, "target_orientation")[:, 0], directions_deg, atol=1e-3)
