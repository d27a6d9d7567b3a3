"""Where targets out of view may be: a cloud of guesses per camera and target (walkers).

A camera knows what its observation says and the geometry of all MATE worlds; even the random
numbers start from its first observation. Guesses that the camera would surely see are refuted.
Nothing is ever forgotten. Guesses that wander stand for places where nobody looks; the estimate of
a target's place is the mean of the others.
"""

import math

import numpy as np

from camcontrol.tracking.motion_models import (
    CLOUD_ROWS,
    NOWHERE,
    Q_GOAL,
    Q_NOISE_Y,
    Q_WANDERS,
    Q_X,
    Q_Y,
    Clouds,
    begin,
    between,
    gather,
    let_go,
    open_stream,
    uniform,
    walk,
)
from camcontrol.tracking.track import (
    B_AGE,
    B_BEARING,
    B_DISTANCE,
    B_KNOWN,
    B_MISSES,
    B_SEEN,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    P_X,
    P_Y,
)
from camcontrol.tracking.visibility import sight_limits, surely_sees, watched
from camsim.arrays import Floats, UInt64s
from camsim.compiled.geometry import bearing_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.layout import TERRAIN, WAREHOUSES

_LONG_GAP = 5.0  # frames out of view after which a trip's origin is no longer known
_JITTER = 10.0  # how far a respawned particle stands from its parent, each axis
_DRAWS = 8  # tries to find a place where nobody looks
_OFF_TRACK = 100.0  # how far from the straight way such a place may be, each axis


@device_fn
def clear_clouds(particles: Floats, stream: UInt64s, i: int, c: int) -> None:
    """Forget everything: a new episode begins."""
    if particles.ndim == 5:  # decided when compiling, which works for an argument only
        stream[i, c] = np.uint64(0)


@outlined_fn
def _refute(
    obs: Floats, k: int, j: int, belief: Floats, particles: Floats, where: tuple[int, int]
) -> None:
    """Refute the particles of unseen targets that the camera at obs[j:] would surely see."""
    i, c = where
    limits = sight_limits(obs, j)
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            continue
        cloud = particles[i, c, t]
        for p in range(cloud.shape[1]):
            if surely_sees(obs, k, j, limits, cloud[Q_X, p], cloud[Q_Y, p]):
                cloud[Q_GOAL, p] = -1.0


@outlined_fn
def _start_anywhere(
    obs: Floats,
    k: int,
    shared: bool,
    cloud: Floats,
    p: int,
    stream: UInt64s,
    where: tuple[int, int],
) -> None:
    """Put guess p, which wanders, anywhere in the terrain, where nobody looks if possible."""
    i, c = where
    for _ in range(_DRAWS):
        cloud[Q_X, p] = between(stream, i, c, -TERRAIN, TERRAIN)
        cloud[Q_Y, p] = between(stream, i, c, -TERRAIN, TERRAIN)
        if not watched(obs, k, shared, cloud[Q_X, p], cloud[Q_Y, p]):
            break
    cloud[Q_GOAL, p] = int(uniform(stream, i, c) * 4.0)  # not refuted; it does not walk there


@outlined_fn
def _redraw(
    obs: Floats, k: int, shared: bool, cloud: Floats, stream: UInt64s, where: tuple[int, int]
) -> None:
    """Draw all that walk anew: on the ways between warehouses, where nobody looks if possible."""
    i, c = where
    for p in range(cloud.shape[1]):
        if cloud[Q_WANDERS, p] > 0.0:
            continue
        for _ in range(_DRAWS):
            goal = int(uniform(stream, i, c) * 4.0)
            other = (goal + 1 + int(uniform(stream, i, c) * 3.0)) % 4
            share = uniform(stream, i, c)
            x = WAREHOUSES[goal, 0] + share * (WAREHOUSES[other, 0] - WAREHOUSES[goal, 0])
            y = WAREHOUSES[goal, 1] + share * (WAREHOUSES[other, 1] - WAREHOUSES[goal, 1])
            x += between(stream, i, c, -_OFF_TRACK, _OFF_TRACK)
            y += between(stream, i, c, -_OFF_TRACK, _OFF_TRACK)
            x, y = min(max(x, -TERRAIN), TERRAIN), min(max(y, -TERRAIN), TERRAIN)
            cloud[Q_X, p], cloud[Q_Y, p], cloud[Q_GOAL, p] = x, y, goal
            if not watched(obs, k, shared, x, y):
                break


@outlined_fn
def _renew(
    obs: Floats, k: int, shared: bool, cloud: Floats, stream: UInt64s, where: tuple[int, int]
) -> bool:
    """Put refuted particles beside random others; redraw all if none is left, and tell so.

    Those that wander start anywhere instead, and nothing is put beside them.
    """
    i, c = where
    n = cloud.shape[1]
    n_walk, n_left = 0, 0
    for p in range(n):
        if cloud[Q_WANDERS, p] == 0.0:
            n_walk += 1
            n_left += cloud[Q_GOAL, p] >= 0.0
        elif cloud[Q_GOAL, p] < 0.0:
            _start_anywhere(obs, k, shared, cloud, p, stream, where)
    if n_left == 0:
        _redraw(obs, k, shared, cloud, stream, where)
        return True
    if n_left < n_walk:
        for p in range(n):
            if cloud[Q_GOAL, p] < 0.0:
                parent = int(uniform(stream, i, c) * n)
                while cloud[Q_GOAL, parent] < 0.0 or cloud[Q_WANDERS, parent] > 0.0:
                    parent = (parent + 1) % n
                for row in range(Q_GOAL, Q_NOISE_Y + 1):
                    cloud[row, p] = cloud[row, parent]
                x = cloud[Q_X, parent] + between(stream, i, c, -_JITTER, _JITTER)
                y = cloud[Q_Y, parent] + between(stream, i, c, -_JITTER, _JITTER)
                cloud[Q_X, p] = min(max(x, -TERRAIN), TERRAIN)
                cloud[Q_Y, p] = min(max(y, -TERRAIN), TERRAIN)
    return False


@device_fn
def _estimate(pose: Floats, belief: Floats, cloud: Floats, where: tuple[int, int], t: int) -> None:
    """Make the mean of guesses that do not wander the estimate of an unseen target's place."""
    i, c = where
    n = 0.0
    for p in range(cloud.shape[1]):
        n += 1.0 - cloud[Q_WANDERS, p]
    x, y = 0.0, 0.0
    for p in range(cloud.shape[1]):
        if cloud[Q_WANDERS, p] == 0.0:
            x += cloud[Q_X, p] / n
            y += cloud[Q_Y, p] / n
    belief[i, c, t, B_X], belief[i, c, t, B_Y] = x, y
    belief[i, c, t, B_MISSES] = 0.0  # particles have been refuted instead
    dx, dy = x - pose[i, c, P_X], y - pose[i, c, P_Y]
    belief[i, c, t, B_DISTANCE] = math.sqrt(dx * dx + dy * dy)
    belief[i, c, t, B_BEARING] = bearing_deg(dx, dy)


@outlined_fn
def _follow(obs: Floats, k: int, belief: Floats, clouds: Clouds, where: tuple[int, int]) -> None:
    """Gather the clouds of sighted targets, and let those of others walk."""
    i, c = where
    particles, origins, stream = clouds
    first = stream[i, c] == 0
    if first:
        open_stream(obs, k, stream, i, c)
    for t in range(particles.shape[2]):
        if first:
            begin(particles, stream, where, t)
        if first or belief[i, c, t, B_AGE] > _LONG_GAP:
            origins[i, c, t, 0] = NOWHERE
        if belief[i, c, t, B_SEEN] > 0.0:
            gather(belief, particles, origins, where, t)
        elif not first:
            if belief[i, c, t, B_AGE] == 1.0:
                let_go(belief, clouds, where, t)
            vx, vy = walk(obs, k, particles[i, c, t], stream, where)
            belief[i, c, t, B_VX], belief[i, c, t, B_VY] = vx, vy


@outlined_fn
def _update(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    clouds: Clouds,
    where: tuple[int, int],
    shared: bool,
) -> None:
    i, c = where
    particles, _, stream = clouds
    _follow(obs, k, belief, clouds, where)
    _refute(obs, k, k + 13, belief, particles, where)
    if shared:
        start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
        for n in range(int(obs[k])):
            if n != c and obs[start + 7 * n + 6] > 0.0:
                _refute(obs, k, start + 7 * n, belief, particles, where)
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] == 0.0:
            if _renew(obs, k, shared, particles[i, c, t], stream, where):
                belief[i, c, t, B_KNOWN] = 0.0
            _estimate(pose, belief, particles[i, c, t], where, t)


@device_fn
def update_clouds(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    stream: UInt64s,
    where: tuple[int, int],
    shared: bool,
) -> None:
    """Take camera c's newest observation, already in its pose and belief, into its clouds, if any.

    An unseen target's estimate becomes its cloud's mean; it is forgotten if all of its cloud is
    refuted. `shared`: the observation holds what any camera in it sees.
    """
    if particles.ndim == 5:  # decided when compiling
        _update(obs, k, pose, belief, (particles, origins, stream), where, shared)


def allocate_clouds(
    n_envs: int, n_cameras: int, n_targets: int, n_particles: int, wandering: float = 0.0
) -> Clouds:
    """Return zeroed clouds of `n_particles` each; empty ones with one axis if that is 0.

    `wandering`: share of them, at most a half, that wander; these are the first ones.
    """
    if n_particles == 0:  # another number of axes: the kernel is compiled without clouds
        return np.zeros(0), np.zeros(0), np.zeros(0, np.uint64)
    clouds = np.zeros((n_envs, n_cameras, n_targets, CLOUD_ROWS, n_particles))
    clouds[..., Q_WANDERS, : round(wandering * n_particles)] = 1.0
    return (
        clouds,
        np.zeros((n_envs, n_cameras, n_targets, 2)),
        np.zeros((n_envs, n_cameras), np.uint64),
    )
