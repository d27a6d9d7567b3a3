"""How far a camera could see in every direction: MATE's two tables of free range (world 5.6).

Only the soft coverage score reads them; who sees whom is decided without them (`vision`). A table
is a polyline around the camera: knots sorted by angle, from -180 to 180 degrees. The inner one ends
where an obstacle begins, the outer one where it ends. As in MATE, an obstacle of radius 0 adds
rays: it leaves a spike in the tables, although it hides nothing.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from camsim.arrays import Floats, Ints
from camsim.compiled.geometry import DEG, wrap_deg
from camsim.compiled.jit import batch_kernel, device_fn, outlined_fn, row
from camsim.state import SimParams, Tables
from camsim.tables import C_X, C_Y, O_RADIUS, O_X, O_Y

INNER, OUTER = 0, 1  # columns of `BoundaryTables.n_knots`
ANGLE, LENGTH = 0, 1  # rows of `BoundaryTables.inner`
X, Y = 1, 2  # rows of `BoundaryTables.outer`, after ANGLE

_TO_DEG = 180.0 / math.pi  # not 1/DEG: the last bit decides which rays share an angle
_WHOLE_DEGREES = 360
_EDGE_DEG = 0.01  # how far beside a shadow's edge the free rays stand
_N_EDGE_RAYS = 4  # of the inner table, per obstacle
_LEAST_FAN = 16
_WIDEST_FAN = 180  # of an obstacle that touches the camera
_SIDE_STEPS = 20  # points along each side of a shadow in the outer table, less one


class BoundaryTables(NamedTuple):
    """Both polylines of every camera; rows are used up to `n_knots`, the last knot closes them."""

    inner: Floats  # [N, C, 2, P] angle in degrees, free range
    outer: Floats  # [N, C, 3, P'] angle in degrees, x and y from the camera
    n_knots: Ints  # [N, C, 2] knots in use: inner, outer
    degree: Ints  # [N, C, 2, 361] index of the knot at -180, -179, ... 180 degrees


def allocate_boundaries(n_envs: int, n_cameras: int, n_obstacles: int) -> BoundaryTables:
    """Return zeroed tables, wide enough for discs that touch the camera; N = 0: an empty record."""
    fan = _WIDEST_FAN + 1
    inner = _WHOLE_DEGREES + n_obstacles * (_N_EDGE_RAYS + fan) + 1
    outer = _WHOLE_DEGREES + n_obstacles * (fan + 2 * (_SIDE_STEPS + 1)) + 1
    return BoundaryTables(
        np.zeros((n_envs, n_cameras, 2, inner)),
        np.zeros((n_envs, n_cameras, 3, outer)),
        np.zeros((n_envs, n_cameras, 2), np.int64),
        np.zeros((n_envs, n_cameras, 2, _WHOLE_DEGREES + 1), np.int64),
    )


@device_fn
def _far_from(dx: float, dy: float, x: float, y: float, square: float, radius: float) -> bool:
    """Tell whether a disc at (dx, dy) clearly misses the line of (x, y), of squared length."""
    cross = dx * y - dy * x
    return cross * cross > square * (radius * radius + 1e-9 * (dx * dx + dy * dy))


@device_fn
def _cut_ray(i: int, c: int, k: int, s: Tables, table: Floats, far: bool) -> None:
    """Shorten ray k by the known obstacles, one after the other.

    Rays along an obstacle's tangent are decided by rounding, hence the literal formulas of the
    spec; the test before them only saves time.
    """
    angle, length = table[i, c, ANGLE, k] * DEG, table[i, c, LENGTH, k]
    x, y = length * math.cos(angle), length * math.sin(angle)
    for o in range(s.obstacles.shape[1]):
        radius = s.obstacles[i, o, O_RADIUS]
        if length <= 0.0 or radius <= 0.0 or not s.camera_obstacle[i, c, o]:
            continue
        dx = s.obstacles[i, o, O_X] - s.cameras[i, c, C_X]
        dy = s.obstacles[i, o, O_Y] - s.cameras[i, c, C_Y]
        dot = dx * x + dy * y
        if dot < 0.0 or _far_from(dx, dy, x, y, length * length, radius):
            continue
        distance = math.sqrt(dx * dx + dy * dy)
        if distance <= 0.0 or distance >= length + radius:
            continue
        cosine = min(1.0, dot / (distance * length))
        offset = distance * math.sqrt(1.0 - cosine * cosine)
        if offset >= radius:
            continue
        half = math.sqrt(radius * radius - offset * offset)
        left = max(0.0, distance * cosine + (half if far else -half))
        if left < length:
            length = left
            x, y = length * math.cos(angle), length * math.sin(angle)
    table[i, c, LENGTH, k] = length


@device_fn
def _put(i: int, c: int, n: int, table: Floats, angle_deg: float, length: float) -> int:
    """Append a ray; return the new count."""
    table[i, c, ANGLE, n] = wrap_deg(angle_deg)
    table[i, c, LENGTH, n] = length
    return n + 1


@outlined_fn
def _put_side(
    i: int, c: int, n: int, table: Floats, ends: tuple[float, float, float, float]
) -> int:
    """Append the rays to points along one side of a shadow; return the new count.

    The side runs straight between two points, given as (angle in degrees, length) twice.
    """
    x0, y0 = ends[1] * math.cos(ends[0] * DEG), ends[1] * math.sin(ends[0] * DEG)
    x1, y1 = ends[3] * math.cos(ends[2] * DEG), ends[3] * math.sin(ends[2] * DEG)
    step_x, step_y = (x1 - x0) / _SIDE_STEPS, (y1 - y0) / _SIDE_STEPS
    for k in range(_SIDE_STEPS + 1):
        x, y = x0 + k * step_x, y0 + k * step_y
        if k == _SIDE_STEPS:
            x, y = x1, y1
        n = _put(i, c, n, table, math.atan2(y, x) * _TO_DEG, math.sqrt(x * x + y * y))
    return n


@outlined_fn
def _put_obstacle(
    i: int, c: int, n: int, table: Floats, reach: float, disc: tuple[float, float, float], far: bool
) -> int:
    """Append the rays that trace a disc, given as (x, y, radius) from the camera.

    Returns the new count.
    """
    x, y, radius = disc
    distance = math.sqrt(x * x + y * y)
    if distance <= 0.0:
        return n
    centre = math.atan2(y, x) * _TO_DEG
    half = math.asin(min(1.0, radius / distance)) * _TO_DEG
    left, right = centre - half, centre + half
    if not far:
        for edge in (left, right):
            n = _put(i, c, n, table, edge - _EDGE_DEG, reach)
            n = _put(i, c, n, table, edge + _EDGE_DEG, reach)
    n_fan = max(_LEAST_FAN, int(2.0 * half))
    step = (right - left) / n_fan
    for k in range(n_fan + 1):
        angle = right if k == n_fan else left + k * step
        n = _put(i, c, n, table, angle, min(reach, distance + radius))
    if far:
        near = min(reach, math.sqrt(distance * distance + radius * radius))
        n = _put_side(i, c, n, table, (left, near, left - _EDGE_DEG, reach))
        n = _put_side(i, c, n, table, (right, near, right + _EDGE_DEG, reach))
    return n


@device_fn
def _precedes(i: int, c: int, table: Floats, a: int, b: int) -> bool:
    """Tell whether ray a stands before ray b: by angle, then by length."""
    if table[i, c, ANGLE, a] != table[i, c, ANGLE, b]:
        return bool(table[i, c, ANGLE, a] < table[i, c, ANGLE, b])
    return bool(table[i, c, LENGTH, a] < table[i, c, LENGTH, b])


@device_fn
def _swap(i: int, c: int, table: Floats, a: int, b: int) -> None:
    for k in (ANGLE, LENGTH):
        table[i, c, k, a], table[i, c, k, b] = table[i, c, k, b], table[i, c, k, a]


@device_fn
def _sift(i: int, c: int, table: Floats, start: int, end: int) -> None:
    """Let ray `start` sink to its place in the heap of the rays below `end`."""
    parent, child = start, 2 * start + 1
    while child < end:
        if child + 1 < end and _precedes(i, c, table, child, child + 1):
            child += 1
        if not _precedes(i, c, table, parent, child):
            break
        _swap(i, c, table, parent, child)
        parent, child = child, 2 * child + 1


@outlined_fn
def sort_rays(i: int, c: int, table: Floats, n: int) -> int:
    """Sort n rays by angle, keep the shortest of equal ones; return how many are left."""
    for start in range(n // 2 - 1, -1, -1):
        _sift(i, c, table, start, n)
    for end in range(n - 1, 0, -1):
        _swap(i, c, table, 0, end)
        _sift(i, c, table, 0, end)
    kept = 0
    for k in range(n):
        if kept > 0 and table[i, c, ANGLE, k] == table[i, c, ANGLE, kept - 1]:
            continue
        table[i, c, ANGLE, kept] = table[i, c, ANGLE, k]
        table[i, c, LENGTH, kept] = table[i, c, LENGTH, k]
        kept += 1
    return kept


@outlined_fn
def _trace(i: int, c: int, params: SimParams, s: Tables, table: Floats, far: bool) -> int:
    """Write one table of camera c, as angles and lengths; return the number of knots."""
    n = 0
    for k in range(_WHOLE_DEGREES):
        n = _put(i, c, n, table, k - 180.0, params.max_range)
    if params.transmittance < 1.0:
        for o in range(s.obstacles.shape[1]):
            if s.camera_obstacle[i, c, o]:
                x = s.obstacles[i, o, O_X] - s.cameras[i, c, C_X]
                y = s.obstacles[i, o, O_Y] - s.cameras[i, c, C_Y]
                disc = (x, y, s.obstacles[i, o, O_RADIUS])
                n = _put_obstacle(i, c, n, table, params.max_range, disc, far)
        for k in range(n):
            _cut_ray(i, c, k, s, table, far)
    n = sort_rays(i, c, table, n)
    table[i, c, ANGLE, n] = table[i, c, ANGLE, 0] + 360.0
    table[i, c, LENGTH, n] = table[i, c, LENGTH, 0]
    return n + 1


@device_fn
def _index_degrees(i: int, c: int, which: int, table: Floats, boundaries: BoundaryTables) -> None:
    """Note where the knots at whole degrees stand, so that searches begin close by."""
    degree = 0
    for k in range(boundaries.n_knots[i, c, which]):
        if table[i, c, ANGLE, k] == degree - 180.0:
            boundaries.degree[i, c, which, degree] = k
            degree += 1


@outlined_fn
def trace_boundaries(i: int, params: SimParams, s: Tables, boundaries: BoundaryTables) -> None:
    """Write both tables of every camera of environment i: once per episode, cameras stand still.

    Needs the layout and `camera_obstacle` (`vision.see_fixed`). Empty tables stay empty.
    """
    if len(boundaries.n_knots) == 0:
        return
    inner, outer = boundaries.inner, boundaries.outer
    for c in range(s.cameras.shape[1]):
        boundaries.n_knots[i, c, INNER] = _trace(i, c, params, s, inner, far=False)
        n = _trace(i, c, params, s, outer, far=True)
        boundaries.n_knots[i, c, OUTER] = n
        _index_degrees(i, c, INNER, inner, boundaries)
        _index_degrees(i, c, OUTER, outer, boundaries)
        for k in range(n):
            angle, length = outer[i, c, ANGLE, k] * DEG, outer[i, c, LENGTH, k]
            outer[i, c, X, k], outer[i, c, Y, k] = (
                length * math.cos(angle),
                length * math.sin(angle),
            )


@device_fn
def first_above(i: int, c: int, boundaries: BoundaryTables, which: int, angle_deg: float) -> int:
    """Return the index of the first knot whose angle is greater, or how many there are.

    `which` is INNER or OUTER; the angle may lie beyond -180 and 180 degrees.
    """
    if angle_deg < -180.0:
        return 0
    n = int(boundaries.n_knots[i, c, which])
    if angle_deg >= 180.0:
        return n
    table = boundaries.inner if which == INNER else boundaries.outer
    degree = math.floor(angle_deg + 180.0)
    low = int(boundaries.degree[i, c, which, degree])
    high = int(boundaries.degree[i, c, which, degree + 1])
    while low < high:
        middle = (low + high) // 2
        if table[i, c, ANGLE, middle] > angle_deg:
            high = middle
        else:
            low = middle + 1
    return low


@device_fn
def free_range(i: int, c: int, boundaries: BoundaryTables, angle_deg: float) -> float:
    """Return the inner table's range at an angle in [-180, 180) degrees, interpolated."""
    table = boundaries.inner
    k = first_above(i, c, boundaries, INNER, angle_deg)
    a, b = table[i, c, ANGLE, k - 1], table[i, c, ANGLE, k]
    low, high = table[i, c, LENGTH, k - 1], table[i, c, LENGTH, k]
    return float(low + (high - low) * (angle_deg - a) / (b - a))


@batch_kernel
def trace_batch(params: SimParams, s: Tables, boundaries: BoundaryTables) -> None:
    """Write the tables of all environments, after a layout was written from outside."""
    for i in numba.prange(len(s.rng)):
        trace_boundaries(row(i), params, s, boundaries)
