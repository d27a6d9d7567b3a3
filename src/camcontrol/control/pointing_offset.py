"""Pointing offset: a view wider than its targets need turns to where more targets are expected."""

import numpy as np

from camcontrol.tracking.relative_particles import (
    COUNTER_BITS,
    COUNTER_MAX,
    R_DISTANCE,
    R_DX,
    R_DY,
    Counts,
    add_counters,
)
from camcontrol.tracking.track import B_SEEN
from camsim.arrays import Floats, Ints
from camsim.compiled.jit import device_fn, outlined_fn


@outlined_fn
def _count(
    table: Floats,
    first: int,
    n_entries: int,
    view: tuple[float, float, float, float],
    turns: tuple[float, float, float, float],
) -> Counts:
    """Return how many entries from `first` on lie ahead, left, right, far left and far right.

    That is, in the view, and in the same view after each of four turns. `view`: cosine and sine of
    its orientation, cosine of half its angle, range. `turns`: cosine and sine of half the largest
    turn, then of the whole.
    """
    cos, sin, limit, reach = view
    counts = (0, 0, 0, 0, 0)
    for begin in range(0, n_entries, COUNTER_MAX):
        total = 0
        for p in range(min(n_entries - begin, COUNTER_MAX)):
            entry = np.uint64(first + begin + p)
            dx, dy, distance = table[R_DX, entry], table[R_DY, entry], table[R_DISTANCE, entry]
            along, across = dx * cos + dy * sin, dy * cos - dx * sin
            least = limit * distance if distance <= reach else 9e9  # more than along can be
            near, far = across * turns[1], across * turns[3]
            total += int(along >= least)
            total += int(along * turns[0] + near >= least) << COUNTER_BITS
            total += int(along * turns[0] - near >= least) << 2 * COUNTER_BITS
            total += int(along * turns[2] + far >= least) << 3 * COUNTER_BITS
            total += int(along * turns[2] - far >= least) << 4 * COUNTER_BITS
        counts = add_counters(counts, total)
    return counts


@device_fn
def _weighted(counts: Counts, more: Counts, weight: int) -> Counts:
    """Return `counts` plus `weight` times `more`."""
    return (
        counts[0] + weight * more[0],
        counts[1] + weight * more[1],
        counts[2] + weight * more[2],
        counts[3] + weight * more[3],
        counts[4] + weight * more[4],
    )


@device_fn
def _entries_of(
    belief: Floats, where: tuple[int, int], t: int, n_particles: int, n_entries: int
) -> tuple[int, int, int]:
    """Return where target t begins in the table, how many entries it has, and particles in each."""
    i, c = where
    n_seen = 0
    for other in range(t):
        n_seen += belief[i, c, other, B_SEEN] > 0.0
    if belief[i, c, t, B_SEEN] > 0.0:
        return n_entries + n_seen, 1, n_particles
    return (t - n_seen) * n_particles, n_particles, 1


@device_fn
def pointing_offset(
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
    n_targets, n_seen = belief.shape[2], 0
    for t in range(n_targets):
        n_seen += belief[i, c, t, B_SEEN] > 0.0
    n_entries = (n_targets - n_seen) * n_particles
    counts = _count(table, 0, n_entries, view, turns)
    counts = _weighted(counts, _count(table, n_entries, n_seen, view, turns), n_particles)
    for m in range(len(chosen)):
        if chosen[m] >= 0:
            first, n, weight = _entries_of(belief, where, chosen[m], n_particles, n_entries)
            counts = _weighted(counts, _count(table, first, n, view, turns), -weight)
    ahead, left, right, far_left, far_right = counts
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
