"""Greedy cameras: follow the nearest remembered target, tell teammates of sightings (spec 11.6)."""

import math

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.geometry import bearing_deg, wrap_deg, zoom_for_distance_deg
from camsim.kernels.observe import ENHANCED, RAW
from camsim.kernels.rng import below, uniform, uniform_between
from camsim.layout import (
    C_PHI,
    C_RANGE,
    C_THETA,
    C_X,
    C_Y,
    T_LOAD,
    T_TRACKED,
    T_X,
    T_Y,
    W_STEP,
)
from camsim.policies.memory import (
    K_KNOWN,
    K_NEXT,
    L_LOADED,
    L_VISIBLE,
    L_X,
    L_Y,
    S_EVER_LOADED,
    S_LEFT,
    S_LOADED,
    S_X,
    S_Y,
    CameraMemory,
)
from camsim.policies.messages import clear_slot, count_message, gets_through, slot_due, slot_now
from camsim.policies.rules import CameraRules
from camsim.state import Floats, SimParams, Tables

NEAR = 1.1
"""Targets farther away than this many largest sight ranges do not matter to a camera."""

HELLO, SIGHTINGS = 1, 2
"""What a message holds, as bits: the sender's own state; the targets that it sees."""


@device_fn
def sees_target(i: int, c: int, t: int, view: int, s: Tables) -> bool:
    """Tell whether target t is in camera c's observation, under the team's view."""
    if view == RAW:
        return bool(s.camera_target[i, c, t])
    return view == ENHANCED or s.targets[i, t, T_TRACKED] > 0.0


@device_fn
def try_something_new(i: int, c: int, params: SimParams, s: Tables, memory: CameraMemory) -> None:
    """Draw camera c's action from its action box, seldom; else keep the last one."""
    if uniform(s.rng, i) < 0.1:
        turn, zoom = params.rotation_step_deg, params.zooming_step_deg
        memory.last_action[i, c, 0] = uniform_between(s.rng, i, -turn, turn)
        memory.last_action[i, c, 1] = uniform_between(s.rng, i, -zoom, zoom)


@device_fn
def _is_near(dx: float, dy: float, params: SimParams) -> bool:
    return math.sqrt(dx * dx + dy * dy) < NEAR * params.max_range


@device_fn
def _look(i: int, c: int, rules: CameraRules, s: Tables, seen: Floats) -> None:
    """Let camera c take in its observation; what it does not see fades."""
    for t in range(s.targets.shape[1]):
        if sees_target(i, c, t, rules.observes, s):
            loaded = s.targets[i, t, T_LOAD] > 0.0
            _remember(i, c, t, s.targets[i, t, T_X], s.targets[i, t, T_Y], loaded, rules, seen)
        elif seen[i, c, t, S_LEFT] > 0.0:
            seen[i, c, t, S_LEFT] -= 1.0


@device_fn
def _remember(
    i: int, c: int, t: int, x: float, y: float, loaded: bool, rules: CameraRules, seen: Floats
) -> None:
    seen[i, c, t, S_X] = x
    seen[i, c, t, S_Y] = y
    seen[i, c, t, S_LEFT] = rules.memory_period
    seen[i, c, t, S_LOADED] = 1.0 if loaded else 0.0
    if loaded:
        seen[i, c, t, S_EVER_LOADED] = 1.0


@device_fn
def _has_news_for(i: int, c: int, j: int, view: int, params: SimParams, s: Tables) -> bool:
    """Tell whether camera c sees a target near camera j."""
    for t in range(s.targets.shape[1]):
        if sees_target(i, c, t, view, s):
            dx = s.targets[i, t, T_X] - s.cameras[i, j, C_X]
            dy = s.targets[i, t, T_Y] - s.cameras[i, j, C_Y]
            if _is_near(dx, dy, params):
                return True
    return False


@device_fn
def _post_sightings(i: int, c: int, slot: int, view: int, s: Tables, memory: CameraMemory) -> None:
    """Put down what camera c sees; recipients pick what is near them."""
    for t in range(s.targets.shape[1]):
        visible = sees_target(i, c, t, view, s)
        memory.mail[i, slot, c, t, L_VISIBLE] = 1.0 if visible else 0.0
        if visible:
            memory.mail[i, slot, c, t, L_X] = s.targets[i, t, T_X]
            memory.mail[i, slot, c, t, L_Y] = s.targets[i, t, T_Y]
            memory.mail[i, slot, c, t, L_LOADED] = 1.0 if s.targets[i, t, T_LOAD] > 0.0 else 0.0


@device_fn
def _write_to_teammates(
    i: int, c: int, step: int, rules: CameraRules, params: SimParams, s: Tables, m: CameraMemory
) -> None:
    """Send what camera c has to tell to every teammate that it may write to again."""
    slot = slot_now(step, m.posted)
    told = False
    for j in range(s.cameras.shape[1]):
        if j == c or step < m.contact[i, c, j, K_NEXT]:
            continue
        kind = HELLO if step == 0 else 0
        shares = rules.only_in_range and m.contact[i, c, j, K_KNOWN] > 0
        if shares and _has_news_for(i, c, j, rules.observes, params, s):
            kind += SIGHTINGS
        if kind == 0:
            continue
        shortest = rules.memory_period // 4
        pause = shortest + below(s.rng, i, 2 * rules.memory_period - shortest)
        m.contact[i, c, j, K_NEXT] = step + pause
        dx = s.cameras[i, j, C_X] - s.cameras[i, c, C_X]
        dy = s.cameras[i, j, C_Y] - s.cameras[i, c, C_Y]
        if gets_through(i, rules, s.rng, dx, dy):
            m.posted[i, slot, c, j] = kind
            told = True
    if told:
        _post_sightings(i, c, slot, rules.observes, s, m)


@device_fn
def _read(
    i: int,
    a: int,
    j: int,
    slot: int,
    rules: CameraRules,
    params: SimParams,
    s: Tables,
    m: CameraMemory,
) -> None:
    """Let camera j read the message of camera a that is due."""
    kind = m.posted[i, slot, a, j]
    count_message(i, a, j, m)
    if kind & HELLO:
        m.contact[i, j, a, K_KNOWN] = 1
    if kind & SIGHTINGS:
        for t in range(s.targets.shape[1]):
            if m.mail[i, slot, a, t, L_VISIBLE] > 0.0:
                x, y = m.mail[i, slot, a, t, L_X], m.mail[i, slot, a, t, L_Y]
                if _is_near(x - s.cameras[i, j, C_X], y - s.cameras[i, j, C_Y], params):
                    loaded = m.mail[i, slot, a, t, L_LOADED] > 0.0
                    _remember(i, j, t, x, y, loaded, rules, m.seen)


@device_fn
def _nearest_remembered(
    i: int, c: int, rules: CameraRules, params: SimParams, s: Tables, seen: Floats
) -> int:
    """Return the nearest target that camera c remembers and cares for, or -1."""
    best, best_distance = -1, NEAR * params.max_range
    for t in range(s.targets.shape[1]):
        if seen[i, c, t, S_LEFT] > 0.0:
            idle = seen[i, c, t, S_LOADED] == 0.0 and seen[i, c, t, S_EVER_LOADED] > 0.0
            if rules.only_loaded and idle:
                continue
            dx = seen[i, c, t, S_X] - s.cameras[i, c, C_X]
            dy = seen[i, c, t, S_Y] - s.cameras[i, c, C_Y]
            distance = math.sqrt(dx * dx + dy * dy)
            if distance < best_distance:
                best, best_distance = t, distance
    return best


@device_fn
def _follow(
    i: int, c: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Turn to the nearest remembered target and zoom to fit it; without one, improvise."""
    t = _nearest_remembered(i, c, rules, params, s, memory.seen)
    if t < 0:
        try_something_new(i, c, params, s, memory)
        return
    dx = memory.seen[i, c, t, S_X] - s.cameras[i, c, C_X]
    dy = memory.seen[i, c, t, S_Y] - s.cameras[i, c, C_Y]
    theta, sight_range = s.cameras[i, c, C_THETA], s.cameras[i, c, C_RANGE]
    goal_deg = zoom_for_distance_deg(
        math.sqrt(dx * dx + dy * dy),
        params.theta_min_deg,
        params.max_range,
        theta * sight_range * sight_range,
    )
    aim_at(i, c, bearing_deg(dx, dy), goal_deg, params, s, memory)


@device_fn
def aim_at(
    i: int,
    c: int,
    phi_deg: float,
    theta_deg: float,
    params: SimParams,
    s: Tables,
    memory: CameraMemory,
) -> None:
    """Set the action that brings camera c nearer to a pose."""
    turn = wrap_deg(phi_deg - s.cameras[i, c, C_PHI])
    zoom = theta_deg - s.cameras[i, c, C_THETA]
    turn_limit, zoom_limit = params.rotation_step_deg, params.zooming_step_deg
    memory.last_action[i, c, 0] = min(max(turn, -turn_limit), turn_limit)
    memory.last_action[i, c, 1] = min(max(zoom, -zoom_limit), zoom_limit)


@outlined_fn
def exchange_sightings(
    i: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Let greedy cameras write to each other and read what is due in this frame."""
    step = int(s.world[i, W_STEP])
    n_cameras = s.cameras.shape[1]
    clear_slot(i, slot_now(step, memory.posted), memory.posted)
    for c in range(n_cameras):
        _write_to_teammates(i, c, step, rules, params, s, memory)
    due = slot_due(step, memory.posted)
    for a in range(n_cameras):
        for j in range(n_cameras):
            if memory.posted[i, due, a, j] > 0:
                _read(i, a, j, due, rules, params, s, memory)


@outlined_fn
def act_greedily(
    i: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Set the last action of every camera by the greedy rule."""
    n_cameras = s.cameras.shape[1]
    for c in range(n_cameras):
        _look(i, c, rules, s, memory.seen)
    if not rules.silent:
        exchange_sightings(i, rules, params, s, memory)
    for c in range(n_cameras):
        _follow(i, c, rules, params, s, memory)
