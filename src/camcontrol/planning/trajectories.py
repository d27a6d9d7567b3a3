"""Sampled trajectories of all targets, from a camera's belief.

Each target has K trajectories. That of a target in view starts at its detection, with a goal drawn
by `goal_weights` and the noise of its velocity. That of a target out of view starts from a
particle. Either moves by the motion model of one of its particles, as in
`tracking.motion_models.propagate`. All T * K trajectories move side by side, one in each lane of an
array: lane t * K + k. The loops over lanes have no branches and use vector instructions.
"""

import math
from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import LEAD_FRAMES
from camcontrol.tracking.motion_models import (
    CHANGE,
    Q_GOAL,
    Q_NOISE_X,
    Q_NOISE_Y,
    Q_RANDOM_WALK,
    Q_STEP,
    Q_X,
    Q_Y,
    STEP_HEAVY,
    STEP_LIGHT,
    goal_weights,
    heaviness,
    noise_towards,
    open_stream,
    open_team_stream,
    set_of,
    warehouse_at,
)
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY, B_X, B_Y
from camsim.arrays import Floats, UInt64s
from camsim.compiled.jit import outlined_fn
from camsim.compiled.rng import GAMMA, mix
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES

LANES = 16
"""Lanes come in multiples of this, so that vector registers are full."""

# Rows of `lanes`: Q_X to Q_NOISE_Y and Q_RANDOM_WALK of a particle set, and these three.
_DISC_X, _DISC_Y, _RADIUS = 7, 8, 9  # of the obstacle that holds the position; radius 0: none
_ROWS = 10
# Rows of `draws`, each uniform in (0, 1).
_CHANGES, _DRAW_X, _DRAW_Y, _DRAW_GOAL = 0, 1, 2, 3

_WAREHOUSE = float(WAREHOUSES[0, 0])  # the four are at plus and minus this, on both axes
_LOW, _S16, _S32, _S48 = np.uint64(0xFFFF), np.uint64(16), np.uint64(32), np.uint64(48)
_SIXTEENTH = 1.0 / 65536.0


class Trajectories(NamedTuple):
    """Sampled trajectories from now (frame 0) on, for each of W workers; L lanes, T * K used."""

    lanes: Floats  # [W, _ROWS, L] where they are in the newest frame, and how they move
    draws: Floats  # [W, 4, L] random numbers of the newest frame
    stream: UInt64s  # [W, 1] where random numbers start
    positions: Floats  # [W, 2, F + 1 + LEAD_FRAMES, L] x and y, units; F: the horizon


def n_lanes(n: int) -> int:
    """Return the lanes of an array for n things side by side."""
    return -(-n // LANES) * LANES


def allocate_trajectories(
    n_workers: int, n_targets: int, n_trajectories: int, n_frames: int
) -> Trajectories:
    """Return zeroed trajectories: `n_trajectories` K of each target, `n_frames` frames F."""
    w, n = n_workers, n_lanes(n_targets * n_trajectories)
    lanes = np.zeros((w, _ROWS, n))
    lanes[:, Q_STEP] = 1.0  # lanes that stand for nothing move as well: not by 0 / 0
    return Trajectories(
        lanes=lanes,
        draws=np.zeros((w, 4, n)),
        stream=np.zeros((w, 1), np.uint64),
        positions=np.zeros((w, 2, n_frames + 1 + LEAD_FRAMES, n)),
    )


@outlined_fn
def _draw(start: np.uint64, f: int, draws: Floats) -> None:
    """Fill `draws` for frame f: 16 bits each of one random word per lane."""
    changes, x, y = draws[_CHANGES], draws[_DRAW_X], draws[_DRAW_Y]
    goal = draws[_DRAW_GOAL]
    first = start + GAMMA * np.uint64(f * draws.shape[1] + 1)
    for n in range(draws.shape[1]):
        word = mix(first + GAMMA * np.uint64(n))
        changes[n] = (np.int32(word & _LOW) + 0.5) * _SIXTEENTH
        x[n] = (np.int32((word >> _S16) & _LOW) + 0.5) * _SIXTEENTH
        y[n] = (np.int32((word >> _S32) & _LOW) + 0.5) * _SIXTEENTH
        goal[n] = (np.int32(word >> _S48) + 0.5) * _SIXTEENTH


@outlined_fn
def _start_from_detection(
    belief: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    n_trajectories: int,
    lanes: Floats,
    draws: Floats,
) -> None:
    """Start the trajectories of a detected target t there; goals by weight, each of its share."""
    i, c = where
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    vx, vy, speed = belief[i, c, t, B_VX], belief[i, c, t, B_VY], belief[i, c, t, B_SPEED]
    w0, w1, w2, _ = goal_weights(belief, origins, i, c, t)
    heavy = heaviness(belief, i, c, t)
    moves = vx * vx + vy * vy > 0.0 and warehouse_at(x, y) < 0
    for k in range(n_trajectories):
        n = t * n_trajectories + k
        share = (k + 0.5) / n_trajectories
        goal = 0 if share < w0 else 1 if share < w0 + w1 else 2 if share < w0 + w1 + w2 else 3
        step = max(STEP_LIGHT, speed)
        if heavy == 1.0 or (heavy > 0.0 and k % 2 == 1):
            step = STEP_HEAVY
        lanes[Q_X, n], lanes[Q_Y, n], lanes[Q_GOAL, n], lanes[Q_STEP, n] = x, y, goal, step
        width = step * (1.0 + lanes[Q_RANDOM_WALK, n])
        lanes[Q_NOISE_X, n] = (draws[_DRAW_X, n] - 0.5) * width
        lanes[Q_NOISE_Y, n] = (draws[_DRAW_Y, n] - 0.5) * width
        if moves and lanes[Q_RANDOM_WALK, n] == 0.0:
            nx, ny, _ = noise_towards(x, y, vx, vy, step, goal)
            lanes[Q_NOISE_X, n], lanes[Q_NOISE_Y, n] = nx, ny


@outlined_fn
def _step(lanes: Floats, draws: Floats) -> None:
    """Move all trajectories by one frame, as if there were no obstacles."""
    xs, ys, goals, steps = lanes[Q_X], lanes[Q_Y], lanes[Q_GOAL], lanes[Q_STEP]
    noise_x, noise_y, walks = lanes[Q_NOISE_X], lanes[Q_NOISE_Y], lanes[Q_RANDOM_WALK]
    changes, draw_x, draw_y = draws[_CHANGES], draws[_DRAW_X], draws[_DRAW_Y]
    draw_goal = draws[_DRAW_GOAL]
    for n in range(lanes.shape[1]):
        width = steps[n] * (1.0 + walks[n])
        noise_x[n] = (draw_x[n] - 0.5) * width if changes[n] < CHANGE else noise_x[n]
        noise_y[n] = (draw_y[n] - 0.5) * width if changes[n] < CHANGE else noise_y[n]
    for n in range(lanes.shape[1]):  # delivered: another goal
        goal = goals[n]
        gx = _WAREHOUSE if (goal < 0.5) | (goal > 2.5) else -_WAREHOUSE
        gy = _WAREHOUSE if goal < 1.5 else -_WAREHOUSE
        arrived = max(abs(gx - xs[n]), abs(gy - ys[n])) <= WAREHOUSE_HALF_WIDTH
        other = goal + 1.0 + math.floor(draw_goal[n] * 3.0)
        other = other - 4.0 if other >= 4.0 else other
        goals[n] = other if arrived else goal
    for n in range(lanes.shape[1]):
        goal, step = goals[n], steps[n]
        dx = (_WAREHOUSE if (goal < 0.5) | (goal > 2.5) else -_WAREHOUSE) - xs[n]
        dy = (_WAREHOUSE if goal < 1.5 else -_WAREHOUSE) - ys[n]
        scale = step / math.sqrt(dx * dx + dy * dy)  # the way is longer than a step
        scale = 0.0 if walks[n] > 0.0 else scale
        ax = min(max(dx * scale + noise_x[n], -step), step)
        ay = min(max(dy * scale + noise_y[n], -step), step)
        length = math.sqrt(ax * ax + ay * ay)
        scale = step / max(length, step)
        xs[n] += ax * scale
        ys[n] += ay * scale


@outlined_fn
def _note_disc(disc: tuple[float, float, float], lanes: Floats) -> None:
    """Remember a disc for the positions that are in it and in no earlier one."""
    ox, oy, r = disc
    xs, ys = lanes[Q_X], lanes[Q_Y]
    disc_x, disc_y, radius = lanes[_DISC_X], lanes[_DISC_Y], lanes[_RADIUS]
    for m in range(len(xs)):
        qx, qy = xs[m] - ox, ys[m] - oy
        squared = qx * qx + qy * qy
        inside = (squared < r * r) & (squared > 0.0) & (radius[m] == 0.0)
        disc_x[m] = ox if inside else disc_x[m]
        disc_y[m] = oy if inside else disc_y[m]
        radius[m] = r if inside else radius[m]


@outlined_fn
def _push_out(obs: Floats, n: int, lanes: Floats) -> None:
    """Move all positions that lie in a known obstacle to its edge, and into the terrain."""
    xs, ys = lanes[Q_X], lanes[Q_Y]
    disc_x, disc_y, radius = lanes[_DISC_X], lanes[_DISC_Y], lanes[_RADIUS]
    radius[:] = 0.0
    n_pushed = 0
    start = n + 22 + 5 * int(obs[n + 1])
    for o in range(int(obs[n + 2])):
        j = start + 4 * o
        ox, oy, r = obs[j], obs[j + 1], obs[j + 2]
        n_inside = 0
        for m in range(len(xs)):  # few obstacles hold any position: this loop must be cheap
            qx, qy = xs[m] - ox, ys[m] - oy
            n_inside += qx * qx + qy * qy < r * r
        if n_inside > 0 and obs[j + 3] > 0.0:
            _note_disc((ox, oy, r), lanes)
            n_pushed += n_inside
    if n_pushed > 0:
        for m in range(len(xs)):
            qx, qy, r = xs[m] - disc_x[m], ys[m] - disc_y[m], radius[m]
            scale = r / math.sqrt(max(qx * qx + qy * qy, 1e-300))
            xs[m] = disc_x[m] + qx * scale if r > 0.0 else xs[m]
            ys[m] = disc_y[m] + qy * scale if r > 0.0 else ys[m]
    for m in range(len(xs)):
        xs[m] = min(max(xs[m], -TERRAIN), TERRAIN)
        ys[m] = min(max(ys[m], -TERRAIN), TERRAIN)


@outlined_fn
def sample_trajectories(
    obs: Floats,
    n: int,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    where: tuple[int, int],
    joint: bool,
    n_trajectories: int,
    trajectories: Trajectories,
    w: int,
) -> None:
    """Sample the trajectories of all targets from camera c's belief.

    The same belief and observation give the same trajectories.

    Args:
        obs: flat buffer of observations.
        n: offset of camera c's.
        belief: [N, C, T, BELIEF_COLUMNS].
        particles: [N, M, T, PARTICLE_ROWS, P], M sets as in `ParticleSets`.
        origins: [N, M, T, 2].
        where: (environment, camera).
        joint: for a team that plans together: each of its cameras draws the same random numbers.
        n_trajectories: K.
        trajectories: worker w's are written.
        w: worker.
    """
    i, c = where
    lanes, draws = trajectories.lanes[w], trajectories.draws[w]
    positions, stream = trajectories.positions[w], trajectories.stream
    if joint:
        open_team_stream(obs, n, stream, w, 0)
    else:
        open_stream(obs, n, stream, w, 0)
    source = set_of(particles, c)
    _draw(stream[w, 0], 0, draws)
    for t in range(belief.shape[2]):
        for k in range(n_trajectories):
            m = t * n_trajectories + k
            p = k * particles.shape[4] // n_trajectories
            lanes[Q_RANDOM_WALK, m] = particles[i, source, t, Q_RANDOM_WALK, p]
            for row in range(Q_X, Q_NOISE_Y + 1):
                lanes[row, m] = particles[i, source, t, row, p]
        if belief[i, c, t, B_SEEN] > 0.0:
            _start_from_detection(belief, origins, where, t, n_trajectories, lanes, draws)
    for f in range(positions.shape[1]):
        if f > 0:
            _draw(stream[w, 0], f, draws)
            _step(lanes, draws)
            _push_out(obs, n, lanes)
        for m in range(lanes.shape[1]):
            positions[0, f, m], positions[1, f, m] = lanes[Q_X, m], lanes[Q_Y, m]
