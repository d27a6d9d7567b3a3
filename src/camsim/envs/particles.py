"""Where targets out of view may be: a cloud of particles per camera and target.

Every particle is a guess: a place, the warehouse it walks to, its speed and its noise, moved as
greedy targets move (spec 11.3). A camera knows what its observation says and the geometry of all
MATE worlds; even the random numbers start from its first observation. Guesses that the camera would
surely see are refuted. Nothing is ever forgotten.
"""

import math

import numpy as np

from camsim.envs.belief import (
    B_AGE,
    B_BEARING,
    B_DISTANCE,
    B_KNOWN,
    B_MISSES,
    B_SEEN,
    B_SPEED,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    P_X,
    P_Y,
)
from camsim.envs.sightlines import sight_limits, surely_sees, watched
from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.geometry import bearing_deg
from camsim.kernels.rng import GAMMA, TO_UNIT, mix
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.state import Floats, Words

N_PARTICLES = 24

# Rows of a cloud [K, P].
Q_X, Q_Y, Q_GOAL, Q_STEP = 0, 1, 2, 3  # place, warehouse (-1: refuted), longest step per frame
Q_NOISE_X, Q_NOISE_Y = 4, 5  # persistent part of the motion
Q_UX, Q_UY, Q_DISTANCE = 6, 7, 8  # direction and distance from the camera; this and the next
Q_WATCHED = 9  # in the field of view of a teammate in sight: of the last features, not kept up
CLOUD_ROWS = 10

Clouds = tuple[Floats, Floats, Words]
"""Particles [N, C, T, K, P], origins [N, C, T, 2] and random streams [N, C]; all empty if unused.

An origin is where a sighted target's present trip began, as far as the camera knows.
"""

_NOWHERE = 9e9  # origin of a target that was unseen for more than
_LONG_GAP = 5.0  # frames
_MISFIT = 20.0  # how much the misfit of the newest velocity speaks against a goal
_START_HALF_WIDTH = 200.0  # of the square where targets of MATE's presets start
STEP_LIGHT, STEP_HEAVY = 20.0, 10.0  # longest steps in MATE's presets
_CHANGE = 0.05  # share of frames in which a greedy target draws new noise
_CERTAINTY, _CERTAINTY_LIMIT = 0.06, 12.0  # of a goal by its direction: per unit walked, at most
_JITTER = 10.0  # how far a respawned particle stands from its parent, each axis
_DRAWS = 8  # tries to find an unwatched place on a way between warehouses
_OFF_TRACK = 100.0  # how far from the straight way such a place may be, each axis


@device_fn
def _uniform(stream: Words, i: int, c: int) -> float:
    """Return the next number of a camera's stream, uniform in [0, 1)."""
    stream[i, c] = stream[i, c] + GAMMA
    return np.float64(mix(stream[i, c]) >> np.uint64(11)) * TO_UNIT


@device_fn
def _between(stream: Words, i: int, c: int, low: float, high: float) -> float:
    """Return the next number of a camera's stream, uniform in [low, high)."""
    return low + (high - low) * _uniform(stream, i, c)


@device_fn
def _open_stream(obs: Floats, k: int, stream: Words, i: int, c: int) -> None:
    """Start a stream from the camera's pose: equal first observations give equal beliefs."""
    word = GAMMA
    for n in (13, 14, 16, 17, 18):
        word = mix(word ^ np.uint64(np.int64(obs[k + n] * 1048576.0)))
    stream[i, c] = word | np.uint64(1)  # 0 stands for a stream that has not begun


@device_fn
def clear_clouds(particles: Floats, stream: Words, i: int, c: int) -> None:
    """Forget everything: a new episode begins."""
    if particles.ndim == 5:  # decided when compiling, which works for an argument only
        stream[i, c] = np.uint64(0)


@device_fn
def warehouse_at(x: float, y: float) -> int:
    """Return the warehouse that the place lies in, or -1."""
    inner = TERRAIN - 2.0 * WAREHOUSE_HALF_WIDTH
    if abs(x) < inner or abs(y) < inner:
        return -1
    if y >= 0.0:
        return 0 if x >= 0.0 else 1
    return 2 if x < 0.0 else 3


@device_fn
def _pull(x: float, y: float, ox: float, oy: float, w: int) -> float:
    """Return the weight of goal w for a target that walked from (ox, oy) to (x, y)."""
    dx, dy = x - ox, y - oy
    gx, gy = WAREHOUSES[w, 0] - ox, WAREHOUSES[w, 1] - oy
    walked, way = math.sqrt(dx * dx + dy * dy), math.sqrt(gx * gx + gy * gy)
    if walked * way == 0.0:
        return 1.0
    certainty = min(_CERTAINTY * walked, _CERTAINTY_LIMIT)
    return math.exp(certainty * ((dx * gx + dy * gy) / (walked * way) - 1.0))


@device_fn
def noise_towards(
    x: float, y: float, vx: float, vy: float, step: float, w: int
) -> tuple[float, float, float]:
    """Return the noise that makes a target at (x, y) with goal w move by (vx, vy), and a misfit.

    Noise is at most half a step, each axis (spec 11.3); misfit: how much more it would have to be,
    in steps. A velocity of a full step may have been a longer one, cut to that length.
    """
    gx, gy = WAREHOUSES[w, 0] - x, WAREHOUSES[w, 1] - y
    scale = step / max(math.sqrt(gx * gx + gy * gy), step)
    gx, gy = gx * scale, gy * scale
    squared = vx * vx + vy * vy
    if squared > 0.8 * step * step:
        longer = min(max((gx * vx + gy * vy) / squared, 1.0), 1.4)
        vx, vy = vx * longer, vy * longer
    nx = min(max(vx - gx, -0.5 * step), 0.5 * step)
    ny = min(max(vy - gy, -0.5 * step), 0.5 * step)
    return nx, ny, math.sqrt((vx - gx - nx) ** 2 + (vy - gy - ny) ** 2) / step


@device_fn
def _weight(belief: Floats, origins: Floats, i: int, c: int, t: int, w: int) -> float:
    """Return the weight of goal w for a sighted target."""
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    here = warehouse_at(x, y)
    if here == w:
        return 0.0
    weight = 1e-6 + _pull(x, y, origins[i, c, t, 0], origins[i, c, t, 1], w)
    vx, vy, speed = belief[i, c, t, B_VX], belief[i, c, t, B_VY], belief[i, c, t, B_SPEED]
    if here < 0 and speed > 0.0:
        step = STEP_HEAVY if speed <= 1.05 * STEP_HEAVY else max(STEP_LIGHT, speed)
        misfit = noise_towards(x, y, vx, vy, step, w)[2]
        weight *= math.exp(-_MISFIT * misfit * misfit)
    return weight


@outlined_fn
def goal_weights(
    belief: Floats, origins: Floats, i: int, c: int, t: int
) -> tuple[float, float, float, float]:
    """Return the probabilities of a sighted target's goals: where it has walked and walks to."""
    w0 = _weight(belief, origins, i, c, t, 0)
    w1 = _weight(belief, origins, i, c, t, 1)
    w2 = _weight(belief, origins, i, c, t, 2)
    w3 = _weight(belief, origins, i, c, t, 3)
    total = w0 + w1 + w2 + w3
    return w0 / total, w1 / total, w2 / total, w3 / total


@device_fn
def heaviness(belief: Floats, i: int, c: int, t: int) -> float:
    """Return the probability that a target is a heavy one, from its fastest displacement."""
    speed = belief[i, c, t, B_SPEED]
    if speed == 0.0:
        return 0.5
    return 0.0 if speed > 1.05 * STEP_HEAVY else 1.0


@outlined_fn
def _begin(particles: Floats, stream: Words, where: tuple[int, int], t: int) -> None:
    """Spread a cloud over the targets' start square."""
    i, c = where
    cloud = particles[i, c, t]
    for p in range(cloud.shape[1]):
        step = STEP_HEAVY if _uniform(stream, i, c) < 0.5 else STEP_LIGHT
        cloud[Q_X, p] = _between(stream, i, c, -_START_HALF_WIDTH, _START_HALF_WIDTH)
        cloud[Q_Y, p] = _between(stream, i, c, -_START_HALF_WIDTH, _START_HALF_WIDTH)
        cloud[Q_GOAL, p] = p % 4
        cloud[Q_STEP, p] = step
        cloud[Q_NOISE_X, p] = _between(stream, i, c, -0.5, 0.5) * step
        cloud[Q_NOISE_Y, p] = _between(stream, i, c, -0.5, 0.5) * step


@outlined_fn
def _gather(
    belief: Floats, particles: Floats, origins: Floats, where: tuple[int, int], t: int
) -> None:
    """Put a cloud on its target's sighting; a trip begins in a warehouse or after a long gap."""
    i, c = where
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    cloud = particles[i, c, t]
    if origins[i, c, t, 0] == _NOWHERE or warehouse_at(x, y) >= 0:
        origins[i, c, t, 0], origins[i, c, t, 1] = x, y
    for p in range(cloud.shape[1]):
        cloud[Q_X, p], cloud[Q_Y, p] = x, y


@outlined_fn
def _let_go(belief: Floats, clouds: Clouds, where: tuple[int, int], t: int) -> None:
    """Draw goals, speeds and noise of a cloud whose target has just gone out of view."""
    i, c = where
    particles, origins, stream = clouds
    cloud = particles[i, c, t]
    x, y = cloud[Q_X, 0], cloud[Q_Y, 0]  # the last sighting; the belief has moved on
    belief[i, c, t, B_X], belief[i, c, t, B_Y] = x, y
    w0, w1, w2, _ = goal_weights(belief, origins, i, c, t)
    heavy = heaviness(belief, i, c, t)
    vx, vy = belief[i, c, t, B_VX], belief[i, c, t, B_VY]
    measured = vx * vx + vy * vy > 0.0 and warehouse_at(x, y) < 0
    for p in range(cloud.shape[1]):
        u = _uniform(stream, i, c)
        goal = 0 if u < w0 else 1 if u < w0 + w1 else 2 if u < w0 + w1 + w2 else 3
        step = max(STEP_LIGHT, belief[i, c, t, B_SPEED])
        if _uniform(stream, i, c) < heavy:
            step = STEP_HEAVY
        nx = _between(stream, i, c, -0.5, 0.5) * step
        ny = _between(stream, i, c, -0.5, 0.5) * step
        if measured:  # what of its velocity does not come from the goal
            nx, ny, _ = noise_towards(x, y, vx, vy, step, goal)
        cloud[Q_GOAL, p], cloud[Q_STEP, p] = goal, step
        cloud[Q_NOISE_X, p], cloud[Q_NOISE_Y, p] = nx, ny


@device_fn
def _pushed_out(obs: Floats, k: int, x: float, y: float) -> tuple[float, float]:
    """Return the place, moved out of the known obstacle that it lies in: so walkers slide along."""
    start = k + 22 + 5 * int(obs[k + 1])
    for o in range(int(obs[k + 2])):
        j = start + 4 * o
        qx, qy, radius = x - obs[j], y - obs[j + 1], obs[j + 2]
        squared = qx * qx + qy * qy
        if 0.0 < squared < radius * radius and obs[j + 3] > 0.0:
            scale = radius / math.sqrt(squared)
            return obs[j] + qx * scale, obs[j + 1] + qy * scale
    return x, y


@outlined_fn
def _walk(
    obs: Floats, k: int, cloud: Floats, stream: Words, where: tuple[int, int]
) -> tuple[float, float]:
    """Move a cloud on by one frame; return the mean displacement."""
    i, c = where
    sum_x, sum_y = 0.0, 0.0
    n = cloud.shape[1]
    for p in range(n):
        x, y, step, goal = cloud[Q_X, p], cloud[Q_Y, p], cloud[Q_STEP, p], int(cloud[Q_GOAL, p])
        if _uniform(stream, i, c) < _CHANGE:
            cloud[Q_NOISE_X, p] = _between(stream, i, c, -0.5, 0.5) * step
            cloud[Q_NOISE_Y, p] = _between(stream, i, c, -0.5, 0.5) * step
        dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
        if max(abs(dx), abs(dy)) <= WAREHOUSE_HALF_WIDTH:  # delivered; off to another one
            goal = (goal + 1 + int(_uniform(stream, i, c) * 3.0)) % 4
            cloud[Q_GOAL, p] = goal
            dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
        scale = step / math.sqrt(dx * dx + dy * dy)  # the way is longer than a step
        ax = min(max(dx * scale + cloud[Q_NOISE_X, p], -step), step)
        ay = min(max(dy * scale + cloud[Q_NOISE_Y, p], -step), step)
        squared = ax * ax + ay * ay
        if squared > step * step:
            scale = step / math.sqrt(squared)
            ax, ay = ax * scale, ay * scale
        new_x, new_y = _pushed_out(obs, k, x + ax, y + ay)
        new_x = min(max(new_x, -TERRAIN), TERRAIN)
        new_y = min(max(new_y, -TERRAIN), TERRAIN)
        cloud[Q_X, p], cloud[Q_Y, p] = new_x, new_y
        sum_x += new_x - x
        sum_y += new_y - y
    return sum_x / n, sum_y / n


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
def _redraw(
    obs: Floats, k: int, shared: bool, cloud: Floats, stream: Words, where: tuple[int, int]
) -> None:
    """Draw a whole cloud anew: on the ways between warehouses, where nobody looks if possible."""
    i, c = where
    for p in range(cloud.shape[1]):
        for _ in range(_DRAWS):
            goal = int(_uniform(stream, i, c) * 4.0)
            other = (goal + 1 + int(_uniform(stream, i, c) * 3.0)) % 4
            share = _uniform(stream, i, c)
            x = WAREHOUSES[goal, 0] + share * (WAREHOUSES[other, 0] - WAREHOUSES[goal, 0])
            y = WAREHOUSES[goal, 1] + share * (WAREHOUSES[other, 1] - WAREHOUSES[goal, 1])
            x += _between(stream, i, c, -_OFF_TRACK, _OFF_TRACK)
            y += _between(stream, i, c, -_OFF_TRACK, _OFF_TRACK)
            x, y = min(max(x, -TERRAIN), TERRAIN), min(max(y, -TERRAIN), TERRAIN)
            cloud[Q_X, p], cloud[Q_Y, p], cloud[Q_GOAL, p] = x, y, goal
            if not watched(obs, k, shared, x, y):
                break


@outlined_fn
def _renew(
    obs: Floats, k: int, shared: bool, cloud: Floats, stream: Words, where: tuple[int, int]
) -> bool:
    """Put refuted particles beside random others; redraw all if none is left, and tell so."""
    i, c = where
    n = cloud.shape[1]
    n_left = 0
    for p in range(n):
        n_left += cloud[Q_GOAL, p] >= 0.0
    if n_left == 0:
        _redraw(obs, k, shared, cloud, stream, where)
        return True
    if n_left < n:
        for p in range(n):
            if cloud[Q_GOAL, p] < 0.0:
                parent = int(_uniform(stream, i, c) * n)
                while cloud[Q_GOAL, parent] < 0.0:
                    parent = (parent + 1) % n
                for row in range(Q_GOAL, Q_NOISE_Y + 1):
                    cloud[row, p] = cloud[row, parent]
                x = cloud[Q_X, parent] + _between(stream, i, c, -_JITTER, _JITTER)
                y = cloud[Q_Y, parent] + _between(stream, i, c, -_JITTER, _JITTER)
                cloud[Q_X, p] = min(max(x, -TERRAIN), TERRAIN)
                cloud[Q_Y, p] = min(max(y, -TERRAIN), TERRAIN)
    return False


@device_fn
def _estimate(pose: Floats, belief: Floats, cloud: Floats, where: tuple[int, int], t: int) -> None:
    """Make the cloud's mean the estimate of an unseen target's place."""
    i, c = where
    n = cloud.shape[1]
    x, y = 0.0, 0.0
    for p in range(n):
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
        _open_stream(obs, k, stream, i, c)
    for t in range(particles.shape[2]):
        if first:
            _begin(particles, stream, where, t)
        if first or belief[i, c, t, B_AGE] > _LONG_GAP:
            origins[i, c, t, 0] = _NOWHERE
        if belief[i, c, t, B_SEEN] > 0.0:
            _gather(belief, particles, origins, where, t)
        elif not first:
            if belief[i, c, t, B_AGE] == 1.0:
                _let_go(belief, clouds, where, t)
            vx, vy = _walk(obs, k, particles[i, c, t], stream, where)
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
    stream: Words,
    where: tuple[int, int],
    shared: bool,
) -> None:
    """Take camera c's newest observation, already in its pose and belief, into its clouds, if any.

    An unseen target's estimate becomes its cloud's mean; it is forgotten if all of its cloud is
    refuted. `shared`: the observation holds what any camera in it sees.
    """
    if particles.ndim == 5:  # decided when compiling
        _update(obs, k, pose, belief, (particles, origins, stream), where, shared)


def allocate_clouds(n_envs: int, n_cameras: int, n_targets: int, *, used: bool) -> Clouds:
    """Return zeroed clouds; empty ones with one axis if they are not `used`."""
    if not used:  # another number of axes: the kernel is compiled without clouds
        return np.zeros(0), np.zeros(0), np.zeros(0, np.uint64)
    return (
        np.zeros((n_envs, n_cameras, n_targets, CLOUD_ROWS, N_PARTICLES)),
        np.zeros((n_envs, n_cameras, n_targets, 2)),
        np.zeros((n_envs, n_cameras), np.uint64),
    )
