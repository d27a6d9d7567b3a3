"""Oracle: the greedy rules of section 11, one agent at a time; chance is handed in from outside."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from reference_hrl import zoom_for_distance
from reference_sim import WAREHOUSES, Vector, clip, direction_deg, normalize_angle

MEMORY_PERIOD = 25
NEAR = 1.1


@dataclass
class GreedyTarget:
    """A greedy target's mind (section 11.3)."""

    previous: Vector  # position at the previous act, or at reset
    open: set[int] = field(default_factory=lambda: {0, 1, 2, 3})  # believed to hold cargo
    goal: int = -1

    def notice(self, empty_bits: list[bool]) -> bool:
        """Close warehouses seen to be empty; whether there is news to tell."""
        closed = {w for w in self.open if empty_bits[w]}
        self.open -= closed
        return bool(closed)

    def possible_goals(self, destination: int) -> set[int]:
        """What the goal may become; `destination` is that of the cargo, -1 without."""
        if destination >= 0:
            return {destination}
        if self.goal >= 0 and self.goal in self.open:
            return {self.goal}
        return set(self.open) or {-1}

    def is_stuck(self, position: Vector, step_size: float) -> bool:
        """Whether it moved so little that its noise is mostly drawn anew."""
        return math.dist(position, self.previous) <= 0.2 * step_size

    def act(self, position: Vector, step_size: float, noise: Vector) -> Vector:
        """The step towards the goal, with the noise of this frame."""
        dx = dy = 0.0
        if self.goal >= 0:
            dx = WAREHOUSES[self.goal][0] - position[0]
            dy = WAREHOUSES[self.goal][1] - position[1]
            distance = math.hypot(dx, dy)
            if distance > step_size:
                dx, dy = dx * step_size / distance, dy * step_size / distance
        self.previous = position
        return (
            clip(dx + noise[0], -step_size, step_size),
            clip(dy + noise[1], -step_size, step_size),
        )


def tell_each_other(targets: list[GreedyTarget], news: list[bool]) -> None:
    """Every target with news broadcasts its open warehouses; receivers keep what both have."""
    messages = [set(target.open) for target, told in zip(targets, news, strict=True) if told]
    for target in targets:
        for message in messages:
            target.open &= message


@dataclass
class GreedyCamera:
    """A greedy camera's mind without messages (section 11.6); angles in degrees."""

    places: dict[int, Vector] = field(default_factory=dict)  # target -> last place
    left: dict[int, int] = field(default_factory=dict)  # target -> frames until forgotten

    def look(self, visible: dict[int, Vector]) -> None:
        """Take in the targets in view, by index."""
        self.left = {t: max(frames - 1, 0) for t, frames in self.left.items()}
        for t, place in visible.items():
            self.places[t], self.left[t] = place, MEMORY_PERIOD

    def act(
        self,
        position: Vector,
        pose: tuple[float, float, float],
        limits: tuple[float, float, float, float],
    ) -> Vector | None:
        """Follow the nearest remembered target; None if there is none (chance decides).

        `pose` and `limits` are as for `reference_hrl.executor_action`.
        """
        orientation, viewing_angle, sight_range = pose
        theta_min, max_range, rotation_step, zooming_step = limits
        near = [
            (math.dist(position, self.places[t]), t)
            for t, frames in self.left.items()
            if frames > 0 and math.dist(position, self.places[t]) < NEAR * max_range
        ]
        if not near:
            return None
        distance, t = min(near)
        dx, dy = self.places[t][0] - position[0], self.places[t][1] - position[1]
        zoom = zoom_for_distance(distance, theta_min, max_range, viewing_angle * sight_range**2)
        turn = normalize_angle(direction_deg(dx, dy) - orientation)
        return (
            clip(turn, -rotation_step, rotation_step),
            clip(zoom - viewing_angle, -zooming_step, zooming_step),
        )
