"""Layouts in which no draw of start places can succeed, told with the key that asks for it.

MATE redraws an entity until it overlaps nothing placed before (world 3.1 to 3.3), 500 times, and
then keeps the overlap. Here a layout is refused only when every draw must fail; what is merely
crowded loads, as in MATE.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES

__all__ = ["Team", "impossible_placement"]

Floats = NDArray[np.float64]

KEEP_OUT = 0.75 * WAREHOUSE_HALF_WIDTH  # radius of the discs around warehouses that stay free
_SLACK = 1.0 + 1e-6  # MATE's, on distances
_DEPTH = 7  # a box is halved this often in search of a free spot


class Team(NamedTuple):
    """The entities of one kind, as far as their placement is concerned."""

    kind: str  # camera, obstacle or target
    n_fixed: int  # the first ones stand at fixed points, the others in boxes
    boxes: Floats  # [n, 4] x_low, x_high, y_low, y_high
    radius_low: float
    radius_high: float
    margin: float  # gap that a new entity of this kind keeps to what stands already
    apart: float  # distance that two of this kind keep at least, whatever their radii

    def key(self, i: int) -> str:
        """Return the path of the key that places entity i."""
        if i < self.n_fixed:
            return f"{self.kind}.location[{i}]"
        return f"{self.kind}.location_random_range[{i - self.n_fixed}]"

    def need(self, other: "Team") -> float:
        """Return the smallest distance that MATE allows between two entities, `other` earlier."""
        need = self.radius_low + other.radius_low + self.margin
        return max(need / _SLACK, self.apart) if self.kind == other.kind else need / _SLACK


def impossible_placement(cameras: Team, obstacles: Team, targets: Team) -> str | None:
    """Return one line that says why no draw can place all entities, or None if some may.

    It is told when a place lies outside the terrain; when two entities must overlap, or one and a
    warehouse; when discs that must be there cover a whole box; and when a box is too small for the
    number of discs in it.
    """
    for team in (cameras, obstacles, targets):
        for i in range(len(team.boxes)):
            reason = _outside(team, i)
            if reason:
                return reason
    regions = {team.kind: _regions(team) for team in (cameras, obstacles, targets)}
    for team in (cameras, obstacles):
        reason = _too_many(team, regions[team.kind])
        if reason:
            return reason
    for new, earlier in (
        (cameras, (cameras,)),
        (obstacles, (cameras, obstacles)),
        (targets, (cameras, obstacles)),
    ):
        for i in range(len(new.boxes)):
            reason = _no_room(new, i, earlier, regions)
            if reason:
                return reason
    return None


def _outside(team: Team, i: int) -> str | None:
    x_low, x_high, y_low, y_high = team.boxes[i].tolist()
    fixed = i < team.n_fixed
    if max(x_low, y_low, -x_high, -y_high) <= TERRAIN:
        return None
    told = [x_low, y_low] if fixed else [x_low, x_high, y_low, y_high]
    return f"{team.key(i)} = {told}; expected a place within the terrain, -1000 to 1000"


def _regions(team: Team) -> Floats:
    """Return boxes [n, 4] that hold every place an entity may get, clipping at the border included.

    The radius decides where a place is clipped, and may be random: both extremes count.
    """
    limits = [TERRAIN - 1.2 * radius for radius in (team.radius_low, team.radius_high)]
    if min(limits) < 0.0:  # so large that clipping moves it across the centre
        return np.tile([-TERRAIN, TERRAIN], (len(team.boxes), 2))
    clipped = np.stack([np.clip(team.boxes, -limit, limit) for limit in limits])
    region: Floats = clipped.min(0)
    region[:, 1::2] = clipped.max(0)[:, 1::2]
    return region


def _farthest(a: Floats, b: Floats) -> Floats:
    """Return the largest distances between points of boxes `a` [..., 4] and `b` [..., 4]."""
    x = np.maximum(a[..., 1] - b[..., 0], b[..., 1] - a[..., 0])
    y = np.maximum(a[..., 3] - b[..., 2], b[..., 3] - a[..., 2])
    distance: Floats = np.hypot(x, y)
    return distance


def _no_room(
    new: Team, i: int, earlier: tuple[Team, ...], regions: dict[str, Floats]
) -> str | None:
    """Return why entity i of a team can stand nowhere, or None if it may."""
    region = regions[new.kind][i]
    warehouses = np.repeat(WAREHOUSES, 2, axis=1)
    rivals = [(warehouses, np.full(4, (new.radius_low + KEEP_OUT + new.margin) / _SLACK))]
    names = [f"warehouse {w}'s keep-out disc" for w in range(4)]
    for team in earlier:
        # Of two of the same kind only the earlier is told, so that a pair is told once.
        count = i if team.kind == new.kind else len(team.boxes)
        rivals.append((regions[team.kind][:count], np.full(count, new.need(team))))
        names += [team.key(j) for j in range(count)]
    boxes = np.concatenate([places for places, _ in rivals])
    needs = np.concatenate([need for _, need in rivals])
    distances = _farthest(region, boxes)
    overlap = np.flatnonzero(distances < needs * (1.0 - 1e-12))
    if len(overlap):
        first = int(overlap[0])
        told = f"distance {distances[first]:.6g}, needs at least {needs[first] * _SLACK:.6g}"
        most = "" if _is_point(region) and _is_point(boxes[first]) else "at most "
        return f"{new.key(i)} overlaps {names[first]}: {most}{told}"
    firm = np.hypot(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]) < 2.0 * needs
    if _covered(region, boxes[firm], needs[firm], _DEPTH):  # others may always make room
        return f"{new.key(i)} lies wholly within discs that must stay free: no place is left"
    return None


def _is_point(box: Floats) -> bool:
    return bool(box[0] == box[1] and box[2] == box[3])


def _covered(box: Floats, rivals: Floats, needs: Floats, depth: int) -> bool:
    """Tell whether `rivals` surely keep an entity out of all of `box`; False when in doubt."""
    near = _nearest(box, rivals) < needs
    rivals, needs = rivals[near], needs[near]
    if (_farthest(box, rivals) < needs).any():
        return True
    if len(rivals) == 0 or depth == 0 or _is_point(box):
        return False
    x_low, x_high, y_low, y_high = box.tolist()
    x, y = (x_low + x_high) / 2, (y_low + y_high) / 2
    quarters = [
        np.array([*xs, *ys]) for xs in ((x_low, x), (x, x_high)) for ys in ((y_low, y), (y, y_high))
    ]
    return all(_covered(quarter, rivals, needs, depth - 1) for quarter in quarters)


def _nearest(a: Floats, b: Floats) -> Floats:
    """Return the smallest distances between points of box `a` [4] and boxes `b` [..., 4]."""
    x = np.maximum(np.maximum(a[0] - b[..., 1], b[..., 0] - a[1]), 0.0)
    y = np.maximum(np.maximum(a[2] - b[..., 3], b[..., 2] - a[3]), 0.0)
    distance: Floats = np.hypot(x, y)
    return distance


def _too_many(team: Team, regions: Floats) -> str | None:
    """Return which box must hold more of a team than fit, or None.

    N. Oler (1961): a convex region of area A and perimeter P holds at most 2 A / (sqrt(3) d^2) +
    P / (2 d) + 1 points that keep a distance of d.
    """
    apart = team.need(team)
    if apart <= 0.0:
        return None
    _, firsts = np.unique(regions, axis=0, return_index=True)
    for i in np.sort(firsts).tolist():
        x_low, x_high, y_low, y_high = regions[i].tolist()
        inside = (regions[:, 0::2] >= (x_low, y_low)) & (regions[:, 1::2] <= (x_high, y_high))
        count = int(inside.all(-1).sum())
        width, height = x_high - x_low, y_high - y_low
        if width == height == 0.0:  # entities at one point overlap: told as such
            continue
        room = 2.0 * width * height / (math.sqrt(3.0) * apart**2) + (width + height) / apart + 1.0
        if count > room * (1.0 + 1e-9):
            told = f"{count} {team.kind}s must start within it, at most {int(room)} fit"
            return f"{team.key(i)} is too small: {told} at distances of {apart * _SLACK:.6g}"
    return None
