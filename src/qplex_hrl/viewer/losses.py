"""Losses of an episode: when no camera sees a target, and which cameras could have seen it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Bools, Floats

__all__ = ["Loss", "find_losses", "longest_loss", "within_reach"]

_GRAZING = 1.0 + 1e-6  # a point this little behind an obstacle's edge is not hidden (world 5.5)


class Loss(NamedTuple):
    """Frames in a row in which no camera sees a target; both ends belong to it."""

    target: int
    first_frame: int
    last_frame: int

    @property
    def frames(self) -> int:
        """How many frames it lasts."""
        return self.last_frame - self.first_frame + 1


def find_losses(camera_target: Bools) -> list[Loss]:
    """Return all losses, target by target, in the order of their frames.

    Args:
        camera_target: [F, C, T] which camera sees which target.
    """
    lost = ~np.asarray(camera_target, np.bool_).any(axis=1)
    edges = np.diff(lost.astype(np.int8), axis=0, prepend=0, append=0)
    losses = []
    for target in range(lost.shape[1]):
        starts = np.flatnonzero(edges[:, target] == 1)
        ends = np.flatnonzero(edges[:, target] == -1) - 1
        losses += [Loss(target, int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
    return losses


def longest_loss(arrays: Mapping[str, NDArray[Any]]) -> Loss | None:
    """Return the longest loss of an episode, the first of equals; None if there is none.

    Args:
        arrays: of a recording; `camera_target` [F, C, T] is read.
    """
    losses = find_losses(arrays["camera_target"])
    return max(losses, key=lambda loss: (loss.frames, -loss.first_frame), default=None)


def within_reach(arrays: Mapping[str, NDArray[Any]], transmittance: float) -> Bools:
    """Tell which camera would see which target if it turned and zoomed to it, [F, C, T].

    It would if the target is within its longest sight range and no obstacle that it knows cuts the
    line between them. Obstacles that let everything through cut nothing. Through other obstacles a
    camera may see by chance: a target that it does see is within its reach.

    Args:
        arrays: of a recording.
        transmittance: chance that an obstacle lets a view through, 0 to 1.
    """
    camera_xy = np.asarray(arrays["camera_xy"], np.float64)
    line = np.asarray(arrays["target_xy"], np.float64)[:, None] - camera_xy[:, None]
    length = np.hypot(line[..., 0], line[..., 1])
    reach: Bools = length <= np.asarray(arrays["camera_max_range"], np.float64)[:, None]
    if transmittance >= 1.0:
        return reach
    known = np.asarray(arrays["camera_obstacle"], np.bool_)
    for o, radius in enumerate(np.asarray(arrays["obstacle_radius"], np.float64)):
        to_obstacle = np.asarray(arrays["obstacle_xy"], np.float64)[o] - camera_xy
        cut = _cuts(line, length, to_obstacle[:, None], float(radius))
        reach &= ~(cut & known[:, :, o, None])
    return reach | np.asarray(arrays["camera_target"], np.bool_)


def _cuts(line: Floats, length: Floats, to_obstacle: Floats, radius: float) -> Bools:
    """Tell which lines [..., 2] of these lengths [...] end behind (or in) a disc."""
    safe = np.where(length > 0.0, length, 1.0)
    along = (line * to_obstacle).sum(axis=-1)
    cross = (to_obstacle[..., 0] * line[..., 1] - to_obstacle[..., 1] * line[..., 0]) / safe
    chord = radius**2 - cross**2
    entry = along / safe - np.sqrt(np.maximum(chord, 0.0))
    cut: Bools = (along > 0.0) & (chord > 0.0) & (length > entry * _GRAZING)
    return cut
