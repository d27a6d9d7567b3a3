"""Discrete action grids: geometry, inverse map, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camsim.envs import discrete_actions as grids

LEVELS = st.integers(1, 6).map(lambda k: 2 * k + 1)


@given(LEVELS)
def test_geometry(levels: int) -> None:
    cameras, targets = grids.camera_grid(levels), grids.target_grid(levels)
    middle = levels * levels // 2
    assert cameras.shape == targets.shape == (levels * levels, 2)
    assert (cameras[middle] == 0.0).all()
    assert (targets[middle] == 0.0).all()
    np.testing.assert_allclose(np.sort(cameras, axis=0), np.sort(-cameras, axis=0), atol=1e-12)
    assert cameras[0].tolist() == [-1.0, -1.0]
    assert cameras[1, 0] > cameras[0, 0]  # the first coordinate runs fastest
    assert cameras[1, 1] == cameras[0, 1]
    ring = np.abs(cameras).max(axis=1)
    np.testing.assert_allclose(np.hypot(*targets.T), ring, atol=1e-12)
    cross = cameras[:, 0] * targets[:, 1] - cameras[:, 1] * targets[:, 0]
    np.testing.assert_allclose(cross, 0.0, atol=1e-12)  # directions are kept


@given(LEVELS)
def test_nearest_inverts_the_grid(levels: int) -> None:
    for grid in (grids.camera_grid(levels), grids.target_grid(levels)):
        ids = np.arange(levels * levels).reshape(-1, 1)
        np.testing.assert_array_equal(grids.nearest(grid, grid[ids]), ids)


@given(LEVELS, st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_nearest_is_nearest(levels: int, x: float, y: float) -> None:
    grid = grids.target_grid(levels)
    distance = [(x - u) ** 2 + (y - v) ** 2 for u, v in grid]
    found = int(grids.nearest(grid, np.array([x, y])))
    assert found == distance.index(min(distance))


def test_ties_go_to_the_lowest_action() -> None:
    assert grids.nearest(grids.camera_grid(3), np.array([0.5, 0.5])) == 4


def test_heavy_targets_step_less() -> None:
    ids = np.array([[14, 14]])
    steps = np.array([[20.0, 10.0]])
    actions = grids.target_actions(ids, grids.target_grid(5), steps)
    assert actions.tolist() == [[[20.0, 0.0], [10.0, 0.0]]]


@pytest.mark.parametrize("levels", [-1, 0, 1, 2, 4])
def test_bad_levels(levels: int) -> None:
    with pytest.raises(ValueError, match=f"action levels = {levels}; expected an odd number"):
        grids.unit_grid(levels)


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ([[0, 25]], r"a\[0, 1\] = 25; expected 0 to 24"),
        ([[-1, 0]], r"a\[0, 0\] = -1; expected 0 to 24"),
        ([[0.5, 1.0]], r"a is float64 of shape \(1, 2\); expected \(1, 2\) integers"),
        ([0, 1], r"a is int64 of shape \(2,\); expected \(1, 2\) integers"),
    ],
)
def test_bad_ids(ids: list[float], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        grids.checked_ids("a", np.array(ids), (1, 2), 5)
