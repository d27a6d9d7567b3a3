"""Futures of targets and what a camera would see of them, in worlds made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from planned_worlds import Stage

from camcontrol.planning.trajectories import S_AIM, S_BEARING, S_SQUARED
from camcontrol.tracking.motion_models import Q_STEP, Q_WANDERS, Q_X, Q_Y
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY
from camsim.layout import WAREHOUSES


@pytest.mark.slow
def test_futures_go_on_as_the_target_has_walked() -> None:
    """A light target on its way from the middle to warehouse 0; noise is kept for 20 frames."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 14.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    stage.env.minds.origins[0, 0, 0] = 0.0
    stage.choices(futures=8)
    places = stage.planner.futures.places[0, :, :, 0]  # [F, K, 2]
    np.testing.assert_array_equal(places[0], np.full((8, 2), 300.0))
    away = np.linalg.norm(places - WAREHOUSES[0], axis=-1)
    assert (away[25] < away[0] - 300).all()
    assert np.abs(places[5].mean(0) - 370.0).max() < 25.0


@pytest.mark.slow
def test_a_camera_aims_ahead_of_a_target_in_view() -> None:
    stage = Stage("MATE-1v2-9", [(0, 0, 0)], [(400, 0), (0, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 0.0, 18.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    stage.choices(futures=8)
    places, sights = stage.planner.futures.places[0, :, :, 0], stage.planner.futures.sights[0]
    for name, frame in ((S_BEARING, 10), (S_AIM, 13)):
        x, y = places[frame, :, 0], places[frame, :, 1]
        np.testing.assert_allclose(sights[10, :, 0, name], np.degrees(np.arctan2(y, x)))


@pytest.mark.slow
def test_futures_of_an_unseen_target_start_from_its_particles() -> None:
    """It is followed at the mean of its futures: nobody knows which will be the one."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 0, B_SEEN] = 0.0
    cloud = stage.env.minds.particles[0, 0, 0]
    cloud[Q_X], cloud[Q_Y] = np.linspace(-500, 500, cloud.shape[1]), 200.0
    stage.choices(futures=8)
    places, sights = stage.planner.futures.places[0, :, :, 0], stage.planner.futures.sights[0]
    np.testing.assert_array_equal(places[0, :, 0], cloud[Q_X, ::3])
    aim = np.degrees(np.arctan2(places[3, :, 1].mean(), places[3, :, 0].mean() + 800))
    np.testing.assert_allclose(sights[0, :, 0, S_AIM], aim)


@pytest.mark.slow
def test_futures_that_wander_walk_to_no_warehouse_and_are_not_aimed_at() -> None:
    """The first two of four futures; the target was seen walking to warehouse 0, or is unseen."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, :, [B_VX, B_VY]] = 14.0
    stage.belief[0, 0, :, B_SPEED] = 20.0
    stage.env.minds.origins[0, 0, 0] = 0.0
    stage.belief[0, 0, 1, B_SEEN] = 0.0
    cloud = stage.env.minds.particles[0, 0, 1]
    cloud[Q_X], cloud[Q_Y], cloud[Q_STEP] = np.linspace(-500, 500, cloud.shape[1]), 200.0, 20.0
    stage.env.minds.particles[0, 0, :, Q_WANDERS, :12] = 1.0
    stage.choices(futures=4)
    places, sights = stage.planner.futures.places[0], stage.planner.futures.sights[0]
    away = np.linalg.norm(places[:, :, 0] - WAREHOUSES[0], axis=-1)
    assert (away[25, 2:] < away[0, 2:] - 300).all()
    steps = np.diff(places[:25, :2, 0], axis=0)
    assert np.abs(steps).max() <= 20.0
    assert np.isclose(steps[1:], steps[:-1]).all(-1).mean() > 0.8, "straight on, mostly"
    assert np.abs(places[25, 0, 0] - places[25, 1, 0]).max() > 50.0, "each its own way"
    aim = np.degrees(np.arctan2(places[3, 2:, 1, 1].mean(), places[3, 2:, 1, 0].mean() + 800))
    np.testing.assert_allclose(sights[0, :, 1, S_AIM], aim)


@pytest.mark.slow
def test_obstacles_hide_what_is_behind_them() -> None:
    obstacle = (-400.0, 0.0, 60.0)
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(0, 0), (0, 300)], [obstacle])
    stage.choices(futures=1)
    squared = stage.planner.futures.sights[0, 0, 0, :, S_SQUARED]
    np.testing.assert_allclose(squared, [np.inf, 800.0**2 + 300.0**2])
