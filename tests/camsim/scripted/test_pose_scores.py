"""The heuristic cameras' table: poses of a cell, by the rule of world 11.7."""

import math

import numpy as np
import pytest

from camsim.scripted.pose_scores import (
    N_ANGLES,
    N_DIRECTIONS,
    N_ORIENTATIONS,
    N_POSES,
    N_RADII,
    score_table,
)

THETA_MIN, MAX_RANGE = 30.0, 1500.0


def score(direction: int, radius: int, orientation: int, angle: int) -> float:
    """The score of a pose for a cell, 0 if the table has no such row."""
    table = score_table(THETA_MIN, MAX_RANGE)
    cell = direction * N_RADII + radius
    rows = table.rows[table.cells[cell] : table.cells[cell + 1]]
    found = rows[rows[:, 0] == angle * N_ORIENTATIONS + orientation, 1]
    return float(found[0]) if len(found) else 0.0


def test_a_place_on_the_axis_of_the_narrowest_view() -> None:
    """Radius 20 of 40 is 750, half of the range; direction 36 and orientation 18 are 0 degrees.

    Depth: the least of 750 to either end and of 750 sin 15 to a side; the inscribed circle has
    1500 / (1 + 1 / sin 15); what is far counts less: 1 - 750 / 1500.
    """
    sine = math.sin(math.radians(15.0))
    wanted = 750 * sine / (1500 / (1 + 1 / sine)) * 0.5
    assert score(36, 20, 18, 0) == pytest.approx(wanted, rel=1e-9)


def test_places_out_of_view_have_no_row() -> None:
    assert score(36, 20, 0, 0) == 0.0  # behind the camera
    assert score(36, 20, 16, 0) == 0.0  # 20 degrees beside a half angle of 15
    assert score(36, 40, 18, N_ANGLES - 1) == 0.0  # beyond the range of the widest view


def test_the_table_is_whole_and_ascending() -> None:
    table = score_table(THETA_MIN, MAX_RANGE)
    assert len(table.cells) == N_DIRECTIONS * N_RADII + 1
    assert (table.cells[0], table.cells[-1]) == (0, len(table.rows))
    assert (table.rows[:, 1] > 0.0).all()
    for first, last in zip(table.cells[:-1:97], table.cells[1::97], strict=True):
        poses = table.rows[first:last, 0]
        assert (np.diff(poses) > 0).all()
        assert ((poses >= 0) & (poses < N_POSES)).all()
