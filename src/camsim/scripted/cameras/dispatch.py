"""Scripted cameras inside the compiled step: every rule behind two functions (world 11)."""

from camsim.arrays import Floats, Ints, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import uniform_between
from camsim.scripted.cameras.greedy import NEAR, exchange_sightings, follow, look
from camsim.scripted.cameras.heuristic import pursue
from camsim.scripted.draws import draw_rule
from camsim.scripted.memory import CameraMemory, allocate_camera_memory
from camsim.scripted.messages import clear_matrix, clear_post, close_frame
from camsim.scripted.spec import CAMERA_POLICIES, CameraRules
from camsim.state import SimParams, Tables
from camsim.tables import W_STEP

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
def _forget(
    i: int, seen: Floats, last_action: Floats, edges: Ints, traffic: Ints, post: Ints
) -> None:
    for c in range(last_action.shape[1]):
        last_action[i, c, 0] = 0.0
        last_action[i, c, 1] = 0.0
    clear_matrix(i, edges)
    traffic[i, 0] = 0
    traffic[i, 1] = 0
    clear_post(i, 0, post.shape[1], post)
    if seen.shape[0] > 0:
        for c in range(seen.shape[1]):
            for t in range(seen.shape[2]):
                for k in range(seen.shape[3]):
                    seen[i, c, t, k] = 0.0


@device_fn
def reset_cameras(i: int, rules: CameraRules, s: Tables, memory: CameraMemory) -> None:
    """Forget the last episode and draw the rule of the next one."""
    memory.rule[i] = draw_rule(i, rules.cumulative, s.rng)
    _forget(i, memory.seen, memory.last_action, memory.edges, memory.traffic, memory.post)


@outlined_fn
def _act_blindly(
    i: int, naive: bool, turn: float, zoom: float, last_action: Floats, rng: UInt64s
) -> None:
    """Draw the last action of every camera by the naive or the random rule (world 11.1, 11.2)."""
    for c in range(last_action.shape[1]):
        if naive:
            share = uniform_between(rng, i, 0.0, 0.4)
            last_action[i, c, 0] = share * turn
            last_action[i, c, 1] = share * zoom
        else:
            last_action[i, c, 0] = uniform_between(rng, i, -turn, turn)
            last_action[i, c, 1] = uniform_between(rng, i, -zoom, zoom)


@device_fn
def _act_sighted(
    i: int, step: int, rules: CameraRules, params: SimParams, s: Tables, m: CameraMemory
) -> None:
    """Set the last action of every camera by the greedy or the heuristic rule."""
    look(i, rules.observes, rules.memory_period, s.targets, s.camera_target, m.seen)
    if m.rule[i] == HEURISTIC:
        pursue(i, step, rules, params, s.cameras, m, s.rng)
        return
    near = NEAR * params.max_range
    if not rules.silent:
        exchange_sightings(
            i, step, rules, near, s.cameras, m.seen, m.post, m.mail, m.edges, m.traffic, s.rng
        )
    optics = (params.theta_min_deg, params.max_range)
    limits = (params.rotation_step_deg, params.zooming_step_deg)
    follow(i, rules.only_loaded, optics, limits, s.cameras, m.seen, m.last_action, s.rng)


@device_fn
def act_cameras(
    i: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory, action: Floats
) -> None:
    """Write the camera team's joint action [N, C, 2] (degrees) of environment i.

    A team that is driven from outside keeps the action that stands there.
    """
    rule, step = memory.rule[i], int(s.world[i, W_STEP])
    if rule < 0:
        return
    close_frame(i, memory.edges, memory.traffic)
    if rule >= GREEDY:
        _act_sighted(i, step, rules, params, s, memory)
    elif rule == NAIVE or step % rules.random_hold == 0:
        turn, zoom = params.rotation_step_deg, params.zooming_step_deg
        naive = rule == NAIVE
        _act_blindly(i, naive, turn, zoom, memory.last_action, s.rng)
    for c in range(memory.last_action.shape[1]):
        action[i, c, 0] = memory.last_action[i, c, 0]
        action[i, c, 1] = memory.last_action[i, c, 1]
