"""Discrete action grids against upstream's."""

from __future__ import annotations

import numpy as np
import pytest
from parity.golden import DATA, load_arrays

from camsim.envs import discrete_actions as grids

ARRAYS, _ = load_arrays(DATA / "discrete_actions.npz")
LIMITS = np.array([5.0, 2.5])


@pytest.mark.parametrize("levels", [3, 5, 7])
def test_grids(levels: int) -> None:
    for team, grid in (("camera", grids.camera_grid), ("target", grids.target_grid)):
        wanted = ARRAYS[f"{team}_grid_{levels}"]
        np.testing.assert_allclose(grid(levels), wanted, rtol=0.0, atol=1e-12)


def test_continuous_actions() -> None:
    ids = np.repeat(np.arange(25)[:, None], 4, axis=1)
    cameras = grids.camera_actions(ids, grids.camera_grid(5), LIMITS)
    np.testing.assert_allclose(cameras, ARRAYS["camera_action_5"], rtol=0.0, atol=1e-12)
    steps = ARRAYS["target_step_size"]
    targets = grids.target_actions(ids, grids.target_grid(5), steps)
    np.testing.assert_allclose(targets, ARRAYS["target_action_5"], rtol=0.0, atol=1e-12)


def test_nearest_grid_points() -> None:
    found = grids.nearest(grids.camera_grid(5), ARRAYS["camera_nearest_input"] / LIMITS)
    np.testing.assert_array_equal(found, ARRAYS["camera_nearest_index"])


def test_inverse_of_target_actions() -> None:
    """Upstream raises an error here; ours finds the action it came from."""
    steps, ids = ARRAYS["target_step_size"], np.repeat(np.arange(25)[:, None], 4, axis=1)
    normalized = ARRAYS["target_action_5"] / steps[None, :, None]
    np.testing.assert_array_equal(grids.nearest(grids.target_grid(5), normalized), ids)
