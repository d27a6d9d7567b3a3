"""Oracle: hierarchical camera control of section 12, one camera at a time, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reference_sim import MAX_VIEWING_ANGLE, Vector, clip, direction_deg, normalize_angle


def sin_deg(angle_deg: float) -> float:
    """Sine of an angle in degrees."""
    return math.sin(math.radians(angle_deg))


def zoom_for_distance(
    distance: float, min_viewing_angle: float, max_sight_range: float, area_product: float
) -> float:
    """Viewing angle in degrees that fits a point at `distance` (section 11.5, "zoom rule V")."""
    if distance * (1.0 + sin_deg(min_viewing_angle / 2.0)) >= max_sight_range:
        return min_viewing_angle
    if distance <= 0.5 * math.sqrt(area_product / MAX_VIEWING_ANGLE):
        return MAX_VIEWING_ANGLE
    angle = MAX_VIEWING_ANGLE
    for _ in range(20):
        angle = area_product / (distance * (1.0 + sin_deg(min(angle / 2.0, 90.0)))) ** 2
    return clip(angle, min_viewing_angle, MAX_VIEWING_ANGLE)


def executor_action(
    camera_xy: Vector,
    pose: tuple[float, float, float],
    limits: tuple[float, float, float, float],
    points: Sequence[Vector],
) -> Vector:
    """The camera action (rotation, zoom) in degrees that follows some points (section 12.2).

    Args:
        camera_xy: position of the camera.
        pose: orientation, viewing angle (degrees) and sight range.
        limits: minimum viewing angle, maximum sight range, rotation step, zooming step.
        points: positions of the targets that are selected and visible.
    """
    orientation, viewing_angle, sight_range = pose
    min_viewing_angle, max_sight_range, rotation_step, zooming_step = limits
    if not points:
        return -rotation_step, -zooming_step
    dx = sum(x for x, _ in points) / len(points) - camera_xy[0]
    dy = sum(y for _, y in points) / len(points) - camera_xy[1]
    angle = zoom_for_distance(
        math.hypot(dx, dy), min_viewing_angle, max_sight_range, viewing_angle * sight_range**2
    )
    turn = normalize_angle(direction_deg(dx, dy) - orientation)
    return (
        clip(turn, -rotation_step, rotation_step),
        clip(angle - viewing_angle, -zooming_step, zooming_step),
    )


def multi_action_mask(visible: Sequence[bool]) -> list[bool]:
    """Per target (not selecting it, selecting it), flattened [2T] (section 12.1)."""
    return [allowed for bit in visible for allowed in (True, bool(bit))]


def single_action_mask(visible: Sequence[bool]) -> list[bool]:
    """One entry per target, then "no target" [T + 1] (section 12.1)."""
    return [*map(bool, visible), True]


def selection_bits_of_index(index: int, n_targets: int) -> list[bool]:
    """Bits of a joint selection index; target 0 is the most significant bit (section 12.5)."""
    return [bool(index >> (n_targets - 1 - t) & 1) for t in range(n_targets)]


def index_of_selection_bits(bits: Sequence[bool]) -> int:
    """The joint selection index of a bit per target (section 12.5)."""
    return sum(int(bit) << (len(bits) - 1 - t) for t, bit in enumerate(bits))


def joint_index_mask(visible: Sequence[bool]) -> list[bool]:
    """Allowed joint indices [2**T]: subsets of the visible targets (section 12.5)."""
    return [
        all(seen or not bit for bit, seen in zip(bits, visible, strict=True))
        for bits in (selection_bits_of_index(i, len(visible)) for i in range(2 ** len(visible)))
    ]


def selection_metrics(
    selected: Sequence[bool], visible_after: Sequence[bool]
) -> tuple[int, int, int, float]:
    """Selected, valid, invalid, invalid rate of one camera and frame (section 12.4)."""
    n_selected = sum(map(bool, selected))
    n_valid = sum(
        bool(bit) and bool(seen) for bit, seen in zip(selected, visible_after, strict=True)
    )
    n_invalid = n_selected - n_valid
    return n_selected, n_valid, n_invalid, n_invalid / max(1, n_selected)
