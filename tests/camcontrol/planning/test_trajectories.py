"""Sampled trajectories of targets, in worlds made by hand and beside the particles' motion."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import from_python
from planned_worlds import Stage

from camcontrol.tracking import motion_models
from camcontrol.tracking.motion_models import Q_RANDOM_WALK, Q_STEP, Q_X, Q_Y
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY
from camsim.layout import WAREHOUSES

propagate = from_python(motion_models.propagate)


def positions_of(stage: Stage, n_trajectories: int) -> np.ndarray:
    """Positions [F + 4, K, T, 2] of the last call."""
    positions = stage.planner.trajectories.positions[0, ..., : 2 * n_trajectories]
    return positions.reshape(2, positions.shape[1], 2, n_trajectories).transpose(1, 3, 2, 0)


@pytest.mark.slow
def test_trajectories_go_on_as_the_target_has_walked() -> None:
    """A light target on its way from the middle to warehouse 0; noise is kept for 20 frames."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 14.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    stage.env.agent_state.origins[0, 0, 0] = 0.0
    stage.choices(n_trajectories=8)
    positions = positions_of(stage, 8)[:, :, 0]  # [F, K, 2]
    np.testing.assert_array_equal(positions[0], np.full((8, 2), 300.0))
    away = np.linalg.norm(positions - WAREHOUSES[0], axis=-1)
    assert (away[25] < away[0] - 300).all()
    assert np.abs(positions[5].mean(0) - 370.0).max() < 25.0


@pytest.mark.slow
def test_trajectories_of_an_unseen_target_start_from_its_particles() -> None:
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, 0, B_SEEN] = 0.0
    particle_set = stage.env.agent_state.particles[0, 0, 0]
    particle_set[Q_X], particle_set[Q_Y] = np.linspace(-500, 500, particle_set.shape[1]), 200.0
    stage.choices(n_trajectories=8)
    np.testing.assert_array_equal(positions_of(stage, 8)[0, :, 0, 0], particle_set[Q_X, ::3])


@pytest.mark.slow
def test_random_walk_trajectories_have_no_goal() -> None:
    """The first two of four; the target was seen walking to warehouse 0."""
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)])
    stage.belief[0, 0, :, [B_VX, B_VY]] = 14.0
    stage.belief[0, 0, :, B_SPEED] = 20.0
    stage.env.agent_state.origins[0, 0, 0] = 0.0
    stage.env.agent_state.particles[0, 0, :, Q_RANDOM_WALK, :12] = 1.0
    stage.choices(n_trajectories=4)
    positions = positions_of(stage, 4)
    away = np.linalg.norm(positions[:, :, 0] - WAREHOUSES[0], axis=-1)
    assert (away[25, 2:] < away[0, 2:] - 300).all()
    steps = np.diff(positions[:25, :2, 0], axis=0)
    assert np.abs(steps).max() <= 20.0
    assert np.isclose(steps[1:], steps[:-1]).all(-1).mean() > 0.8, "straight on, mostly"
    assert np.abs(positions[25, 0, 0] - positions[25, 1, 0]).max() > 50.0, "each its own way"


@pytest.mark.slow
def test_they_move_as_particles_do() -> None:
    """Mean and spread of many trajectories beside those of many particles, obstacles included."""
    obstacles = [(250.0, 260.0, 150.0), (-300.0, 350.0, 200.0), (100.0, -500.0, 120.0)]
    stage = Stage("MATE-1v2-9", [(-800, 0, 0)], [(300, 300), (0, 0)], obstacles)
    stage.belief[0, 0, :, B_SEEN] = 0.0
    start = stage.env.agent_state.particles[0, 0]
    k, n = start.shape[2], 400
    start[:, Q_STEP], start[:, Q_RANDOM_WALK] = np.array([20.0, 10.0])[:, None], 0.0
    start[1, Q_RANDOM_WALK, :12] = 1.0
    ours = np.zeros((n, 29, k, 2, 2))
    for m in range(n):
        stage.env.sim.obs.camera_obs[0, 0, -2] = 30.0 + m  # its viewing angle: another stream
        stage.choices(n_trajectories=k, horizon=25, first_actions=1, second_actions=1)
        ours[m] = positions_of(stage, k)
    obs, stream = stage.env.sim.flat_obs.camera_obs, np.ones((1, 1), np.uint64)
    theirs = np.zeros_like(ours)
    for m in range(n):
        moving = start.copy()
        for f in range(29):
            for t in range(2):
                if f:
                    propagate(obs, 0, moving[t], stream, (0, 0))
                theirs[m, f, :, t] = moving[t, [Q_X, Q_Y]].T
    for f in (5, 15, 28):
        np.testing.assert_allclose(ours[:, f].mean(0), theirs[:, f].mean(0), atol=6.0 + f)
        np.testing.assert_allclose(ours[:, f].std(0), theirs[:, f].std(0), atol=6.0 + f)
    assert np.array_equal(ours[0, 0], theirs[0, 0])
