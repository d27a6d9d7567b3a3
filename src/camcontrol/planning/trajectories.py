"""Sampled trajectories of all targets, from a camera's belief.

Each target has K trajectories. That of a target in view starts at its detection, with a goal drawn
by `goal_weights` and the noise of its velocity. That of a target out of view starts from a
particle. Either moves by the motion model of one of its particles.
"""

from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import LEAD_FRAMES
from camcontrol.tracking.motion_models import (
    PARTICLE_ROWS,
    Q_GOAL,
    Q_NOISE_X,
    Q_NOISE_Y,
    Q_RANDOM_WALK,
    Q_STEP,
    Q_X,
    Q_Y,
    STEP_HEAVY,
    STEP_LIGHT,
    draw_noise,
    goal_weights,
    heaviness,
    noise_towards,
    open_stream,
    propagate,
    warehouse_at,
)
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY, B_X, B_Y
from camsim.arrays import Floats, UInt64s
from camsim.compiled.jit import outlined_fn


class Trajectories(NamedTuple):
    """K sampled trajectories of all targets, from now (frame 0) on; for each of W workers."""

    samples: Floats  # [W, T, PARTICLE_ROWS, K] particles in the newest frame
    stream: UInt64s  # [W, 1] random numbers
    positions: Floats  # [W, 2, F + 1 + LEAD_FRAMES, T, K] x and y, units; F: the horizon


def allocate_trajectories(
    n_workers: int, n_targets: int, n_trajectories: int, n_frames: int
) -> Trajectories:
    """Return zeroed trajectories: `n_trajectories` K of each target, `n_frames` frames F."""
    w, t, k = n_workers, n_targets, n_trajectories
    return Trajectories(
        samples=np.zeros((w, t, PARTICLE_ROWS, k)),
        stream=np.zeros((w, 1), np.uint64),
        positions=np.zeros((w, 2, n_frames + 1 + LEAD_FRAMES, t, k)),
    )


@outlined_fn
def _start_from_detection(
    belief: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    share: float,
    sample: Floats,
    k: int,
    stream: UInt64s,
    w: int,
) -> None:
    """Start sample k at a target's detection; `share` in (0, 1) picks a goal by weight."""
    i, c = where
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    vx, vy, speed = belief[i, c, t, B_VX], belief[i, c, t, B_VY], belief[i, c, t, B_SPEED]
    w0, w1, w2, _ = goal_weights(belief, origins, i, c, t)
    goal = 0 if share < w0 else 1 if share < w0 + w1 else 2 if share < w0 + w1 + w2 else 3
    step = max(STEP_LIGHT, speed)
    heavy = heaviness(belief, i, c, t)
    if heavy == 1.0 or (heavy > 0.0 and k % 2 == 1):
        step = STEP_HEAVY
    sample[Q_X, k], sample[Q_Y, k], sample[Q_GOAL, k], sample[Q_STEP, k] = x, y, goal, step
    draw_noise(sample, k, stream, (w, 0))
    if sample[Q_RANDOM_WALK, k] == 0.0 and vx * vx + vy * vy > 0.0 and warehouse_at(x, y) < 0:
        nx, ny, _ = noise_towards(x, y, vx, vy, step, goal)
        sample[Q_NOISE_X, k], sample[Q_NOISE_Y, k] = nx, ny


@outlined_fn
def sample_trajectories(
    obs: Floats,
    n: int,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    where: tuple[int, int],
    joint: bool,
    trajectories: Trajectories,
    w: int,
) -> None:
    """Sample the trajectories of all targets from camera c's belief, or all cameras' if `joint`.

    `n` is the offset of camera c's observation. The same belief and observation give the same
    trajectories. Worker w's are written.
    """
    i, c = where
    samples, stream, positions = trajectories.samples, trajectories.stream, trajectories.positions
    n_trajectories = samples.shape[3]
    open_stream(obs, n, stream, w, 0)
    for t in range(samples.shape[1]):
        for k in range(n_trajectories):
            source = k % belief.shape[1] if joint else c
            p = k * particles.shape[4] // n_trajectories
            samples[w, t, Q_RANDOM_WALK, k] = particles[i, source, t, Q_RANDOM_WALK, p]
            if belief[i, source, t, B_SEEN] > 0.0:
                share = (k + 0.5) / n_trajectories
                _start_from_detection(
                    belief, origins, (i, source), t, share, samples[w, t], k, stream, w
                )
            else:
                for row in range(Q_X, Q_NOISE_Y + 1):
                    samples[w, t, row, k] = particles[i, source, t, row, p]
        for f in range(positions.shape[2]):
            if f > 0:
                propagate(obs, n, samples[w, t], stream, (w, 0))
            for k in range(n_trajectories):
                positions[w, 0, f, t, k] = samples[w, t, Q_X, k]
                positions[w, 1, f, t, k] = samples[w, t, Q_Y, k]
