"""Observations as MATE's wrappers give them: relative coordinates, rescaled, and their bounds."""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Floats, Ints
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.layout import (
    CAMERA_PUBLIC,
    OBSTACLE,
    PRESERVED,
    TARGET_PUBLIC,
    CameraObsLayout,
    StateLayout,
    TargetObsLayout,
)

INF = float("inf")
Sizes = tuple[int, int, int]
"""Numbers of cameras, targets and obstacles."""
Bounds = tuple[Floats, Floats]
"""Lowest and highest values, both of the vector's length."""
Limits = list[tuple[float, float]]
AnyFloats = NDArray[np.float64] | NDArray[np.float32]

_PLACE: Limits = [(-2000.0, 2000.0)] * 2
_RADIUS: Limits = [(0.0, 1000.0)]
_ANGLE: Limits = [(0.0, 180.0)]
_LENGTH: Limits = [(0.0, 2000.0)]
_FLAG: Limits = [(-1.0, 1.0)]
_COUNT: Limits = [(0.0, INF)]

_PRESERVED: Limits = 4 * _COUNT + 4 * _PLACE + _RADIUS
_CAMERA: Limits = _PLACE + _RADIUS + _PLACE + _ANGLE
_CAMERA_OWN: Limits = _CAMERA + _LENGTH + 2 * _ANGLE
_TARGET: Limits = _PLACE + _LENGTH + _FLAG
_TARGET_OWN: Limits = _TARGET + _LENGTH + [(1.0, 2.0)] + 4 * _COUNT + 4 * _FLAG
_OBSTACLE: Limits = _PLACE + _RADIUS


def _columns(limits: Limits) -> Bounds:
    table = np.array(limits, np.float64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def camera_obs_bounds(sizes: Sizes) -> Bounds:
    """Return the bounds [D] of one camera's raw observation (world 7.6)."""
    n_cameras, n_targets, n_obstacles = sizes
    return _columns(
        _PRESERVED
        + _CAMERA_OWN
        + n_targets * (_TARGET + _FLAG)
        + n_obstacles * (_OBSTACLE + _FLAG)
        + n_cameras * (_CAMERA + _FLAG)
    )


def target_obs_bounds(sizes: Sizes) -> Bounds:
    """Return the bounds [D'] of one target's raw observation (world 7.6)."""
    n_cameras, n_targets, n_obstacles = sizes
    return _columns(
        _PRESERVED
        + _TARGET_OWN
        + n_cameras * (_CAMERA + _FLAG)
        + n_obstacles * (_OBSTACLE + _FLAG)
        + n_targets * (_TARGET + _FLAG)
    )


def state_bounds(sizes: Sizes) -> Bounds:
    """Return the bounds [S] of the global state (world 7.6)."""
    n_cameras, n_targets, n_obstacles = sizes
    return _columns(
        _PRESERVED
        + n_cameras * _CAMERA_OWN
        + n_targets * _TARGET_OWN
        + n_obstacles * _OBSTACLE
        + (2 * n_targets + 16) * _COUNT
    )


def rescaling(bounds: Bounds) -> Bounds:
    """Return factors and shifts that map bounded entries to [-1, 1] (world 9.4).

    An entry with a lower bound only is counted from it; any other stays as it is.
    """
    low, high = bounds
    scale, shift = np.ones_like(low), np.zeros_like(low)
    both = np.isfinite(low) & np.isfinite(high) & (high > low)
    scale[both] = 2.0 / (high[both] - low[both])
    shift[both] = -1.0 - low[both] * scale[both]
    half = np.isfinite(low) & ~np.isfinite(high)
    shift[half] = -low[half]
    return scale, shift


def rescaled_bounds(bounds: Bounds) -> Bounds:
    """Return the bounds of entries after `rescaling`."""
    scale, shift = rescaling(bounds)
    return bounds[0] * scale + shift, bounds[1] * scale + shift


def normalized_state(state: Floats, sizes: Sizes) -> Floats:
    """Return global states [..., S] rescaled by their bounds, as MATE's examples feed them.

    Raises:
        ValueError: the last axis has another length than the sizes say.
    """
    expected = StateLayout(*sizes).size
    if state.shape[-1:] != (expected,):
        raise ValueError(f"state has shape {state.shape}; expected {expected} numbers a row")
    scale, shift = rescaling(state_bounds(sizes))
    return state * scale + shift


class Transform(NamedTuple):
    """What is done to the vectors of one team: relative coordinates first, then rescaling."""

    scale: Floats  # [D]
    shift: Floats  # [D]
    places: Ints  # [E, 2] entries made relative: offset of x (y follows), offset of the flag or -1


def _places(entities: Sequence[tuple[int, int, int]]) -> Ints:
    """Return the rows of `Transform.places`; entities: first offset, numbers per entry, count."""
    rows = [(4 + 2 * w, -1) for w in range(4)]
    for start, width, count in entities:
        rows += [(start + width * n, start + width * n + width - 1) for n in range(count)]
    return np.array(rows, np.int64)


def _transform(bounds: Bounds, places: Ints, relative: bool, rescaled: bool) -> Transform:
    plain = np.ones_like(bounds[0]), np.zeros_like(bounds[0])
    scale, shift = rescaling(bounds) if rescaled else plain
    return Transform(scale, shift, places if relative else places[:0])


def camera_transform(sizes: Sizes, *, relative: bool, rescaled: bool) -> Transform:
    """Return what the options do to cameras' observations (world 9.4, 9.5)."""
    at = CameraObsLayout(*sizes)
    places = _places(
        (
            (at.targets, TARGET_PUBLIC + 1, sizes[1]),
            (at.obstacles, OBSTACLE + 1, sizes[2]),
            (at.cameras, CAMERA_PUBLIC + 1, sizes[0]),
        )
    )
    return _transform(camera_obs_bounds(sizes), places, relative, rescaled)


def target_transform(sizes: Sizes, *, relative: bool, rescaled: bool) -> Transform:
    """Return what the options do to targets' observations (world 9.4, 9.5)."""
    at = TargetObsLayout(*sizes)
    places = _places(
        (
            (at.cameras, CAMERA_PUBLIC + 1, sizes[0]),
            (at.obstacles, OBSTACLE + 1, sizes[2]),
            (at.targets, TARGET_PUBLIC + 1, sizes[1]),
        )
    )
    return _transform(target_obs_bounds(sizes), places, relative, rescaled)


@device_fn
def _transform_one(i: int, a: int, transform: Transform, raw: Floats, out: AnyFloats) -> None:
    """Write the transformed vector of agent a."""
    scale, shift, places = transform.scale, transform.shift, transform.places
    for n in range(len(scale)):
        out[i, a, n] = raw[i, a, n] * scale[n] + shift[n]
    x, y = raw[i, a, PRESERVED], raw[i, a, PRESERVED + 1]
    for e in range(len(places)):
        n, flag = places[e, 0], places[e, 1]
        if flag < 0 or raw[i, a, flag] != 0.0:
            out[i, a, n] = (raw[i, a, n] - x) * scale[n] + shift[n]
            out[i, a, n + 1] = (raw[i, a, n + 1] - y) * scale[n + 1] + shift[n + 1]


@batch_kernel
def transform_batch(transform: Transform, raw: Floats, out: AnyFloats) -> None:
    """Write one team's transformed observations; `raw` and `out` are [N, A, D].

    Not flat as other vectors: indices that start at 0 let the compiler use vector instructions.
    """
    for i in numba.prange(len(raw)):
        for a in range(raw.shape[1]):
            _transform_one(row(i), a, transform, raw, out)
