"""Stereo coverage counted anew in NumPy, from angles: the oracle of the compiled one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camsim.sim import BatchSim

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def angles_deg(camera_xy: Floats, target_xy: Floats) -> Floats:
    """Angles [N, C, C, T] at the targets between the lines of sight to two cameras."""
    sight = camera_xy[:, :, None] - target_xy[:, None]  # [N, C, T, 2]
    a, b = sight[:, :, None], sight[:, None]
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    angles: Floats = np.degrees(np.arctan2(np.abs(cross), (a * b).sum(-1)))
    return angles


def covered(seen: Bools, angles: Floats, min_baseline_deg: float) -> Bools:
    """Targets [N, T] in two views `seen` [N, C, T] that differ by at least the angle.

    An angle within 1e-9 degrees counts: such cases are those that are meant to be exact.
    """
    pairs = seen[:, :, None] & seen[:, None] & (angles >= min_baseline_deg - 1e-9)
    pairs &= ~np.eye(seen.shape[1], dtype=np.bool_)[:, :, None]
    found: Bools = pairs.any(axis=(1, 2))
    return found


def lost(seen: Bools, angles: Floats, min_baseline_deg: float) -> Floats:
    """Share of targets [N, C] that each camera makes stereo covered: taken out, counted again."""
    whole = covered(seen, angles, min_baseline_deg).mean(-1)
    without = []
    for c in range(seen.shape[1]):
        rest = seen.copy()
        rest[:, c] = False
        without.append(whole - covered(rest, angles, min_baseline_deg).mean(-1))
    return np.stack(without, axis=1) if without else np.zeros((len(seen), 0))


def of_world(sim: BatchSim, min_baseline_deg: float = 30.0) -> tuple[Floats, Floats]:
    """Stereo coverage [N] of the worlds as they stand, and what is lost without each camera."""
    seen = sim.tables.camera_target
    angles = angles_deg(sim.view.cameras.xy, sim.view.targets.xy)
    return covered(seen, angles, min_baseline_deg).mean(-1), lost(seen, angles, min_baseline_deg)
