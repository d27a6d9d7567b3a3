"""Sampled trajectories of targets and predicted measurements, in worlds made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from planned_worlds import Stage

from camcontrol.planning.trajectories import M_AIM, M_BEARING, M_SQUARED_RANGE
from camcontrol.tracking.motion_models import Q_RANDOM_WALK, Q_STEP, Q_X, Q_Y
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY
from camsim.layout import WAREHOUSES


@pytest.mark.slow
def test_trajectories_go_on_as_the_target_has_walked() -> None:
    """A light target on its way from the middle to warehouse 0; noise is kept for 20 frames."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 14.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    stage.env.agent_state.origins[0, 0, 0] = 0.0
    stage.choices(n_trajectories=8)
    positions = stage.planner.trajectories.positions[0, :, :, 0]  # [F, K, 2]
    np.testing.assert_array_equal(positions[0], np.full((8, 2), 300.0))
    away = np.linalg.norm(positions - WAREHOUSES[0], axis=-1)
    assert (away[25] < away[0] - 300).all()
    assert np.abs(positions[5].mean(0) - 370.0).max() < 25.0


@pytest.mark.slow
def test_a_camera_aims_ahead_of_a_target_in_view() -> None:
    stage = Stage("MATE-1v2-9", [(0, 0, 0)], [(400, 0), (0, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 0.0, 18.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    stage.choices(n_trajectories=8)
    trajectories = stage.planner.trajectories
    positions, measurements = trajectories.positions[0, :, :, 0], trajectories.measurements[0]
    for name, frame in ((M_BEARING, 10), (M_AIM, 13)):
        x, y = positions[frame, :, 0], positions[frame, :, 1]
        np.testing.assert_allclose(measurements[10, :, 0, name], np.degrees(np.arctan2(y, x)))


@pytest.mark.slow
def test_trajectories_of_an_unseen_target_start_from_its_particles() -> None:
    """It is followed at the mean of its trajectories, for no camera knows which is true."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 0, B_SEEN] = 0.0
    particle_set = stage.env.agent_state.particles[0, 0, 0]
    particle_set[Q_X], particle_set[Q_Y] = np.linspace(-500, 500, particle_set.shape[1]), 200.0
    stage.choices(n_trajectories=8)
    trajectories = stage.planner.trajectories
    positions, measurements = trajectories.positions[0, :, :, 0], trajectories.measurements[0]
    np.testing.assert_array_equal(positions[0, :, 0], particle_set[Q_X, ::3])
    aim = np.degrees(np.arctan2(positions[3, :, 1].mean(), positions[3, :, 0].mean() + 800))
    np.testing.assert_allclose(measurements[0, :, 0, M_AIM], aim)


@pytest.mark.slow
def test_random_walk_trajectories_have_no_goal_and_are_not_aimed_at() -> None:
    """The first two of four; the target was seen walking to warehouse 0, or is unseen."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, :, [B_VX, B_VY]] = 14.0
    stage.belief[0, 0, :, B_SPEED] = 20.0
    stage.env.agent_state.origins[0, 0, 0] = 0.0
    stage.belief[0, 0, 1, B_SEEN] = 0.0
    particle_set = stage.env.agent_state.particles[0, 0, 1]
    particle_set[Q_X] = np.linspace(-500, 500, particle_set.shape[1])
    particle_set[Q_Y], particle_set[Q_STEP] = 200.0, 20.0
    stage.env.agent_state.particles[0, 0, :, Q_RANDOM_WALK, :12] = 1.0
    stage.choices(n_trajectories=4)
    trajectories = stage.planner.trajectories
    positions, measurements = trajectories.positions[0], trajectories.measurements[0]
    away = np.linalg.norm(positions[:, :, 0] - WAREHOUSES[0], axis=-1)
    assert (away[25, 2:] < away[0, 2:] - 300).all()
    steps = np.diff(positions[:25, :2, 0], axis=0)
    assert np.abs(steps).max() <= 20.0
    assert np.isclose(steps[1:], steps[:-1]).all(-1).mean() > 0.8, "straight on, mostly"
    assert np.abs(positions[25, 0, 0] - positions[25, 1, 0]).max() > 50.0, "each its own way"
    aim = np.degrees(np.arctan2(positions[3, 2:, 1, 1].mean(), positions[3, 2:, 1, 0].mean() + 800))
    np.testing.assert_allclose(measurements[0, :, 1, M_AIM], aim)


@pytest.mark.slow
def test_obstacles_hide_what_is_behind_them() -> None:
    obstacle = (-400.0, 0.0, 60.0)
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(0, 0), (0, 300)], [obstacle])
    stage.choices(n_trajectories=1)
    squared = stage.planner.trajectories.measurements[0, 0, 0, :, M_SQUARED_RANGE]
    np.testing.assert_allclose(squared, [np.inf, 800.0**2 + 300.0**2])
