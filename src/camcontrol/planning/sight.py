"""What one camera is predicted to see of sampled trajectories, and how it would aim at them.

All loops over frames, targets and trajectories are free of branches: they use vector instructions.
Angles are parts of a turn (`turns`).
"""

import math
from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import LEAD_FRAMES, reaching_view
from camcontrol.planning.trajectories import Trajectories
from camcontrol.planning.turns import bearing_parts, half_view_parts
from camcontrol.tracking.motion_models import Q_RANDOM_WALK
from camcontrol.tracking.track import B_SEEN, P_AREA, P_MAX_RANGE, P_X, P_Y
from camsim.arrays import Floats, Int32s
from camsim.compiled.jit import device_fn, outlined_fn


class Sight(NamedTuple):
    """Tables of one camera, for each of W workers; L lanes as in `Trajectories`."""

    squared: Floats  # [W, F + 1 + LEAD_FRAMES, L] squared distance from the camera, units
    bearing: Int32s  # [W, F + 1 + LEAD_FRAMES, L] from the camera
    widest: Int32s  # [W, F + 1, L] widest half view that reaches there; -1: no view does
    aim: Int32s  # [W, F, L] orientation of a camera that follows it
    aim_half: Int32s  # [W, F, L] and its half viewing angle
    mean: Floats  # [W, 2, F + LEAD_FRAMES] a target's mean position, units
    mean_aim: Int32s  # [W, 2, F] orientation and half viewing angle of a camera that follows it


def allocate_sight(n_workers: int, n_lanes: int, n_frames: int) -> Sight:
    """Return zeroed tables: `n_lanes` L, `n_frames` frames F."""
    w, f, n = n_workers, n_frames, n_lanes
    return Sight(
        squared=np.zeros((w, f + 1 + LEAD_FRAMES, n)),
        bearing=np.zeros((w, f + 1 + LEAD_FRAMES, n), np.int32),
        widest=np.zeros((w, f + 1, n), np.int32),
        aim=np.zeros((w, f, n), np.int32),
        aim_half=np.zeros((w, f, n), np.int32),
        mean=np.zeros((w, 2, f + LEAD_FRAMES)),
        mean_aim=np.zeros((w, 2, f), np.int32),
    )


@outlined_fn
def _hide_behind(
    x: Floats,
    y: Floats,
    squared: Floats,
    eye: tuple[float, float],
    disc: tuple[float, float, float],
    widest: Int32s,
) -> None:
    """Set `widest` to -1 where a disc hides the point (x, y) from the eye (world 5.5).

    The rule of `camsim.compiled.geometry.ray_blocked`, times the length of the ray: no root, no
    division.
    """
    qx, qy, square = disc[0] - eye[0], disc[1] - eye[1], disc[2] * disc[2]
    for n in range(len(widest)):
        ux, uy = x[n] - eye[0], y[n] - eye[1]
        along, cross = qx * ux + qy * uy, qx * uy - qy * ux
        chord = square * squared[n] - cross * cross  # times the squared length
        near = along - squared[n] / (1.0 + 1e-6)
        hidden = (along > 0.0) & (chord > 0.0) & ((near < 0.0) | (near * near < chord))
        widest[n] = -1 if hidden else widest[n]


@outlined_fn
def _look(
    obs: Floats,
    n: int,
    pose: Floats,
    where: tuple[int, int],
    xs: Floats,
    ys: Floats,
    sight: Sight,
    w: int,
) -> None:
    """Fill `squared`, `bearing` and `widest`: xs and ys [(F + 1 + LEAD_FRAMES) * L]."""
    i, c = where
    eye = (pose[i, c, P_X], pose[i, c, P_Y])
    area, farthest = pose[i, c, P_AREA], pose[i, c, P_MAX_RANGE] * pose[i, c, P_MAX_RANGE]
    squared, bearing = sight.squared[w].reshape(-1), sight.bearing[w].reshape(-1)
    widest = sight.widest[w].reshape(-1)
    for m in range(len(squared)):
        ux, uy = xs[m] - eye[0], ys[m] - eye[1]
        squared[m] = ux * ux + uy * uy
        bearing[m] = bearing_parts(ux, uy)
    for m in range(len(widest)):
        half = half_view_parts(area / max(squared[m], 1e-9))
        widest[m] = -1 if squared[m] > farthest else half
    start = n + 22 + 5 * int(obs[n + 1])
    for o in range(int(obs[n + 2])):
        j = start + 4 * o
        dx, dy, reach = obs[j] - eye[0], obs[j + 1] - eye[1], pose[i, c, P_MAX_RANGE] + obs[j + 2]
        near = dx * dx + dy * dy < reach * reach  # others hide only what is too far anyway
        if obs[j + 3] > 0.0 and obs[j + 2] > 0.0 and near:
            _hide_behind(xs, ys, squared, eye, (obs[j], obs[j + 1], obs[j + 2]), widest)


@outlined_fn
def _follow(pose: Floats, where: tuple[int, int], sight: Sight, w: int) -> None:
    """Fill `aim` and `aim_half` of targets in view: each trajectory is followed by itself."""
    i, c = where
    squared, bearing = sight.squared[w].reshape(-1), sight.bearing[w].reshape(-1)
    aim, aim_half = sight.aim[w].reshape(-1), sight.aim_half[w].reshape(-1)
    area, max_range = pose[i, c, P_AREA], pose[i, c, P_MAX_RANGE]
    first = LEAD_FRAMES * sight.aim.shape[2]
    ahead, squared_ahead = bearing[first:], squared[first:]
    for m in range(len(aim)):
        aim[m] = ahead[m]
        farthest = math.sqrt(max(squared[m], squared_ahead[m]))
        aim_half[m] = half_view_parts(reaching_view(area, max_range, farthest))


@device_fn
def _average(positions: Floats, lanes: tuple[int, int], random_walk: Floats, mean: Floats) -> None:
    """Fill `mean` [2, F + LEAD_FRAMES] with the mean positions of a target's trajectories.

    Of its goal-directed ones, or of all if there is none.
    """
    low, high = lanes
    n_random = 0.0
    for m in range(low, high):
        n_random += random_walk[m]
    skips = n_random < high - low
    share = 1.0 / (high - low - n_random * skips)
    mean[:] = 0.0
    for m in range(low, high):
        if skips and random_walk[m] > 0.0:
            continue
        for axis in range(2):
            means, of_lane = mean[axis], positions[axis]
            for f in range(len(means)):
                means[f] += share * of_lane[f, m]


@outlined_fn
def _follow_mean(
    pose: Floats,
    where: tuple[int, int],
    positions: Floats,
    lanes: tuple[int, int],
    random_walk: Floats,
    sight: Sight,
    w: int,
) -> None:
    """Fill `aim` and `aim_half` of a target out of view: it is followed at a mean position.

    `lanes`: the target's first, and the one after its last; `random_walk` [L] is 1 for trajectories
    that walk at random.
    """
    i, c = where
    x, y, n_frames = pose[i, c, P_X], pose[i, c, P_Y], sight.aim.shape[1]
    area, max_range = pose[i, c, P_AREA], pose[i, c, P_MAX_RANGE]
    _average(positions, lanes, random_walk, sight.mean[w])
    xs, ys = sight.mean[w, 0], sight.mean[w, 1]
    aims, halves = sight.mean_aim[w, 0], sight.mean_aim[w, 1]
    for f in range(n_frames):
        nx, ny = xs[f] - x, ys[f] - y
        ax, ay = xs[f + LEAD_FRAMES] - x, ys[f + LEAD_FRAMES] - y
        farthest = math.sqrt(max(nx * nx + ny * ny, ax * ax + ay * ay))
        aims[f] = bearing_parts(ax, ay)
        halves[f] = half_view_parts(reaching_view(area, max_range, farthest))
    for f in range(n_frames):
        for m in range(lanes[0], lanes[1]):
            sight.aim[w, f, m], sight.aim_half[w, f, m] = aims[f], halves[f]


@outlined_fn
def predict_sight(
    obs: Floats,
    n: int,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    trajectories: Trajectories,
    n_trajectories: int,
    sight: Sight,
    w: int,
) -> None:
    """Predict what camera c sees of trajectories, and how it would aim with executor `lead`.

    Args:
        obs: flat buffer of observations.
        n: offset of camera c's.
        pose: [N, C, POSE_COLUMNS].
        belief: [N, C, T, BELIEF_COLUMNS].
        where: (environment, camera).
        trajectories: worker w's.
        n_trajectories: K of each target.
        sight: worker w's tables are written.
        w: worker.
    """
    i, c = where
    positions, walks = trajectories.positions[w], trajectories.lanes[w, Q_RANDOM_WALK]
    _look(obs, n, pose, where, positions[0].reshape(-1), positions[1].reshape(-1), sight, w)
    _follow(pose, where, sight, w)
    for t in range(belief.shape[2]):
        if belief[i, c, t, B_SEEN] == 0.0:
            lanes = (t * n_trajectories, (t + 1) * n_trajectories)
            _follow_mean(pose, where, positions, lanes, walks, sight, w)
