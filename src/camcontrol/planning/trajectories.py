"""Futures of all targets, drawn from what cameras believe, and how one camera would see them.

K futures of each target: it goes on from its last sighting, or from a particle of its cloud, to a
warehouse that its way so far suggests, with the noise it showed; then noise and goals are drawn.
Futures of a target in view wander as the particles do that they would otherwise begin from.
"""

import math
from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import LEAD_FRAMES, widest_view
from camcontrol.tracking.motion_models import (
    CLOUD_ROWS,
    Q_GOAL,
    Q_NOISE_X,
    Q_NOISE_Y,
    Q_STEP,
    Q_WANDERS,
    Q_X,
    Q_Y,
    STEP_HEAVY,
    STEP_LIGHT,
    draw_noise,
    goal_weights,
    heaviness,
    noise_towards,
    open_stream,
    walk,
    warehouse_at,
)
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY, B_X, B_Y, P_MAX_RANGE, P_X, P_Y
from camsim.arrays import Floats, UInt64s
from camsim.compiled.geometry import bearing_deg, ray_blocked
from camsim.compiled.jit import device_fn, outlined_fn

# Columns of `sights`: a camera's view of one target in one frame of one future.
S_BEARING, S_SQUARED = 0, 1  # degrees; squared distance, infinite where the target is hidden
S_AIM, S_WIDTH = 2, 3  # where a camera that follows it aims, and how wide, degrees
SIGHT_COLUMNS = 4


class Futures(NamedTuple):
    """K futures of all targets, from now (frame 0) to the horizon (frame F)."""

    walkers: Floats  # [N, T, CLOUD_ROWS, K] as camcontrol.tracking.motion_models moves them
    stream: UInt64s  # [N, 1] random numbers
    places: Floats  # [N, F + 1 + LEAD_FRAMES, K, T, 2]
    sights: Floats  # [N, F + 1, K, T, SIGHT_COLUMNS] of one camera


def allocate_futures(n_envs: int, n_targets: int, n_futures: int, n_frames: int) -> Futures:
    """Return zeroed futures of `n_frames` frames F."""
    n, t, k, f = n_envs, n_targets, n_futures, n_frames + 1
    return Futures(
        walkers=np.zeros((n, t, CLOUD_ROWS, k)),
        stream=np.zeros((n, 1), np.uint64),
        places=np.zeros((n, f + LEAD_FRAMES, k, t, 2)),
        sights=np.zeros((n, f, k, t, SIGHT_COLUMNS)),
    )


@outlined_fn
def _go_on(
    belief: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    share: float,
    walker: Floats,
    k: int,
    stream: UInt64s,
) -> None:
    """Let walker k be a sighted target; `share` in (0, 1) picks one of its goals by weight."""
    i, c = where
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    vx, vy, speed = belief[i, c, t, B_VX], belief[i, c, t, B_VY], belief[i, c, t, B_SPEED]
    w0, w1, w2, _ = goal_weights(belief, origins, i, c, t)
    goal = 0 if share < w0 else 1 if share < w0 + w1 else 2 if share < w0 + w1 + w2 else 3
    step = max(STEP_LIGHT, speed)
    heavy = heaviness(belief, i, c, t)
    if heavy == 1.0 or (heavy > 0.0 and k % 2 == 1):
        step = STEP_HEAVY
    walker[Q_X, k], walker[Q_Y, k], walker[Q_GOAL, k], walker[Q_STEP, k] = x, y, goal, step
    draw_noise(walker, k, stream, (i, 0))
    if walker[Q_WANDERS, k] == 0.0 and vx * vx + vy * vy > 0.0 and warehouse_at(x, y) < 0:
        nx, ny, _ = noise_towards(x, y, vx, vy, step, goal)
        walker[Q_NOISE_X, k], walker[Q_NOISE_Y, k] = nx, ny


@outlined_fn
def foresee(
    obs: Floats,
    n: int,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    where: tuple[int, int],
    joint: bool,
    futures: Futures,
) -> None:
    """Draw the futures of all targets from camera c's belief, or from all cameras' if `joint`.

    `n` is the offset of camera c's observation. The same belief and observation give the same
    futures.
    """
    i, c = where
    walkers, stream, places = futures.walkers, futures.stream, futures.places
    n_futures = walkers.shape[3]
    open_stream(obs, n, stream, i, 0)
    for t in range(walkers.shape[1]):
        for k in range(n_futures):
            source = k % belief.shape[1] if joint else c
            p = k * particles.shape[4] // n_futures
            walkers[i, t, Q_WANDERS, k] = particles[i, source, t, Q_WANDERS, p]
            if belief[i, source, t, B_SEEN] > 0.0:
                share = (k + 0.5) / n_futures
                _go_on(belief, origins, (i, source), t, share, walkers[i, t], k, stream)
            else:
                for row in range(Q_X, Q_NOISE_Y + 1):
                    walkers[i, t, row, k] = particles[i, source, t, row, p]
        for f in range(places.shape[1]):
            if f > 0:
                walk(obs, n, walkers[i, t], stream, (i, 0))
            for k in range(n_futures):
                places[i, f, k, t, 0] = walkers[i, t, Q_X, k]
                places[i, f, k, t, 1] = walkers[i, t, Q_Y, k]


@device_fn
def _hidden(obs: Floats, n: int, x: float, y: float, ux: float, uy: float, length: float) -> bool:
    """Tell whether a known obstacle hides the point (ux, uy) away from (x, y)."""
    start = n + 22 + 5 * int(obs[n + 1])
    for o in range(int(obs[n + 2])):
        j = start + 4 * o
        known = obs[j + 3] > 0.0 and obs[j + 2] > 0.0
        if known and ray_blocked(ux, uy, length, obs[j] - x, obs[j + 1] - y, obs[j + 2]):
            return True
    return False


@outlined_fn
def _see(
    obs: Floats,
    n: int,
    pose: Floats,
    places: Floats,
    sights: Floats,
    where: tuple[int, int],
    f: int,
    t: int,
) -> None:
    """Fill in where camera c would see target t in frame f, and whether it could."""
    i, c = where
    x, y, max_range = pose[i, c, P_X], pose[i, c, P_Y], pose[i, c, P_MAX_RANGE]
    for k in range(places.shape[2]):
        ux, uy = places[i, f, k, t, 0] - x, places[i, f, k, t, 1] - y
        length = math.sqrt(ux * ux + uy * uy)
        hidden = length > max_range
        if not hidden and length > 0.0:
            hidden = _hidden(obs, n, x, y, ux, uy, length)
        sights[i, f, k, t, S_BEARING] = bearing_deg(ux, uy)
        sights[i, f, k, t, S_SQUARED] = math.inf if hidden else length * length


@outlined_fn
def _follow(
    pose: Floats,
    places: Floats,
    sights: Floats,
    where: tuple[int, int],
    f: int,
    t: int,
    in_view: bool,
    wanders: Floats,
) -> None:
    """Fill in how camera c would aim at target t in frame f, as the executor `lead` does.

    A target in view is followed in each future on its own, another one by the mean place of its
    futures, without those that wander [K] if there are others.
    """
    i, c = where
    x, y = pose[i, c, P_X], pose[i, c, P_Y]
    n_futures = places.shape[2]
    n_wander = np.sum(wanders)
    skips = not in_view and n_wander < n_futures
    for k in range(n_futures):
        low, high = (k, k + 1) if in_view else (0, n_futures)
        share = 1.0 / (high - low - n_wander * skips)
        nx, ny, ax, ay = 0.0, 0.0, 0.0, 0.0  # now, and ahead
        for m in range(low, high):
            if skips and wanders[m] > 0.0:
                continue
            nx += share * (places[i, f, m, t, 0] - x)
            ny += share * (places[i, f, m, t, 1] - y)
            ax += share * (places[i, f + LEAD_FRAMES, m, t, 0] - x)
            ay += share * (places[i, f + LEAD_FRAMES, m, t, 1] - y)
        farthest = math.sqrt(max(nx * nx + ny * ny, ax * ax + ay * ay))
        sights[i, f, k, t, S_AIM] = bearing_deg(ax, ay)
        sights[i, f, k, t, S_WIDTH] = widest_view(pose, i, c, farthest)


@outlined_fn
def look_ahead(
    obs: Floats, n: int, pose: Floats, belief: Floats, futures: Futures, where: tuple[int, int]
) -> None:
    """Fill the sights of camera c, whose observation stands at offset n, in all futures."""
    i, c = where
    places, sights = futures.places, futures.sights
    for f in range(sights.shape[1]):
        for t in range(sights.shape[3]):
            _see(obs, n, pose, places, sights, where, f, t)
            in_view = belief[i, c, t, B_SEEN] > 0.0
            _follow(pose, places, sights, where, f, t, in_view, futures.walkers[i, t, Q_WANDERS])
