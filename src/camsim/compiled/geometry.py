"""Angles and rays: pure scalar formulas used by several phases (world sections 1.1, 5.5, 11.5)."""

import math

from camsim.compiled.jit import device_fn

DEG = math.pi / 180.0
ZOOM_ITERATIONS = 20  # of `zoom_for_distance_deg`, from 180 degrees on
_SPLITTER = 134217729.0  # 2**27 + 1: splits a float64 into two halves whose product is exact


@device_fn
def wrap_deg(angle_deg: float) -> float:
    """Return the angle normalised into [-180, 180) degrees."""
    shifted = angle_deg + 180.0
    if shifted < 0.0 or shifted >= 360.0:
        if 360.0 <= shifted < 720.0:  # the common cases without a division; both are exact
            shifted -= 360.0
        elif -360.0 <= shifted < 0.0:
            shifted += 360.0
        else:
            shifted = shifted % 360.0
    return shifted - 180.0


@device_fn
def bearing_deg(x: float, y: float) -> float:
    """Return the direction of the vector (x, y) in degrees, in (-180, 180]."""
    return math.atan2(y, x) / DEG


@device_fn
def angle_between_deg(a_deg: float, b_deg: float) -> float:
    """Return the absolute difference of two directions, in [0, 180] degrees."""
    difference = abs(a_deg - b_deg)
    return min(difference, 360.0 - difference)


@device_fn
def fused_norm(x: float, y: float) -> float:
    """Return sqrt(fma(y, y, x*x)): the norm as upstream's BLAS rounds it (world 1.1).

    The product y*y is formed exactly (Dekker), so that no hardware instruction is needed.
    """
    square = x * x
    high = _SPLITTER * y
    high = high - (high - y)
    low = y - high
    product = y * y
    product_error = ((high * high - product) + 2.0 * high * low) + low * low
    total = product + square
    part = total - product
    sum_error = (product - (total - part)) + (square - part)
    return math.sqrt(total + (sum_error + product_error))


@device_fn
def ray_blocked(ux: float, uy: float, length: float, qx: float, qy: float, radius: float) -> bool:
    """Tell whether a disc hides the end of a ray (world 5.5).

    Args:
        ux: vector from the eye to the point, x.
        uy: the same, y.
        length: its norm, positive.
        qx: vector from the eye to the disc's centre, x.
        qy: the same, y.
        radius: of the disc.
    """
    along = qx * ux + qy * uy
    if along <= 0.0:
        return False
    cross = qx * uy - qy * ux
    chord = radius * radius - cross * cross / (length * length)
    if chord <= 0.0:
        return False
    return length > (along / length - math.sqrt(chord)) * (1.0 + 1e-6)


@device_fn
def zoom_at_once_deg(distance: float, theta_min_deg: float, max_range: float, area: float) -> float:
    """Return what ``zoom_for_distance_deg`` gives without iteration, or 0 if it has to iterate."""
    if distance * (1.0 + math.sin(0.5 * theta_min_deg * DEG)) >= max_range:
        return theta_min_deg
    return 180.0 if distance <= 0.5 * math.sqrt(area / 180.0) else 0.0


@device_fn
def better_zoom_deg(zoom_deg: float, distance: float, area: float) -> float:
    """Return the next viewing angle in the iteration of ``zoom_for_distance_deg`` (world 11.5)."""
    reach = distance * (1.0 + math.sin(min(0.5 * zoom_deg, 90.0) * DEG))
    return area / (reach * reach)


@device_fn
def zoom_for_distance_deg(
    distance: float, theta_min_deg: float, max_range: float, area: float
) -> float:
    """Return the viewing angle that puts a point at the sector's incentre (world 11.5), degrees.

    Args:
        distance: to the aim point.
        theta_min_deg: smallest viewing angle.
        max_range: sight range there.
        area: viewing angle times squared sight range, constant for a camera.
    """
    zoom = zoom_at_once_deg(distance, theta_min_deg, max_range, area)
    if zoom == 0.0:
        zoom = 180.0
        for _ in range(ZOOM_ITERATIONS):
            zoom = better_zoom_deg(zoom, distance, area)
    return min(max(zoom, theta_min_deg), 180.0)
