"""A camera's track of each target, from its own observations alone (never from the world).

A track is a position, a smoothed velocity and the age of the last detection. Without a detection it
coasts: its position moves on with its velocity. With memory 0 exactly the targets in view are
known, as in MATE's own selection example (world 12).
"""

import math

import numpy as np

from camsim.arrays import Floats
from camsim.compiled.geometry import bearing_deg, ray_blocked, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.layout import TERRAIN

# Columns of a camera's belief about one target.
B_KNOWN, B_SEEN, B_AGE = 0, 1, 2  # has a track; in view now; frames since the last detection
B_X, B_Y, B_VX, B_VY = 3, 4, 5, 6  # estimated position (units) and velocity (units per frame)
B_LOADED, B_MISSES = 7, 8  # carried cargo at the last detection; missed detections since
B_BEARING = 9  # of the estimate from the camera, degrees, as of the last `write_bearings`
B_DISTANCE = 10  # of the estimate from the camera, units
B_SPEED = 11  # highest measured speed, units per frame: tells light from heavy targets
B_STREAK = 12  # detections in a row
BELIEF_COLUMNS = 13

# Columns of what a camera knows of itself, read from its observation.
P_X, P_Y, P_PHI, P_THETA, P_RANGE = 0, 1, 2, 3, 4
P_MAX_RANGE, P_TURN, P_ZOOM, P_AREA = 5, 6, 7, 8
P_INWARD = 9  # direction of the terrain's centre, degrees: the camera's own forward
P_COS, P_SIN = 10, 11  # cosine and sine of P_PHI
P_INWARD_COS, P_INWARD_SIN = 12, 13  # of P_INWARD
POSE_COLUMNS = 14

N_SECTORS = 8
"""Directions whose age is counted, from the camera's own forward direction on."""

_FORGET_AFTER_MISSES = 3
_VELOCITY_GAIN = 0.35
_VELOCITY_DECAY = 0.98


@device_fn
def write_public_pose(obs: Floats, j: int, pose: Floats, i: int, c: int) -> None:
    """Fill pose[i, c], but for limits, from the public state at obs[j:] (world 2.1)."""
    x, y, ahead_x, ahead_y = obs[j], obs[j + 1], obs[j + 3], obs[j + 4]
    squared = ahead_x * ahead_x + ahead_y * ahead_y
    reach = math.sqrt(squared)
    if x != pose[i, c, P_X] or y != pose[i, c, P_Y] or pose[i, c, P_RANGE] == 0.0:
        away = math.sqrt(x * x + y * y)
        pose[i, c, P_INWARD] = 0.0 if away == 0.0 else bearing_deg(-x, -y)
        pose[i, c, P_INWARD_COS] = 1.0 if away == 0.0 else -x / away
        pose[i, c, P_INWARD_SIN] = 0.0 if away == 0.0 else -y / away
    pose[i, c, P_X], pose[i, c, P_Y] = x, y
    pose[i, c, P_PHI] = bearing_deg(ahead_x, ahead_y)
    pose[i, c, P_THETA] = obs[j + 5]
    pose[i, c, P_RANGE] = reach
    pose[i, c, P_AREA] = obs[j + 5] * squared
    pose[i, c, P_COS] = 1.0 if reach == 0.0 else ahead_x / reach
    pose[i, c, P_SIN] = 0.0 if reach == 0.0 else ahead_y / reach


@device_fn
def read_pose(obs: Floats, k: int, pose: Floats, i: int, c: int) -> None:
    """Fill pose[i, c] from the camera's own part of its observation at offset k (world 2.1)."""
    write_public_pose(obs, k + 13, pose, i, c)
    pose[i, c, P_MAX_RANGE] = obs[k + 19]
    pose[i, c, P_TURN] = obs[k + 20]
    pose[i, c, P_ZOOM] = obs[k + 21]


@outlined_fn
def surely_visible(obs: Floats, k: int, pose: Floats, i: int, c: int, x: float, y: float) -> bool:
    """Tell whether camera c surely sees a target at (x, y): well inside its view, line clear."""
    ux, uy = x - pose[i, c, P_X], y - pose[i, c, P_Y]
    length = math.sqrt(ux * ux + uy * uy)
    if length > 0.97 * pose[i, c, P_RANGE] or length == 0.0:
        return False
    turn = abs(wrap_deg(bearing_deg(ux, uy) - pose[i, c, P_PHI]))
    if 2.0 * turn > pose[i, c, P_THETA] - 4.0:
        return False
    start = 22 + 5 * int(obs[k + 1])
    for o in range(int(obs[k + 2])):
        j = k + start + 4 * o
        if obs[j + 3] > 0.0:
            qx, qy = obs[j] - pose[i, c, P_X], obs[j + 1] - pose[i, c, P_Y]
            if ray_blocked(ux, uy, length, qx, qy, obs[j + 2] + 10.0):
                return False
    return True


@outlined_fn
def _update_detected(obs: Floats, j: int, belief: Floats, i: int, c: int, t: int) -> None:
    """Update the track of target t with its detection, at offset j of the observation."""
    x, y = obs[j], obs[j + 1]
    if belief[i, c, t, B_STREAK] > 0.0:  # two frames in a row: a measured displacement
        vx, vy = x - belief[i, c, t, B_X], y - belief[i, c, t, B_Y]
        speed = math.sqrt(vx * vx + vy * vy)
        belief[i, c, t, B_SPEED] = max(belief[i, c, t, B_SPEED], speed)
        gain = 1.0 if belief[i, c, t, B_STREAK] == 1.0 else _VELOCITY_GAIN
        belief[i, c, t, B_VX] += gain * (vx - belief[i, c, t, B_VX])
        belief[i, c, t, B_VY] += gain * (vy - belief[i, c, t, B_VY])
    elif belief[i, c, t, B_KNOWN] == 0.0 or belief[i, c, t, B_AGE] > 5.0:
        belief[i, c, t, B_VX], belief[i, c, t, B_VY] = 0.0, 0.0
    belief[i, c, t, B_STREAK] += 1.0
    belief[i, c, t, B_MISSES] = 0.0
    belief[i, c, t, B_KNOWN], belief[i, c, t, B_SEEN] = 1.0, 1.0
    belief[i, c, t, B_AGE] = 0.0
    belief[i, c, t, B_X], belief[i, c, t, B_Y] = x, y
    belief[i, c, t, B_LOADED] = obs[j + 3]


@outlined_fn
def _coast(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int, int],
    memory: int,
    counts_misses: bool,
) -> None:
    """Move an unseen target's estimate on; drop a track that is too old or misses detections."""
    i, c, t = where
    belief[i, c, t, B_SEEN], belief[i, c, t, B_STREAK] = 0.0, 0.0
    belief[i, c, t, B_AGE] += 1.0
    if belief[i, c, t, B_KNOWN] == 0.0:
        return
    x = belief[i, c, t, B_X] + belief[i, c, t, B_VX]
    y = belief[i, c, t, B_Y] + belief[i, c, t, B_VY]
    belief[i, c, t, B_X] = min(max(x, -TERRAIN), TERRAIN)
    belief[i, c, t, B_Y] = min(max(y, -TERRAIN), TERRAIN)
    belief[i, c, t, B_VX] *= _VELOCITY_DECAY
    belief[i, c, t, B_VY] *= _VELOCITY_DECAY
    forget = belief[i, c, t, B_AGE] > memory
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    if counts_misses and not forget and surely_visible(obs, k, pose, i, c, x, y):
        belief[i, c, t, B_MISSES] += 1.0
        forget = belief[i, c, t, B_MISSES] >= _FORGET_AFTER_MISSES
    if forget:
        belief[i, c, t, B_KNOWN] = 0.0


@device_fn
def _measure_distance(pose: Floats, belief: Floats, i: int, c: int, t: int) -> None:
    """Write the distance of the estimate from the camera."""
    dx = belief[i, c, t, B_X] - pose[i, c, P_X]
    dy = belief[i, c, t, B_Y] - pose[i, c, P_Y]
    belief[i, c, t, B_DISTANCE] = math.sqrt(dx * dx + dy * dy)


@outlined_fn
def write_bearings(pose: Floats, belief: Floats, where: tuple[int, int]) -> None:
    """Write the bearings of all estimates from the camera: once for a decision's features."""
    i, c = where
    for t in range(belief.shape[2]):
        dx = belief[i, c, t, B_X] - pose[i, c, P_X]
        dy = belief[i, c, t, B_Y] - pose[i, c, P_Y]
        belief[i, c, t, B_BEARING] = bearing_deg(dx, dy)


@outlined_fn
def estimate_at(
    pose: Floats, belief: Floats, where: tuple[int, int], t: int, x: float, y: float
) -> None:
    """Set the estimate of target t's position to (x, y)."""
    i, c = where
    belief[i, c, t, B_X], belief[i, c, t, B_Y] = x, y
    _measure_distance(pose, belief, i, c, t)


@outlined_fn
def adopt_belief(pose: Floats, belief: Floats, where: tuple[int, int], source: int) -> None:
    """Give camera c the belief of camera `source` of its environment, which knows the same."""
    i, c = where
    for t in range(belief.shape[2]):
        for n in range(belief.shape[3]):
            belief[i, c, t, n] = belief[i, source, t, n]
        _measure_distance(pose, belief, i, c, t)


@outlined_fn
def update_belief(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    memory: int,
    counts_misses: bool,
) -> None:
    """Update camera c's pose and belief with its newest observation (flat buffer, offset k).

    `where` = (environment, camera); `memory` = frames an unseen target stays known.
    `counts_misses`: missed detections end a track. With particles they do not, and the
    distance of an unseen target follows from its particles.
    """
    i, c = where
    read_pose(obs, k, pose, i, c)
    for t in range(belief.shape[2]):
        j = k + 22 + 5 * t
        if obs[j + 4] > 0.0:
            _update_detected(obs, j, belief, i, c, t)
        else:
            _coast(obs, k, pose, belief, (i, c, t), memory, counts_misses)
        if counts_misses or belief[i, c, t, B_SEEN] > 0.0:
            _measure_distance(pose, belief, i, c, t)


@outlined_fn
def update_sector_ages(pose: Floats, sector_ages: Floats, i: int, c: int) -> None:
    """Count in sector_ages [N, C, 8] the frames since each direction was last in the view."""
    for n in range(N_SECTORS):
        direction = pose[i, c, P_INWARD] + n * (360.0 / N_SECTORS)
        sector_ages[i, c, n] += 1.0
        if 2.0 * abs(wrap_deg(direction - pose[i, c, P_PHI])) <= pose[i, c, P_THETA]:
            sector_ages[i, c, n] = 0.0


@outlined_fn
def clear_belief(belief: Floats, sector_ages: Floats, i: int, c: int) -> None:
    """Forget everything: a new episode begins."""
    for t in range(belief.shape[2]):
        for n in range(belief.shape[3]):
            belief[i, c, t, n] = 0.0
        belief[i, c, t, B_AGE] = 1e6
    for n in range(N_SECTORS):
        sector_ages[i, c, n] = 60.0


@outlined_fn
def line_clearance(
    obs: Floats, k: int, x: float, y: float, ahead_x: float, ahead_y: float
) -> float:
    """Return how far the nearest known obstacle's edge is from the line of sight, in units.

    From the camera at (x, y) to (ahead_x, ahead_y); negative = the line is cut. At most 100.
    """
    ux, uy = ahead_x - x, ahead_y - y
    length = math.sqrt(ux * ux + uy * uy)
    best = 100.0
    if length == 0.0:
        return best
    squared, share = length * length, 1.0 / length
    start = k + 22 + 5 * int(obs[k + 1])
    for o in range(int(obs[k + 2])):
        j = start + 4 * o
        qx, qy = obs[j] - x, obs[j + 1] - y
        along = qx * ux + qy * uy
        if obs[j + 3] > 0.0 and 0.0 < along < squared:
            best = min(best, abs(qx * uy - qy * ux) * share - obs[j + 2])
    return max(best, -100.0)


def allocate_belief(n_envs: int, n_cameras: int, n_targets: int) -> tuple[Floats, Floats, Floats]:
    """Return zeroed arrays: pose [N, C, .], belief [N, C, T, .], sector_ages [N, C, 8]."""
    return (
        np.zeros((n_envs, n_cameras, POSE_COLUMNS)),
        np.zeros((n_envs, n_cameras, n_targets, BELIEF_COLUMNS)),
        np.zeros((n_envs, n_cameras, N_SECTORS)),
    )
