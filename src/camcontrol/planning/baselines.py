"""Where the views of two cameras differ enough for a target to be in stereo coverage.

The angle between two views of a trajectory is that between its bearings from the two cameras
(`camsim.kernels.stereo_coverage`). Angles are parts of a turn (`turns`).
"""

from typing import NamedTuple

import numpy as np

from camcontrol.planning.plan_tables import Plans
from camcontrol.planning.sight import Sight
from camsim.arrays import Int32s, UInt32s
from camsim.compiled.jit import device_fn, outlined_fn


class Baselines(NamedTuple):
    """Tables of W workers; C is 0 where any single view counts."""

    bearing: Int32s  # [W, C, F, L] from each camera that plans; L lanes as in `Trajectories`
    apart: UInt32s  # [W, C, C, X] bits of a plan where the views of two cameras differ enough
    least: int  # angle from which on they do, in parts of a turn


def allocate_baselines(
    n_workers: int, sizes: tuple[int, int, int, int], min_baseline_deg: float
) -> Baselines:
    """Return zeroed tables.

    Args:
        n_workers: W.
        sizes: cameras C, frames F, lanes of trajectories L and words of a plan X.
        min_baseline_deg: smallest angle of two views that differ enough, 0 to 180.
    """
    c, f, n_lanes, n_words = sizes
    return Baselines(
        bearing=np.zeros((n_workers, c, f, n_lanes), np.int32),
        apart=np.zeros((n_workers, c, c, n_words), np.uint32),
        least=round(min_baseline_deg / 360.0 * 2.0**32),
    )


@outlined_fn
def keep_bearings(sight: Sight, c: int, baselines: Baselines, w: int) -> None:
    """Keep camera c's bearings of the frames that plans cover, from worker w's `sight`."""
    kept = baselines.bearing[w, c]
    for f in range(kept.shape[0]):
        for n in range(kept.shape[1]):
            kept[f, n] = sight.bearing[w, f + 1, n]


@device_fn
def _compare(a: int, b: int, plans: Plans, baselines: Baselines, w: int) -> None:
    """Fill the words of cameras a and b."""
    words, n_trajectories = baselines.apart[w, a, b], plans.n_trajectories
    words[:] = 0
    for f in range(plans.slots.shape[1]):
        first, second = baselines.bearing[w, a, f], baselines.bearing[w, b, f]
        for t in range(plans.slots.shape[2]):
            word = np.int64(0)
            for k in range(n_trajectories):
                n = t * n_trajectories + k
                angle = abs(np.int64(np.int32(first[n] - second[n])))
                word |= np.int64(angle >= baselines.least) << k
            slot = plans.slots[0, f, t]
            words[slot] = np.uint32(words[slot] | (word << plans.slots[1, f, t]))
    for x in range(len(words)):
        baselines.apart[w, b, a, x] = words[x]


@outlined_fn
def compare_views(plans: Plans, baselines: Baselines, w: int) -> None:
    """Fill worker w's `apart` from the bearings that were kept; a camera beside itself has none."""
    for a in range(1, baselines.apart.shape[1]):
        for b in range(a):
            _compare(a, b, plans, baselines, w)
