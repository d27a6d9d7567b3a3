"""Oracle: the scripted rules of section 11, one agent at a time; chance comes from outside."""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from reference_hrl import zoom_for_distance
from reference_sim import WAREHOUSES, Vector, clip, direction_deg, normalize_angle

MEMORY_PERIOD = 25
NEAR = 1.1


class Optics(NamedTuple):
    """What limits every camera: degrees and terrain units."""

    theta_min: float
    max_range: float
    rotation_step: float
    zooming_step: float


class Pose(NamedTuple):
    """Where a camera looks: degrees."""

    orientation: float
    viewing_angle: float
    sight_range: float


class Sighting(NamedTuple):
    """A target as a camera saw it."""

    place: Vector
    loaded: bool


@dataclass
class GreedyTarget:
    """A greedy target (section 11.3)."""

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


def next_naive_goal(
    goal: int, turn: int, position: Vector, loaded: bool, empty_bits: list[bool]
) -> int:
    """Where a naive target goes next (section 11.2); `turn` is +1 or -1."""
    if math.dist(position, WAREHOUSES[goal]) > 67.5:
        return goal
    goal = (goal + turn) % 4
    if not loaded and not all(empty_bits):
        while empty_bits[goal]:
            goal = (goal + turn) % 4
    return goal


def drifted(
    action: Vector, position: Vector, step_size: float, cameras: list[tuple[Vector, Pose]]
) -> Vector:
    """A greedy action with a heuristic target's drift away from `cameras` (section 11.4)."""
    candidates = []
    for place, pose in cameras:
        away = (position[0] - place[0], position[1] - place[1])
        off = normalize_angle(direction_deg(*away) - pose.orientation)
        if math.hypot(*away) <= 1.2 * pose.sight_range and off <= 0.6 * pose.viewing_angle:
            half = math.radians(min(pose.viewing_angle / 2, 90.0))
            middle = pose.sight_range / (1 + math.sin(half))
            phi = math.radians(pose.orientation)
            centre = (place[0] + middle * math.cos(phi), place[1] + middle * math.sin(phi))
            out = (position[0] - centre[0], position[1] - centre[1])
            candidates.append((math.hypot(*out) / (pose.sight_range - middle), out))
    if not candidates:
        return action
    out = min(candidates)[1]
    shorten = min(1.0, 0.5 * step_size / math.hypot(*out))
    x, y = out[0] * shorten, out[1] * shorten
    if action[0] * x + action[1] * y < 0:
        return action
    return (
        clip(action[0] + x, -step_size, step_size),
        clip(action[1] + y, -step_size, step_size),
    )


def evaded(
    action: Vector,
    position: Vector,
    step_size: float,
    loaded: bool,
    cameras: list[tuple[Vector, Pose]],
    weights: list[list[float]],
) -> Vector:
    """A greedy action as an evader bends it: rows sideways, away and hold of `weights`."""
    walk, pushes = 1.0, [(0.0, 0.0)]
    for place, pose in cameras:
        ray = (position[0] - place[0], position[1] - place[1])
        distance = math.hypot(*ray) / pose.sight_range
        off = normalize_angle(direction_deg(*ray) - pose.orientation)
        angle = abs(off) / (pose.viewing_angle / 2)
        inside = float(distance <= 1 and angle <= 1)
        inputs = (1.0, min(distance, 2.0), min(angle, 3.0), inside, float(loaded))
        side, away, hold = (
            math.tanh(sum(w * x for w, x in zip(row, inputs, strict=True))) for row in weights
        )
        unit = (ray[0] / math.hypot(*ray), ray[1] / math.hypot(*ray))
        left = math.copysign(1.0, off)  # away from the axis is counter-clockwise on its left
        across = (-unit[1] * left, unit[0] * left)
        pushes.append((side * across[0] + away * unit[0], side * across[1] + away * unit[1]))
        walk *= 1 - max(hold, 0.0)
    x, y = (sum(push[k] for push in pushes) * step_size + walk * action[k] for k in (0, 1))
    return clip(x, -step_size, step_size), clip(y, -step_size, step_size)


@dataclass
class Radio:
    """What a link lets through, without chance (section 9.10); places per agent."""

    silent: bool = False
    reach: float = math.inf
    delay: int = 0
    under_way: deque[tuple[int, int, int, object]] = field(default_factory=deque)

    def send(self, step: int, sender: int, recipient: int, places: list[Vector], c: object) -> None:
        """Take a message with content `c`."""
        if not self.silent and math.dist(places[sender], places[recipient]) <= self.reach:
            self.under_way.append((step + self.delay, sender, recipient, c))

    def receive(self, step: int) -> list[tuple[int, int, object]]:
        """Sender, recipient and content of all messages that are due, oldest first."""
        due = []
        while self.under_way and self.under_way[0][0] <= step:
            due.append(self.under_way.popleft()[1:])
        return due


def tell_each_other(
    step: int, targets: list[GreedyTarget], news: list[bool], places: list[Vector], radio: Radio
) -> set[tuple[int, int]]:
    """Targets with news broadcast their open warehouses; return who heard from whom."""
    for t, told in enumerate(news):
        for j in range(len(targets)):
            if told:
                radio.send(step, t, j, places, frozenset(targets[t].open))
    heard = set()
    for sender, recipient, content in radio.receive(step):
        assert isinstance(content, frozenset)
        targets[recipient].open &= content
        heard.add((sender, recipient))
    return heard


def approach(pose: Pose, goal: tuple[float, float], optics: Optics) -> Vector:
    """The action that brings a camera nearer to orientation and viewing angle `goal`."""
    turn = normalize_angle(goal[0] - pose.orientation)
    return (
        clip(turn, -optics.rotation_step, optics.rotation_step),
        clip(goal[1] - pose.viewing_angle, -optics.zooming_step, optics.zooming_step),
    )


@dataclass
class GreedyCamera:
    """A greedy camera (section 11.6); angles in degrees."""

    place: Vector
    optics: Optics
    seen: dict[int, Sighting] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)  # target -> frames until forgotten
    was_loaded: set[int] = field(default_factory=set)
    known: dict[int, Vector] = field(default_factory=dict)  # teammate -> place
    delay: dict[int, int] = field(default_factory=dict)  # teammate -> frames until it may write

    def note(self, t: int, sighting: Sighting) -> None:
        """Remember a target."""
        self.seen[t], self.left[t] = sighting, MEMORY_PERIOD
        if sighting.loaded:
            self.was_loaded.add(t)

    def look(self, visible: dict[int, Sighting]) -> None:
        """Take in the targets in view, by index."""
        self.left = {t: max(frames - 1, 0) for t, frames in self.left.items()}
        for t, sighting in visible.items():
            self.note(t, sighting)

    def near(self, j: int, visible: dict[int, Sighting]) -> dict[int, Sighting]:
        """The visible targets that matter to teammate j."""
        if j not in self.known:
            return {}
        reach = NEAR * self.optics.max_range
        return {t: s for t, s in visible.items() if math.dist(s.place, self.known[j]) < reach}

    def act(self, pose: Pose, only_loaded: bool = False) -> Vector | None:
        """Follow the nearest remembered target; None if there is none (chance decides)."""
        optics = self.optics
        near = [
            (math.dist(self.place, self.seen[t].place), t)
            for t, frames in self.left.items()
            if frames > 0 and math.dist(self.place, self.seen[t].place) < NEAR * optics.max_range
            if not only_loaded or self.seen[t].loaded or t not in self.was_loaded
        ]
        if not near:
            return None
        distance, t = min(near)
        x, y = self.seen[t].place
        area = pose.viewing_angle * pose.sight_range**2
        zoom = zoom_for_distance(distance, optics.theta_min, optics.max_range, area)
        return approach(pose, (direction_deg(x - self.place[0], y - self.place[1]), zoom), optics)


@dataclass
class GreedyTeam:
    """Greedy cameras that talk (section 11.6)."""

    cameras: list[GreedyCamera]
    radio: Radio

    def talk(
        self, step: int, views: list[dict[int, Sighting]]
    ) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
        """Write and read; return who wrote to whom (and must draw a delay), who heard whom."""
        wrote = set()
        places = [camera.place for camera in self.cameras]
        for c, camera in enumerate(self.cameras):
            camera.delay = {j: max(frames - 1, 0) for j, frames in camera.delay.items()}
            for j in range(len(self.cameras)):
                if j == c or camera.delay.get(j, 0) > 0:
                    continue
                content = (step == 0, camera.near(j, views[c]))
                if any(content):
                    wrote.add((c, j))
                    self.radio.send(step, c, j, places, content)
        heard = set()
        for sender, recipient, content in self.radio.receive(step):
            assert isinstance(content, tuple)
            heard.add((sender, recipient))
            if content[0]:
                self.cameras[recipient].known[sender] = places[sender]
            for t, sighting in content[1].items():
                self.cameras[recipient].note(t, sighting)
        return wrote, heard


def pose_score(place: tuple[float, float], pose: Pose) -> float:
    """How well a pose sees a place at (radius, direction in degrees) around it (11.7)."""
    radius, direction = place
    half = pose.viewing_angle / 2
    off = abs(normalize_angle(direction - pose.orientation))
    if radius > pose.sight_range or off > half:
        return 0.0
    inradius = pose.sight_range / 2
    if pose.viewing_angle < 180.0:
        inradius = pose.sight_range / (1 + 1 / math.sin(math.radians(half)))
    side = radius * math.sin(math.radians(min(half - off, 90.0)))
    depth = max(0.0, min(radius, pose.sight_range - radius, side))
    return depth / inradius * (1 - radius / pose.sight_range)


def all_poses(optics: Optics) -> list[Pose]:
    """The poses that heuristic cameras choose from, in order."""
    angles = [optics.theta_min + k * ((180 - optics.theta_min) / 20) for k in range(21)]
    return [
        Pose(-180.0 + 10.0 * k, theta, optics.max_range * math.sqrt(optics.theta_min / theta))
        for theta in angles
        for k in range(36)
    ]


def nearest_cell(offset: Vector, max_range: float) -> tuple[float, float]:
    """Radius and direction of the cell nearest to a place; ties do not matter."""
    cells = ((max_range * r / 40, -180.0 + 5.0 * k) for k in range(72) for r in range(41))

    def distance(cell: tuple[float, float]) -> float:
        direction = math.radians(cell[1])
        return math.dist(offset, (cell[0] * math.cos(direction), cell[0] * math.sin(direction)))

    return min(cells, key=distance)


def joint_decision(
    cameras: list[tuple[Vector, Pose]], targets: dict[int, Vector], optics: Optics
) -> list[list[tuple[float, float] | None]]:
    """Goals of all cameras for each order of them, the best order first (section 11.7)."""
    poses = all_poses(optics)
    tables = []
    for place, _ in cameras:
        cells = {
            t: nearest_cell((x - place[0], y - place[1]), optics.max_range)
            for t, (x, y) in targets.items()
            if math.dist(place, (x, y)) <= optics.max_range
        }
        tables.append({t: [pose_score(cell, pose) for pose in poses] for t, cell in cells.items()})
    ranked = []
    for order in itertools.permutations(range(len(cameras))):
        covered: set[int] = set()
        total = cost = 0.0
        goals: list[tuple[float, float] | None] = [None] * len(cameras)
        for k in order:
            sums = [sum(table[p] for table in tables[k].values()) for p in range(len(poses))]
            new = [
                sum(1 for t, table in tables[k].items() if table[p] > 0 and t not in covered)
                for p in range(len(poses))
            ]
            best = max(range(len(poses)), key=lambda p: (sums[p] + new[p], -p))
            covered |= {t for t, table in tables[k].items() if table[best] > 0}
            total += sums[best]
            turn = abs(poses[best].orientation - cameras[k][1].orientation)
            zoom = abs(poses[best].viewing_angle - cameras[k][1].viewing_angle)
            cost += max(turn / optics.rotation_step, zoom / optics.zooming_step)
            if tables[k]:
                goals[k] = (poses[best].orientation, poses[best].viewing_angle)
        ranked.append(((total + len(covered), -cost, order), goals))
    ranked.sort(key=lambda entry: entry[0], reverse=True)
    return [goals for _, goals in ranked]
