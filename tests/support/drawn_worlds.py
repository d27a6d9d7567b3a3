"""Records of small worlds for tests of rendering, made by hand: no simulator runs."""

from __future__ import annotations

import numpy as np

from camsim.render.record import CameraRecord, FrameRecord

BLANK = FrameRecord(
    camera_xy=np.zeros((0, 2)),
    camera_radius=np.zeros(0),
    camera_phi_deg=np.zeros(0),
    camera_theta_deg=np.zeros(0),
    camera_range=np.zeros(0),
    obstacle_xy=np.zeros((0, 2)),
    obstacle_radius=np.zeros(0),
    camera_obstacle=np.zeros((0, 0), np.bool_),
    target_xy=np.zeros((0, 2)),
    target_capacity=np.zeros(0, np.int64),
    target_goal=np.zeros(0, np.int64),
    target_load=np.zeros(0, np.int64),
    target_bounty=np.zeros(0),
    target_tracked=np.zeros(0, np.bool_),
    target_colliding=np.zeros(0, np.bool_),
    target_empty_bits=np.zeros((0, 4), np.bool_),
    camera_target=np.zeros((0, 0), np.bool_),
    remaining=np.zeros((4, 4), np.int64),
    awaiting=np.zeros(4, np.int64),
    transmittance=0.0,
    step=3,
    done=False,
    coverage_rate=0.5,
    real_coverage_rate=0.5,
    mean_transport_rate=0.25,
    delivered=2,
    target_reward=-7.0,
)
"""Terrain and warehouses only."""


def with_camera(
    record: FrameRecord = BLANK, xy: tuple[float, float] = (0.0, 0.0), phi_deg: float = 0.0
) -> FrameRecord:
    """One camera with a view of 90 degrees and 600 units, which knows all obstacles."""
    n_obstacles, n_targets = len(record.obstacle_xy), len(record.target_xy)
    return record._replace(
        camera_xy=np.array([xy]),
        camera_radius=np.array([40.0]),
        camera_phi_deg=np.array([phi_deg]),
        camera_theta_deg=np.array([90.0]),
        camera_range=np.array([600.0]),
        camera_obstacle=np.ones((1, n_obstacles), np.bool_),
        camera_target=np.zeros((1, n_targets), np.bool_),
    )


def with_obstacle(record: FrameRecord, xy: tuple[float, float], radius: float) -> FrameRecord:
    """One obstacle, known to all cameras."""
    return record._replace(
        obstacle_xy=np.array([xy]),
        obstacle_radius=np.array([radius]),
        camera_obstacle=np.ones((len(record.camera_xy), 1), np.bool_),
    )


def with_targets(
    record: FrameRecord, xy: list[tuple[float, float]], goals: list[int]
) -> FrameRecord:
    """Targets of capacity 1 that nobody tracks; goal -1 is unloaded."""
    n = len(xy)
    goal = np.array(goals)
    return record._replace(
        target_xy=np.array(xy),
        target_capacity=np.ones(n, np.int64),
        target_goal=goal,
        target_load=(goal >= 0).astype(np.int64),
        target_bounty=100.0 * (goal >= 0),
        target_tracked=np.zeros(n, np.bool_),
        target_colliding=np.zeros(n, np.bool_),
        target_empty_bits=np.zeros((n, 4), np.bool_),
        camera_target=np.zeros((len(record.camera_xy), n), np.bool_),
    )


def one_camera_chose(**changes: object) -> CameraRecord:
    """One camera that has selected target 0 on the slow clock, and believes nothing."""
    record = CameraRecord(
        action=np.array([0]),
        slow_action=np.array([0]),
        slow_selection=np.ones((1, 1), np.bool_),
        search_deg=np.full((1, 2), np.nan),
        track_xy=np.zeros((1, 1, 2)),
        track_age=np.full((1, 1), -1),
        track_known=np.zeros((1, 1), np.bool_),
        particle_xy=np.zeros((0, 1, 0, 2)),
        particle_goal=np.zeros((0, 1, 0), np.int64),
    )
    return record._replace(**changes)  # type: ignore[arg-type]
