"""Motion models of one target's particles: goal-directed as greedy targets, or a random walk.

A particle set holds P particles of one target, as one camera believes or, where all know the same,
the whole team. A particle is a position, a warehouse as its goal, a longest step and a persistent
noise. Two motion models move it. A goal-directed particle walks to its warehouse as greedy targets
do (world 11.3). A random-walk particle moves by its noise alone and may be anywhere; it stands for
targets of other kinds.
"""

import math

import numpy as np

from camcontrol.tracking.track import B_SPEED, B_VX, B_VY, B_X, B_Y
from camsim.arrays import Floats, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import GAMMA, TO_UNIT, mix
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES

# Rows of a particle set [K, P], K = PARTICLE_ROWS. Lengths are in units, steps in units per frame.
Q_X, Q_Y = 0, 1  # position
Q_GOAL = 2  # warehouse 0 to 3; -1: the particle has weight 0, all others have equal weights
Q_STEP = 3  # longest step
Q_NOISE_X, Q_NOISE_Y = 4, 5  # persistent part of the velocity
Q_RANDOM_WALK = 6  # motion model: 1 = random walk, 0 = goal-directed
Q_NEXT_X, Q_NEXT_Y, Q_PUSHED = 7, 8, 9  # work rows of `propagate`
PARTICLE_ROWS = 10

ParticleSets = tuple[Floats, Floats, UInt64s]
"""Particles [N, M, T, K, P], origins [N, M, T, 2] and random streams [N, M]; all empty if unused.

M is the number of cameras, or 1: one camera alone, or a team that knows the same (`set_of`). An
origin is the position, in units, where a detected target's present trip began, as far as known.
"""

UNKNOWN_ORIGIN = 9e9  # both coordinates of the origin after a long absence
_MISFIT = 20.0  # weight of a squared misfit of the newest velocity in a goal's log-likelihood
_START_HALF_WIDTH = 200.0  # of the square where targets of MATE's presets start
STEP_LIGHT, STEP_HEAVY = 20.0, 10.0  # longest steps in MATE's presets
CHANGE = 0.05  # share of frames in which a greedy target draws new noise
_CERTAINTY, _CERTAINTY_LIMIT = 0.06, 12.0  # concentration of a goal's direction: per unit, at most


@device_fn
def set_of(particles: Floats, c: int) -> int:
    """Return the index of camera c's particle sets, of `particles` or origins [N, M, ...]."""
    return c if particles.shape[1] > 1 else 0


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
    stream[i, c] = word | np.uint64(1)  # 0: the stream has not begun


@device_fn
def open_team_stream(obs: Floats, k: int, stream: UInt64s, i: int, m: int) -> None:
    """Start a stream from the poses of all cameras in the observation, which the team shares."""
    word = GAMMA
    start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
    for n in range(int(obs[k])):
        j = start + 7 * n
        if obs[j + 6] > 0.0:
            for column in (0, 1, 3, 4, 5):
                word = mix(word ^ np.uint64(np.int64(obs[j + column] * 1048576.0)))
    stream[i, m] = word | np.uint64(1)


@device_fn
def warehouse_at(x: float, y: float) -> int:
    """Return the warehouse that the position lies in, or -1."""
    inner = TERRAIN - 2.0 * WAREHOUSE_HALF_WIDTH
    if abs(x) < inner or abs(y) < inner:
        return -1
    if y >= 0.0:
        return 0 if x >= 0.0 else 1
    return 2 if x < 0.0 else 3


@device_fn
def _goal_likelihood(x: float, y: float, ox: float, oy: float, w: int) -> float:
    """Return the likelihood of goal w, to a factor: the target walked from (ox, oy) to (x, y)."""
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
    """Return the noise with which a target at (x, y) with goal w moves by (vx, vy), and a misfit.

    Noise is in units per frame, at most half a step on each axis (world 11.3). The misfit is what
    the noise lacks to give (vx, vy), in steps. A velocity of a full step may have been a longer
    one, cut to that length.
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
def _goal_weight(belief: Floats, origins: Floats, i: int, c: int, t: int, w: int) -> float:
    """Return the weight of goal w for a detected target, not normalised."""
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    here = warehouse_at(x, y)
    if here == w:
        return 0.0
    m = set_of(origins, c)
    weight = 1e-6 + _goal_likelihood(x, y, origins[i, m, t, 0], origins[i, m, t, 1], w)
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
    """Return the probabilities of a detected target's goals, from its trip and its velocity."""
    w0 = _goal_weight(belief, origins, i, c, t, 0)
    w1 = _goal_weight(belief, origins, i, c, t, 1)
    w2 = _goal_weight(belief, origins, i, c, t, 2)
    w3 = _goal_weight(belief, origins, i, c, t, 3)
    total = w0 + w1 + w2 + w3
    return w0 / total, w1 / total, w2 / total, w3 / total


@device_fn
def heaviness(belief: Floats, i: int, c: int, t: int) -> float:
    """Return the probability that a target is a heavy one, from its highest measured speed."""
    speed = belief[i, c, t, B_SPEED]
    if speed == 0.0:
        return 0.5
    return 0.0 if speed > 1.05 * STEP_HEAVY else 1.0


@device_fn
def draw_noise(particle_set: Floats, p: int, stream: UInt64s, where: tuple[int, int]) -> None:
    """Draw the noise of particle p: at most half a step on each axis, a step in a random walk.

    `where`, here and in `initialise` and `propagate`: environment, and number of the stream.
    """
    i, m = where
    width = particle_set[Q_STEP, p] * (1.0 + particle_set[Q_RANDOM_WALK, p])
    particle_set[Q_NOISE_X, p] = between(stream, i, m, -0.5, 0.5) * width
    particle_set[Q_NOISE_Y, p] = between(stream, i, m, -0.5, 0.5) * width


@outlined_fn
def initialise(particles: Floats, stream: UInt64s, where: tuple[int, int], t: int) -> None:
    """Initialise a particle set: uniform over the square where targets start."""
    i, m = where
    particle_set = particles[i, m, t]
    for p in range(particle_set.shape[1]):
        particle_set[Q_STEP, p] = STEP_HEAVY if uniform(stream, i, m) < 0.5 else STEP_LIGHT
        particle_set[Q_X, p] = between(stream, i, m, -_START_HALF_WIDTH, _START_HALF_WIDTH)
        particle_set[Q_Y, p] = between(stream, i, m, -_START_HALF_WIDTH, _START_HALF_WIDTH)
        particle_set[Q_GOAL, p] = p % 4
        draw_noise(particle_set, p, stream, where)


@outlined_fn
def detection_update(
    belief: Floats, particles: Floats, origins: Floats, where: tuple[int, int], t: int
) -> None:
    """Set all particles of a detected target to its position.

    A new trip begins in a warehouse, or after a long absence.
    """
    i, c = where
    m = set_of(particles, c)
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    particle_set = particles[i, m, t]
    if origins[i, m, t, 0] == UNKNOWN_ORIGIN or warehouse_at(x, y) >= 0:
        origins[i, m, t, 0], origins[i, m, t, 1] = x, y
    for p in range(particle_set.shape[1]):
        particle_set[Q_X, p], particle_set[Q_Y, p] = x, y


@outlined_fn
def start_coasting(
    belief: Floats, particle_sets: ParticleSets, where: tuple[int, int], t: int
) -> None:
    """Draw goals, steps and noise of a particle set whose target has just left the view."""
    i, c = where
    particles, origins, stream = particle_sets
    m = set_of(particles, c)
    particle_set = particles[i, m, t]
    x, y = particle_set[Q_X, 0], particle_set[Q_Y, 0]  # last detection; the belief is one frame on
    belief[i, c, t, B_X], belief[i, c, t, B_Y] = x, y
    w0, w1, w2, _ = goal_weights(belief, origins, i, c, t)
    heavy = heaviness(belief, i, c, t)
    vx, vy = belief[i, c, t, B_VX], belief[i, c, t, B_VY]
    measured = vx * vx + vy * vy > 0.0 and warehouse_at(x, y) < 0
    for p in range(particle_set.shape[1]):
        u = uniform(stream, i, m)
        goal = 0 if u < w0 else 1 if u < w0 + w1 else 2 if u < w0 + w1 + w2 else 3
        step = max(STEP_LIGHT, belief[i, c, t, B_SPEED])
        if uniform(stream, i, m) < heavy:
            step = STEP_HEAVY
        particle_set[Q_GOAL, p], particle_set[Q_STEP, p] = goal, step
        draw_noise(particle_set, p, stream, (i, m))
        if measured and particle_set[Q_RANDOM_WALK, p] == 0.0:
            # The noise is the part of the measured velocity that does not come from the goal.
            nx, ny, _ = noise_towards(x, y, vx, vy, step, goal)
            particle_set[Q_NOISE_X, p], particle_set[Q_NOISE_Y, p] = nx, ny


@device_fn
def _draw_changes(particle_set: Floats, stream: UInt64s, where: tuple[int, int]) -> None:
    """Draw new noise for a few particles, and another goal for those that have delivered."""
    i, m = where
    edge = WAREHOUSES[0, 0] - WAREHOUSE_HALF_WIDTH - 1.0
    word = stream[i, m]  # kept apart, for the compiler does not know that particles leave it alone
    for p in range(particle_set.shape[1]):
        word = word + GAMMA
        if np.float64(mix(word) >> np.uint64(11)) * TO_UNIT < CHANGE:
            stream[i, m] = word
            draw_noise(particle_set, p, stream, where)
            word = stream[i, m]
        x, y = particle_set[Q_X, p], particle_set[Q_Y, p]
        if abs(x) > edge and abs(y) > edge:  # maybe in its warehouse
            goal = int(particle_set[Q_GOAL, p])
            dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
            if max(abs(dx), abs(dy)) <= WAREHOUSE_HALF_WIDTH:
                word = word + GAMMA
                share = np.float64(mix(word) >> np.uint64(11)) * TO_UNIT
                particle_set[Q_GOAL, p] = (goal + 1 + int(share * 3.0)) % 4
    stream[i, m] = word


@device_fn
def _walk(particle_set: Floats) -> None:
    """Write where every particle goes in one frame if nothing is in its way."""
    far = WAREHOUSES[0, 0]
    for p in range(particle_set.shape[1]):  # no branch: compilers make vector instructions of it
        x, y, goal = particle_set[Q_X, p], particle_set[Q_Y, p], particle_set[Q_GOAL, p]
        step = particle_set[Q_STEP, p]
        dx = (far if (goal == 0.0) | (goal == 3.0) else -far) - x
        dy = (far if goal < 1.5 else -far) - y
        directed = step / math.sqrt(dx * dx + dy * dy)  # the way is longer than a step
        scale = 0.0 if particle_set[Q_RANDOM_WALK, p] > 0.0 else directed
        ax = min(max(dx * scale + particle_set[Q_NOISE_X, p], -step), step)
        ay = min(max(dy * scale + particle_set[Q_NOISE_Y, p], -step), step)
        squared = ax * ax + ay * ay
        shorter = step / math.sqrt(squared)
        scale = shorter if squared > step * step else 1.0
        particle_set[Q_NEXT_X, p] = x + ax * scale
        particle_set[Q_NEXT_Y, p] = y + ay * scale
        particle_set[Q_PUSHED, p] = 0.0


@device_fn
def _push_out(obs: Floats, k: int, particle_set: Floats) -> None:
    """Move particles to the edge of the first known obstacle that they would go into."""
    start = k + 22 + 5 * int(obs[k + 1])
    n = particle_set.shape[1]
    for o in range(int(obs[k + 2])):
        j = start + 4 * o
        if obs[j + 3] == 0.0:
            continue
        x, y, radius = obs[j], obs[j + 1], obs[j + 2]
        n_inside = 0
        for p in range(n):
            qx, qy = particle_set[Q_NEXT_X, p] - x, particle_set[Q_NEXT_Y, p] - y
            n_inside += qx * qx + qy * qy < radius * radius
        if n_inside == 0:
            continue
        for p in range(n):
            qx, qy = particle_set[Q_NEXT_X, p] - x, particle_set[Q_NEXT_Y, p] - y
            squared = qx * qx + qy * qy
            if 0.0 < squared < radius * radius and particle_set[Q_PUSHED, p] == 0.0:
                scale = radius / math.sqrt(squared)
                particle_set[Q_NEXT_X, p] = x + qx * scale
                particle_set[Q_NEXT_Y, p] = y + qy * scale
                particle_set[Q_PUSHED, p] = 1.0


@outlined_fn
def propagate(
    obs: Floats, k: int, particle_set: Floats, stream: UInt64s, where: tuple[int, int]
) -> tuple[float, float]:
    """Propagate a particle set by one frame; return its goal-directed part's mean displacement."""
    _draw_changes(particle_set, stream, where)
    _walk(particle_set)
    _push_out(obs, k, particle_set)
    n, n_directed = particle_set.shape[1], 0
    for p in range(n):
        x = min(max(particle_set[Q_NEXT_X, p], -TERRAIN), TERRAIN)
        y = min(max(particle_set[Q_NEXT_Y, p], -TERRAIN), TERRAIN)
        walks = particle_set[Q_RANDOM_WALK, p] > 0.0
        n_directed += not walks
        particle_set[Q_NEXT_X, p] = 0.0 if walks else x - particle_set[Q_X, p]
        particle_set[Q_NEXT_Y, p] = 0.0 if walks else y - particle_set[Q_Y, p]
        particle_set[Q_X, p], particle_set[Q_Y, p] = x, y
    sum_x, sum_y = 0.0, 0.0
    for p in range(n):
        sum_x += particle_set[Q_NEXT_X, p]
        sum_y += particle_set[Q_NEXT_Y, p]
    return sum_x / max(n_directed, 1), sum_y / max(n_directed, 1)
