"""Guesses of where one unseen target is: places that walk to warehouses as greedy targets do.

A cloud is one camera's P guesses about one target: a place, the warehouse it walks to, its speed
and its noise, moved as greedy targets move (spec 11.3). Some may wander, for targets of other
kinds: their noise alone moves them, and they may be anywhere.
"""

import math

import numpy as np

from camcontrol.tracking.track import B_SPEED, B_VX, B_VY, B_X, B_Y
from camsim.arrays import Floats, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import GAMMA, TO_UNIT, mix
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES

# Rows of a cloud [K, P].
Q_X, Q_Y, Q_GOAL, Q_STEP = 0, 1, 2, 3  # place, warehouse (-1: refuted), longest step per frame
Q_NOISE_X, Q_NOISE_Y = 4, 5  # persistent part of the motion
Q_UX, Q_UY, Q_DISTANCE = 6, 7, 8  # direction and distance from the camera when last measured
Q_WATCHED = 9  # in the field of view of a teammate in sight, then
Q_WANDERS = 10  # 1 if it walks to no warehouse
CLOUD_ROWS = 11

Clouds = tuple[Floats, Floats, UInt64s]
"""Particles [N, C, T, K, P], origins [N, C, T, 2] and random streams [N, C]; all empty if unused.

An origin is where a sighted target's present trip began, as far as the camera knows.
"""

NOWHERE = 9e9  # origin of a target that was unseen for long
_MISFIT = 20.0  # how much the misfit of the newest velocity speaks against a goal
_START_HALF_WIDTH = 200.0  # of the square where targets of MATE's presets start
STEP_LIGHT, STEP_HEAVY = 20.0, 10.0  # longest steps in MATE's presets
_CHANGE = 0.05  # share of frames in which a greedy target draws new noise
_CERTAINTY, _CERTAINTY_LIMIT = 0.06, 12.0  # of a goal by its direction: per unit walked, at most


@device_fn
def uniform(stream: UInt64s, i: int, c: int) -> float:
    """Return the next number of a camera's stream, uniform in [0, 1)."""
    stream[i, c] = stream[i, c] + GAMMA
    return np.float64(mix(stream[i, c]) >> np.uint64(11)) * TO_UNIT


@device_fn
def between(stream: UInt64s, i: int, c: int, low: float, high: float) -> float:
    """Return the next number of a camera's stream, uniform in [low, high)."""
    return low + (high - low) * uniform(stream, i, c)


@device_fn
def open_stream(obs: Floats, k: int, stream: UInt64s, i: int, c: int) -> None:
    """Start a stream from the camera's pose: equal first observations give equal beliefs."""
    word = GAMMA
    for n in (13, 14, 16, 17, 18):
        word = mix(word ^ np.uint64(np.int64(obs[k + n] * 1048576.0)))
    stream[i, c] = word | np.uint64(1)  # 0 stands for a stream that has not begun


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


@device_fn
def draw_noise(cloud: Floats, p: int, stream: UInt64s, where: tuple[int, int]) -> None:
    """Draw the noise of guess p: each axis at most half a step, or a whole one if it wanders."""
    i, c = where
    width = cloud[Q_STEP, p] * (1.0 + cloud[Q_WANDERS, p])
    cloud[Q_NOISE_X, p] = between(stream, i, c, -0.5, 0.5) * width
    cloud[Q_NOISE_Y, p] = between(stream, i, c, -0.5, 0.5) * width


@outlined_fn
def begin(particles: Floats, stream: UInt64s, where: tuple[int, int], t: int) -> None:
    """Spread a cloud over the targets' start square."""
    i, c = where
    cloud = particles[i, c, t]
    for p in range(cloud.shape[1]):
        cloud[Q_STEP, p] = STEP_HEAVY if uniform(stream, i, c) < 0.5 else STEP_LIGHT
        cloud[Q_X, p] = between(stream, i, c, -_START_HALF_WIDTH, _START_HALF_WIDTH)
        cloud[Q_Y, p] = between(stream, i, c, -_START_HALF_WIDTH, _START_HALF_WIDTH)
        cloud[Q_GOAL, p] = p % 4
        draw_noise(cloud, p, stream, where)


@outlined_fn
def gather(
    belief: Floats, particles: Floats, origins: Floats, where: tuple[int, int], t: int
) -> None:
    """Put a cloud on its target's sighting; a trip begins in a warehouse or after a long gap."""
    i, c = where
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    cloud = particles[i, c, t]
    if origins[i, c, t, 0] == NOWHERE or warehouse_at(x, y) >= 0:
        origins[i, c, t, 0], origins[i, c, t, 1] = x, y
    for p in range(cloud.shape[1]):
        cloud[Q_X, p], cloud[Q_Y, p] = x, y


@outlined_fn
def let_go(belief: Floats, clouds: Clouds, where: tuple[int, int], t: int) -> None:
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
        u = uniform(stream, i, c)
        goal = 0 if u < w0 else 1 if u < w0 + w1 else 2 if u < w0 + w1 + w2 else 3
        step = max(STEP_LIGHT, belief[i, c, t, B_SPEED])
        if uniform(stream, i, c) < heavy:
            step = STEP_HEAVY
        cloud[Q_GOAL, p], cloud[Q_STEP, p] = goal, step
        draw_noise(cloud, p, stream, where)
        if measured and cloud[Q_WANDERS, p] == 0.0:  # what of its velocity is not due to the goal
            nx, ny, _ = noise_towards(x, y, vx, vy, step, goal)
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
def walk(
    obs: Floats, k: int, cloud: Floats, stream: UInt64s, where: tuple[int, int]
) -> tuple[float, float]:
    """Move a cloud on by one frame; return the mean displacement of guesses that do not wander."""
    i, c = where
    sum_x, sum_y, n_walk = 0.0, 0.0, 0
    n = cloud.shape[1]
    for p in range(n):
        x, y, step, goal = cloud[Q_X, p], cloud[Q_Y, p], cloud[Q_STEP, p], int(cloud[Q_GOAL, p])
        if uniform(stream, i, c) < _CHANGE:
            draw_noise(cloud, p, stream, where)
        dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
        if max(abs(dx), abs(dy)) <= WAREHOUSE_HALF_WIDTH:  # delivered; off to another one
            goal = (goal + 1 + int(uniform(stream, i, c) * 3.0)) % 4
            cloud[Q_GOAL, p] = goal
            dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
        scale = step / math.sqrt(dx * dx + dy * dy)  # the way is longer than a step
        if cloud[Q_WANDERS, p] > 0.0:
            scale = 0.0
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
        if cloud[Q_WANDERS, p] == 0.0:
            n_walk += 1
            sum_x += new_x - x
            sum_y += new_y - y
    return sum_x / max(n_walk, 1), sum_y / max(n_walk, 1)
