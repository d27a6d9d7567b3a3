"""Scripted cameras, run inside the compiled step: random, naive, greedy (spec 11.1, 11.2, 11.6)."""

import math
from typing import NamedTuple

import numpy as np

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.geometry import bearing_deg, wrap_deg, zoom_for_distance_deg
from camsim.kernels.rng import uniform, uniform_between
from camsim.layout import C_PHI, C_RANGE, C_THETA, C_X, C_Y, T_X, T_Y, W_STEP
from camsim.policies.draws import draw_rule
from camsim.policies.rules import CAMERA_POLICIES, CameraRules
from camsim.state import Floats, Ints, SimParams, Tables

RANDOM, NAIVE, GREEDY = (CAMERA_POLICIES[name] for name in ("random", "naive", "greedy"))


class CameraMemory(NamedTuple):
    """What scripted cameras remember."""

    rule: Ints  # [N] the episode's rule (rules.CAMERA_POLICIES), -1: driven from outside
    seen: Floats  # [N, C, T, 3] remembered x, y; frames until forgotten
    last_action: Floats  # [N, C, 2] degrees
    edges: Ints  # [N, C, C] messages from -> to in this frame


def allocate_camera_memory(
    n_envs: int, n_cameras: int, n_targets: int, rules: CameraRules
) -> CameraMemory:
    """Return zeroed memory for a team that follows `rules`."""
    return CameraMemory(
        rule=np.zeros(n_envs, np.int64),
        seen=np.zeros((n_envs, n_cameras, n_targets, 3)),
        last_action=np.zeros((n_envs, n_cameras, 2)),
        edges=np.zeros((n_envs, n_cameras, n_cameras), np.int64),
    )


@outlined_fn
def reset_cameras(i: int, rules: CameraRules, s: Tables, memory: CameraMemory) -> None:
    """Forget the last episode and draw the rule of the next one."""
    memory.rule[i] = draw_rule(i, rules.cumulative, s.rng)
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
def _nearest_remembered(
    i: int, c: int, rules: CameraRules, params: SimParams, s: Tables, seen: Floats
) -> int:
    """Update camera c's memory from its own view; return the nearest remembered target, or -1."""
    best, best_distance = -1, 1.1 * params.max_range
    for t in range(s.targets.shape[1]):
        seen[i, c, t, 2] = max(seen[i, c, t, 2] - 1.0, 0.0)
        if s.camera_target[i, c, t]:
            seen[i, c, t, 0] = s.targets[i, t, T_X]
            seen[i, c, t, 1] = s.targets[i, t, T_Y]
            seen[i, c, t, 2] = rules.memory_period
        if seen[i, c, t, 2] > 0:
            dx = seen[i, c, t, 0] - s.cameras[i, c, C_X]
            dy = seen[i, c, t, 1] - s.cameras[i, c, C_Y]
            distance = math.sqrt(dx * dx + dy * dy)
            if distance < best_distance:
                best, best_distance = t, distance
    return best


@device_fn
def _greedy_action(
    i: int, c: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Follow the nearest remembered target; without one, seldom try something new."""
    t = _nearest_remembered(i, c, rules, params, s, memory.seen)
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
    i: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory, action: Floats
) -> None:
    """Write the camera team's joint action [N, C, 2] (degrees) of environment i.

    A team that is driven from outside keeps the action that stands there.
    """
    rule = memory.rule[i]
    if rule < 0:
        return
    for c in range(s.cameras.shape[1]):
        if rule == RANDOM:
            if int(s.world[i, W_STEP]) % rules.random_hold == 0:
                _random_action(i, c, params, s, memory)
        elif rule == NAIVE:
            share = uniform_between(s.rng, i, 0.0, 0.4)
            memory.last_action[i, c, 0] = share * params.rotation_step_deg
            memory.last_action[i, c, 1] = share * params.zooming_step_deg
        else:
            _greedy_action(i, c, rules, params, s, memory)
        action[i, c, 0] = memory.last_action[i, c, 0]
        action[i, c, 1] = memory.last_action[i, c, 1]
