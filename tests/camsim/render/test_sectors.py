"""Outlines of fields of view: by hand, and against what the simulator's cameras see."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from random_worlds import random_simulator, scenario_with

from camsim.render.record import record_frame
from camsim.render.sectors import field_of_view, sector

Floats = NDArray[np.float64]
ORIGIN, NOTHING = np.zeros(2), (np.zeros((0, 2)), np.zeros(0))


def contains(outline: Floats, point: Floats) -> bool:
    """Even-odd rule."""
    a, b = outline - point, np.roll(outline, -1, axis=0) - point
    crosses = (a[:, 1] > 0) != (b[:, 1] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = a[:, 0] - a[:, 1] * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    return bool((crosses & (x > 0)).sum() % 2)


def distance_to(outline: Floats, point: Floats) -> float:
    """Of the nearest edge."""
    a = outline
    way = np.roll(outline, -1, axis=0) - a
    share = ((point - a) * way).sum(1) / np.maximum((way**2).sum(1), 1e-12)
    nearest = a + np.clip(share, 0, 1)[:, None] * way
    return float(np.hypot(*(nearest - point).T).min())


def area(outline: Floats) -> float:
    x, y = outline.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


@pytest.mark.parametrize("theta_deg", [30.0, 90.0, 180.0])
def test_a_sector_has_apex_range_and_area(theta_deg: float) -> None:
    outline = sector(np.array([5.0, 7.0]), 100.0, theta_deg, 600.0)
    np.testing.assert_array_equal(outline[0], [5.0, 7.0])
    np.testing.assert_allclose(np.hypot(*(outline[1:] - outline[0]).T), 600.0)
    assert area(outline) == pytest.approx(np.radians(theta_deg) / 2 * 600**2, rel=2e-4)
    np.testing.assert_array_equal(
        field_of_view(np.array([5.0, 7.0]), 100.0, theta_deg, 600.0, *NOTHING), outline
    )


def test_an_obstacle_casts_its_exact_shadow() -> None:
    """A disc of radius 50 at distance 100: tangents at 30 degrees touch at 86.6."""
    outline = field_of_view(ORIGIN, 0.0, 121.0, 400.0, np.array([[100.0, 0.0]]), np.array([50.0]))
    bearings = np.degrees(np.arctan2(outline[1:, 1], outline[1:, 0]))
    lengths = np.hypot(*outline[1:].T)
    np.testing.assert_allclose(lengths[np.abs(bearings) > 30.00005], 400.0)
    assert lengths[np.abs(bearings) < 29.99995].max() < 86.7
    assert lengths.min() == pytest.approx(50.0)
    for side in (-1, 1):  # two rays at the edge: one that just touches, one that just misses
        at_edge = lengths[np.abs(bearings - side * 30.0) < 1.5e-4]
        np.testing.assert_allclose(sorted(at_edge), [86.6, 400.0], atol=0.2)


def test_shadows_across_the_angle_of_180_degrees() -> None:
    centre, radius = np.array([[-200.0, 1.0]]), np.array([30.0])
    outline = field_of_view(ORIGIN, 179.0, 60.0, 500.0, centre, radius)
    assert not contains(outline, np.array([-300.0, -10.0]))
    assert not contains(outline, np.array([-300.0, 10.0]))
    assert contains(outline, np.array([-300.0, 90.0]))
    assert contains(outline, np.array([-300.0, -90.0]))


@pytest.mark.parametrize(
    ("centre", "radius"), [((-200.0, 0.0), 50.0), ((200.0, 0.0), 0.0), ((700.0, 0.0), 99.0)]
)
def test_what_is_behind_empty_or_too_far_hides_nothing(
    centre: tuple[float, float], radius: float
) -> None:
    outline = field_of_view(ORIGIN, 0.0, 90.0, 600.0, np.array([centre]), np.array([radius]))
    np.testing.assert_allclose(outline, sector(ORIGIN, 0.0, 90.0, 600.0))


def test_from_inside_an_obstacle_nothing_is_seen() -> None:
    outline = field_of_view(ORIGIN, 0.0, 90.0, 600.0, np.array([[10.0, 0.0]]), np.array([50.0]))
    assert area(outline) == 0.0


@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-8v8-9"])
def test_a_target_is_seen_where_it_is_drawn_inside(name: str) -> None:
    """The masks of opaque random worlds, but for points that are nearly on an outline."""
    sim = random_simulator(scenario_with(name, transmittance=0.0), 80, seed=9)
    sim.see()
    compared = np.zeros(2, np.int64)
    for row in range(sim.num_envs):
        record = record_frame(sim, row)
        for c, xy in enumerate(record.camera_xy):
            known = record.camera_obstacle[c]
            outline = field_of_view(
                xy,
                record.camera_phi_deg[c],
                record.camera_theta_deg[c],
                record.camera_range[c],
                record.obstacle_xy[known],
                record.obstacle_radius[known],
            )
            for t, point in enumerate(record.target_xy):
                if distance_to(outline, point) > 2.0:
                    seen = bool(record.camera_target[c, t])
                    assert contains(outline, point) == seen, (row, c, t)
                    compared[int(seen)] += 1
    assert compared.min() > 50
