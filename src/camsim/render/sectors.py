"""Outlines of what a camera sees: its sector, cut exactly where obstacles stand in the way."""

import numpy as np

from camsim.arrays import Floats

__all__ = ["field_of_view", "sector"]

_RAY_STEP_DEG = 1.5
_EDGE_DEG = 1e-4  # rays this far to both sides of a tangent: shadows begin and end there
_FAN = np.cos(np.linspace(0.0, np.pi, 9))[1:-1]  # rays over the face of an obstacle


def sector(xy: Floats, phi_deg: float, theta_deg: float, sight_range: float) -> Floats:
    """Return the outline [K, 2] of the whole sector: apex, then the arc against the clock.

    Args:
        xy: [2] apex.
        phi_deg: direction of the middle.
        theta_deg: opening, at most 180.
        sight_range: radius.
    """
    bearings = np.radians(phi_deg + _even_offsets_deg(theta_deg))
    arc = xy + sight_range * _directions(bearings)
    return np.concatenate([xy[None], arc])


def field_of_view(
    xy: Floats,
    phi_deg: float,
    theta_deg: float,
    sight_range: float,
    obstacle_xy: Floats,
    obstacle_radius: Floats,
) -> Floats:
    """Return the outline [K, 2] of the part of a sector that obstacles do not hide (world 5.5).

    Rays stand at most 1.5 degrees apart, with one on each side of every tangent to an obstacle.

    Args:
        xy: [2] the camera.
        phi_deg: its orientation.
        theta_deg: its viewing angle, at most 180.
        sight_range: its range.
        obstacle_xy: [O, 2] obstacles that it knows.
        obstacle_radius: [O] those of radius 0 hide nothing.
    """
    q = obstacle_xy - xy
    distance = np.hypot(q[:, 0], q[:, 1])
    near = (obstacle_radius > 0) & (distance - obstacle_radius < sight_range)
    q, distance, radius = q[near], distance[near], obstacle_radius[near]
    if bool((distance <= radius).any()):  # from inside an obstacle nothing is seen
        return np.repeat(xy[None], 3, axis=0)
    offsets = np.concatenate(
        [_even_offsets_deg(theta_deg), _obstacle_offsets_deg(q, distance, radius, phi_deg)]
    )
    offsets = np.unique(offsets[np.abs(offsets) <= 0.5 * theta_deg])
    directions = _directions(np.radians(phi_deg + offsets))
    lengths = _ray_lengths(directions, sight_range, q, radius)
    return np.concatenate([xy[None], xy + lengths[:, None] * directions])


def _even_offsets_deg(theta_deg: float) -> Floats:
    n_rays = int(np.ceil(theta_deg / _RAY_STEP_DEG)) + 1
    return np.linspace(-0.5 * theta_deg, 0.5 * theta_deg, max(n_rays, 2))


def _obstacle_offsets_deg(q: Floats, distance: Floats, radius: Floats, phi_deg: float) -> Floats:
    """Return angles from the sector's middle at which obstacles [O] begin, end and bulge."""
    middle = np.degrees(np.arctan2(q[:, 1], q[:, 0])) - phi_deg
    half = np.degrees(np.arcsin(radius / distance))
    edges = [
        middle + side * (half + out) for side in (-1.0, 1.0) for out in (-_EDGE_DEG, _EDGE_DEG)
    ]
    faces = (middle[:, None] + half[:, None] * _FAN).ravel()
    angles = np.concatenate([*edges, faces])
    return (angles + 180.0) % 360.0 - 180.0


def _ray_lengths(directions: Floats, sight_range: float, q: Floats, radius: Floats) -> Floats:
    """Return how far rays [K, 2] get before one of the discs q [O, 2] stops them."""
    along = directions @ q.T
    cross = directions[:, :1] * q[:, 1] - directions[:, 1:] * q[:, 0]
    chord = radius**2 - cross**2
    entry = along - np.sqrt(np.maximum(chord, 0.0))
    entry = np.where((chord > 0.0) & (along > 0.0), entry, np.inf)
    nearest: Floats = entry.min(axis=1, initial=sight_range)
    return nearest


def _directions(bearings_rad: Floats) -> Floats:
    return np.stack([np.cos(bearings_rad), np.sin(bearings_rad)], axis=-1)
