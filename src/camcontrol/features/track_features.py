"""The learner's observation: features of one camera's belief, in the camera's own frame.

Context, then one row per target, then one row per selectable action (camcontrol.features.layout).
"Own frame": forward is the direction of the terrain's centre, so that all corners look alike.
"""

import math

from camcontrol.control.action_set import Catalogue
from camcontrol.control.controller import (
    aim,
    in_view,
    may_select,
    selects_known,
)
from camcontrol.features.belief_features import (
    row_sizes,
    write_action_belief,
    write_context_belief,
    write_target_belief,
)
from camcontrol.features.layout import (
    ACTION_FEATURES,
    CONTEXT_FEATURES,
    GLANCE_ACTION_FEATURES,
    GLANCE_CONTEXT_FEATURES,
    GLANCE_TARGET_FEATURES,
    TARGET_FEATURES,
)
from camcontrol.tracking.relative_particles import RelativeParticles, measure
from camcontrol.tracking.track import (
    B_AGE,
    B_BEARING,
    B_DISTANCE,
    B_KNOWN,
    B_LOADED,
    B_SEEN,
    B_SPEED,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    N_SECTORS,
    P_AREA,
    P_COS,
    P_INWARD,
    P_INWARD_COS,
    P_INWARD_SIN,
    P_MAX_RANGE,
    P_PHI,
    P_RANGE,
    P_SIN,
    P_THETA,
    P_TURN,
    P_X,
    P_Y,
    P_ZOOM,
    line_clearance,
    write_bearings,
)
from camsim.arrays import Bools, Float32s, Floats
from camsim.compiled.geometry import DEG, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.layout import WAREHOUSES

_AGE_SCALE = 40.0
_SECTOR_AGE_SCALE = 60.0
_TIME_SCALE = 36.0  # frames of a half turn
_TEAM_MATES = 24  # where a target's row says how teammates stand to it


@outlined_fn
def _camera(
    pose: Floats, belief: Floats, where: tuple[int, int], clock: float, out: Float32s
) -> None:
    """Write the camera's own features but for its sectors at out[i, c, 0:]."""
    i, c = where
    ahead_x, ahead_y = pose[i, c, P_COS], pose[i, c, P_SIN]
    forward_x, forward_y = pose[i, c, P_INWARD_COS], pose[i, c, P_INWARD_SIN]
    n_known, n_seen = 0.0, 0.0
    for t in range(belief.shape[2]):
        n_known += belief[i, c, t, B_KNOWN]
        n_seen += belief[i, c, t, B_SEEN]
    out[i, c, 0] = ahead_x * forward_x + ahead_y * forward_y
    out[i, c, 1] = ahead_y * forward_x - ahead_x * forward_y
    out[i, c, 2] = pose[i, c, P_THETA] / 90.0 - 1.0
    out[i, c, 3] = pose[i, c, P_RANGE] / 1000.0 - 1.0
    out[i, c, 4] = math.sqrt(pose[i, c, P_X] ** 2 + pose[i, c, P_Y] ** 2) / 1000.0
    out[i, c, 5] = pose[i, c, P_X] / 1000.0
    out[i, c, 6] = pose[i, c, P_Y] / 1000.0
    out[i, c, 7] = n_known / belief.shape[2]
    out[i, c, 8] = n_seen / belief.shape[2]
    out[i, c, 9] = 1.0 - min(clock / 100.0, 1.0)


@outlined_fn
def _team_mates(
    obs: Floats, k: int, x: float, y: float, out: Float32s, where: tuple[int, int], n: int
) -> None:
    """Write how visible teammates stand to a point: share that sees it, two least turning times."""
    i, c = where
    n_cameras = int(obs[k])
    start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
    seeing, best, second = 0.0, 1.0, 1.0
    for j in range(n_cameras):
        m = start + 7 * j
        if j == c or obs[m + 6] == 0.0:
            continue
        dx, dy = x - obs[m], y - obs[m + 1]
        ahead_x, ahead_y = obs[m + 3], obs[m + 4]
        squared_range = ahead_x * ahead_x + ahead_y * ahead_y
        along, across = dx * ahead_x + dy * ahead_y, dy * ahead_x - dx * ahead_y
        turn = abs(math.atan2(across, along)) / DEG
        missing = max(turn - 0.5 * obs[m + 5], 0.0)
        if missing == 0.0 and dx * dx + dy * dy <= squared_range:
            seeing += 1.0
        frames = min(missing / (5.0 * _TIME_SCALE), 1.0)
        if frames < best:
            best, second = frames, best
        elif frames < second:
            second = frames
    out[i, c, n] = seeing / max(n_cameras - 1, 1)
    out[i, c, n + 1] = best
    out[i, c, n + 2] = second


@outlined_fn
def _warehouses(
    pose: Floats, belief: Floats, where: tuple[int, int], t: int, out: Float32s, n: int
) -> None:
    """Write how target t heads for each warehouse, own corner first, and the nearest distance."""
    i, c = where
    if belief[i, c, t, B_KNOWN] == 0.0:
        for m in range(5):
            out[i, c, n + m] = 0.0
        return
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    vx, vy = belief[i, c, t, B_VX], belief[i, c, t, B_VY]
    speed = math.sqrt(vx * vx + vy * vy)
    first = math.floor(wrap_deg(pose[i, c, P_INWARD] + 180.0) / 90.0) % 4  # behind the camera
    nearest = 4000.0
    for w in range(4):
        dx = WAREHOUSES[(first + w) % 4, 0] - x
        dy = WAREHOUSES[(first + w) % 4, 1] - y
        distance = math.sqrt(dx * dx + dy * dy)
        nearest = min(nearest, distance)
        heading = (dx * vx + dy * vy) / (distance * speed) if distance * speed > 0.0 else 0.0
        out[i, c, n + w] = heading
    out[i, c, n + 4] = nearest / 1000.0


@outlined_fn
def _target(
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    t: int,
    out: Float32s,
    n: int,
) -> None:
    """Write target t's features but for warehouses at out[i, c, n:] (in the order written)."""
    i, c = where
    if belief[i, c, t, B_KNOWN] == 0.0:
        for m in range(GLANCE_TARGET_FEATURES):
            out[i, c, n + m] = 0.0
        return
    x, y = belief[i, c, t, B_X], belief[i, c, t, B_Y]
    vx, vy = belief[i, c, t, B_VX], belief[i, c, t, B_VY]
    distance, bearing = belief[i, c, t, B_DISTANCE], belief[i, c, t, B_BEARING]
    turn = wrap_deg(bearing - pose[i, c, P_PHI])
    length = max(distance, 1e-9)
    ux, uy = (x - pose[i, c, P_X]) / length, (y - pose[i, c, P_Y]) / length
    ahead_x, ahead_y = pose[i, c, P_COS], pose[i, c, P_SIN]
    fx, fy = pose[i, c, P_INWARD_COS], pose[i, c, P_INWARD_SIN]
    half = 0.5 * pose[i, c, P_THETA]
    out[i, c, n] = 1.0
    out[i, c, n + 1] = belief[i, c, t, B_SEEN]
    out[i, c, n + 2] = min(belief[i, c, t, B_AGE] / _AGE_SCALE, 2.0)
    out[i, c, n + 3] = belief[i, c, t, B_LOADED]
    out[i, c, n + 4] = distance / 1000.0
    out[i, c, n + 5] = ux * ahead_x + uy * ahead_y
    out[i, c, n + 6] = uy * ahead_x - ux * ahead_y
    out[i, c, n + 7] = ux * fx + uy * fy
    out[i, c, n + 8] = uy * fx - ux * fy
    out[i, c, n + 9] = max(abs(turn) - half, 0.0) / (pose[i, c, P_TURN] * _TIME_SCALE)
    out[i, c, n + 10] = 1.0 if abs(turn) <= half else 0.0
    out[i, c, n + 11] = 1.0 if distance <= pose[i, c, P_RANGE] else 0.0
    widest = min(pose[i, c, P_AREA] / max(distance * distance, 1.0), 180.0)
    out[i, c, n + 12] = widest / 90.0
    out[i, c, n + 13] = (widest - pose[i, c, P_THETA]) / (pose[i, c, P_ZOOM] * _TIME_SCALE)
    out[i, c, n + 14] = (vx * ux + vy * uy) / 20.0
    out[i, c, n + 15] = (vy * ux - vx * uy) / 20.0
    out[i, c, n + 16] = math.sqrt(vx * vx + vy * vy) / 20.0
    out[i, c, n + 17] = (x * fx + y * fy) / 1000.0
    out[i, c, n + 18] = (y * fx - x * fy) / 1000.0

    own_x, own_y = pose[i, c, P_X], pose[i, c, P_Y]
    out[i, c, n + 19] = line_clearance(obs, k, own_x, own_y, x, y) / 100.0
    out[i, c, n + 20] = line_clearance(obs, k, own_x, own_y, x + 5 * vx, y + 5 * vy) / 100.0
    out[i, c, n + 21] = line_clearance(obs, k, own_x, own_y, x + 12 * vx, y + 12 * vy) / 100.0
    out[i, c, n + 22] = (pose[i, c, P_MAX_RANGE] - distance) / 1000.0
    out[i, c, n + 23] = belief[i, c, t, B_SPEED] / 20.0
    _team_mates(obs, k, x, y, out, where, n + _TEAM_MATES)


@outlined_fn
def _expected(
    belief: Floats,
    where: tuple[int, int],
    view: tuple[float, float, float],
    rows: tuple[int, int],
    out: Float32s,
    n: int,
) -> None:
    """Write what a view (orientation, angle, range) would hold of the known targets, at out[n:n+3].

    All of them, those not seen by a visible teammate, and those in view now; as shares. `rows`:
    start and length of the targets' rows.
    """
    i, c = where
    phi, theta, reach = view
    n_all, n_new, n_kept = 0.0, 0.0, 0.0
    n_targets = belief.shape[2]
    for t in range(n_targets):
        if in_view(belief, where, t, phi, theta, reach):
            n_all += 1.0
            n_kept += belief[i, c, t, B_SEEN]
            if out[i, c, rows[0] + rows[1] * t + _TEAM_MATES] == 0.0:
                n_new += 1.0
    out[i, c, n] = n_all / n_targets
    out[i, c, n + 1] = n_new / n_targets
    out[i, c, n + 2] = n_kept / n_targets


@device_fn
def _mean_sector_age(
    sector_ages: Floats, pose: Floats, where: tuple[int, int], phi: float, theta: float
) -> float:
    """Return the mean age of the sectors whose directions lie in a view, in [0, 1]."""
    i, c = where
    total, n = 0.0, 0.0
    for s in range(N_SECTORS):
        direction = pose[i, c, P_INWARD] + s * (360.0 / N_SECTORS)
        if 2.0 * abs(wrap_deg(direction - phi)) <= theta:
            total += min(sector_ages[i, c, s] / _SECTOR_AGE_SCALE, 1.0)
            n += 1.0
    return total / n if n > 0.0 else 0.0


@outlined_fn
def _action(
    executor: int,
    catalogue: Catalogue,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    tables: Floats,
    where: tuple[int, int],
    u: int,
    rows: tuple[int, int],
    out: Float32s,
    n: int,
    avail: Bools,
) -> tuple[float, float, tuple[float, float, float, float]]:
    """Write action u's first features at out[i, c, n:]: kind, where it points, what it would show.

    A move has no targets: its shares of the largest turn and zoom stand where the kind does. Also
    write whether the action may be selected. `tables` hold the camera's particles; `rows` are start
    and length of the targets' rows. Return the orientation and angle of the view, in degrees, and
    the view as in `camcontrol.tracking.relative_particles.count_in_view`; the angle is -1 where
    there is nothing to aim at.
    """
    i, c = where
    spread, phi, theta, direction = aim(
        executor, catalogue, pose, belief, particles, tables, where, u
    )
    n_selected = selects_known(catalogue, belief, where, u)
    avail[i, c, u] = may_select(executor, n_selected, spread, theta)
    if spread < 0.0:
        for m in range(GLANCE_ACTION_FEATURES):
            out[i, c, n + m] = 0.0
        return 0.0, -1.0, (0.0, 0.0, 0.0, 0.0)
    reach = math.sqrt(pose[i, c, P_AREA] / theta)
    turn, zoom = wrap_deg(phi - pose[i, c, P_PHI]), theta - pose[i, c, P_THETA]
    n_members = 0
    for m in range(catalogue.members.shape[1]):
        n_members += catalogue.members[u, m] >= 0
    out[i, c, n] = 1.0 if n_members == 1 else catalogue.moves[u, 0]
    out[i, c, n + 1] = 1.0 if n_members > 1 else catalogue.moves[u, 1]
    out[i, c, n + 2] = 1.0 if catalogue.search[u] >= 0 else 0.0
    out[i, c, n + 3] = turn / 180.0
    out[i, c, n + 4] = zoom / 90.0
    frames = max(abs(turn) / pose[i, c, P_TURN], abs(zoom) / pose[i, c, P_ZOOM])
    out[i, c, n + 5] = frames / _TIME_SCALE
    out[i, c, n + 6] = theta / 90.0 - 1.0
    out[i, c, n + 7] = spread / max(theta, 1.0)
    _expected(belief, where, (phi, theta, reach), rows, out, n + 8)
    return phi, theta, (direction[0], direction[1], direction[2], reach)


@outlined_fn
def write_features(
    executor: int,
    catalogue: Catalogue,
    obs: Floats,
    k: int,
    memory: tuple[Floats, Floats, Floats],
    particles: Floats,
    origins: Floats,
    relative: RelativeParticles,
    where: tuple[int, int],
    clock: float,
    out: Float32s,
    avail: Bools,
) -> None:
    """Write camera c's features out[i, c] and which actions it may select avail[i, c].

    Args:
        executor: camcontrol.control.action_set.EXECUTORS, or GRID.
        catalogue: the U selectable actions.
        obs: flat buffer of observations.
        k: offset of this camera's.
        memory: pose, belief and sector_ages (camcontrol.tracking.track).
        particles: of the particle belief (camcontrol.tracking.motion_models), or empty.
        origins: the same.
        relative: work tables (camcontrol.tracking.relative_particles), or empty.
        where: (environment, camera).
        clock: frames since the episode began.
        out: [N, C, D] features.
        avail: [N, C, U].
    """
    pose, belief, sector_ages = memory
    write_bearings(pose, belief, where)
    _camera(pose, belief, where, clock, out)
    i, c = where
    for n in range(N_SECTORS):
        out[i, c, GLANCE_CONTEXT_FEATURES + n] = min(sector_ages[i, c, n] / _SECTOR_AGE_SCALE, 1.0)
    start, target_size, action_size = row_sizes(particles)
    n_entries = write_context_belief(
        obs, k, pose, belief, particles, relative, where, out, CONTEXT_FEATURES
    )
    entry = 0
    for t in range(belief.shape[2]):
        n = start + target_size * t
        _target(obs, k, pose, belief, where, t, out, n)
        _warehouses(pose, belief, where, t, out, n + GLANCE_TARGET_FEATURES)
        n += TARGET_FEATURES
        entry = write_target_belief(
            pose, belief, particles, origins, relative, where, t, entry, out, n
        )
    rows, n = (start, target_size), start + target_size * belief.shape[2]
    for u in range(len(catalogue.search)):
        phi, theta, view = _action(
            executor,
            catalogue,
            pose,
            belief,
            particles,
            relative[0],
            where,
            u,
            rows,
            out,
            n,
            avail,
        )
        if theta < 0.0:
            for m in range(GLANCE_ACTION_FEATURES, action_size):
                out[i, c, n + m] = 0.0
        else:
            out[i, c, n + 11] = _mean_sector_age(sector_ages, pose, where, phi, theta)
            first = n + ACTION_FEATURES
            write_action_belief(particles, relative, where, n_entries, view, out, first)
        n += action_size


@outlined_fn
def write_glance(
    executor: int,
    catalogue: Catalogue,
    obs: Floats,
    k: int,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    tables: Floats,
    where: tuple[int, int],
    clock: float,
    out: Float32s,
    avail: Bools,
) -> None:
    """Write what camera c reacts to, out[i, c], and which actions it may select, avail[i, c].

    Out are those of `write_features` that `FeatureLayout.glance_columns` names, avail is the same.
    """
    write_bearings(pose, belief, where)
    _camera(pose, belief, where, clock, out)
    n = GLANCE_CONTEXT_FEATURES
    for t in range(belief.shape[2]):
        _target(obs, k, pose, belief, where, t, out, n)
        n += GLANCE_TARGET_FEATURES
    if particles.ndim == 5:  # decided when compiling
        measure(pose, belief, particles, where, tables[where[0]])
    rows = (GLANCE_CONTEXT_FEATURES, GLANCE_TARGET_FEATURES)
    i, c = where
    for u in range(len(catalogue.search)):
        if catalogue.search[u] >= 0:
            avail[i, c, u] = True
        else:
            _action(
                executor, catalogue, pose, belief, particles, tables, where, u, rows, out, n, avail
            )
            n += GLANCE_ACTION_FEATURES
