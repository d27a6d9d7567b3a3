"""How cameras pan and zoom and how targets walk, slide and bounce (world section 4)."""

import math

from camsim.arrays import Floats
from camsim.compiled.geometry import DEG, bearing_deg, fused_norm, wrap_deg
from camsim.compiled.jit import device_fn
from camsim.layout import TERRAIN
from camsim.state import SimParams
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
    T_COLLIDING,
    T_ORIENTATION,
    T_STEP,
    T_X,
    T_Y,
)

SHORTEST_MOVE = 1e-9
"""Of what is left of a step after collisions, what is shorter is rounding: it turns no target.

Steps that are undone leave up to about 1e-13, pressing along an edge more than 1e-8.
"""


@device_fn
def refresh_pose(i: int, params: SimParams, cameras: Floats) -> None:
    """Recompute what follows from orientation and viewing angle: sight range and trigonometry."""
    for c in range(cameras.shape[1]):
        phi = cameras[i, c, C_PHI] * DEG
        theta_deg = cameras[i, c, C_THETA]
        cameras[i, c, C_RANGE] = math.sqrt(params.area / theta_deg)
        cameras[i, c, C_COS] = math.cos(phi)
        cameras[i, c, C_SIN] = math.sin(phi)
        cameras[i, c, C_COS_HALF] = math.cos(0.5 * theta_deg * DEG)


@device_fn
def move_cameras(i: int, params: SimParams, cameras: Floats, action: Floats) -> None:
    """Turn and zoom each camera of environment i by its action [N, C, 2] in degrees, clipped."""
    turn_limit, zoom_limit = params.rotation_step_deg, params.zooming_step_deg
    for c in range(cameras.shape[1]):
        turn = min(max(action[i, c, 0], -turn_limit), turn_limit)
        zoom = min(max(action[i, c, 1], -zoom_limit), zoom_limit)
        cameras[i, c, C_PHI] = wrap_deg(cameras[i, c, C_PHI] + turn)
        theta_deg = cameras[i, c, C_THETA] + zoom
        cameras[i, c, C_THETA] = min(max(theta_deg, params.theta_min_deg), 180.0)
    refresh_pose(i, params, cameras)


@device_fn
def obstruct(vx: float, vy: float, qx: float, qy: float, radius: float) -> tuple[float, float]:
    """Return the step (vx, vy) after one disc has had its say (world 4.3).

    Args:
        vx: intended step, x.
        vy: the same, y.
        qx: vector from the walker to the disc's centre, x.
        qy: the same, y.
        radius: of the disc.
    """
    length = math.sqrt(vx * vx + vy * vy)
    reach = length + radius
    squared = qx * qx + qy * qy
    if squared > reach * reach * (1.0 + 1e-9):  # far away: the common case, decided cheaply
        return vx, vy
    distance = fused_norm(qx, qy)
    if length == 0.0 or distance < radius:
        return -vx, -vy
    inward = qx * vx + qy * vy
    if distance >= reach or inward < 0.0:
        return vx, vy
    cosine = min(1.0, inward / (distance * length))
    offset = distance * math.sqrt(1.0 - cosine * cosine)
    if not offset < radius:
        return vx, vy
    half_chord = math.sqrt(radius * radius - offset * offset)
    entry = max(0.0, distance * cosine - half_chord)
    if not entry < length:
        return vx, vy
    scale = (length - entry) * half_chord / (radius * radius)
    vx_contact = vx * (entry / length)
    vy_contact = vy * (entry / length)
    return vx + (vx_contact - qx) * scale, vy + (vy_contact - qy) * scale


@device_fn
def _slide(
    i: int, x: float, y: float, step: tuple[float, float], obstacles: Floats, cameras: Floats
) -> tuple[float, float]:
    """Return the step of a target at (x, y) after all obstacles and camera bodies."""
    vx, vy = step
    for o in range(obstacles.shape[1]):
        radius = obstacles[i, o, O_RADIUS]
        if radius > 0.0:
            vx, vy = obstruct(vx, vy, obstacles[i, o, O_X] - x, obstacles[i, o, O_Y] - y, radius)
    for c in range(cameras.shape[1]):
        qx, qy = cameras[i, c, C_X] - x, cameras[i, c, C_Y] - y
        vx, vy = obstruct(vx, vy, qx, qy, cameras[i, c, C_RADIUS])
    return vx, vy


@device_fn
def move_targets(
    i: int, cameras: Floats, targets: Floats, obstacles: Floats, action: Floats
) -> None:
    """Move each target of environment i by its action [N, T, 2] (world 4.2): limit, slide, clip."""
    for t in range(targets.shape[1]):
        x, y = targets[i, t, T_X], targets[i, t, T_Y]
        vx, vy = action[i, t, 0], action[i, t, 1]
        length = math.sqrt(vx * vx + vy * vy)
        limit = targets[i, t, T_STEP]
        if length > limit:
            vx, vy = vx * (limit / length), vy * (limit / length)
        wanted_x, wanted_y = x + vx, y + vy
        vx, vy = _slide(i, x, y, (vx, vy), obstacles, cameras)
        new_x = min(max(x + vx, -TERRAIN), TERRAIN)
        new_y = min(max(y + vy, -TERRAIN), TERRAIN)
        targets[i, t, T_COLLIDING] = abs(new_x - wanted_x) > 1e-6 or abs(new_y - wanted_y) > 1e-6
        if max(abs(new_x - x), abs(new_y - y)) > SHORTEST_MOVE:
            targets[i, t, T_ORIENTATION] = bearing_deg(new_x - x, new_y - y)
        targets[i, t, T_X] = new_x
        targets[i, t, T_Y] = new_y
