"""The heuristic cameras' decision: poses that see many known targets well (world 11.7).

Work arrays, passed as one tuple: agenda, sighted, options, sums (camsim.scripted.memory). An
*option* of a camera is a pose from which it sees a known target.
"""

import math

from camsim.arrays import Floats, Ints, UInt64s
from camsim.compiled.geometry import bearing_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import below
from camsim.scripted.memory import (
    G_EXISTS,
    G_PHI,
    G_THETA,
    H_COVERED,
    H_OPTION,
    N_ORDERS,
    O_BITS,
    O_PLACE,
    O_POSE,
    P_CAMERA,
    P_N_OPTIONS,
    P_PHI,
    P_THETA,
    R_BEST,
    R_N_CHOICES,
    R_TRIED,
)
from camsim.scripted.pose_scores import (
    DIRECTION_STEP_DEG,
    N_ANGLES,
    N_DIRECTIONS,
    N_ORIENTATIONS,
    N_POSES,
    N_RADII,
    ORIENTATION_STEP_DEG,
)
from camsim.tables import C_X, C_Y

_LAST = N_POSES + N_ORDERS  # row of `options` behind options and choices

Work = tuple[Floats, Floats, Ints, Floats]


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
def pose_of(number: int, theta_min: float) -> tuple[float, float]:
    """Return orientation and viewing angle of a pose, in degrees."""
    k = number // N_ORIENTATIONS
    theta = 180.0 if k == N_ANGLES - 1 else theta_min + k * ((180.0 - theta_min) / (N_ANGLES - 1))
    return -180.0 + ORIENTATION_STEP_DEG * (number % N_ORIENTATIONS), theta


@device_fn
def n_bits(bits: int) -> int:
    """Return the number of ones in a non-negative integer."""
    n = 0
    while bits != 0:
        bits &= bits - 1
        n += 1
    return n


@device_fn
def _add_target(
    i: int,
    k: int,
    n: int,
    bit: int,
    row: tuple[int, int],
    scores: Floats,
    options: Ints,
    sums: Floats,
) -> int:
    """Add a target's scores, a row of the table, to member k's n options; return the new n."""
    for q in range(row[0], row[1]):
        pose = int(scores[q, 0])
        option = options[i, k, pose, O_PLACE] - 1
        if option < 0:
            option = n
            n += 1
            options[i, k, pose, O_PLACE] = n
            options[i, k, option, O_POSE] = pose
            options[i, k, option, O_BITS] = 0
            sums[i, k, option] = 0.0
        options[i, k, option, O_BITS] |= bit
        sums[i, k, option] += scores[q, 1]
    return n


@device_fn
def _list_options(
    i: int,
    k: int,
    n_known: int,
    max_range: float,
    cameras: Floats,
    table: tuple[Ints, Floats],
    work: Work,
) -> bool:
    """List the options of member k; tell whether a known target is in its range."""
    agenda, sighted, options, sums = work
    c = int(agenda[i, k, P_CAMERA])
    n, in_range = 0, False
    for m in range(n_known):
        dx, dy = sighted[i, m, 1] - cameras[i, c, C_X], sighted[i, m, 2] - cameras[i, c, C_Y]
        if math.sqrt(dx * dx + dy * dy) <= max_range:
            in_range = True
            cell = nearest_cell(dx, dy, max_range)
            row = (table[0][cell], table[0][cell + 1])
            n = _add_target(i, k, n, 1 << int(sighted[i, m, 0]), row, table[1], options, sums)
    for option in range(n):
        options[i, k, options[i, k, option, O_POSE], O_PLACE] = 0
    agenda[i, k, P_N_OPTIONS] = n
    options[i, k, _LAST, R_N_CHOICES] = 0
    return in_range


@device_fn
def _best_option(i: int, k: int, n: int, covered: int, options: Ints, sums: Floats) -> int:
    """Return the option with the highest score plus newly covered targets; first pose on ties.

    -1 if there are none: all poses are worth nothing then, and the first one is taken.
    """
    best, best_value, best_pose = -1, 0.0, 0
    for option in range(n):
        value = sums[i, k, option] + n_bits(options[i, k, option, O_BITS] & ~covered)
        pose = options[i, k, option, O_POSE]
        if value > best_value or (value == best_value and pose < best_pose):
            best, best_value, best_pose = option, value, pose
    return best


@outlined_fn
def _choose(i: int, k: int, n: int, covered: int, options: Ints, sums: Floats) -> int:
    """Return `_best_option`, remembered if it was asked for before in this decision."""
    n_choices = options[i, k, _LAST, R_N_CHOICES]
    for row in range(N_POSES, N_POSES + n_choices):
        if options[i, k, row, H_COVERED] == covered:
            return int(options[i, k, row, H_OPTION])
    option = _best_option(i, k, n, covered, options, sums)
    options[i, k, N_POSES + n_choices, H_COVERED] = covered
    options[i, k, N_POSES + n_choices, H_OPTION] = option
    options[i, k, _LAST, R_N_CHOICES] = n_choices + 1
    return option


@device_fn
def _shuffle(i: int, n: int, options: Ints, rng: UInt64s) -> None:
    for k in range(n):
        options[i, k, _LAST, R_TRIED] = k
    for k in range(n - 1, 0, -1):
        m = below(rng, i, k + 1)
        held = options[i, k, _LAST, R_TRIED]
        options[i, k, _LAST, R_TRIED] = options[i, m, _LAST, R_TRIED]
        options[i, m, _LAST, R_TRIED] = held


@outlined_fn
def _play_order(
    i: int, n: int, order: int, theta_min: float, limits: tuple[float, float], work: Work
) -> tuple[float, float]:
    """Let cameras pick poses one after the other, and set these as their goals.

    `order` is the column of the order. Return what the poses are worth together, and minus the
    frames of turning and zooming, whichever takes longer, summed over the cameras.
    """
    agenda, _, options, sums = work
    covered, total, cost = 0, 0.0, 0.0
    for step in range(n):
        k = options[i, step, _LAST, order]
        option = _choose(i, k, int(agenda[i, k, P_N_OPTIONS]), covered, options, sums)
        pose = 0
        if option >= 0:
            pose = options[i, k, option, O_POSE]
            covered |= options[i, k, option, O_BITS]
            total += sums[i, k, option]
        phi, theta = pose_of(pose, theta_min)
        c = int(agenda[i, k, P_CAMERA])
        agenda[i, c, G_PHI] = phi
        agenda[i, c, G_THETA] = theta
        turn, zoom = abs(phi - agenda[i, k, P_PHI]), abs(theta - agenda[i, k, P_THETA])
        cost += max(turn / limits[0], zoom / limits[1])
    return total + n_bits(covered), -cost


@device_fn
def _is_later(i: int, n: int, options: Ints) -> bool:
    """Tell whether the order tried now comes after the best one lexicographically."""
    for k in range(n):
        tried, best = options[i, k, _LAST, R_TRIED], options[i, k, _LAST, R_BEST]
        if tried != best:
            return bool(tried > best)
    return False


@outlined_fn
def decide(
    i: int,
    n: int,
    n_known: int,
    optics: tuple[float, float],
    limits: tuple[float, float],
    cameras: Floats,
    table: tuple[Ints, Floats],
    work: Work,
    rng: UInt64s,
) -> None:
    """Write the goals of the n cameras in the agenda for the n_known sighted targets.

    Args:
        i: environment.
        n: members of the decision.
        n_known: known targets.
        optics: smallest viewing angle in degrees, largest sight range.
        limits: turn and zoom per frame, in degrees.
        cameras: table of the simulator.
        table: cells and scores.
        work: agenda, sighted, options, sums.
        rng: random streams.
    """
    agenda, options = work[0], work[2]
    for k in range(n):
        in_range = _list_options(i, k, n_known, optics[1], cameras, table, work)
        agenda[i, int(agenda[i, k, P_CAMERA]), G_EXISTS] = 1.0 if in_range else 0.0
    best_worth, best_ease = -1.0, 0.0
    for _ in range(N_ORDERS if n > 1 else 1):
        _shuffle(i, n, options, rng)
        worth, ease = _play_order(i, n, R_TRIED, optics[0], limits, work)
        better = worth > best_worth or (worth == best_worth and ease > best_ease)
        tie = worth == best_worth and ease == best_ease
        if better or (tie and _is_later(i, n, options)):
            best_worth, best_ease = worth, ease
            for k in range(n):
                options[i, k, _LAST, R_BEST] = options[i, k, _LAST, R_TRIED]
    _play_order(i, n, R_BEST, optics[0], limits, work)
