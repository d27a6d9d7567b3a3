"""Who sees whom: range, sector, occlusion, transmittance (world section 5)."""

import math

from camsim.arrays import Bools, Floats
from camsim.compiled.geometry import angle_between_deg, bearing_deg, ray_blocked
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import uniform
from camsim.state import SimParams, Tables
from camsim.tables import (
    C_COS,
    C_COS_HALF,
    C_PHI,
    C_RADIUS,
    C_RANGE,
    C_SIN,
    C_THETA,
    C_X,
    C_Y,
    O_RADIUS,
    O_X,
    O_Y,
    T_TRACKED,
    T_X,
    T_Y,
)

_TIE = 1e-9  # relative: closer than this to the sector's edge, the exact angles decide


@device_fn
def in_sector(i: int, c: int, cameras: Floats, ux: float, uy: float) -> bool:
    """Tell whether the vector (ux, uy) from camera c lies in its range and sector (world 5.2)."""
    length = math.sqrt(ux * ux + uy * uy)
    if length > cameras[i, c, C_RANGE]:
        return False
    along = ux * cameras[i, c, C_COS] + uy * cameras[i, c, C_SIN]
    margin = along - length * cameras[i, c, C_COS_HALF]
    if abs(margin) > _TIE * length:
        return bool(margin > 0.0)
    difference = angle_between_deg(cameras[i, c, C_PHI], bearing_deg(ux, uy))
    return bool(2.0 * difference <= cameras[i, c, C_THETA])


@device_fn
def occluded(
    i: int, c: int, cameras: Floats, obstacles: Floats, known: Bools, ux: float, uy: float
) -> bool:
    """Tell whether an obstacle known to camera c hides the point at (ux, uy) (world 5.5)."""
    length = math.sqrt(ux * ux + uy * uy)
    if length == 0.0:
        return False
    x, y = cameras[i, c, C_X], cameras[i, c, C_Y]
    for o in range(obstacles.shape[1]):
        radius = obstacles[i, o, O_RADIUS]
        if radius > 0.0 and known[i, c, o]:
            qx, qy = obstacles[i, o, O_X] - x, obstacles[i, o, O_Y] - y
            if ray_blocked(ux, uy, length, qx, qy, radius):
                return True
    return False


@outlined_fn
def see_fixed(i: int, params: SimParams, s: Tables) -> None:
    """Compute what an episode cannot change: known obstacles, clear lines between cameras."""
    cameras, obstacles = s.cameras, s.obstacles
    n_cameras = cameras.shape[1]
    for c in range(n_cameras):
        for o in range(obstacles.shape[1]):
            dx = obstacles[i, o, O_X] - cameras[i, c, C_X]
            dy = obstacles[i, o, O_Y] - cameras[i, c, C_Y]
            reach = params.max_range + obstacles[i, o, O_RADIUS]
            s.camera_obstacle[i, c, o] = math.sqrt(dx * dx + dy * dy) < reach
        for j in range(n_cameras):
            ux = cameras[i, j, C_X] - cameras[i, c, C_X]
            uy = cameras[i, j, C_Y] - cameras[i, c, C_Y]
            hidden = params.transmittance < 1.0 and occluded(
                i, c, cameras, obstacles, s.camera_obstacle, ux, uy
            )
            s.camera_clear[i, c, j] = not hidden


@device_fn
def see_targets(i: int, params: SimParams, s: Tables) -> None:
    """Recompute which camera sees which target, and which targets are tracked (world 5.2)."""
    cameras, targets, obstacles = s.cameras, s.targets, s.obstacles
    for t in range(targets.shape[1]):
        tracked = False
        for c in range(cameras.shape[1]):
            ux = targets[i, t, T_X] - cameras[i, c, C_X]
            uy = targets[i, t, T_Y] - cameras[i, c, C_Y]
            seen = in_sector(i, c, cameras, ux, uy)
            if seen and params.transmittance < 1.0:
                hidden = occluded(i, c, cameras, obstacles, s.camera_obstacle, ux, uy)
                if hidden:  # the draw matters only here
                    seen = uniform(s.rng, i) < params.transmittance
            s.camera_target[i, c, t] = seen
            tracked = tracked or seen
        targets[i, t, T_TRACKED] = tracked


@device_fn
def see_cameras(i: int, s: Tables) -> None:
    """Recompute which camera sees which other camera (world 5.3)."""
    cameras = s.cameras
    n_cameras = cameras.shape[1]
    for c in range(n_cameras):
        for j in range(n_cameras):
            ux = cameras[i, j, C_X] - cameras[i, c, C_X]
            uy = cameras[i, j, C_Y] - cameras[i, c, C_Y]
            s.camera_camera[i, c, j] = c == j or (
                s.camera_clear[i, c, j] and in_sector(i, c, cameras, ux, uy)
            )


@device_fn
def _within(ux: float, uy: float, reach: float) -> bool:
    return math.sqrt(ux * ux + uy * uy) <= reach


@outlined_fn
def see_from_targets(i: int, params: SimParams, s: Tables) -> None:
    """Recompute what each target perceives: pure range tests (world 5.4)."""
    cameras, targets, obstacles = s.cameras, s.targets, s.obstacles
    n_targets = targets.shape[1]
    reach = params.target_range
    for t in range(n_targets):
        x, y = targets[i, t, T_X], targets[i, t, T_Y]
        for c in range(cameras.shape[1]):
            s.target_camera[i, t, c] = _within(
                cameras[i, c, C_X] - x, cameras[i, c, C_Y] - y, reach + cameras[i, c, C_RADIUS]
            )
        for o in range(obstacles.shape[1]):
            s.target_obstacle[i, t, o] = _within(
                obstacles[i, o, O_X] - x,
                obstacles[i, o, O_Y] - y,
                reach + obstacles[i, o, O_RADIUS],
            )
        for j in range(n_targets):
            s.target_target[i, t, j] = _within(
                targets[i, j, T_X] - x, targets[i, j, T_Y] - y, reach
            )
