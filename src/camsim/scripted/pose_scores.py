"""How well each pose of a camera sees each place around it: the heuristic cameras' table (11.7)."""

from typing import NamedTuple

import numpy as np

from camsim.arrays import Floats, Ints

N_RADII, N_DIRECTIONS = 41, 72
DIRECTION_STEP_DEG = 5.0
ORIENTATION_STEP_DEG = 10.0
N_ORIENTATIONS, N_ANGLES = 36, 21
N_POSES = N_ORIENTATIONS * N_ANGLES


class ScoreTable(NamedTuple):
    """Positive scores, one row of poses per cell; cell = direction * N_RADII + radius."""

    cells: Ints  # [cells + 1] row of cell k: from cells[k] to cells[k + 1]
    rows: Floats  # [K, 2] pose, ascending inside a row; score above 0


NO_SCORES = ScoreTable(np.zeros(0, np.int64), np.zeros((0, 2)))
"""The table of a team that does not need one."""


def score_table(theta_min_deg: float, max_range: float) -> ScoreTable:
    """Return the table for cameras of a smallest viewing angle (degrees) and largest range.

    Pose k looks in direction -180 + 10 * (k mod 36) degrees with viewing angle k div 36.
    """
    theta_min_deg, max_range = round(theta_min_deg, 8), round(max_range, 8)
    angles = np.linspace(theta_min_deg, 180.0, N_ANGLES).tolist()
    scores = np.concatenate(
        [_scores_of_angle(theta, theta_min_deg, max_range) for theta in angles], axis=1
    )
    cell, pose = np.nonzero(scores)
    cells = np.searchsorted(cell, np.arange(len(scores) + 1)).astype(np.int64)
    return ScoreTable(cells, np.stack([pose.astype(np.float64), scores[cell, pose]], axis=1))


def _scores_of_angle(theta_deg: float, theta_min_deg: float, max_range: float) -> Floats:
    """Return the scores [cells, orientations] of one viewing angle."""
    sight_range = max_range * np.sqrt(theta_min_deg / theta_deg)
    half = 0.5 * theta_deg
    inradius = 0.5 * sight_range
    if theta_deg < 180.0:
        inradius = sight_range / (1.0 + 1.0 / np.sin(np.deg2rad(half)))
    orientations = -180.0 + ORIENTATION_STEP_DEG * np.arange(N_ORIENTATIONS)
    radii = np.linspace(0.0, max_range, N_RADII)
    directions = -180.0 + DIRECTION_STEP_DEG * np.arange(N_DIRECTIONS)
    off = np.abs((directions[:, None] - orientations + 180.0) % 360.0 - 180.0)  # [directions, .]
    inside = half - off
    side = radii[:, None] * np.sin(np.deg2rad(np.minimum(inside, 90.0)))[:, None]  # [., radii, .]
    ends = np.minimum(radii, sight_range - radii)[:, None]
    depth = (
        np.maximum(np.minimum(ends, side), 0.0) / inradius * (1.0 - radii / sight_range)[:, None]
    )
    depth[(inside < 0.0)[:, None] & np.ones((N_RADII, 1), np.bool_)] = 0.0
    depth[:, radii > sight_range] = 0.0
    scores: Floats = depth.reshape(-1, len(orientations))
    return scores
