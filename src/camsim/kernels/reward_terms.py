"""Auxiliary reward terms of both teams, unweighted, one column each: MATE's (world 9.8) and ours.

The soft coverage score is a column of zeros unless the pairs were scored before.
"""

import math

from camsim.arrays import Floats
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.kernels.soft_coverage import camera_score, target_score
from camsim.kernels.stereo_coverage import stereo_coverage
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.state import SimParams, Tables
from camsim.tables import (
    T_COLLIDING,
    T_DELIVERED,
    T_EMPTY,
    T_GOAL,
    T_TRACKED,
    T_X,
    T_Y,
    W_COVERAGE,
    W_REAL_COVERAGE,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_TRANSPORT,
)

SHARED_TERMS = ("raw_reward", "coverage_rate", "real_coverage_rate", "mean_transport_rate")
MATE_CAMERA_TERMS = (*SHARED_TERMS, "soft_coverage_score", "num_tracked", "baseline")
CAMERA_TERMS = (*MATE_CAMERA_TERMS, "stereo_coverage_rate")
"""Columns of a camera's terms: MATE's in their order, then ours."""

TARGET_TERMS = (
    *SHARED_TERMS,
    "normalized_goal_distance",
    "sparse_delivery",
    "soft_coverage_score",
    "is_tracked",
    "is_colliding",
    "baseline",
)
"""Columns of a target's terms."""


@device_fn
def _write_shared_terms(
    i: int, a: int, params: SimParams, world: Floats, sign: float, out: Floats
) -> None:
    """Write the four terms that all agents of a team have in common."""
    paid = world[i, W_REWARD_DELAYED if params.sparse_reward else W_REWARD_DENSE]
    out[i, a, 0] = sign * paid
    out[i, a, 1] = world[i, W_COVERAGE]
    out[i, a, 2] = world[i, W_REAL_COVERAGE]
    out[i, a, 3] = world[i, W_TRANSPORT]


@outlined_fn
def write_camera_terms(i: int, params: SimParams, s: Tables, scores: Floats, out: Floats) -> None:
    """Write every camera's unweighted terms of the last frame, in CAMERA_TERMS order.

    Args:
        i: the environment.
        params: constants of the scenario.
        s: the state after the frame.
        scores: [N, C, T] of `coverage.score_pairs`; [0, C, T]: soft coverage is not wanted.
        out: [N, C, len(CAMERA_TERMS)].
    """
    stereo = stereo_coverage(i, params, s)
    for c in range(s.cameras.shape[1]):
        _write_shared_terms(i, c, params, s.world, -1.0, out)
        out[i, c, 4] = camera_score(i, c, s.camera_target, scores) if len(scores) > 0 else 0.0
        n_seen = 0.0
        for t in range(s.targets.shape[1]):
            n_seen += s.camera_target[i, c, t]
        out[i, c, 5] = n_seen
        out[i, c, 6] = 1.0
        out[i, c, 7] = stereo


@device_fn
def _goal_distance(i: int, t: int, targets: Floats) -> float:
    """Return the distance from target t to the edge of its goal, in terrain units.

    Without cargo: to the nearest warehouse that it does not know to be empty, or half the terrain's
    width if it knows all of them to be.
    """
    goal = int(targets[i, t, T_GOAL])
    nearest = math.inf
    for w in range(4):
        if w == goal or (goal < 0 and targets[i, t, T_EMPTY + w] == 0.0):
            dx, dy = targets[i, t, T_X] - WAREHOUSES[w, 0], targets[i, t, T_Y] - WAREHOUSES[w, 1]
            distance = math.sqrt(dx * dx + dy * dy) - WAREHOUSE_HALF_WIDTH
            nearest = min(nearest, max(distance, 0.0))
    return nearest if nearest < math.inf else TERRAIN


@outlined_fn
def write_target_terms(i: int, params: SimParams, s: Tables, scores: Floats, out: Floats) -> None:
    """Write every target's unweighted terms of the last frame, in TARGET_TERMS order.

    Args:
        i: the environment.
        params: constants of the scenario.
        s: the state after the frame.
        scores: [N, C, T] of `coverage.score_pairs`; [0, C, T]: soft coverage is not wanted.
        out: [N, T, len(TARGET_TERMS)].
    """
    targets = s.targets
    for t in range(targets.shape[1]):
        _write_shared_terms(i, t, params, s.world, 1.0, out)
        out[i, t, 4] = _goal_distance(i, t, targets) / (2.0 * TERRAIN)
        out[i, t, 5] = targets[i, t, T_DELIVERED]
        out[i, t, 6] = target_score(i, t, s.camera_target, scores) if len(scores) > 0 else 0.0
        out[i, t, 7] = targets[i, t, T_TRACKED]
        out[i, t, 8] = targets[i, t, T_COLLIDING]
        out[i, t, 9] = 1.0
