"""Pointing offset: a view wider than its targets need turns to where more targets are expected."""

import numpy as np

from camcontrol.tracking.relative_particles import R_DISTANCE, R_DX, R_DY
from camcontrol.tracking.track import B_DISTANCE, B_SEEN, B_X, B_Y, P_X, P_Y
from camsim.arrays import Floats, Ints
from camsim.compiled.jit import device_fn, outlined_fn

_Counts = tuple[int, int, int, int, int]  # ahead, left, right, far left, far right


@device_fn
def _holds(
    dx: float,
    dy: float,
    distance: float,
    view: tuple[float, float, float, float],
    turns: tuple[float, float, float, float],
) -> tuple[bool, bool, bool, bool, bool]:
    """Tell which of the five views hold a point; arguments as in `_count`."""
    cos, sin, limit, reach = view
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    least = limit * distance if distance <= reach else 9e9  # more than along can be
    return (
        along >= least,
        along * turns[0] + across * turns[1] >= least,
        along * turns[0] - across * turns[1] >= least,
        along * turns[2] + across * turns[3] >= least,
        along * turns[2] - across * turns[3] >= least,
    )


@outlined_fn
def _count(
    table: Floats,
    first: int,
    end: int,
    view: tuple[float, float, float, float],
    turns: tuple[float, float, float, float],
) -> _Counts:
    """Return how many of the table's entries from `first` to `end` each of the five views holds.

    `view`: cosine and sine of its orientation, cosine of half its angle, range. `turns`: cosine
    and sine of half the largest turn, then of the whole.
    """
    n_ahead, n_left, n_right, n_far_left, n_far_right = 0, 0, 0, 0, 0
    for p in range(end - first):
        entry = np.uint64(first + p)
        ahead, left, right, far_left, far_right = _holds(
            table[R_DX, entry], table[R_DY, entry], table[R_DISTANCE, entry], view, turns
        )
        n_ahead += ahead
        n_left += left
        n_right += right
        n_far_left += far_left
        n_far_right += far_right
    return n_ahead, n_left, n_right, n_far_left, n_far_right


@outlined_fn
def _count_seen(
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    chosen: Ints,
    view: tuple[float, float, float, float],
    turns: tuple[float, float, float, float],
) -> _Counts:
    """Return how many targets in view, but for the chosen ones, each of the five views holds."""
    i, c = where
    n_ahead, n_left, n_right, n_far_left, n_far_right = 0, 0, 0, 0, 0
    for t in range(belief.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0 and not _contains(chosen, t):
            dx = belief[i, c, t, B_X] - pose[i, c, P_X]
            dy = belief[i, c, t, B_Y] - pose[i, c, P_Y]
            ahead, left, right, far_left, far_right = _holds(
                dx, dy, belief[i, c, t, B_DISTANCE], view, turns
            )
            n_ahead += ahead
            n_left += left
            n_right += right
            n_far_left += far_left
            n_far_right += far_right
    return n_ahead, n_left, n_right, n_far_left, n_far_right


@device_fn
def _contains(chosen: Ints, t: int) -> bool:
    found = False
    for m in range(len(chosen)):
        found = found or chosen[m] == t
    return found


@device_fn
def pointing_offset(
    pose: Floats,
    belief: Floats,
    table: Floats,
    n_particles: int,
    where: tuple[int, int],
    chosen: Ints,
    view: tuple[float, float, float, float],
    half: tuple[float, float],
) -> int:
    """Return the turn with which a view holds most particles of targets not chosen.

    It is one of five, in halves of the largest turn, counter-clockwise: 0, 1, -1, 2 or -2. The
    first of the best ones in this order is taken.

    Args:
        pose: [N, C, POSE_COLUMNS] of the cameras.
        belief: [N, C, T, BELIEF_COLUMNS].
        table: of the camera's particles (camcontrol.tracking.relative_particles).
        n_particles: P, of each target.
        where: (environment, camera).
        chosen: [M] targets that are in the view anyway, padded with -1.
        view: cosine and sine of its orientation, cosine of half its angle, range in units.
        half: cosine and sine of half the largest turn.
    """
    i, c = where
    cos, sin = half
    turns = (cos, sin, cos * cos - sin * sin, 2.0 * cos * sin)
    ahead, left, right, far_left, far_right = _count_seen(pose, belief, where, chosen, view, turns)
    ahead, left, right = ahead * n_particles, left * n_particles, right * n_particles
    far_left, far_right = far_left * n_particles, far_right * n_particles
    first, end = 0, 0  # entries not yet counted
    for t in range(belief.shape[2] + 1):
        last = t == belief.shape[2]
        if not last and belief[i, c, t, B_SEEN] > 0.0:
            continue
        if last or _contains(chosen, t):
            if first < end:
                n0, n1, n2, n3, n4 = _count(table, first, end, view, turns)
                ahead, left, right = ahead + n0, left + n1, right + n2
                far_left, far_right = far_left + n3, far_right + n4
            first = end + n_particles
        end += n_particles
    best, turn = ahead, 0
    if left > best:
        best, turn = left, 1
    if right > best:
        best, turn = right, -1
    if far_left > best:
        best, turn = far_left, 2
    if far_right > best:
        turn = -2
    return turn
