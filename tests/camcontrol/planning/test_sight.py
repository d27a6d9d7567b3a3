"""What a camera is predicted to see of trajectories, in worlds made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from planned_worlds import Stage

from camcontrol.tracking.motion_models import Q_RANDOM_WALK, Q_STEP, Q_X, Q_Y
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY, P_AREA

DEGREES = 360.0 / 2**32


def lanes(stage: Stage, t: int, k: int) -> slice:
    return slice(t * k, (t + 1) * k)


def bearings(stage: Stage, f: int, columns: slice, x: float) -> np.ndarray:
    """Directions, degrees, of trajectories in frame f from a camera at (x, 0)."""
    positions = stage.planner.trajectories.positions[0]
    return np.degrees(np.arctan2(positions[1, f, columns], positions[0, f, columns] - x))


@pytest.mark.slow
def test_a_camera_aims_ahead_of_a_target_in_view() -> None:
    stage = Stage("MATE-1v2-9", [(0, 0, 0)], [(400, 0), (0, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 0.0, 18.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    stage.choices(n_trajectories=8)
    sight, first = stage.planner.sight, lanes(stage, 0, 8)
    for table, frame in ((sight.bearing, 10), (sight.aim, 13)):
        expected = bearings(stage, frame, first, 0.0)
        np.testing.assert_allclose(table[0, 10, first] * DEGREES, expected, atol=1e-6)


@pytest.mark.slow
def test_an_unseen_target_is_followed_at_the_mean_of_its_goal_directed_trajectories() -> None:
    """No camera knows which is true; the first two of four walk at random."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 1, B_SEEN] = 0.0
    particle_set = stage.env.agent_state.particles[0, 0, 1]
    particle_set[Q_X] = np.linspace(-500, 500, particle_set.shape[1])
    particle_set[Q_Y], particle_set[Q_STEP] = 200.0, 20.0
    particle_set[Q_RANDOM_WALK, :12] = 1.0
    stage.choices(n_trajectories=4)
    x, y = stage.planner.trajectories.positions[0, :, 3, 6:8].mean(-1)
    expected = np.degrees(np.arctan2(y, x + 800.0))
    aims = stage.planner.sight.aim[0, 0, lanes(stage, 1, 4)] * DEGREES
    np.testing.assert_allclose(aims, expected, atol=1e-6)


@pytest.mark.slow
def test_obstacles_hide_what_is_behind_them() -> None:
    obstacle = (-400.0, 0.0, 60.0)
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(0, 0), (0, 300)], [obstacle])
    stage.choices(n_trajectories=1)
    hidden, open_to_view = stage.planner.sight.widest[0, 0, :2]
    assert hidden == -1
    reach = stage.env.agent_state.pose[0, 0, P_AREA] / (800.0**2 + 300.0**2)
    np.testing.assert_allclose(2 * open_to_view * DEGREES, reach, atol=1e-6)
