"""What the particle belief adds to the learner's features: where unseen targets are expected.

A mass is the expected number of unseen targets in a view, as a share of all targets. It counts
particles by direction and distance; it neglects obstacles in between.
"""

import math

import numpy as np

from camcontrol.control.controller import search_pose
from camcontrol.features.layout import (
    ACTION_FEATURES,
    BELIEF_ACTION_FEATURES,
    BELIEF_CONTEXT_FEATURES,
    BELIEF_TARGET_FEATURES,
    CONTEXT_FEATURES,
    TARGET_FEATURES,
)
from camcontrol.tracking.motion_models import (
    Q_DISTANCE,
    Q_GOAL,
    Q_IN_TEAM_VIEW,
    Q_RANDOM_WALK,
    Q_STEP,
    Q_UX,
    Q_UY,
    Q_X,
    Q_Y,
    STEP_HEAVY,
    goal_weights,
    heaviness,
)
from camcontrol.tracking.track import (
    B_KNOWN,
    B_SEEN,
    P_AREA,
    P_INWARD,
    P_PHI,
    P_RANGE,
    P_THETA,
    P_X,
    P_Y,
)
from camsim.arrays import Float32s, Floats
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
def _mark_in_team_view(
    obs: Floats, belief: Floats, particles: Floats, where: tuple[int, int], j: int
) -> None:
    """Mark unseen targets' particles in the view of the teammate with public state at obs[j:]."""
    i, c = where
    squared_range = obs[j + 3] * obs[j + 3] + obs[j + 4] * obs[j + 4]
    limit = math.cos(0.5 * obs[j + 5] * DEG) * math.sqrt(squared_range)
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            continue
        for p in range(particles.shape[4]):
            ux = particles[i, c, t, Q_X, p] - obs[j]
            uy = particles[i, c, t, Q_Y, p] - obs[j + 1]
            squared = ux * ux + uy * uy
            along = ux * obs[j + 3] + uy * obs[j + 4]
            if squared <= squared_range and along >= limit * math.sqrt(squared):
                particles[i, c, t, Q_IN_TEAM_VIEW, p] = 1.0


@outlined_fn
def _measure(
    obs: Floats, k: int, pose: Floats, belief: Floats, particles: Floats, where: tuple[int, int]
) -> None:
    """Fill the rows of all particles that depend on the poses of the camera and its teammates."""
    i, c = where
    for t in range(particles.shape[2]):
        for p in range(particles.shape[4]):
            dx = particles[i, c, t, Q_X, p] - pose[i, c, P_X]
            dy = particles[i, c, t, Q_Y, p] - pose[i, c, P_Y]
            distance = max(math.sqrt(dx * dx + dy * dy), 1e-9)
            particles[i, c, t, Q_UX, p] = dx / distance
            particles[i, c, t, Q_UY, p] = dy / distance
            particles[i, c, t, Q_DISTANCE, p] = distance
            particles[i, c, t, Q_IN_TEAM_VIEW, p] = 0.0
    start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
    for n in range(int(obs[k])):
        if n != c and obs[start + 7 * n + 6] > 0.0:
            _mark_in_team_view(obs, belief, particles, where, start + 7 * n)


@outlined_fn
def view_mass(
    pose: Floats,
    belief: Floats,
    particles: Floats,
    where: tuple[int, int],
    view: tuple[float, float, float],
) -> tuple[float, float, float, float, float]:
    """Return masses in a view (degrees, degrees, units), from particles after `_measure`.

    Of all particles; of those in no visible teammate's view; of unknown targets; of those in the
    camera's own quadrant of the terrain; of slow ones.
    """
    i, c = where
    phi, theta, reach = view
    cos, sin, limit = math.cos(phi * DEG), math.sin(phi * DEG), math.cos(0.5 * theta * DEG)
    side_x = 1.0 if pose[i, c, P_X] >= 0.0 else -1.0
    side_y = 1.0 if pose[i, c, P_Y] >= 0.0 else -1.0
    total, unobserved, unknown, own, slow = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(particles.shape[2]):
        if belief[i, c, t, B_SEEN] > 0.0:
            continue
        before = total
        for p in range(particles.shape[4]):
            along = particles[i, c, t, Q_UX, p] * cos + particles[i, c, t, Q_UY, p] * sin
            if along >= limit and particles[i, c, t, Q_DISTANCE, p] <= reach:
                total += 1.0
                unobserved += 1.0 - particles[i, c, t, Q_IN_TEAM_VIEW, p]
                at_home = particles[i, c, t, Q_X, p] * side_x > 0.0
                own += at_home and particles[i, c, t, Q_Y, p] * side_y > 0.0
                slow += particles[i, c, t, Q_STEP, p] == STEP_HEAVY
        unknown += (1.0 - belief[i, c, t, B_KNOWN]) * (total - before)
    scale = 1.0 / (particles.shape[2] * particles.shape[4])
    return total * scale, unobserved * scale, unknown * scale, own * scale, slow * scale


@outlined_fn
def _action(
    pose: Floats,
    belief: Floats,
    particles: Floats,
    where: tuple[int, int],
    view: tuple[float, float, float],
    out: Float32s,
    n: int,
) -> None:
    """Write the masses in an action's view at out[i, c, n:n+5]."""
    i, c = where
    total, unobserved, unknown, own, slow = view_mass(pose, belief, particles, where, view)
    out[i, c, n] = total
    out[i, c, n + 1] = unobserved
    out[i, c, n + 2] = unknown
    out[i, c, n + 3] = own
    out[i, c, n + 4] = slow


@outlined_fn
def _context(
    pose: Floats, belief: Floats, particles: Floats, where: tuple[int, int], out: Float32s, n: int
) -> None:
    """Write the masses in the views of the first 16 search actions at out[i, c, n:n+16]."""
    i, c = where
    for search in range(BELIEF_CONTEXT_FEATURES):
        phi, theta = search_pose(pose[i, c, P_INWARD], search)
        view = (phi, theta, math.sqrt(pose[i, c, P_AREA] / theta))
        out[i, c, n + search] = view_mass(pose, belief, particles, where, view)[0]


@outlined_fn
def _goals(
    belief: Floats,
    particles: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    first: int,
    out: Float32s,
    n: int,
) -> None:
    """Write the probability of each goal, own corner first, and of a heavy target."""
    i, c = where
    if belief[i, c, t, B_SEEN] > 0.0:  # its particles have no goals yet
        w = goal_weights(belief, origins, i, c, t)
        for m in range(4):
            out[i, c, n + m] = w[(first + m) % 4]
        out[i, c, n + 4] = heaviness(belief, i, c, t)
        return
    share = 1.0 / (particles.shape[4] - np.sum(particles[i, c, t, Q_RANDOM_WALK]))
    for m in range(5):
        out[i, c, n + m] = 0.0
    for p in range(particles.shape[4]):
        if particles[i, c, t, Q_RANDOM_WALK, p] > 0.0:
            continue
        out[i, c, n + (int(particles[i, c, t, Q_GOAL, p]) - first) % 4] += share
        out[i, c, n + 4] += share * (particles[i, c, t, Q_STEP, p] == STEP_HEAVY)


@outlined_fn
def _target(
    pose: Floats,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    out: Float32s,
    n: int,
) -> None:
    """Write the features of target t's particle set at out[i, c, n:n+18].

    1; mean position; spread; mean direction from the optical axis; mean distance; shares in view
    and in range; shares of the quadrants, own first; goals, own first; heavy.
    """
    i, c = where
    forward = pose[i, c, P_INWARD]
    first = math.floor(wrap_deg(forward + 180.0) / 90.0) % 4  # behind the camera
    share = 1.0 / particles.shape[4]
    fx, fy = math.cos(forward * DEG), math.sin(forward * DEG)
    ax, ay = math.cos(pose[i, c, P_PHI] * DEG), math.sin(pose[i, c, P_PHI] * DEG)
    limit, reach = math.cos(0.5 * pose[i, c, P_THETA] * DEG), pose[i, c, P_RANGE]
    for m in range(BELIEF_TARGET_FEATURES):
        out[i, c, n + m] = 0.0
    x, y, squares, ux, uy, distance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for p in range(particles.shape[4]):
        px, py = particles[i, c, t, Q_X, p], particles[i, c, t, Q_Y, p]
        x, y, squares = x + share * px, y + share * py, squares + share * (px * px + py * py)
        qx, qy = particles[i, c, t, Q_UX, p], particles[i, c, t, Q_UY, p]
        ux, uy = ux + share * qx, uy + share * qy
        distance += share * particles[i, c, t, Q_DISTANCE, p]
        in_range = particles[i, c, t, Q_DISTANCE, p] <= reach
        out[i, c, n + 7] += share * (in_range and qx * ax + qy * ay >= limit)
        out[i, c, n + 8] += share * in_range
        quadrant = (0 if px >= 0.0 else 1) if py >= 0.0 else (2 if px < 0.0 else 3)
        out[i, c, n + 9 + (quadrant - first) % 4] += share
    out[i, c, n] = 1.0
    out[i, c, n + 1] = (x * fx + y * fy) / 1000.0
    out[i, c, n + 2] = (y * fx - x * fy) / 1000.0
    out[i, c, n + 3] = math.sqrt(max(squares - x * x - y * y, 0.0)) / 1000.0
    out[i, c, n + 4] = ux * ax + uy * ay
    out[i, c, n + 5] = uy * ax - ux * ay
    out[i, c, n + 6] = distance / 1000.0
    _goals(belief, particles, origins, where, t, first, out, n + 13)


@device_fn
def write_context_belief(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    where: tuple[int, int],
    out: Float32s,
    n: int,
) -> None:
    """Write the context's part at out[i, c, n:], if there are particles; before the other two."""
    if particles.ndim == 5:
        _measure(obs, k, pose, belief, particles, where)
        _context(pose, belief, particles, where, out, n)


@device_fn
def write_target_belief(
    pose: Floats,
    belief: Floats,
    particles: Floats,
    origins: Floats,
    where: tuple[int, int],
    t: int,
    out: Float32s,
    n: int,
) -> None:
    """Write target t's part at out[i, c, n:], if there are particles."""
    if particles.ndim == 5:
        _target(pose, belief, particles, origins, where, t, out, n)


@device_fn
def write_action_belief(
    pose: Floats,
    belief: Floats,
    particles: Floats,
    where: tuple[int, int],
    view: tuple[float, float, float],
    out: Float32s,
    n: int,
) -> None:
    """Write the part of an action with a view (degrees, degrees, units), if there are particles."""
    if particles.ndim == 5:
        _action(pose, belief, particles, where, view, out, n)
