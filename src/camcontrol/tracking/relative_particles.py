"""The particles of unseen targets from one camera's place: a work table to count what views hold.

A table has P entries for each unseen target, in the targets' order: E in all. One entry for each
target in view follows, for all its particles are where it is. A table is written anew for every
camera and frame.
"""

import math

import numpy as np

from camcontrol.tracking.motion_models import Q_STEP, Q_X, Q_Y, STEP_HEAVY, set_of
from camcontrol.tracking.track import B_DISTANCE, B_KNOWN, B_SEEN, B_X, B_Y, P_X, P_Y
from camsim.arrays import Floats, Ints
from camsim.compiled.geometry import DEG
from camsim.compiled.jit import device_fn, outlined_fn

# Rows of a table [RELATIVE_ROWS, E]: from the camera to a particle, in units.
R_DX, R_DY, R_DISTANCE = 0, 1, 2
R_UX, R_UY = 3, 4  # the unit vector
RELATIVE_ROWS = 5

# Five counters stand in one integer, of 12 bits each: one sum counts five kinds at once.
COUNTER_BITS = 12
COUNTER_MAX = (1 << COUNTER_BITS) - 1  # entries that a sum has room for
ANY, UNOBSERVED, UNKNOWN, OWN, SLOW = (1 << (COUNTER_BITS * n) for n in range(5))
"""Marks: every particle; in no visible teammate's view; of an unknown target; in the camera's own
quadrant of the terrain; slow."""

Counts = tuple[int, int, int, int, int]

RelativeParticles = tuple[Floats, Ints]
"""Tables [N, RELATIVE_ROWS, T * P] and marks [N, T * P]; empty without a particle belief."""


@device_fn
def add_counters(counts: Counts, total: int) -> Counts:
    """Return `counts` and the five counters in `total` added up."""
    n0, n1, n2, n3, n4 = counts
    return (
        n0 + (total & COUNTER_MAX),
        n1 + ((total >> COUNTER_BITS) & COUNTER_MAX),
        n2 + ((total >> 2 * COUNTER_BITS) & COUNTER_MAX),
        n3 + ((total >> 3 * COUNTER_BITS) & COUNTER_MAX),
        n4 + ((total >> 4 * COUNTER_BITS) & COUNTER_MAX),
    )


@outlined_fn
def measure(
    pose: Floats, belief: Floats, particles: Floats, where: tuple[int, int], table: Floats
) -> int:
    """Write the first three rows of a camera's table; return E, of the unseen targets' entries."""
    i, c = where
    m = set_of(particles, c)
    x, y, n = pose[i, c, P_X], pose[i, c, P_Y], particles.shape[4]
    first = 0
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            continue
        particle_set = particles[i, m, t]
        for p in range(n):
            dx, dy = particle_set[Q_X, p] - x, particle_set[Q_Y, p] - y
            entry = np.uint64(first + p)  # unsigned indices never count from an array's end
            table[R_DX, entry], table[R_DY, entry] = dx, dy
            table[R_DISTANCE, entry] = math.sqrt(dx * dx + dy * dy)
        first += n
    last = first
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            dx, dy = belief[i, c, t, B_X] - x, belief[i, c, t, B_Y] - y
            table[R_DX, last], table[R_DY, last] = dx, dy
            table[R_DISTANCE, last] = belief[i, c, t, B_DISTANCE]
            last += 1
    return first


@outlined_fn
def _mark_observed(
    obs: Floats, j: int, table: Floats, n_entries: int, place: tuple[float, float], marks: Ints
) -> None:
    """Take the mark `UNOBSERVED` from what the teammate with public state at obs[j:] has in view.

    `place`: of the camera whose table it is.
    """
    ahead_x, ahead_y = obs[j + 3], obs[j + 4]
    squared_range = ahead_x * ahead_x + ahead_y * ahead_y
    limit = math.cos(0.5 * obs[j + 5] * DEG) * math.sqrt(squared_range)
    x, y = obs[j] - place[0], obs[j + 1] - place[1]
    for p in range(n_entries):
        ux, uy = table[R_DX, p] - x, table[R_DY, p] - y
        squared = ux * ux + uy * uy
        ahead = ux * ahead_x + uy * ahead_y >= limit * math.sqrt(squared)
        seen = ahead & (squared <= squared_range)
        marks[p] &= ~(UNOBSERVED * int(seen))


@outlined_fn
def measure_and_mark(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    where: tuple[int, int],
    table: Floats,
    marks: Ints,
) -> int:
    """Write a camera's table and marks; return E, of the unseen targets' entries.

    `obs`: flat buffer of observations; the camera's is at offset `k`.
    """
    i, c = where
    m, n = set_of(particles, c), particles.shape[4]
    n_entries = measure(pose, belief, particles, where, table)
    for p in range(n_entries):
        distance = max(table[R_DISTANCE, p], 1e-9)
        table[R_UX, p] = table[R_DX, p] / distance
        table[R_UY, p] = table[R_DY, p] / distance
    side_x = 1.0 if pose[i, c, P_X] >= 0.0 else -1.0
    side_y = 1.0 if pose[i, c, P_Y] >= 0.0 else -1.0
    first = 0
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            continue
        particle_set = particles[i, m, t]
        of_all = ANY + UNOBSERVED + (UNKNOWN if belief[i, c, t, B_KNOWN] == 0.0 else 0)
        for p in range(n):
            at_home = (particle_set[Q_X, p] * side_x > 0.0) & (particle_set[Q_Y, p] * side_y > 0.0)
            own = OWN if at_home else 0
            slow = SLOW if particle_set[Q_STEP, p] == STEP_HEAVY else 0
            marks[np.uint64(first + p)] = of_all + own + slow
        first += n
    start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
    for j in range(int(obs[k])):
        if j != c and obs[start + 7 * j + 6] > 0.0:
            place = (pose[i, c, P_X], pose[i, c, P_Y])
            _mark_observed(obs, start + 7 * j, table, n_entries, place, marks)
    return n_entries


@outlined_fn
def count_in_view(
    table: Floats, marks: Ints, n_entries: int, view: tuple[float, float, float, float]
) -> Counts:
    """Return how many particles in a view have each mark, in the order of the marks' names.

    `view`: cosine and sine of its orientation, cosine of half its angle, range in units.
    """
    cos, sin, limit, reach = view
    counts = (0, 0, 0, 0, 0)
    for first in range(0, n_entries, COUNTER_MAX):
        total = 0
        for p in range(min(n_entries - first, COUNTER_MAX)):
            entry = np.uint64(first + p)
            ahead = table[R_UX, entry] * cos + table[R_UY, entry] * sin >= limit
            total += marks[entry] & -int(ahead & (table[R_DISTANCE, entry] <= reach))
        counts = add_counters(counts, total)
    return counts


def allocate_relative_particles(n_envs: int, n_targets: int, n_particles: int) -> RelativeParticles:
    """Return zeroed tables of `n_particles` P per target; empty ones if that is 0."""
    if n_particles == 0:
        return np.zeros(0), np.zeros(0, np.int64)
    n_entries = n_targets * n_particles
    return np.zeros((n_envs, RELATIVE_ROWS, n_entries)), np.zeros((n_envs, n_entries), np.int64)
