"""Checks of stored arrays before kernels work on them: kernels trust indices, counts and sizes."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import camsim.tables as col
from camsim.layout import N_WAREHOUSES, TERRAIN

_EDGE = TERRAIN + 1e-6
_LONGEST = 1e9  # frames


class _Range(NamedTuple):
    """Where some numbers of an array lie."""

    part: tuple[Any, ...]  # index into the array
    low: float
    high: float


_GOAL = (-1.0, N_WAREHOUSES - 1.0)
_RANGES: dict[str, tuple[_Range, ...]] = {
    "cameras": (
        _Range((..., slice(col.C_X, col.C_Y + 1)), -_EDGE, _EDGE),
        _Range((..., col.C_PHI), -360.0, 360.0),
        _Range((..., col.C_THETA), 0.0, 360.0),
        _Range((..., slice(col.C_COS, col.C_COS_HALF + 1)), -1.0 - 1e-9, 1.0 + 1e-9),
    ),
    "targets": (
        _Range((..., slice(col.T_X, col.T_Y + 1)), -_EDGE, _EDGE),
        _Range((..., slice(col.T_STEP, col.T_CAPACITY + 1)), 0.0, 1e6),
        _Range((..., col.T_GOAL), *_GOAL),
        _Range((..., col.T_LOAD), 0.0, 1e6),
        _Range((..., slice(col.T_STEPS, col.T_TRACKED_STEPS + 1)), 0.0, _LONGEST),
    ),
    "obstacles": (
        _Range((..., slice(col.O_X, col.O_Y + 1)), -_EDGE, _EDGE),
        _Range((..., col.O_RADIUS), 0.0, 1e6),
    ),
    "world": (
        _Range((..., slice(col.W_REMAINING, col.W_DELIVERED + 1)), 0.0, 1e9),
        _Range((..., col.W_STEP), 0.0, _LONGEST),
        _Range((..., col.W_DONE), 0.0, 1.0),
    ),
}
"""By the name of an array, without the parts before the last point."""


def check_stored(mine: dict[str, NDArray[Any]], stored: dict[str, NDArray[Any]]) -> None:
    """Check stored arrays against ours, by name: shapes, types and the numbers that kernels trust.

    Raises:
        ValueError: an array is missing, or one of its numbers cannot be; one line.
    """
    for name, array in mine.items():
        if name not in stored:
            raise ValueError(f"stored state lacks {name!r}")
        _check_array(name, array, stored[name])
        last = name.rpartition(".")[2]
        for part, low, high in _RANGES.get(last, ()):
            check_range(name, stored[name][part], low, high)
        if last in ("camera_obs", "target_obs"):
            _check_counts(name, stored[name], mine)


def check_range(name: str, values: NDArray[Any], low: float, high: float) -> None:
    """Check that all numbers lie from low to high.

    Raises:
        ValueError: one does not.
    """
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        raise ValueError(f"{name} holds {values[wrong].flat[0]}; expected {low:g} to {high:g}")


def _check_array(name: str, mine: NDArray[Any], stored: object) -> None:
    if not isinstance(stored, np.ndarray):
        raise ValueError(f"{name} is of type {type(stored).__name__}; expected an array")
    if stored.shape != mine.shape:
        raise ValueError(f"{name}: stored shape {stored.shape}; expected {mine.shape}")
    if stored.dtype != mine.dtype:
        raise ValueError(f"{name} is of {stored.dtype}; expected {mine.dtype}")
    if mine.dtype.kind == "b" and bool((np.ascontiguousarray(stored).view(np.uint8) > 1).any()):
        raise ValueError(f"{name} holds other than true and false")
    # Statistics of an episode may be undefined.
    is_wrong = np.isinf if name.rpartition(".")[2] == "episode" else _not_finite
    if mine.dtype.kind == "f" and bool(is_wrong(stored).any()):
        raise ValueError(f"{name} holds numbers that are not finite")


def _not_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = ~np.isfinite(values)
    return wrong


def _check_counts(name: str, obs: NDArray[Any], mine: dict[str, NDArray[Any]]) -> None:
    """Check the numbers of entities that observations begin with: readers find entries by them."""
    prefix = name.rpartition(".")[0]
    for column, team in enumerate(("cameras", "targets", "obstacles")):
        own = mine.get(f"{prefix}.{team}" if prefix else team)
        if own is not None and obs.size:
            check_range(name, obs[..., column], 0.0, own.shape[1])
