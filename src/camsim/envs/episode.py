"""Statistics of the running episode: a row of sums per environment (tables.EPISODE_COLUMNS)."""

import numpy as np

from camsim.arrays import Floats
from camsim.compiled.jit import device_fn
from camsim.tables import (
    W_COVERAGE,
    W_REAL_COVERAGE,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_TRANSPORT,
)

LENGTH, COVERAGE_SUM, REAL_COVERAGE_SUM, TRANSPORT, CAMERA_RETURN = 0, 1, 2, 3, 4
REWARD_SUM, SELECTED, VALID_SELECTED, STEREO_COVERAGE_SUM = 5, 6, 7, 8


@device_fn
def clear_episode(i: int, episode: Floats) -> None:
    """Start counting anew."""
    for k in range(episode.shape[1]):
        episode[i, k] = 0.0


@device_fn
def count_frame(i: int, world: Floats, stereo: float, sparse: bool, episode: Floats) -> None:
    """Add one frame of the world's own figures to the running sums.

    Args:
        i: the environment.
        world: [N, WORLD_COLUMNS] after the frame.
        stereo: share of targets that are stereo covered.
        sparse: whether the delayed reward is paid.
        episode: [N, K] the sums.
    """
    episode[i, LENGTH] += 1.0
    episode[i, COVERAGE_SUM] += world[i, W_COVERAGE]
    episode[i, REAL_COVERAGE_SUM] += world[i, W_REAL_COVERAGE]
    episode[i, STEREO_COVERAGE_SUM] += stereo
    episode[i, TRANSPORT] = world[i, W_TRANSPORT]
    episode[i, CAMERA_RETURN] -= world[i, W_REWARD_DELAYED if sparse else W_REWARD_DENSE]


def with_all_columns(episode: Floats) -> Floats:
    """Return stored statistics [N, K] with the column of stereo coverage, which older ones lack.

    Nobody counted it in those episodes, so it is NaN there: not known.
    """
    missing = int(episode.shape[1:] == (STEREO_COVERAGE_SUM,))
    return np.pad(episode, ((0, 0), (0, missing)), constant_values=np.nan) if missing else episode
