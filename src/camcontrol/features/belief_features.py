"""What the particle belief adds to the learner's features: where unseen targets are expected.

A mass is the expected number of unseen targets in a view, as a share of all targets. It counts
particles by direction and distance; it neglects obstacles in between.
"""

import math

import numpy as np

from camcontrol.control.controller import search_direction, search_pose
from camcontrol.features.layout import (
    ACTION_FEATURES,
    BELIEF_ACTION_FEATURES,
    BELIEF_CONTEXT_FEATURES,
    BELIEF_TARGET_FEATURES,
    CONTEXT_FEATURES,
    TARGET_FEATURES,
)
from camcontrol.tracking.motion_models import (
    Q_GOAL,
    Q_RANDOM_WALK,
    Q_STEP,
    Q_X,
    Q_Y,
    STEP_HEAVY,
    goal_weights,
    heaviness,
    set_of,
)
from camcontrol.tracking.relative_particles import (
    R_DISTANCE,
    R_UX,
    R_UY,
    RelativeParticles,
    count_in_view,
    measure_and_mark,
)
from camcontrol.tracking.track import (
    B_DISTANCE,
    B_SEEN,
    B_X,
    B_Y,
    P_AREA,
    P_COS,
    P_INWARD,
    P_INWARD_COS,
    P_INWARD_SIN,
    P_RANGE,
    P_SIN,
    P_THETA,
    P_X,
    P_Y,
)
from camsim.arrays import Float32s, Floats, Ints
from camsim.compiled.geometry import DEG, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn


@device_fn
def row_sizes(particles: Floats) -> tuple[int, int, int]:
    """Return the lengths of context, target and action rows."""
    if particles.ndim == 5:  # decided when compiling, here and below
        return (
            CONTEXT_FEATURES + BELIEF_CONTEXT_FEATURES,
            TARGET_FEATURES + BELIEF_TARGET_FEATURES,
            ACTION_FEATURES + BELIEF_ACTION_FEATURES,
        )
    return CONTEXT_FEATURES, TARGET_FEATURES, ACTION_FEATURES


@device_fn
def _first_corner(pose: Floats, i: int, c: int) -> int:
    """Return the warehouse, or quadrant, behind the camera: its own."""
    return math.floor(wrap_deg(pose[i, c, P_INWARD] + 180.0) / 90.0) % 4


@device_fn
def _quadrant(x: float, y: float) -> int:
    """Return the quadrant of the terrain that a position lies in."""
    return (0 if x >= 0.0 else 1) if y >= 0.0 else (2 if x < 0.0 else 3)


@outlined_fn
def _context(
    pose: Floats,
    where: tuple[int, int],
    table: Floats,
    marks: Ints,
    n_entries: int,
    share: float,
    out: Float32s,
    n: int,
) -> None:
    """Write the masses in the views of the first 16 search actions at out[i, c, n:n+16]."""
    i, c = where
    for search in range(BELIEF_CONTEXT_FEATURES):
        _, theta = search_pose(pose[i, c, P_INWARD], search)
        cos, sin, limit = search_direction(pose, i, c, search)
        view = (cos, sin, limit, math.sqrt(pose[i, c, P_AREA] / theta))
        out[i, c, n + search] = share * count_in_view(table, marks, n_entries, view)[0]


@outlined_fn
def _write_goals(
    particle_set: Floats, where: tuple[int, int], first: int, out: Float32s, n: int
) -> None:
    """Write the shares of goal-directed particles with each goal, and of heavy ones."""
    i, c = where
    n_directed, n_heavy, n0, n1, n2, n3 = 0, 0, 0, 0, 0, 0
    for p in range(particle_set.shape[1]):
        directed, goal = particle_set[Q_RANDOM_WALK, p] == 0.0, particle_set[Q_GOAL, p]
        n_directed += directed
        n_heavy += directed & (particle_set[Q_STEP, p] == STEP_HEAVY)
        n0 += directed & (goal == 0.0)
        n1 += directed & (goal == 1.0)
        n2 += directed & (goal == 2.0)
        n3 += directed & (goal == 3.0)
    share = 1.0 / n_directed
    counts = (n0, n1, n2, n3)
    for m in range(4):
        out[i, c, n + m] = share * counts[(first + m) % 4]
    out[i, c, n + 4] = share * n_heavy


@outlined_fn
def _unseen_target(
    pose: Floats,
    particle_set: Floats,
    table: Floats,
    where: tuple[int, int],
    entry: int,
    out: Float32s,
    n: int,
) -> None:
    """Write the features of a target out of view, whose table begins at `entry`."""
    i, c = where
    ahead_x, ahead_y = pose[i, c, P_COS], pose[i, c, P_SIN]
    limit, reach = math.cos(0.5 * pose[i, c, P_THETA] * DEG), pose[i, c, P_RANGE]
    n_particles = particle_set.shape[1]
    x, y, squares, ux, uy, distance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for p in range(n_particles):
        px, py = particle_set[Q_X, p], particle_set[Q_Y, p]
        x, y, squares = x + px, y + py, squares + (px * px + py * py)
        at = np.uint64(entry + p)
        ux, uy, distance = (
            ux + table[R_UX, at],
            uy + table[R_UY, at],
            distance + table[R_DISTANCE, at],
        )
    n_in_range, n_in_view, n_right, n_upper, n_upper_right = 0, 0, 0, 0, 0
    for p in range(n_particles):
        at = np.uint64(entry + p)
        along = table[R_UX, at] * ahead_x + table[R_UY, at] * ahead_y
        in_range = table[R_DISTANCE, at] <= reach
        right, upper = particle_set[Q_X, p] >= 0.0, particle_set[Q_Y, p] >= 0.0
        n_in_range += in_range
        n_in_view += in_range & (along >= limit)
        n_right += right
        n_upper += upper
        n_upper_right += right & upper
    share = 1.0 / n_particles
    x, y, squares = x * share, y * share, squares * share
    ux, uy, distance = ux * share, uy * share, distance * share
    spread = math.sqrt(max(squares - x * x - y * y, 0.0))
    _write_place(pose, where, (x, y), spread, (ux, uy), distance, out, n)
    out[i, c, n + 7] = share * n_in_view
    out[i, c, n + 8] = share * n_in_range
    n_upper_left, n_lower_right = n_upper - n_upper_right, n_right - n_upper_right
    n_lower_left = n_particles - n_upper - n_lower_right
    counts = (n_upper_right, n_upper_left, n_lower_left, n_lower_right)
    first = _first_corner(pose, i, c)
    for m in range(4):
        out[i, c, n + 9 + m] = share * counts[(first + m) % 4]
    _write_goals(particle_set, where, first, out, n + 13)


@device_fn
def _write_place(
    pose: Floats,
    where: tuple[int, int],
    place: tuple[float, float],
    spread: float,
    direction: tuple[float, float],
    distance: float,
    out: Float32s,
    n: int,
) -> None:
    """Write the first seven features of a target."""
    i, c = where
    forward_x, forward_y = pose[i, c, P_INWARD_COS], pose[i, c, P_INWARD_SIN]
    ahead_x, ahead_y = pose[i, c, P_COS], pose[i, c, P_SIN]
    out[i, c, n] = 1.0
    out[i, c, n + 1] = (place[0] * forward_x + place[1] * forward_y) / 1000.0
    out[i, c, n + 2] = (place[1] * forward_x - place[0] * forward_y) / 1000.0
    out[i, c, n + 3] = spread / 1000.0
    out[i, c, n + 4] = direction[0] * ahead_x + direction[1] * ahead_y
    out[i, c, n + 5] = direction[1] * ahead_x - direction[0] * ahead_y
    out[i, c, n + 6] = distance / 1000.0


@outlined_fn
def _seen_target(
    pose: Floats,
    belief: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    out: Float32s,
    n: int,
) -> None:
    """Write the features of a target in view: all its particles are where it is."""
    i, c = where
    x, y, distance = belief[i, c, t, B_X], belief[i, c, t, B_Y], belief[i, c, t, B_DISTANCE]
    length = max(distance, 1e-9)
    ux, uy = (x - pose[i, c, P_X]) / length, (y - pose[i, c, P_Y]) / length
    _write_place(pose, where, (x, y), 0.0, (ux, uy), distance, out, n)
    along = ux * pose[i, c, P_COS] + uy * pose[i, c, P_SIN]
    in_range = distance <= pose[i, c, P_RANGE]
    in_view = in_range and along >= math.cos(0.5 * pose[i, c, P_THETA] * DEG)
    out[i, c, n + 7] = 1.0 if in_view else 0.0
    out[i, c, n + 8] = 1.0 if in_range else 0.0
    first = _first_corner(pose, i, c)
    own = (_quadrant(x, y) - first) % 4
    weights = goal_weights(belief, origins, i, c, t)  # its particles have no goals yet
    for m in range(4):
        out[i, c, n + 9 + m] = 1.0 if m == own else 0.0
        out[i, c, n + 13 + m] = weights[(first + m) % 4]
    out[i, c, n + 17] = heaviness(belief, i, c, t)


@device_fn
def write_context_belief(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    relative: RelativeParticles,
    where: tuple[int, int],
    out: Float32s,
    n: int,
) -> int:
    """Write the context's part at out[i, c, n:], if there are particles; before the other two.

    Measures the camera's particles; returns the number of entries in its table.
    """
    if particles.ndim == 5:
        table, marks = relative[0][where[0]], relative[1][where[0]]
        n_entries = measure_and_mark(obs, k, pose, belief, particles, where, table, marks)
        share = 1.0 / (particles.shape[2] * particles.shape[4])
        _context(pose, where, table, marks, n_entries, share, out, n)
        return n_entries
    return 0


@device_fn
def write_target_belief(
    pose: Floats,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    relative: RelativeParticles,
    where: tuple[int, int],
    t: int,
    entry: int,
    out: Float32s,
    n: int,
) -> int:
    """Write target t's part at out[i, c, n:n+18], if there are particles.

    1; mean position; spread; mean direction from the optical axis; mean distance; shares in view
    and in range; shares of the quadrants, own first; goals, own first; heavy. `entry`: where the
    target begins in the table, if it is not in view; returns where the next one does.
    """
    if particles.ndim == 5:
        i, c = where
        if belief[i, c, t, B_SEEN] > 0.0:
            _seen_target(pose, belief, origins, where, t, out, n)
            return entry
        particle_set = particles[i, set_of(particles, c), t]
        _unseen_target(pose, particle_set, relative[0][i], where, entry, out, n)
        return int(entry + particles.shape[4])
    return 0


@device_fn
def write_action_belief(
    particles: Floats,
    relative: RelativeParticles,
    where: tuple[int, int],
    n_entries: int,
    view: tuple[float, float, float, float],
    out: Float32s,
    n: int,
) -> None:
    """Write the masses in an action's view at out[i, c, n:n+5], if there are particles.

    Of all particles; of those in no visible teammate's view; of unknown targets; of those in the
    camera's own quadrant of the terrain; of slow ones. `view` as in
    `camcontrol.tracking.relative_particles.count_in_view`.
    """
    if particles.ndim == 5:
        i, c = where
        share = 1.0 / (particles.shape[2] * particles.shape[4])
        counts = count_in_view(relative[0][i], relative[1][i], n_entries, view)
        for m in range(BELIEF_ACTION_FEATURES):
            out[i, c, n + m] = share * counts[m]
