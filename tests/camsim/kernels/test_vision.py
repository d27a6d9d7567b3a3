"""View masks against the oracle, and at the edges of range, angle and shadow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference_sim
from random_worlds import SCENARIOS, random_simulator, scenario_with
from reference_bridge import state_of, world_of

from camsim.parity.teacher_forcing import VIEW_FIELDS, fields, read
from camsim.scenario.schema import Scenario
from camsim.sim import BatchSim

N_ENVS = 60


@pytest.mark.parametrize("transmittance", [0.0, 1.0])
@pytest.mark.parametrize("name", SCENARIOS)
def test_masks_equal_the_oracle(name: str, transmittance: float) -> None:
    """Without chance (opaque, or as good as no obstacles), every mask of random states."""
    sim = random_simulator(scenario_with(name, transmittance=transmittance), N_ENVS, seed=21)
    sim.see()
    for i in range(N_ENVS):
        world, state = world_of(sim, i), state_of(sim, i)
        mask = reference_sim.camera_obstacle_mask(world)
        np.testing.assert_array_equal(read(sim, "camera_obstacle_mask")[i], mask)
        reference_sim.see(world, state)
        for field in VIEW_FIELDS:
            wanted = getattr(state, field).astype(np.bool_)
            np.testing.assert_array_equal(read(sim, field)[i] > 0, wanted, field)


def one_camera(
    points: list[tuple[float, float]],
    *,
    phi_deg: float = 0.0,
    theta_deg: float = 90.0,
    transmittance: float = 0.0,
    obstacle: tuple[float, float, float] = (0.0, -900.0, 10.0),
    n_envs: int = 1,
) -> BatchSim:
    """A camera at the origin (30 degrees at most 1500), an obstacle (x, y, radius), targets."""
    x, y, radius = obstacle
    scenario = Scenario.from_mapping(
        {
            "num_cargoes_per_target": 8,
            "camera": {"location": [[0, 0]], "min_viewing_angle": 30, "max_sight_range": 1500},
            "target": {"location": [list(point) for point in points]},
            "obstacle": {"location": [[x, y]], "radius": radius, "transmittance": transmittance},
        }
    )
    sim = BatchSim(scenario, n_envs)
    sim.reset(np.arange(n_envs, dtype=np.uint64))
    arrays = fields(sim)
    arrays["target_xy"][...] = points
    arrays["camera_xy"][...] = 0.0
    arrays["camera_orientation"][...] = phi_deg
    arrays["camera_viewing_angle"][...] = theta_deg
    sim.refresh()
    return sim


def seen(sim: BatchSim) -> list[bool]:
    """Which targets the first environment's camera sees."""
    sim.see()
    visible: list[bool] = read(sim, "camera_target_mask")[0, 0].tolist()
    return visible


def test_range_limit_is_inclusive() -> None:
    reach = math.sqrt(30.0 * 1500.0**2 / 67.5)  # exactly 1000
    assert reach == 1000.0
    points = [(reach, 0.0), (math.nextafter(reach, 2000.0), 0.0), (reach - 1.0, 0.0)]
    assert seen(one_camera(points, theta_deg=67.5)) == [True, False, True]


@pytest.mark.parametrize(("distance", "known"), [(1549.9999, True), (1550.0, False)])
def test_obstacles_are_known_strictly_within_the_maximum_range(
    distance: float, known: bool
) -> None:
    """1500 plus the radius, whatever the current range."""
    sim = one_camera([(0.0, 0.0)], theta_deg=180.0)
    fields(sim)["obstacle_xy"][...] = [[[distance, 0.0]]]
    fields(sim)["obstacle_radius"][...] = 50.0
    sim.refresh()
    assert read(sim, "camera_obstacle_mask").tolist() == [[[known]]]


def test_angle_limit_is_inclusive() -> None:
    points = [(100.0, 100.0), (100.0, 100.0001), (100.0, -100.0), (100.0, -100.0001)]
    assert seen(one_camera(points, theta_deg=90.0)) == [True, False, True, False]


@pytest.mark.parametrize("phi_deg", [-180.0, math.nextafter(180.0, 0.0), 175.0])
def test_view_across_plus_minus_180(phi_deg: float) -> None:
    points = [(-100.0, 1.0), (-100.0, -1.0), (-100.0, 0.0), (-100.0, -0.0), (100.0, 0.0)]
    assert seen(one_camera(points, phi_deg=phi_deg, theta_deg=30.0)) == [True] * 4 + [False]


def test_half_circle_view() -> None:
    points = [(0.0, 100.0), (0.0, -100.0), (-1e-3, 100.0), (1e-3, -100.0)]
    assert seen(one_camera(points, theta_deg=180.0)) == [True, True, False, True]


def test_target_on_the_camera_is_seen() -> None:
    assert seen(one_camera([(0.0, 0.0)])) == [True]


def test_shadow() -> None:
    """Behind a disc of radius 50 at (300, 0): hidden; beside, before and leaning on it: seen."""
    tangent = math.degrees(math.asin(50.0 / 300.0))
    points = [(600.0, 0.0), (250.0, 0.0), (300.0, 60.0), (400.0, 0.0)]
    for offset_deg in (-1e-6, 1e-6):
        angle = math.radians(tangent + offset_deg)
        points.append((600.0 * math.cos(angle), 600.0 * math.sin(angle)))
    sim = one_camera(points, obstacle=(300.0, 0.0, 50.0))
    assert seen(sim) == [False, True, True, False, False, True]


def test_bodiless_obstacle_hides_nothing() -> None:
    sim = one_camera([(600.0, 0.0)], obstacle=(300.0, 0.0, 50.0))
    fields(sim)["obstacle_radius"][...] = 0.0
    assert seen(sim) == [True]


def test_transmittance() -> None:
    """A hidden target shows with the given chance, drawn anew in every environment and frame."""
    n_envs, n_frames, chance = 500, 40, 0.1
    sim = one_camera(
        [(600.0, 0.0), (600.0, 1.0), (100.0, 0.0), (-600.0, 0.0)],
        obstacle=(300.0, 0.0, 50.0),
        transmittance=chance,
        n_envs=n_envs,
    )
    frames = []
    for _ in range(n_frames):
        sim.see()
        frames.append(read(sim, "camera_target_mask")[:, 0].copy())
    mask = np.stack(frames)
    assert mask[..., 2].all()
    assert not mask[..., 3].any()
    hidden = mask[..., :2]
    error = math.sqrt(chance * (1 - chance) / hidden.size)
    assert abs(hidden.mean() - chance) < 4 * error
    both = (hidden[..., 0] & hidden[..., 1]).mean()  # pairs are independent
    assert abs(both - chance**2) < 4 * math.sqrt(chance**2 / (n_envs * n_frames))
    again = (hidden[:-1, :, 0] & hidden[1:, :, 0]).mean()  # and so are frames
    assert abs(again - chance**2) < 4 * math.sqrt(chance**2 / (n_envs * n_frames))
