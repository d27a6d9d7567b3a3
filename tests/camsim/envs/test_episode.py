"""Sums of a running episode, frame by frame."""

import numpy as np
import pytest
from compiled import from_python

from camsim.envs import episode as sums
from camsim.tables import (
    EPISODE_COLUMNS,
    W_COVERAGE,
    W_REAL_COVERAGE,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_TRANSPORT,
    WORLD_COLUMNS,
)

clear_episode = from_python(sums.clear_episode)
count_frame = from_python(sums.count_frame)


@pytest.mark.parametrize(("sparse", "camera_return"), [(False, -(3.0 + 4.0)), (True, -10.0)])
def test_two_frames(sparse: bool, camera_return: float) -> None:
    """Rates add up but for the transport rate, which is the last one; cameras lose what pays."""
    world = np.zeros((2, WORLD_COLUMNS))
    columns = [W_COVERAGE, W_REAL_COVERAGE, W_TRANSPORT, W_REWARD_DENSE, W_REWARD_DELAYED]
    episode = np.full((2, len(EPISODE_COLUMNS)), 9.0)
    clear_episode(1, episode)
    frames = ([0.5, 0.25, 0.1, 3.0, 0.0], [1.0, 0.5, 0.2, 4.0, 10.0])
    for frame, stereo in zip(frames, (0.25, 0.75), strict=True):
        world[1, columns] = frame
        count_frame(1, world, stereo, sparse, episode)
    counted = dict(zip(EPISODE_COLUMNS, episode[1].tolist(), strict=True))
    assert counted == {
        "length": 2.0,
        "coverage_sum": 1.5,
        "real_coverage_sum": 0.75,
        "mean_transport_rate": 0.2,
        "camera_return": camera_return,
        "reward_sum": 0.0,
        "selected": 0.0,
        "valid_selected": 0.0,
        "stereo_coverage_sum": 1.0,
    }
    assert (episode[0] == 9.0).all(), "another environment"


def test_statistics_from_before_stereo_coverage_do_not_know_it() -> None:
    new = np.random.default_rng(0).random((3, len(EPISODE_COLUMNS)))
    assert sums.with_all_columns(new) is new
    old = sums.with_all_columns(new[:, :8])
    assert old.shape == new.shape
    np.testing.assert_array_equal(old[:, :8], new[:, :8])
    assert np.isnan(old[:, 8:]).all()
    assert sums.with_all_columns(new[:, :3]).shape == (3, 3), "a foreign array stays what it is"
