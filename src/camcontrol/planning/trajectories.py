"""Sampled trajectories of all targets, and the measurements that one camera is predicted to make.

Each target has K trajectories, sampled from a camera's belief. That of a target in view starts at
its detection, with a goal drawn by `goal_weights` and the noise of its velocity. That of a target
out of view starts from a particle. Either moves by the motion model of one of its particles.
"""

import math
from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import LEAD_FRAMES, widest_view
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
    open_team_stream,
    propagate,
    set_of,
    warehouse_at,
)
from camcontrol.tracking.track import B_SEEN, B_SPEED, B_VX, B_VY, B_X, B_Y, P_MAX_RANGE, P_X, P_Y
from camsim.arrays import Floats, UInt64s
from camsim.compiled.geometry import bearing_deg, ray_blocked
from camsim.compiled.jit import device_fn, outlined_fn

# Columns of `measurements`: of one target by one camera, in one frame of one trajectory.
M_BEARING, M_SQUARED_RANGE = 0, 1  # degrees; units squared, infinite if occluded or too far
M_AIM, M_WIDTH = 2, 3  # orientation and viewing angle of a camera that follows it, degrees
MEASUREMENT_COLUMNS = 4


class Trajectories(NamedTuple):
    """K sampled trajectories of all targets, from now (frame 0) to the horizon (frame F)."""

    samples: Floats  # [N, T, PARTICLE_ROWS, K] particles in the newest frame
    stream: UInt64s  # [N, 1] random numbers
    positions: Floats  # [N, F + 1 + LEAD_FRAMES, K, T, 2] units
    measurements: Floats  # [N, F + 1, K, T, MEASUREMENT_COLUMNS] predicted, of one camera


def allocate_trajectories(
    n_envs: int, n_targets: int, n_trajectories: int, n_frames: int
) -> Trajectories:
    """Return zeroed trajectories: `n_trajectories` K of each target, `n_frames` frames F."""
    n, t, k, f = n_envs, n_targets, n_trajectories, n_frames + 1
    return Trajectories(
        samples=np.zeros((n, t, PARTICLE_ROWS, k)),
        stream=np.zeros((n, 1), np.uint64),
        positions=np.zeros((n, f + LEAD_FRAMES, k, t, 2)),
        measurements=np.zeros((n, f, k, t, MEASUREMENT_COLUMNS)),
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
    draw_noise(sample, k, stream, (i, 0))
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
) -> None:
    """Sample the trajectories of all targets from camera c's belief, or all cameras' if `joint`.

    `n` is the offset of camera c's observation. The same belief and observation give the same
    trajectories.
    """
    i, c = where
    samples, stream, positions = trajectories.samples, trajectories.stream, trajectories.positions
    n_trajectories = samples.shape[3]
    if joint:
        open_team_stream(obs, n, stream, i, 0)
    else:
        open_stream(obs, n, stream, i, 0)
    for t in range(samples.shape[1]):
        for k in range(n_trajectories):
            source = k % belief.shape[1] if joint else c
            m = set_of(particles, source)
            p = k * particles.shape[4] // n_trajectories
            samples[i, t, Q_RANDOM_WALK, k] = particles[i, m, t, Q_RANDOM_WALK, p]
            if belief[i, source, t, B_SEEN] > 0.0:
                share = (k + 0.5) / n_trajectories
                _start_from_detection(
                    belief, origins, (i, source), t, share, samples[i, t], k, stream
                )
            else:
                for row in range(Q_X, Q_NOISE_Y + 1):
                    samples[i, t, row, k] = particles[i, m, t, row, p]
        for f in range(positions.shape[1]):
            if f > 0:
                propagate(obs, n, samples[i, t], stream, (i, 0))
            for k in range(n_trajectories):
                positions[i, f, k, t, 0] = samples[i, t, Q_X, k]
                positions[i, f, k, t, 1] = samples[i, t, Q_Y, k]


@device_fn
def _occluded(obs: Floats, n: int, x: float, y: float, ux: float, uy: float, length: float) -> bool:
    """Tell whether a known obstacle occludes the point that lies (ux, uy) from (x, y)."""
    start = n + 22 + 5 * int(obs[n + 1])
    for o in range(int(obs[n + 2])):
        j = start + 4 * o
        known = obs[j + 3] > 0.0 and obs[j + 2] > 0.0
        if known and ray_blocked(ux, uy, length, obs[j] - x, obs[j + 1] - y, obs[j + 2]):
            return True
    return False


@outlined_fn
def _predict_visibility(
    obs: Floats,
    n: int,
    pose: Floats,
    positions: Floats,
    measurements: Floats,
    where: tuple[int, int],
    f: int,
    t: int,
) -> None:
    """Predict bearing and squared range of target t from camera c in frame f, and occlusion."""
    i, c = where
    x, y, max_range = pose[i, c, P_X], pose[i, c, P_Y], pose[i, c, P_MAX_RANGE]
    for k in range(positions.shape[2]):
        ux, uy = positions[i, f, k, t, 0] - x, positions[i, f, k, t, 1] - y
        length = math.sqrt(ux * ux + uy * uy)
        occluded = length > max_range
        if not occluded and length > 0.0:
            occluded = _occluded(obs, n, x, y, ux, uy, length)
        measurements[i, f, k, t, M_BEARING] = bearing_deg(ux, uy)
        measurements[i, f, k, t, M_SQUARED_RANGE] = math.inf if occluded else length * length


@outlined_fn
def _predict_aim(
    pose: Floats,
    positions: Floats,
    measurements: Floats,
    where: tuple[int, int],
    f: int,
    t: int,
    in_view: bool,
    random_walk: Floats,
) -> None:
    """Predict how camera c would aim at target t in frame f, as the executor `lead` does.

    A target in view is followed in each trajectory by itself. Another one is followed at the mean
    position of its goal-directed trajectories, or of all if there is none; `random_walk` [K] is 1
    for the others.
    """
    i, c = where
    x, y = pose[i, c, P_X], pose[i, c, P_Y]
    n_trajectories = positions.shape[2]
    n_random = np.sum(random_walk)
    skips = not in_view and n_random < n_trajectories
    for k in range(n_trajectories):
        low, high = (k, k + 1) if in_view else (0, n_trajectories)
        share = 1.0 / (high - low - n_random * skips)
        nx, ny, ax, ay = 0.0, 0.0, 0.0, 0.0  # now, and ahead
        for m in range(low, high):
            if skips and random_walk[m] > 0.0:
                continue
            nx += share * (positions[i, f, m, t, 0] - x)
            ny += share * (positions[i, f, m, t, 1] - y)
            ax += share * (positions[i, f + LEAD_FRAMES, m, t, 0] - x)
            ay += share * (positions[i, f + LEAD_FRAMES, m, t, 1] - y)
        farthest = math.sqrt(max(nx * nx + ny * ny, ax * ax + ay * ay))
        measurements[i, f, k, t, M_AIM] = bearing_deg(ax, ay)
        measurements[i, f, k, t, M_WIDTH] = widest_view(pose, i, c, farthest)


@outlined_fn
def predict_measurements(
    obs: Floats,
    n: int,
    pose: Floats,
    belief: Floats,
    trajectories: Trajectories,
    where: tuple[int, int],
) -> None:
    """Predict the measurements of camera c, whose observation stands at offset n."""
    i, c = where
    positions, measurements = trajectories.positions, trajectories.measurements
    for f in range(measurements.shape[1]):
        for t in range(measurements.shape[3]):
            _predict_visibility(obs, n, pose, positions, measurements, where, f, t)
            in_view = belief[i, c, t, B_SEEN] > 0.0
            _predict_aim(
                pose,
                positions,
                measurements,
                where,
                f,
                t,
                in_view,
                trajectories.samples[i, t, Q_RANDOM_WALK],
            )
