"""MATE's auxiliary reward terms of both teams, and their weighted sum (spec 9.8).

Device functions write the unweighted terms of a frame, one column each; NumPy functions weight and
reduce them. The soft coverage score is a column of zeros unless the pairs were scored before.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.coverage import camera_score, target_score
from camsim.layout import (
    T_COLLIDING,
    T_DELIVERED,
    T_EMPTY,
    T_GOAL,
    T_TRACKED,
    T_X,
    T_Y,
    TERRAIN,
    W_COVERAGE,
    W_REAL_COVERAGE,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_TRANSPORT,
    WAREHOUSE_HALF_WIDTH,
    WAREHOUSES,
)
from camsim.state import Floats, SimParams, Tables

SHARED_TERMS = ("raw_reward", "coverage_rate", "real_coverage_rate", "mean_transport_rate")
CAMERA_TERMS = (*SHARED_TERMS, "soft_coverage_score", "num_tracked", "baseline")
"""Columns of a camera's terms."""

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

REDUCTIONS = ("none", "mean", "sum", "max", "min")
"""How the rewards of a team are shared: not at all, or every agent gets the one figure."""

Coefficient = float | Callable[..., NDArray[np.float64] | float]
"""A weight, or a function (agent_index, episode_id, episode_step, raw_reward, value) of arrays
[N, A] that returns weights [N, A] or one number."""


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
    for c in range(s.cameras.shape[1]):
        _write_shared_terms(i, c, params, s.world, -1.0, out)
        out[i, c, 4] = camera_score(i, c, s.camera_target, scores) if len(scores) > 0 else 0.0
        n_seen = 0.0
        for t in range(s.targets.shape[1]):
            n_seen += s.camera_target[i, c, t]
        out[i, c, 5] = n_seen
        out[i, c, 6] = 1.0


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


def check_rewards(names: Mapping[str, object], reduction: str, columns: Sequence[str]) -> None:
    """Check the names of a choice of reward terms.

    Args:
        names: the coefficients by term.
        reduction: one of REDUCTIONS.
        columns: CAMERA_TERMS or TARGET_TERMS.

    Raises:
        ValueError: a term or the reduction does not exist.
    """
    for what, found, known in (
        *(("reward term", name, columns) for name in names),
        ("reduction", reduction, REDUCTIONS),
    ):
        if found not in known:
            close = difflib.get_close_matches(str(found), known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{what} {found!r}; expected one of {', '.join(known)}{hint}")


def uses_soft_coverage(coefficients: Mapping[str, object]) -> bool:
    """Tell whether the pairs must be scored for these coefficients: only then it costs time."""
    return "soft_coverage_score" in coefficients


def weights(
    terms: Floats,
    coefficients: Mapping[str, Coefficient],
    columns: Sequence[str],
    episode_id: NDArray[np.int64] | int = 0,
    episode_step: NDArray[np.int64] | int = 0,
) -> dict[str, Floats]:
    """Return the weight [N, A] of each given term, with functions evaluated.

    Args:
        terms: [N, A, K] unweighted.
        coefficients: numbers or functions by term.
        columns: names of the K columns.
        episode_id: [N] or one number: episodes since the start, from 0.
        episode_step: [N] or one number: frames of the episode, this one included.

    Raises:
        ValueError: a term does not exist, or a function returns another shape.
    """
    check_rewards(coefficients, "none", columns)
    shape = terms.shape[:2]
    clocks = [
        np.broadcast_to(np.asarray(clock).reshape(-1, 1), shape)
        for clock in (episode_id, episode_step)
    ]
    agents = np.broadcast_to(np.arange(shape[1]), shape)
    raw = terms[..., columns.index("raw_reward")]
    found: dict[str, Floats] = {}
    for name, coefficient in coefficients.items():
        if callable(coefficient):
            value = terms[..., columns.index(name)]
            weight = np.asarray(coefficient(agents, *clocks, raw, value), np.float64)
        else:
            weight = np.asarray(coefficient, np.float64)
        if weight.shape not in ((), shape):
            raise ValueError(f"coefficient of {name!r} has shape {weight.shape}; expected {shape}")
        found[name] = np.broadcast_to(weight, shape)
    return found


def combine(
    terms: Floats,
    coefficients: Mapping[str, Coefficient],
    reduction: str = "none",
    columns: Sequence[str] | None = None,
    episode_id: NDArray[np.int64] | int = 0,
    episode_step: NDArray[np.int64] | int = 0,
) -> Floats:
    """Return the rewards [N, A]: the sum of the given terms times their coefficients.

    Args:
        terms: [N, A, K] unweighted, of `write_camera_terms` or `write_target_terms`.
        coefficients: numbers or functions by term; terms that are not named count nothing.
        reduction: none, or the figure over the team that every agent gets: mean, sum, max, min.
        columns: names of the K columns; without them K tells the team.
        episode_id: [N] or one number, for functions.
        episode_step: [N] or one number, for functions.

    Raises:
        ValueError: a term or the reduction does not exist, or a function returns another shape.
    """
    if columns is None:
        columns = CAMERA_TERMS if terms.shape[2] == len(CAMERA_TERMS) else TARGET_TERMS
    check_rewards(coefficients, reduction, columns)
    rewards: Floats = np.zeros(terms.shape[:2])
    for name, weight in weights(terms, coefficients, columns, episode_id, episode_step).items():
        rewards += weight * terms[..., columns.index(name)]
    if reduction == "none" or rewards.shape[1] == 0:
        return rewards
    shared = {
        "mean": rewards.mean(axis=1),
        "sum": rewards.sum(axis=1),
        "max": rewards.max(axis=1),
        "min": rewards.min(axis=1),
    }[reduction]
    rewards[:] = shared[:, None]
    return rewards
