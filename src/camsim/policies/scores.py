"""How well each pose of a camera sees each place around it: the heuristic cameras' table (11.7)."""

from typing import NamedTuple

import numpy as np

from camsim.state import Floats, Ints

N_RADII, N_DIRECTIONS = 41, 72
DIRECTION_STEP_DEG = 5.0
_N_ORIENTATIONS, _N_ANGLES = 36, 21


class ScoreTable(NamedTuple):
    """Positive scores, one row of poses per cell; cell = direction * N_RADII + radius."""

    poses: Floats  # [P, 2] orientation and viewing angle in degrees; orientations run fastest
    start: Ints  # [cells + 1] row of cell k: entries start[k] to start[k + 1]
    pose: Ints  # [K] ascending inside a row
    value: Floats  # [K] above 0


NO_SCORES = ScoreTable(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
"""The table of a team that does not need one."""


def score_table(theta_min_deg: float, max_range: float) -> ScoreTable:
    """Return the table for cameras of a smallest viewing angle (degrees) and largest range."""
    theta_min_deg, max_range = round(theta_min_deg, 8), round(max_range, 8)
    angles = np.linspace(theta_min_deg, 180.0, _N_ANGLES).astype(np.float64)
    orientations: Floats = -180.0 + 10.0 * np.arange(_N_ORIENTATIONS)
    scores = np.concatenate(
        [_scores_of_angle(theta, theta_min_deg, max_range, orientations) for theta in angles], 1
    )
    cell, pose = np.nonzero(scores)
    start = np.searchsorted(cell, np.arange(len(scores) + 1)).astype(np.int64)
    poses = np.stack([np.tile(orientations, _N_ANGLES), np.repeat(angles, _N_ORIENTATIONS)], axis=1)
    return ScoreTable(poses, start, pose.astype(np.int64), scores[cell, pose])


def _scores_of_angle(
    theta_deg: float, theta_min_deg: float, max_range: float, orientations: Floats
) -> Floats:
    """Return the scores [cells, orientations] of one viewing angle."""
    sight_range = max_range * np.sqrt(theta_min_deg / theta_deg)
    half = 0.5 * theta_deg
    inradius = 0.5 * sight_range
    if theta_deg < 180.0:
        inradius = sight_range / (1.0 + 1.0 / np.sin(np.deg2rad(half)))
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
