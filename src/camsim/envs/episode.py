"""Statistics of the running episode: a row of sums per environment (tables.EPISODE_COLUMNS)."""

from camsim.arrays import Floats
from camsim.compiled.jit import device_fn
from camsim.tables import W_COVERAGE, W_REAL_COVERAGE, W_REWARD_DELAYED, W_REWARD_DENSE, W_TRANSPORT

LENGTH, COVERAGE_SUM, REAL_COVERAGE_SUM, TRANSPORT, CAMERA_RETURN = 0, 1, 2, 3, 4
REWARD_SUM, SELECTED, VALID_SELECTED = 5, 6, 7


@device_fn
def clear_episode(i: int, episode: Floats) -> None:
    """Start counting anew."""
    for k in range(episode.shape[1]):
        episode[i, k] = 0.0


@device_fn
def count_frame(i: int, world: Floats, sparse: bool, episode: Floats) -> None:
    """Add one frame of the world's own figures to the running sums."""
    episode[i, LENGTH] += 1.0
    episode[i, COVERAGE_SUM] += world[i, W_COVERAGE]
    episode[i, REAL_COVERAGE_SUM] += world[i, W_REAL_COVERAGE]
    episode[i, TRANSPORT] = world[i, W_TRANSPORT]
    episode[i, CAMERA_RETURN] -= world[i, W_REWARD_DELAYED if sparse else W_REWARD_DENSE]
