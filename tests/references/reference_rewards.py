"""Oracle: MATE's tables of free range, soft coverage and auxiliary terms, plainly (world 5.6, 9.8).

Lists of rays instead of arrays, every boundary point instead of the nearest ones, no shortcuts.
"""

from __future__ import annotations

import math

import numpy as np
from reference_sim import WAREHOUSES, camera_obstacle_mask, normalize_angle
from reference_world import FloatArray, State, World

Knots = tuple[FloatArray, FloatArray]  # angles in degrees, sorted; lengths


def polar(length: float, angle_deg: float) -> tuple[float, float]:
    """The point at a length and an angle."""
    return length * math.cos(math.radians(angle_deg)), length * math.sin(math.radians(angle_deg))


def discs_of(world: World, camera: int) -> list[tuple[float, float, float]]:
    """What can hide something from a camera: (x, y, radius) relative to it."""
    if world.transmittance >= 1.0:
        return []
    known = camera_obstacle_mask(world)[camera]
    offset = world.obstacle_xy - world.camera_xy[camera]
    return [
        (float(x), float(y), float(radius))
        for (x, y), radius, is_known in zip(offset, world.obstacle_radius, known, strict=True)
        if is_known
    ]


def tangents_of(world: World, camera: int) -> list[float]:
    """Angles at which rounding decides whether a ray touches a disc."""
    angles = []
    for x, y, radius in discs_of(world, camera):
        centre = math.degrees(math.atan2(y, x))
        half = math.degrees(math.asin(min(1.0, radius / math.hypot(x, y))))
        angles += [normalize_angle(centre - half), normalize_angle(centre + half)]
    return angles


def _rays(world: World, camera: int, *, outer: bool) -> list[tuple[float, float]]:
    """The rays of a table before they are cut: (angle, length)."""
    reach = float(world.camera_max_sight_range[camera])
    rays = [(float(angle), reach) for angle in range(-180, 180)]
    for x, y, radius in discs_of(world, camera):
        distance = math.hypot(x, y)
        centre = math.degrees(math.atan2(y, x))
        half = math.degrees(math.asin(min(1.0, radius / distance)))
        left, right = centre - half, centre + half
        fan = np.linspace(left, right, max(16, int(2 * half)) + 1)
        rays += [(float(angle), min(reach, distance + radius)) for angle in fan]
        near = min(reach, math.hypot(distance, radius))
        for edge, outside in ((left, left - 0.01), (right, right + 0.01)):
            if outer:
                points = np.linspace(polar(near, edge), polar(reach, outside), 21)
                rays += [(math.degrees(math.atan2(y, x)), math.hypot(x, y)) for x, y in points]
            else:
                rays += [(edge - 0.01, reach), (edge + 0.01, reach)]
    return rays


def knots(world: World, camera: int, *, outer: bool) -> Knots:
    """The knots of a camera's inner or outer table, from -180 to 180 degrees."""
    shortest: dict[float, float] = {}
    for ray_angle, ray_length in _rays(world, camera, outer=outer):
        angle, length = normalize_angle(ray_angle), ray_length
        for x, y, radius in discs_of(world, camera):
            distance = math.hypot(x, y)
            vx, vy = polar(length, angle)
            dot = x * vx + y * vy
            if length == 0.0 or distance >= length + radius or dot < 0.0:
                continue
            cosine = min(1.0, dot / (distance * length))
            offset = distance * math.sqrt(1.0 - cosine * cosine)
            if offset < radius:
                half = math.sqrt(radius * radius - offset * offset)
                length = min(length, max(0.0, distance * cosine + (half if outer else -half)))
        shortest[angle] = min(length, shortest.get(angle, math.inf))
    angles = sorted(shortest)
    lengths = [shortest[angle] for angle in angles]
    return np.array([*angles, angles[0] + 360.0]), np.array([*lengths, lengths[0]])


def boundary_points(inner: Knots, outer: Knots, phi: float, theta: float) -> FloatArray:
    """All points [P, 2] of a camera's boundary, relative to it."""
    left = normalize_angle(phi - 0.5 * theta)
    right = left + theta
    points = []
    for angle, length in zip(*outer, strict=True):
        if left < angle < right or (right > 180.0 and -180.0 < angle < right - 360.0):
            points.append(polar(length, angle))
    for edge in (left, right):
        length = float(np.interp(normalize_angle(edge), *inner))
        points += [polar(length * j / 16.0, edge) for j in range(17)]
    return np.array(points)


def soft_coverage(world: World, state: State, tables: list[tuple[Knots, Knots]]) -> FloatArray:
    """The score of every pair [C, T], from each camera's inner and outer knots."""
    scores = np.zeros((world.n_cameras, world.n_targets))
    for c, (inner, outer) in enumerate(tables):
        theta = float(state.camera_viewing_angle[c])
        points = boundary_points(inner, outer, float(state.camera_orientation[c]), theta)
        reach = float(state.camera_sight_range[c])
        sine = math.sin(math.radians(0.5 * theta))
        inradius = 0.5 * reach if theta >= 180.0 else reach / (1.0 + 1.0 / sine)
        for t in range(world.n_targets):
            offset = state.target_xy[t] - world.camera_xy[c]
            nearest = float(np.hypot(*(points - offset).T).min())
            scores[c, t] = nearest / inradius * (1.0 if state.camera_target_mask[c, t] else -1.0)
    return scores


def own_score(scores: FloatArray, seen: FloatArray) -> float:
    """A camera's or target's score from the scores of its pairs."""
    if seen.any():
        return float(scores[seen > 0].sum())
    return math.tanh(scores.max()) if len(scores) else -1.0


def goal_distance(state: State, t: int) -> float:
    """The normalized distance of a target to its goal."""
    x, y = state.target_xy[t]
    away = [max(math.hypot(x - wx, y - wy) - 75.0, 0.0) for wx, wy in WAREHOUSES]
    goal = int(state.target_goal[t])
    if goal >= 0:
        return away[goal] / 2000.0
    open_ones = [away[w] for w in range(4) if not state.target_empty_bits[t, w]]
    return min(open_ones, default=1000.0) / 2000.0
