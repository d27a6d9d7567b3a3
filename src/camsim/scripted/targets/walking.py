"""How scripted targets walk: towards a warehouse, with noise, and away from cameras (world 11)."""

import math

from camsim.arrays import Floats, UInt64s
from camsim.compiled.geometry import DEG, bearing_deg, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import below, uniform, uniform_between
from camsim.kernels.cargo import row_is_empty
from camsim.layout import ENHANCED, RAW, SHARED, WAREHOUSES
from camsim.scripted.memory import M_GOAL, M_NOISE_X, M_NOISE_Y, M_OPEN, M_TURN, M_X, M_Y
from camsim.tables import (
    C_COS,
    C_PHI,
    C_RANGE,
    C_SIN,
    C_THETA,
    C_X,
    C_Y,
    T_EMPTY,
    T_GOAL,
    T_LOAD,
    T_STEP,
    T_X,
    T_Y,
)

ARRIVED = 67.5
"""Distance to its warehouse at which a naive target turns to the next one."""

WIDER = 1.2
"""Heuristic targets fear a field of view this many times wider and longer than it is."""


@device_fn
def knows_empty(i: int, t: int, w: int, observes: int, targets: Floats, world: Floats) -> bool:
    """Tell whether target t's observation says that warehouse w is empty."""
    if observes == RAW:
        return bool(targets[i, t, T_EMPTY + w] > 0.0)
    if observes == ENHANCED:
        return bool(row_is_empty(i, w, world))
    known = False
    for j in range(targets.shape[1]):
        known = known or targets[i, j, T_EMPTY + w] > 0.0
    return known


@device_fn
def _random_open(i: int, t: int, memory: Floats, rng: UInt64s) -> int:
    """Return a warehouse uniform among those believed open, or -1."""
    n_open = 0
    for w in range(4):
        if memory[i, t, M_OPEN + w] > 0:
            n_open += 1
    if n_open == 0:
        return -1
    pick = below(rng, i, n_open)
    for w in range(4):
        if memory[i, t, M_OPEN + w] > 0:
            if pick == 0:
                return w
            pick -= 1
    return -1


@device_fn
def greedy_goal(i: int, t: int, targets: Floats, memory: Floats, rng: UInt64s) -> int:
    """Return where target t goes: its cargo's destination, else an open warehouse, else -1."""
    goal = int(targets[i, t, T_GOAL])
    if goal < 0:
        goal = int(memory[i, t, M_GOAL])
        if goal < 0 or memory[i, t, M_OPEN + goal] == 0:
            goal = _random_open(i, t, memory, rng)
    memory[i, t, M_GOAL] = goal
    return goal


@device_fn
def naive_goal(
    i: int, t: int, observes: int, targets: Floats, world: Floats, memory: Floats
) -> int:
    """Return the warehouse that target t walks to, the next one round if it has arrived (11.2)."""
    goal, turn = int(memory[i, t, M_GOAL]), int(memory[i, t, M_TURN])
    dx = WAREHOUSES[goal, 0] - targets[i, t, T_X]
    dy = WAREHOUSES[goal, 1] - targets[i, t, T_Y]
    if math.sqrt(dx * dx + dy * dy) > ARRIVED:
        return goal
    any_warehouse = targets[i, t, T_LOAD] > 0.0
    if not any_warehouse:
        any_warehouse = True
        for w in range(4):
            any_warehouse = any_warehouse and knows_empty(i, t, w, observes, targets, world)
    goal = (goal + turn) % 4
    while not any_warehouse and knows_empty(i, t, goal, observes, targets, world):
        goal = (goal + turn) % 4
    memory[i, t, M_GOAL] = goal
    return goal


@device_fn
def noisy_walk(
    i: int, t: int, goal: int, scale: float, targets: Floats, memory: Floats, rng: UInt64s
) -> tuple[float, float]:
    """Return the step towards warehouse `goal` with persistent noise (world 11.3)."""
    step, x, y = targets[i, t, T_STEP], targets[i, t, T_X], targets[i, t, T_Y]
    dx, dy = 0.0, 0.0
    if goal >= 0:
        dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
        distance = math.sqrt(dx * dx + dy * dy)
        if distance > step:
            dx, dy = dx * (step / distance), dy * (step / distance)
    moved_x, moved_y = x - memory[i, t, M_X], y - memory[i, t, M_Y]
    stuck = math.sqrt(moved_x * moved_x + moved_y * moved_y) <= 0.2 * step
    if uniform(rng, i) < (0.75 if stuck else 0.05):
        memory[i, t, M_NOISE_X] = scale * uniform_between(rng, i, -step, step)
        memory[i, t, M_NOISE_Y] = scale * uniform_between(rng, i, -step, step)
    memory[i, t, M_X] = x
    memory[i, t, M_Y] = y
    ax = min(max(dx + memory[i, t, M_NOISE_X], -step), step)
    ay = min(max(dy + memory[i, t, M_NOISE_Y], -step), step)
    return ax, ay


@device_fn
def _in_reach(i: int, t: int, c: int, reach: float, cameras: Floats, targets: Floats) -> bool:
    """Tell whether target t senses camera c itself (world 5.4)."""
    dx = cameras[i, c, C_X] - targets[i, t, T_X]
    dy = cameras[i, c, C_Y] - targets[i, t, T_Y]
    return math.sqrt(dx * dx + dy * dy) <= reach


@device_fn
def sees_camera(
    i: int, t: int, c: int, observes: int, reach: float, cameras: Floats, targets: Floats
) -> bool:
    """Tell whether camera c is in target t's observation, under the team's view."""
    first, last = t, t + 1
    if observes == SHARED:
        first, last = 0, targets.shape[1]
    seen = observes == ENHANCED
    for j in range(first, last):
        seen = seen or _in_reach(i, j, c, reach, cameras, targets)
    return seen


@device_fn
def _urge(i: int, t: int, c: int, cameras: Floats, targets: Floats) -> tuple[float, float, float]:
    """Return how far target t is from the middle of camera c's field, and the way out.

    The middle is the centre of the largest disc in the field, the distance in radii of that disc;
    infinite if the camera is no threat. The angle is compared with its sign, as in MATE.
    """
    dx = targets[i, t, T_X] - cameras[i, c, C_X]
    dy = targets[i, t, T_Y] - cameras[i, c, C_Y]
    sight_range, theta = cameras[i, c, C_RANGE], cameras[i, c, C_THETA]
    off = wrap_deg(bearing_deg(dx, dy) - cameras[i, c, C_PHI])
    if math.sqrt(dx * dx + dy * dy) > WIDER * sight_range or off > WIDER * 0.5 * theta:
        return math.inf, 0.0, 0.0
    middle = sight_range / (1.0 + math.sin(min(0.5 * theta, 90.0) * DEG))
    out_x, out_y = dx - middle * cameras[i, c, C_COS], dy - middle * cameras[i, c, C_SIN]
    distance = math.sqrt(out_x * out_x + out_y * out_y) / (sight_range - middle)
    return distance, out_x, out_y


@outlined_fn
def drift(
    i: int,
    observes: int,
    reach: float,
    scale: float,
    cameras: Floats,
    targets: Floats,
    action: Floats,
) -> None:
    """Add to every target's action a step away from the camera that holds it best (11.4).

    It is added only if it does not lead back. `reach`: distance at which a target senses a camera;
    `scale`: longest drift, in steps of the target.
    """
    for t in range(targets.shape[1]):
        nearest, away_x, away_y = math.inf, 0.0, 0.0
        for c in range(cameras.shape[1]):
            if sees_camera(i, t, c, observes, reach, cameras, targets):
                distance, x, y = _urge(i, t, c, cameras, targets)
                if distance < nearest:
                    nearest, away_x, away_y = distance, x, y
        step = targets[i, t, T_STEP]
        norm = math.sqrt(away_x * away_x + away_y * away_y)
        if norm > scale * step:
            away_x, away_y = away_x * (scale * step / norm), away_y * (scale * step / norm)
        if action[i, t, 0] * away_x + action[i, t, 1] * away_y >= 0.0:
            action[i, t, 0] = min(max(action[i, t, 0] + away_x, -step), step)
            action[i, t, 1] = min(max(action[i, t, 1] + away_y, -step), step)
