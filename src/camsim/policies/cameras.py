"""Scripted cameras inside the compiled step: every rule behind two functions (spec 11)."""

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.rng import uniform_between
from camsim.layout import W_STEP
from camsim.policies.draws import draw_rule
from camsim.policies.greedy_cameras import act_greedily
from camsim.policies.heuristic_cameras import act_heuristically
from camsim.policies.memory import (
    S_EVER_LOADED,
    S_LEFT,
    CameraMemory,
    allocate_camera_memory,
)
from camsim.policies.messages import close_frame, forget_messages
from camsim.policies.rules import CAMERA_POLICIES, CameraRules
from camsim.state import Floats, SimParams, Tables

__all__ = [
    "GREEDY",
    "HEURISTIC",
    "NAIVE",
    "RANDOM",
    "CameraMemory",
    "act_cameras",
    "allocate_camera_memory",
    "reset_cameras",
]

RANDOM, NAIVE, GREEDY, HEURISTIC = (
    CAMERA_POLICIES[name] for name in ("random", "naive", "greedy", "heuristic")
)


@outlined_fn
def reset_cameras(i: int, rules: CameraRules, s: Tables, memory: CameraMemory) -> None:
    """Forget the last episode and draw the rule of the next one."""
    memory.rule[i] = draw_rule(i, rules.cumulative, s.rng)
    forget_messages(i, memory)
    for c in range(s.cameras.shape[1]):
        memory.last_action[i, c, 0] = 0.0
        memory.last_action[i, c, 1] = 0.0
    if memory.rule[i] == GREEDY:
        for c in range(s.cameras.shape[1]):
            for t in range(s.targets.shape[1]):
                memory.seen[i, c, t, S_LEFT] = 0.0
                memory.seen[i, c, t, S_EVER_LOADED] = 0.0
            for j in range(s.cameras.shape[1]):
                for k in range(memory.contact.shape[3]):
                    memory.contact[i, c, j, k] = 0


@device_fn
def _act_blindly(
    i: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Set the last action of every camera by the random or the naive rule (spec 11.1, 11.2)."""
    turn, zoom = params.rotation_step_deg, params.zooming_step_deg
    naive = memory.rule[i] == NAIVE
    fresh = int(s.world[i, W_STEP]) % rules.random_hold == 0
    for c in range(s.cameras.shape[1]):
        if naive:
            share = uniform_between(s.rng, i, 0.0, 0.4)
            memory.last_action[i, c, 0] = share * turn
            memory.last_action[i, c, 1] = share * zoom
        elif fresh:
            memory.last_action[i, c, 0] = uniform_between(s.rng, i, -turn, turn)
            memory.last_action[i, c, 1] = uniform_between(s.rng, i, -zoom, zoom)


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
    close_frame(i, memory)
    if rule == GREEDY:
        act_greedily(i, rules, params, s, memory)
    elif rule == HEURISTIC:
        act_heuristically(i, rules, params, s, memory)
    else:
        _act_blindly(i, rules, params, s, memory)
    for c in range(s.cameras.shape[1]):
        action[i, c, 0] = memory.last_action[i, c, 0]
        action[i, c, 1] = memory.last_action[i, c, 1]
