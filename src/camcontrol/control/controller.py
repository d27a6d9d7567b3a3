"""From a chosen action to pan and zoom: the wanted pose (aim), one frame's motion (execute).

Also which actions may be chosen, since that depends on what one view can hold (world 12 and 9.6).
"""

import math

from camcontrol.control.action_set import (
    GRID,
    LEAD,
    SEARCH_BEARINGS,
    SEARCH_VIEWS_DEG,
    UPSTREAM,
    Catalogue,
)
from camcontrol.control.pointing_offset import pointing_offset
from camcontrol.tracking.relative_particles import measure
from camcontrol.tracking.track import (
    B_BEARING,
    B_DISTANCE,
    B_KNOWN,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    P_AREA,
    P_INWARD,
    P_INWARD_COS,
    P_INWARD_SIN,
    P_MAX_RANGE,
    P_PHI,
    P_THETA,
    P_TURN,
    P_X,
    P_Y,
    P_ZOOM,
)
from camsim.arrays import Floats, Ints
from camsim.compiled.geometry import DEG, bearing_deg, wrap_deg, zoom_for_distance_deg
from camsim.compiled.jit import device_fn, outlined_fn

LEAD_FRAMES = 3  # how far ahead of its targets the executor `lead` aims
_RANGE_SHARE, _RANGE_MARGIN = 1.08, 30.0  # how far past the farthest target the view must reach
_FIT_MARGIN_DEG = 2.0
_OFFSET_MARGIN_DEG = 14.0  # from a chosen target to the edge of a view with an offset
_SEARCH_OFFSET_DEG = 20.0  # largest pointing offset of a search action

_HALF_SEARCH_OFFSET = (
    math.cos(0.5 * _SEARCH_OFFSET_DEG * DEG),
    math.sin(0.5 * _SEARCH_OFFSET_DEG * DEG),
)
_SEARCH_ANGLES = tuple(n * (2.0 * math.pi / SEARCH_BEARINGS) for n in range(SEARCH_BEARINGS))
_SEARCH_COS = tuple(math.cos(angle) for angle in _SEARCH_ANGLES)
_SEARCH_SIN = tuple(math.sin(angle) for angle in _SEARCH_ANGLES)
_SEARCH_LIMIT = tuple(math.cos(0.5 * view * DEG) for view in SEARCH_VIEWS_DEG)


@outlined_fn
def _aim_upstream(
    pose: Floats, belief: Floats, members: Ints, i: int, c: int, u: int
) -> tuple[float, float, float]:
    """MATE's rule: turn to the centroid of the chosen targets it knows, zoom to the incentre."""
    n, x, y = 0, 0.0, 0.0
    for m in range(members.shape[1]):
        t = members[u, m]
        if t >= 0 and belief[i, c, t, B_KNOWN] > 0.0:
            n += 1
            x += belief[i, c, t, B_X]
            y += belief[i, c, t, B_Y]
    if n == 0:
        return -1.0, 0.0, 0.0
    dx, dy = x / n - pose[i, c, P_X], y / n - pose[i, c, P_Y]
    area, max_range = pose[i, c, P_AREA], pose[i, c, P_MAX_RANGE]
    theta_min = area / (max_range * max_range)
    theta = zoom_for_distance_deg(math.sqrt(dx * dx + dy * dy), theta_min, max_range, area)
    return 0.0, bearing_deg(dx, dy), theta


@device_fn
def widest_view(pose: Floats, i: int, c: int, distance: float) -> float:
    """Return the widest viewing angle of camera c, degrees, that reaches well past `distance`."""
    return reaching_view(pose[i, c, P_AREA], pose[i, c, P_MAX_RANGE], distance)


@device_fn
def reaching_view(area: float, max_range: float, distance: float) -> float:
    """Return the same as `widest_view` for a camera of that area and largest range."""
    reach = _RANGE_SHARE * distance + _RANGE_MARGIN
    return float(min(max(area / (reach * reach), area / (max_range * max_range)), 180.0))


@outlined_fn
def _aim_lead(
    pose: Floats, belief: Floats, members: Ints, i: int, c: int, u: int
) -> tuple[float, float, float]:
    """Aim ahead at the bisector of the chosen targets, with the widest view that still reaches."""
    first, low, high, farthest, n = 0.0, 0.0, 0.0, 0.0, 0
    for m in range(members.shape[1]):
        t = members[u, m]
        if t < 0 or belief[i, c, t, B_KNOWN] == 0.0:
            continue
        dx = belief[i, c, t, B_X] + LEAD_FRAMES * belief[i, c, t, B_VX] - pose[i, c, P_X]
        dy = belief[i, c, t, B_Y] + LEAD_FRAMES * belief[i, c, t, B_VY] - pose[i, c, P_Y]
        bearing = bearing_deg(dx, dy)
        farthest = max(farthest, math.sqrt(dx * dx + dy * dy), belief[i, c, t, B_DISTANCE])
        if n == 0:
            first = bearing
        else:
            offset = wrap_deg(bearing - first)
            low, high = min(low, offset), max(high, offset)
        n += 1
    if n == 0:
        return -1.0, 0.0, 0.0
    theta = widest_view(pose, i, c, farthest)
    return high - low, wrap_deg(first + 0.5 * (low + high)), theta


@device_fn
def search_pose(forward: float, search: int) -> tuple[float, float]:
    """Return bearing, not wrapped, and viewing angle of a search action, degrees.

    `search`: its number. `forward`: bearing of the terrain's centre from the camera.
    """
    bearing = forward + (search % SEARCH_BEARINGS) * (360.0 / SEARCH_BEARINGS)
    return bearing, SEARCH_VIEWS_DEG[search // SEARCH_BEARINGS]


@device_fn
def search_direction(pose: Floats, i: int, c: int, search: int) -> tuple[float, float, float]:
    """Return cosine and sine of a search action's bearing, and the cosine of half its angle."""
    cos, sin = _SEARCH_COS[search % SEARCH_BEARINGS], _SEARCH_SIN[search % SEARCH_BEARINGS]
    forward_x, forward_y = pose[i, c, P_INWARD_COS], pose[i, c, P_INWARD_SIN]
    return (
        forward_x * cos - forward_y * sin,
        forward_x * sin + forward_y * cos,
        _SEARCH_LIMIT[search // SEARCH_BEARINGS],
    )


@outlined_fn
def _pose_after(
    catalogue: Catalogue, pose: Floats, where: tuple[int, int], u: int
) -> tuple[float, float]:
    """Return orientation and viewing angle (degrees) after move u has been held (world 4.1)."""
    i, c = where
    turn = catalogue.moves[u, 0] * pose[i, c, P_TURN] * catalogue.move_frames
    zoom = catalogue.moves[u, 1] * pose[i, c, P_ZOOM] * catalogue.move_frames
    theta_min = pose[i, c, P_AREA] / (pose[i, c, P_MAX_RANGE] * pose[i, c, P_MAX_RANGE])
    theta = min(max(pose[i, c, P_THETA] + zoom, theta_min), 180.0)
    return wrap_deg(pose[i, c, P_PHI] + turn), theta


@outlined_fn
def _aim(
    executor: int,
    catalogue: Catalogue,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    u: int,
) -> tuple[float, float, float]:
    """Return the same as `aim`, without a pointing offset."""
    i, c = where
    if executor == GRID:
        phi, theta = _pose_after(catalogue, pose, where, u)
        return 0.0, phi, theta
    search = catalogue.search[u]
    if search >= 0:
        bearing, view = search_pose(pose[i, c, P_INWARD], search)
        return 0.0, wrap_deg(bearing), view
    if executor == UPSTREAM:
        return _aim_upstream(pose, belief, catalogue.members, i, c, u)
    return _aim_lead(pose, belief, catalogue.members, i, c, u)


@device_fn
def aim(
    executor: int,
    catalogue: Catalogue,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    tables: Floats,
    where: tuple[int, int],
    u: int,
) -> tuple[float, float, float, tuple[float, float, float]]:
    """Return what action u wants: angular spread of its targets, orientation, viewing angle.

    All in degrees. The spread is -1 where there is nothing to aim at. A move wants the pose that it
    leads to. With a particle belief the executor `lead` adds a pointing offset: it turns the view
    to where more targets are expected. Its chosen targets stay well inside. Then the
    work tables [N, ...] must hold the camera's particles (camcontrol.tracking.relative_particles),
    and the last are the cosine and sine of the orientation, and the cosine of half the viewing
    angle; else zeros.
    """
    i, c = where
    spread, phi, theta = _aim(executor, catalogue, pose, belief, where, u)
    cos, sin, limit = 0.0, 0.0, 0.0
    if particles.ndim == 5:  # decided when compiling
        search = catalogue.search[u]
        if spread >= 0.0:
            if search >= 0:
                slack, half = _SEARCH_OFFSET_DEG, _HALF_SEARCH_OFFSET
                cos, sin, limit = search_direction(pose, i, c, search)
            else:
                slack = 0.5 * (theta - spread) - _OFFSET_MARGIN_DEG
                half = (math.cos(0.5 * slack * DEG), math.sin(0.5 * slack * DEG))
                cos, sin = math.cos(phi * DEG), math.sin(phi * DEG)
                limit = math.cos(0.5 * theta * DEG)
            if executor == LEAD and slack > 0.0:
                view = (cos, sin, limit, math.sqrt(pose[i, c, P_AREA] / theta))
                members, n = catalogue.members[u], particles.shape[4]
                turns = pointing_offset(belief, tables[i], n, where, members, view, half)
                if turns != 0:
                    phi = wrap_deg(phi + 0.5 * turns * slack)
                    turn_cos, turn_sin = half[0], half[1]
                    if abs(turns) == 2:
                        turn_cos, turn_sin = half[0] ** 2 - half[1] ** 2, 2.0 * half[0] * half[1]
                    if turns < 0:
                        turn_sin = -turn_sin
                    cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
    return spread, phi, theta, (cos, sin, limit)


@outlined_fn
def execute(
    executor: int,
    catalogue: Catalogue,
    pose: Floats,
    belief: Floats,
    particles: Floats,
    tables: Floats,
    where: tuple[int, int],
    u: int,
    action: Floats,
) -> None:
    """Write camera c's action [N, C, 2] (degrees) for one frame of action u (world 12.2, 9.6).

    With nothing to aim at the camera scans clockwise and zooms in. `tables` are work tables of the
    environments (camcontrol.tracking.relative_particles).
    """
    i, c = where
    turn_limit, zoom_limit = pose[i, c, P_TURN], pose[i, c, P_ZOOM]
    if executor == GRID:
        action[i, c, 0] = catalogue.moves[u, 0] * turn_limit
        action[i, c, 1] = catalogue.moves[u, 1] * zoom_limit
        return
    if particles.ndim == 5:  # decided when compiling
        measure(pose, belief, particles, where, tables[i])
    spread, phi, theta, _ = aim(executor, catalogue, pose, belief, particles, tables, where, u)
    turn, zoom = -turn_limit, -zoom_limit
    if spread >= 0.0:
        turn = min(max(wrap_deg(phi - pose[i, c, P_PHI]), -turn_limit), turn_limit)
        zoom = min(max(theta - pose[i, c, P_THETA], -zoom_limit), zoom_limit)
    action[i, c, 0] = turn
    action[i, c, 1] = zoom


@device_fn
def selects_known(catalogue: Catalogue, belief: Floats, where: tuple[int, int], u: int) -> int:
    """Return how many targets action u selects, or -1 if one of them is unknown."""
    i, c = where
    n = 0
    for m in range(catalogue.members.shape[1]):
        t = catalogue.members[u, m]
        if t >= 0:
            n += 1
            if belief[i, c, t, B_KNOWN] == 0.0:
                return -1
    return n


@device_fn
def may_select(executor: int, n_selected: int, spread: float, theta: float) -> bool:
    """Tell whether an action may be selected that selects so many known targets.

    `spread` and `theta` in degrees: of the targets, and of the view. MATE's executor does not need
    all of them in one view (world 12.1).
    """
    if executor == UPSTREAM or n_selected < 2:
        return n_selected >= 0
    return spread + _FIT_MARGIN_DEG <= theta


@outlined_fn
def available(
    executor: int,
    catalogue: Catalogue,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    u: int,
) -> bool:
    """Tell whether action u may be selected: all its targets known, and together in one view.

    "Nothing", search actions and moves always may.
    """
    n = selects_known(catalogue, belief, where, u)
    spread, theta = 0.0, 0.0
    if executor != UPSTREAM and n >= 2:
        spread, _, theta = _aim(executor, catalogue, pose, belief, where, u)
    return may_select(executor, n, spread, theta)


@device_fn
def in_view(
    belief: Floats, where: tuple[int, int], t: int, phi: float, theta: float, reach: float
) -> bool:
    """Tell whether the estimate of target t would lie in a view of that pose (degrees, units)."""
    i, c = where
    if belief[i, c, t, B_KNOWN] == 0.0 or belief[i, c, t, B_DISTANCE] > reach:
        return False
    return 2.0 * abs(wrap_deg(belief[i, c, t, B_BEARING] - phi)) <= theta
