"""Heuristic cameras: camera 0 picks a pose for everyone by a table of scores (spec 11.7).

Every frame the others send camera 0 what they see, it decides, and answers. A camera without an
answer decides for itself alone.
"""

import math

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.geometry import bearing_deg
from camsim.kernels.rng import below
from camsim.layout import C_PHI, C_THETA, C_X, C_Y, T_X, T_Y, W_STEP
from camsim.policies.greedy_cameras import aim_at, sees_target, try_something_new
from camsim.policies.memory import (
    L_GOAL_PHI,
    L_GOAL_THETA,
    L_PHI,
    L_THETA,
    L_VISIBLE,
    L_X,
    L_Y,
    N_ORDERS,
    CameraMemory,
)
from camsim.policies.messages import clear_slot, count_message, gets_through, slot_due, slot_now
from camsim.policies.rules import CameraRules
from camsim.policies.scores import DIRECTION_STEP_DEG, N_DIRECTIONS, N_RADII
from camsim.state import Ints, SimParams, Tables

MAIL = 1
"""Kind of every request and answer."""

# Columns of the decision's tables.
P_CAMERA, P_PHI, P_THETA, P_N_ENTRIES = 0, 1, 2, 3  # party
G_EXISTS, G_PHI, G_THETA = 0, 1, 2  # goal
E_POSE, E_BITS = 0, 1  # entries
TRIED, BEST = 0, 1  # orders


@device_fn
def nearest_cell(dx: float, dy: float, max_range: float) -> int:
    """Return the cell nearest to a place at (dx, dy) from the camera.

    The nearest direction is the nearest in angle, and the nearest point on it is found by
    projection.
    """
    direction_deg = bearing_deg(dx, dy) + 180.0
    k = math.floor(direction_deg / DIRECTION_STEP_DEG + 0.5)
    off_rad = (direction_deg - k * DIRECTION_STEP_DEG) * (math.pi / 180.0)
    along = math.sqrt(dx * dx + dy * dy) * math.cos(off_rad)
    n = math.floor(along / (max_range / (N_RADII - 1)) + 0.5)
    return int(k) % N_DIRECTIONS * N_RADII + min(max(int(n), 0), N_RADII - 1)


@device_fn
def n_bits(bits: int) -> int:
    """Return the number of ones in a non-negative integer."""
    n = 0
    while bits:
        bits &= bits - 1
        n += 1
    return n


@device_fn
def _list_pose(
    i: int, k: int, n: int, pose: int, value: float, bit: int, memory: CameraMemory
) -> int:
    """Add a target's score to a pose of party member k; return the number of entries, n or n+1."""
    entry = memory.places[i, pose] - 1
    if entry < 0:
        entry = n
        n += 1
        memory.places[i, pose] = n
        memory.entries[i, k, entry, E_POSE] = pose
        memory.entries[i, k, entry, E_BITS] = 0
        memory.sums[i, k, entry] = 0.0
    memory.sums[i, k, entry] += value
    memory.entries[i, k, entry, E_BITS] |= bit
    return n


@device_fn
def _list_poses(
    i: int, k: int, n_targets: int, params: SimParams, s: Tables, memory: CameraMemory
) -> bool:
    """List the poses from which party member k sees a known target; tell if one is in range."""
    c = int(memory.party[i, k, P_CAMERA])
    n, in_range = 0, False
    for m in range(n_targets):
        dx = memory.sighted[i, m, 1] - s.cameras[i, c, C_X]
        dy = memory.sighted[i, m, 2] - s.cameras[i, c, C_Y]
        if math.sqrt(dx * dx + dy * dy) > params.max_range:
            continue
        in_range = True
        bit = 1 << int(memory.sighted[i, m, 0])
        cell = nearest_cell(dx, dy, params.max_range)
        for q in range(memory.score_start[cell], memory.score_start[cell + 1]):
            n = _list_pose(i, k, n, memory.score_pose[q], memory.score_value[q], bit, memory)
    for entry in range(n):
        memory.places[i, memory.entries[i, k, entry, E_POSE]] = 0
    memory.party[i, k, P_N_ENTRIES] = n
    memory.choices[i, k, N_ORDERS, 0] = 0
    return in_range


@device_fn
def _best_entry(i: int, k: int, covered: int, memory: CameraMemory) -> int:
    """Return the entry with the highest score plus newly covered targets; the first pose on ties.

    -1: no pose sees any target, and the first pose of all is as good as the others.
    """
    best, best_value, best_pose = -1, 0.0, 0
    for entry in range(int(memory.party[i, k, P_N_ENTRIES])):
        new = n_bits(memory.entries[i, k, entry, E_BITS] & ~covered)
        value = memory.sums[i, k, entry] + new
        pose = memory.entries[i, k, entry, E_POSE]
        if value > best_value or (value == best_value and pose < best_pose):
            best, best_value, best_pose = entry, value, pose
    return best


@device_fn
def _choose(i: int, k: int, covered: int, memory: CameraMemory) -> int:
    """Return `_best_entry`, from memory if it was asked before in this decision."""
    n = memory.choices[i, k, N_ORDERS, 0]
    for m in range(n):
        if memory.choices[i, k, m, 0] == covered:
            return int(memory.choices[i, k, m, 1])
    entry = _best_entry(i, k, covered, memory)
    memory.choices[i, k, n, 0] = covered
    memory.choices[i, k, n, 1] = entry
    memory.choices[i, k, N_ORDERS, 0] = n + 1
    return entry


@device_fn
def _shuffle(i: int, n: int, s: Tables, orders: Ints) -> None:
    for k in range(n):
        orders[i, TRIED, k] = k
    for k in range(n - 1, 0, -1):
        m = below(s.rng, i, k + 1)
        held = orders[i, TRIED, k]
        orders[i, TRIED, k] = orders[i, TRIED, m]
        orders[i, TRIED, m] = held


@device_fn
def _try_order(i: int, n: int, params: SimParams, memory: CameraMemory) -> tuple[float, float]:
    """Let cameras pick poses one after the other; return the worth of it and minus its cost."""
    covered, total, cost = 0, 0.0, 0.0
    for step in range(n):
        k = memory.orders[i, TRIED, step]
        entry = _choose(i, k, covered, memory)
        pose = 0
        if entry >= 0:
            pose = memory.entries[i, k, entry, E_POSE]
            covered |= memory.entries[i, k, entry, E_BITS]
            total += memory.sums[i, k, entry]
        turn = abs(memory.poses[pose, 0] - memory.party[i, k, P_PHI])
        zoom = abs(memory.poses[pose, 1] - memory.party[i, k, P_THETA])
        cost += max(turn / params.rotation_step_deg, zoom / params.zooming_step_deg)
    return total + n_bits(covered), -cost


@device_fn
def _is_later(i: int, n: int, orders: Ints) -> bool:
    """Tell whether the order tried now comes after the best one lexicographically."""
    for k in range(n):
        if orders[i, TRIED, k] != orders[i, BEST, k]:
            return bool(orders[i, TRIED, k] > orders[i, BEST, k])
    return False


@device_fn
def _set_goals(i: int, n: int, memory: CameraMemory) -> None:
    """Give the cameras in the decision the poses that they pick in the best order."""
    covered = 0
    for step in range(n):
        k = memory.orders[i, BEST, step]
        entry = _choose(i, k, covered, memory)
        pose = 0
        if entry >= 0:
            pose = memory.entries[i, k, entry, E_POSE]
            covered |= memory.entries[i, k, entry, E_BITS]
        c = int(memory.party[i, k, P_CAMERA])
        memory.goal[i, c, G_PHI] = memory.poses[pose, 0]
        memory.goal[i, c, G_THETA] = memory.poses[pose, 1]


@outlined_fn
def decide(
    i: int, n: int, n_targets: int, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Write the goals of the n cameras in `memory.party` for the targets in `memory.sighted`."""
    for k in range(n):
        in_range = _list_poses(i, k, n_targets, params, s, memory)
        c = int(memory.party[i, k, P_CAMERA])
        memory.goal[i, c, G_EXISTS] = 1.0 if in_range else 0.0
    best_worth, best_ease = -1.0, 0.0
    for _ in range(N_ORDERS if n > 1 else 1):
        _shuffle(i, n, s, memory.orders)
        worth, ease = _try_order(i, n, params, memory)
        better = worth > best_worth or (worth == best_worth and ease > best_ease)
        tie = worth == best_worth and ease == best_ease
        if better or (tie and _is_later(i, n, memory.orders)):
            best_worth, best_ease = worth, ease
            for k in range(n):
                memory.orders[i, BEST, k] = memory.orders[i, TRIED, k]
    _set_goals(i, n, memory)


@device_fn
def _decide_alone(
    i: int, c: int, view: int, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Write camera c's goal for the targets that it sees itself."""
    n_targets = 0
    for t in range(s.targets.shape[1]):
        if sees_target(i, c, t, view, s):
            memory.sighted[i, n_targets, 0] = t
            memory.sighted[i, n_targets, 1] = s.targets[i, t, T_X]
            memory.sighted[i, n_targets, 2] = s.targets[i, t, T_Y]
            n_targets += 1
    memory.goal[i, c, G_EXISTS] = 0.0
    if n_targets > 0:
        memory.party[i, 0, P_CAMERA] = c
        memory.party[i, 0, P_PHI] = s.cameras[i, c, C_PHI]
        memory.party[i, 0, P_THETA] = s.cameras[i, c, C_THETA]
        decide(i, 1, n_targets, params, s, memory)


@device_fn
def _post_view(i: int, c: int, slot: int, view: int, s: Tables, memory: CameraMemory) -> None:
    """Put down camera c's pose and the targets it sees: its request."""
    n_targets = s.targets.shape[1]
    memory.mail[i, slot, c, n_targets, L_PHI] = s.cameras[i, c, C_PHI]
    memory.mail[i, slot, c, n_targets, L_THETA] = s.cameras[i, c, C_THETA]
    for t in range(n_targets):
        visible = sees_target(i, c, t, view, s)
        memory.mail[i, slot, c, t, L_VISIBLE] = 1.0 if visible else 0.0
        memory.mail[i, slot, c, t, L_X] = s.targets[i, t, T_X]
        memory.mail[i, slot, c, t, L_Y] = s.targets[i, t, T_Y]


@device_fn
def _take_in(i: int, c: int, k: int, n_known: int, slot: int, memory: CameraMemory) -> int:
    """Add camera c to the decision as member k, and its targets; return how many are known."""
    n_targets = memory.mail.shape[3] - 1
    memory.party[i, k, P_CAMERA] = c
    memory.party[i, k, P_PHI] = memory.mail[i, slot, c, n_targets, L_PHI]
    memory.party[i, k, P_THETA] = memory.mail[i, slot, c, n_targets, L_THETA]
    n_before = n_known
    for t in range(n_targets):
        if memory.mail[i, slot, c, t, L_VISIBLE] > 0.0:
            known = False
            for m in range(n_before):
                known = known or memory.sighted[i, m, 0] == t
            if not known:
                memory.sighted[i, n_known, 0] = t
                memory.sighted[i, n_known, 1] = memory.mail[i, slot, c, t, L_X]
                memory.sighted[i, n_known, 2] = memory.mail[i, slot, c, t, L_Y]
                n_known += 1
    return n_known


@outlined_fn
def _request_and_decide(
    i: int,
    now: int,
    due: int,
    rules: CameraRules,
    params: SimParams,
    s: Tables,
    memory: CameraMemory,
) -> None:
    """Send requests to camera 0 and let it decide for itself and those whose requests arrived."""
    n_cameras = s.cameras.shape[1]
    for c in range(n_cameras):
        _post_view(i, c, now, rules.observes, s, memory)
        dx = s.cameras[i, c, C_X] - s.cameras[i, 0, C_X]
        dy = s.cameras[i, c, C_Y] - s.cameras[i, 0, C_Y]
        if c > 0 and gets_through(i, rules, s.rng, dx, dy):
            memory.posted[i, now, c, 0] = MAIL
    n = 1
    n_known = _take_in(i, 0, 0, 0, now, memory)
    for c in range(n_cameras):
        memory.goal[i, c, G_EXISTS] = 0.0
        if memory.posted[i, due, c, 0] > 0:
            count_message(i, c, 0, memory)
            n_known = _take_in(i, c, n, n_known, due, memory)
            n += 1
    if n_known > 0:
        decide(i, n, n_known, params, s, memory)


@device_fn
def _answer(
    i: int, now: int, due: int, rules: CameraRules, s: Tables, memory: CameraMemory
) -> None:
    """Send the goals of camera 0's decision; goals are afterwards what cameras have received."""
    n_targets = s.targets.shape[1]
    for c in range(1, s.cameras.shape[1]):
        dx = s.cameras[i, c, C_X] - s.cameras[i, 0, C_X]
        dy = s.cameras[i, c, C_Y] - s.cameras[i, 0, C_Y]
        if memory.goal[i, c, G_EXISTS] > 0.0 and gets_through(i, rules, s.rng, dx, dy):
            memory.posted[i, now, 0, c] = MAIL
            memory.mail[i, now, c, n_targets, L_GOAL_PHI] = memory.goal[i, c, G_PHI]
            memory.mail[i, now, c, n_targets, L_GOAL_THETA] = memory.goal[i, c, G_THETA]
    for c in range(1, s.cameras.shape[1]):
        memory.goal[i, c, G_EXISTS] = 0.0
        if memory.posted[i, due, 0, c] > 0:
            count_message(i, 0, c, memory)
            memory.goal[i, c, G_EXISTS] = 1.0
            memory.goal[i, c, G_PHI] = memory.mail[i, due, c, n_targets, L_GOAL_PHI]
            memory.goal[i, c, G_THETA] = memory.mail[i, due, c, n_targets, L_GOAL_THETA]


@outlined_fn
def act_heuristically(
    i: int, rules: CameraRules, params: SimParams, s: Tables, memory: CameraMemory
) -> None:
    """Set the last action of every camera by the heuristic rule."""
    n_cameras = s.cameras.shape[1]
    if n_cameras == 0:
        return
    if not rules.silent:
        step = int(s.world[i, W_STEP])
        now, due = slot_now(step, memory.posted), slot_due(step, memory.posted)
        clear_slot(i, now, memory.posted)
        _request_and_decide(i, now, due, rules, params, s, memory)
        _answer(i, now, due, rules, s, memory)
    for c in range(n_cameras):
        answered = not rules.silent and (c == 0 or memory.goal[i, c, G_EXISTS] > 0.0)
        if not answered:
            _decide_alone(i, c, rules.observes, params, s, memory)
        if memory.goal[i, c, G_EXISTS] > 0.0:
            goal_phi, goal_theta = memory.goal[i, c, G_PHI], memory.goal[i, c, G_THETA]
            aim_at(i, c, goal_phi, goal_theta, params, s, memory)
        else:
            try_something_new(i, c, params, s, memory)
