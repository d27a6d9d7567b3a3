"""Scripted cameras, run inside the compiled step: random, naive, greedy (spec 11.1, 11.2, 11.6)."""

import math
from typing import NamedTuple

import numpy as np

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.geometry import bearing_deg, wrap_deg, zoom_for_distance_deg
from camsim.kernels.rng import uniform, uniform_between
from camsim.layout import C_PHI, C_RANGE, C_THETA, C_X, C_Y, T_X, T_Y, W_STEP
from camsim.state import Floats, SimParams, Tables

RANDOM, NAIVE, GREEDY = 0, 1, 2
CAMERA_POLICIES = {"random": RANDOM, "naive": NAIVE, "greedy": GREEDY}
"""Rules a camera team can follow, by the name used on the command line."""

RANDOM_HOLD = 20  # frames between two draws of the random rule
MEMORY_PERIOD = 25  # frames until the greedy rule forgets a target


class CameraMemory(NamedTuple):
    """What scripted cameras remember."""

    seen: Floats  # [N, C, T, 3] remembered x, y; frames until forgotten
    last_action: Floats  # [N, C, 2] degrees


def allocate_camera_memory(n_envs: int, n_cameras: int, n_targets: int) -> CameraMemory:
    """Return zeroed memory."""
    return CameraMemory(
        np.zeros((n_envs, n_cameras, n_targets, 3)), np.zeros((n_envs, n_cameras, 2))
    )


@outlined_fn
def reset_cameras(i: int, s: Tables, memory: CameraMemory) -> None:
    """Forget the last episode."""
    for c in range(s.cameras.shape[1]):
        memory.last_action[i, c, 0] = 0.0
        memory.last_action[i, c, 1] = 0.0
        for t in range(s.targets.shape[1]):
            memory.seen[i, c, t, 2] = 0.0


@device_fn
def _random_action(i: int, c: int, params: SimParams, s: Tables, memory: CameraMemory) -> None:
    turn, zoom = params.rotation_step_deg, params.zooming_step_deg
    memory.last_action[i, c, 0] = uniform_between(s.rng, i, -turn, turn)
    memory.last_action[i, c, 1] = uniform_between(s.rng, i, -zoom, zoom)


@device_fn
def _nearest_remembered(i: int, c: int, params: SimParams, s: Tables, seen: Floats) -> int:
    """Update camera c's memory from its own view; return the nearest remembered target, or -1."""
    best, best_distance = -1, 1.1 * params.max_range
    for t in range(s.targets.shape[1]):
        seen[i, c, t, 2] = max(seen[i, c, t, 2] - 1.0, 0.0)
        if s.camera_target[i, c, t]:
            seen[i, c, t, 0] = s.targets[i, t, T_X]
            seen[i, c, t, 1] = s.targets[i, t, T_Y]
            seen[i, c, t, 2] = MEMORY_PERIOD
        if seen[i, c, t, 2] > 0:
            dx = seen[i, c, t, 0] - s.cameras[i, c, C_X]
            dy = seen[i, c, t, 1] - s.cameras[i, c, C_Y]
            distance = math.sqrt(dx * dx + dy * dy)
            if distance < best_distance:
                best, best_distance = t, distance
    return best


@device_fn
def _greedy_action(i: int, c: int, params: SimParams, s: Tables, memory: CameraMemory) -> None:
    """Follow the nearest remembered target; without one, seldom try something new."""
    t = _nearest_remembered(i, c, params, s, memory.seen)
    if t >= 0:
        dx = memory.seen[i, c, t, 0] - s.cameras[i, c, C_X]
        dy = memory.seen[i, c, t, 1] - s.cameras[i, c, C_Y]
        theta, sight_range = s.cameras[i, c, C_THETA], s.cameras[i, c, C_RANGE]
        goal_deg = zoom_for_distance_deg(
            math.sqrt(dx * dx + dy * dy),
            params.theta_min_deg,
            params.max_range,
            theta * sight_range * sight_range,
        )
        turn = wrap_deg(bearing_deg(dx, dy) - s.cameras[i, c, C_PHI])
        turn_limit, zoom_limit = params.rotation_step_deg, params.zooming_step_deg
        memory.last_action[i, c, 0] = min(max(turn, -turn_limit), turn_limit)
        memory.last_action[i, c, 1] = min(max(goal_deg - theta, -zoom_limit), zoom_limit)
    elif uniform(s.rng, i) < 0.1:
        _random_action(i, c, params, s, memory)


@device_fn
def act_cameras(
    i: int, policy: int, params: SimParams, s: Tables, memory: CameraMemory, action: Floats
) -> None:
    """Write the camera team's joint action [N, C, 2] (degrees) of environment i."""
    for c in range(s.cameras.shape[1]):
        if policy == RANDOM:
            if int(s.world[i, W_STEP]) % RANDOM_HOLD == 0:
                _random_action(i, c, params, s, memory)
        elif policy == NAIVE:
            share = uniform_between(s.rng, i, 0.0, 0.4)
            memory.last_action[i, c, 0] = share * params.rotation_step_deg
            memory.last_action[i, c, 1] = share * params.zooming_step_deg
        else:
            _greedy_action(i, c, params, s, memory)
        action[i, c, 0] = memory.last_action[i, c, 0]
        action[i, c, 1] = memory.last_action[i, c, 1]
