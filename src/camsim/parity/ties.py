"""Cases that rounding or upstream's interpolation may decide either way: ties and tangents."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_any_disc", "near_border", "near_reach", "near_tangent"]

Floats = NDArray[np.float64]

TIE = 1e-9  # terrain units, or degrees
TANGENT_DEG = 0.011
"""How far from a disc's tangent upstream's table of free sight may be wrong (world 5.7)."""


def near_reach(a_xy: Floats, b_xy: Floats, reach: Floats) -> NDArray[np.bool_]:
    """Tell which pairs [..., A, B] of points [..., A, 2] and [..., B, 2] are `reach` apart."""
    apart = a_xy[..., :, None, :] - b_xy[..., None, :, :]
    tie: NDArray[np.bool_] = np.abs(np.hypot(apart[..., 0], apart[..., 1]) - reach) <= TIE
    return tie


def near_border(
    offset: Floats, orientation_deg: float, angle_deg: float, sight_range: float
) -> bool:
    """Tell whether the point at `offset` from a camera lies on the border of its view."""
    distance, bearing_deg = math.hypot(*offset), math.degrees(math.atan2(offset[1], offset[0]))
    turn_deg = _between_deg(orientation_deg, bearing_deg)
    at_side = abs(2.0 * turn_deg - angle_deg) <= TIE and distance <= sight_range + TIE
    at_end = abs(distance - sight_range) <= TIE and 2.0 * turn_deg <= angle_deg + TIE
    return bool(at_side or at_end)


def near_tangent(eye: Floats, point: Floats, disc_xy: Floats, disc_radius: Floats) -> bool:
    """Tell whether the line from `eye` to `point` all but touches a disc's edge."""
    bearing_deg = math.degrees(math.atan2(point[1] - eye[1], point[0] - eye[0]))
    for (x, y), radius in zip(disc_xy - eye, disc_radius, strict=True):
        half_deg = math.degrees(math.asin(min(1.0, radius / max(math.hypot(x, y), 1e-300))))
        turn_deg = _between_deg(bearing_deg, math.degrees(math.atan2(y, x)))
        if abs(turn_deg - half_deg) <= TANGENT_DEG:
            return True
    return False


def in_any_disc(point: Floats, disc_xy: Floats, disc_radius: Floats) -> bool:
    """Tell whether `point` lies in a disc, or on its edge."""
    distance = np.hypot(*(disc_xy - point).T)
    return bool((distance < disc_radius + 1e-6).any())


def _between_deg(a_deg: float, b_deg: float) -> float:
    difference = abs(a_deg - b_deg) % 360.0
    return min(difference, 360.0 - difference)
