"""How deep targets stand in fields of view, or how far outside: soft coverage (world 9.8).

The score of a pair is the target's distance to the nearest point of the camera's boundary, over the
radius of the largest disc in its sector; negative if the camera does not see the target. The
boundary reaches up to the largest sight range, so scores above 1 occur, as in MATE.
"""

import math

import numba
import numpy as np

from camsim.arrays import Bools, Floats
from camsim.compiled.geometry import DEG, bearing_deg, wrap_deg
from camsim.compiled.jit import batch_kernel, device_fn, outlined_fn, row
from camsim.kernels.boundary import ANGLE, OUTER, BoundaryTables, X, Y, first_above, free_range
from camsim.state import Tables
from camsim.tables import C_PHI, C_RANGE, C_THETA, C_X, C_Y, T_X, T_Y

_EDGE_STEPS = 16  # points along each edge of the sector, less one

Span = tuple[int, int, int]
"""Outer knots strictly inside a sector: first..last-1, and 0..wrapped-1 beyond 180 degrees."""


def allocate_scores(n_envs: int, n_cameras: int, n_targets: int, *, used: bool = True) -> Floats:
    """Return a zeroed [N, C, T] array for the scores of all pairs; of no environments if unused."""
    return np.zeros((n_envs if used else 0, n_cameras, n_targets))


@device_fn
def _nearest_knot(
    i: int, c: int, outer: Floats, first: int, last: int, x: float, y: float
) -> float:
    """Return the least squared distance from (x, y) to the knots first..last-1, or infinity."""
    best0, best1, best2, best3 = math.inf, math.inf, math.inf, math.inf
    last = max(first, last)
    n_fours = (last - first) // 4
    for four in range(n_fours):  # four minima at a time, or each waits for the one before
        k = first + 4 * four
        dx0, dy0 = outer[i, c, X, k] - x, outer[i, c, Y, k] - y
        dx1, dy1 = outer[i, c, X, k + 1] - x, outer[i, c, Y, k + 1] - y
        dx2, dy2 = outer[i, c, X, k + 2] - x, outer[i, c, Y, k + 2] - y
        dx3, dy3 = outer[i, c, X, k + 3] - x, outer[i, c, Y, k + 3] - y
        d0, d1 = dx0 * dx0 + dy0 * dy0, dx1 * dx1 + dy1 * dy1
        d2, d3 = dx2 * dx2 + dy2 * dy2, dx3 * dx3 + dy3 * dy3
        best0 = d0 if d0 < best0 else best0
        best1 = d1 if d1 < best1 else best1
        best2 = d2 if d2 < best2 else best2
        best3 = d3 if d3 < best3 else best3
    for k in range(first + 4 * n_fours, last):
        dx0, dy0 = outer[i, c, X, k] - x, outer[i, c, Y, k] - y
        best0 = min(best0, dx0 * dx0 + dy0 * dy0)
    return min(min(best0, best1), min(best2, best3))


@device_fn
def _nearest_on_edge(ex: float, ey: float, x: float, y: float) -> float:
    """Return the least squared distance from (x, y) to the 17 points from the camera to (ex, ey).

    They are equally spaced: only the two around the foot of the perpendicular can be nearest.
    """
    square = ex * ex + ey * ey
    share = (x * ex + y * ey) / square if square > 0.0 else 0.0
    below = math.floor(min(max(share, 0.0), 1.0) * _EDGE_STEPS)
    best = math.inf
    for j in range(2):
        part = min(below + j, _EDGE_STEPS) / _EDGE_STEPS
        dx, dy = part * ex - x, part * ey - y
        best = min(best, dx * dx + dy * dy)
    return best


@device_fn
def _edge_end(i: int, c: int, boundaries: BoundaryTables, angle_deg: float) -> tuple[float, float]:
    """Return where the edge ray at an angle meets the inner boundary, from the camera."""
    length = free_range(i, c, boundaries, wrap_deg(angle_deg))
    return length * math.cos(angle_deg * DEG), length * math.sin(angle_deg * DEG)


@device_fn
def _first_from(i: int, c: int, boundaries: BoundaryTables, angle_deg: float) -> int:
    """Return the index of the first outer knot whose angle is not less."""
    k = first_above(i, c, boundaries, OUTER, angle_deg)
    if k > 0 and boundaries.outer[i, c, ANGLE, k - 1] == angle_deg:
        k -= 1
    return k


@device_fn
def _nearest_ahead(
    i: int, c: int, boundaries: BoundaryTables, span: Span, x: float, y: float, best: float
) -> float:
    """Return the less of `best` and the squared distance from (x, y) to the sector's arc knots.

    A knot at an angle of d degrees to the target's bearing is at least sin(d) times the target's
    distance away: only knots around the bearing can come below `best`.
    """
    outer, degree = boundaries.outer, boundaries.degree
    first, last, wrapped = span
    square = x * x + y * y
    if square == 0.0:
        return best
    bearing = bearing_deg(x, y)
    ahead = degree[i, c, OUTER, int(bearing + 180.0)]
    if first <= ahead < last or ahead < wrapped:  # a first guess, to make `best` small
        dx, dy = outer[i, c, X, ahead] - x, outer[i, c, Y, ahead] - y
        best = min(best, dx * dx + dy * dy)
    reach = 180.0
    if best < square:
        reach = math.asin(math.sqrt(best / square)) / DEG + 1e-6
    low, high = bearing - reach, bearing + reach
    for turn in range(-1, 2):  # the part beyond -180 or 180 degrees comes in at the other end
        a, b = max(low + 360.0 * turn, -180.0), min(high + 360.0 * turn, 180.0)
        if a < b:
            k = degree[i, c, OUTER, math.floor(a + 180.0)]
            end = degree[i, c, OUTER, math.ceil(b + 180.0)] + 1
            best = min(best, _nearest_knot(i, c, outer, max(k, first), min(end, last), x, y))
            best = min(best, _nearest_knot(i, c, outer, k, min(end, wrapped), x, y))
    return best


@device_fn
def _score_camera(i: int, c: int, s: Tables, boundaries: BoundaryTables, scores: Floats) -> None:
    """Write the scores of camera c with all targets."""
    theta = s.cameras[i, c, C_THETA]
    left = wrap_deg(s.cameras[i, c, C_PHI] - 0.5 * theta)
    right = left + theta
    left_x, left_y = _edge_end(i, c, boundaries, left)
    right_x, right_y = _edge_end(i, c, boundaries, right)
    span = (
        first_above(i, c, boundaries, OUTER, left),
        _first_from(i, c, boundaries, right),
        _first_from(i, c, boundaries, right - 360.0),
    )
    half = math.sin(0.5 * theta * DEG)
    inradius = s.cameras[i, c, C_RANGE] * (half / (1.0 + half) if theta < 180.0 else 0.5)
    for t in range(s.targets.shape[1]):
        x = s.targets[i, t, T_X] - s.cameras[i, c, C_X]
        y = s.targets[i, t, T_Y] - s.cameras[i, c, C_Y]
        best = min(_nearest_on_edge(left_x, left_y, x, y), _nearest_on_edge(right_x, right_y, x, y))
        best = _nearest_ahead(i, c, boundaries, span, x, y, best)
        score = math.sqrt(best) / inradius
        scores[i, c, t] = score if s.camera_target[i, c, t] else -score


@outlined_fn
def score_pairs(i: int, s: Tables, boundaries: BoundaryTables, scores: Floats) -> None:
    """Write the soft coverage of every camera-target pair of environment i (world 9.8).

    Needs the poses, `camera_target` and the traced boundaries. An array of no environments is left
    alone.
    """
    if len(scores) == 0:
        return
    for c in range(s.cameras.shape[1]):
        _score_camera(i, c, s, boundaries, scores)


@device_fn
def camera_score(i: int, c: int, seen: Bools, scores: Floats) -> float:
    """Return the sum of camera c's scores over the targets it sees; tanh of the best if none."""
    total, best, n_seen = 0.0, -math.inf, 0
    for t in range(scores.shape[2]):
        best = max(best, float(scores[i, c, t]))
        if seen[i, c, t]:
            total += scores[i, c, t]
            n_seen += 1
    return total if n_seen > 0 else math.tanh(best)


@outlined_fn
def mean_camera_score(i: int, s: Tables, boundaries: BoundaryTables, scores: Floats) -> float:
    """Score all pairs of environment i; return the mean of the cameras' scores."""
    score_pairs(i, s, boundaries, scores)
    total, n_cameras = 0.0, s.cameras.shape[1]
    for c in range(n_cameras):
        total += camera_score(i, c, s.camera_target, scores)
    return float(total / n_cameras)


@device_fn
def target_score(i: int, t: int, seen: Bools, scores: Floats) -> float:
    """Return the sum of target t's scores over the cameras that see it; tanh of the best if none.

    Without cameras it is -1, the tanh of minus infinity.
    """
    total, best, n_seen = 0.0, -math.inf, 0
    for c in range(scores.shape[1]):
        best = max(best, float(scores[i, c, t]))
        if seen[i, c, t]:
            total += scores[i, c, t]
            n_seen += 1
    return total if n_seen > 0 else math.tanh(best)


@batch_kernel
def score_batch(s: Tables, boundaries: BoundaryTables, scores: Floats) -> None:
    """Write the soft coverage of all environments."""
    for i in numba.prange(len(s.rng)):
        score_pairs(row(i), s, boundaries, scores)
