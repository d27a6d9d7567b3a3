"""Discrete actions as grids of continuous ones, and back (world 9.6)."""

import numpy as np

from camsim.arrays import Floats, Ints


def unit_grid(levels: int) -> Floats:
    """Return the grid [levels**2, 2] in [-1, 1]; the first coordinate runs fastest.

    Raises:
        ValueError: levels is even or below 3.
    """
    if levels < 3 or levels % 2 == 0:
        raise ValueError(f"action levels = {levels}; expected an odd number from 3 on")
    line = -1.0 + 2.0 * np.arange(levels) / (levels - 1)
    return np.stack([np.tile(line, levels), np.repeat(line, levels)], axis=1)


def camera_grid(levels: int) -> Floats:
    """Return camera actions [levels**2, 2] as shares of the largest turn and zoom."""
    return unit_grid(levels)


def target_grid(levels: int) -> Floats:
    """Return target actions [levels**2, 2] as shares of the step length.

    Each square ring of the grid is bent to a circle: the outermost ones have length 1.
    """
    grid = unit_grid(levels)
    length = np.hypot(grid[:, 0], grid[:, 1])
    length[length == 0.0] = 1.0
    bent: Floats = grid * (np.abs(grid).max(axis=1) / length)[:, None]
    return bent


def checked_ids(name: str, ids: Ints, shape: tuple[int, ...], levels: int) -> Ints:
    """Return discrete actions as int64.

    Raises:
        ValueError: another shape than `shape`, no integers, or an action out of range.
    """
    ids = np.asarray(ids)
    if ids.shape != shape or ids.dtype.kind not in "iu":
        raise ValueError(f"{name} is {ids.dtype} of shape {ids.shape}; expected {shape} integers")
    wrong = (ids < 0) | (ids >= levels * levels)
    if bool(wrong.any()):
        where = [int(k) for k in np.argwhere(wrong)[0]]
        largest = levels * levels - 1
        raise ValueError(f"{name}{where} = {ids[tuple(where)]}; expected 0 to {largest}")
    return ids.astype(np.int64)


def camera_actions(ids: Ints, grid: Floats, limits: Floats) -> Floats:
    """Return turns and zooms [..., 2] in degrees of the actions `ids`; limits: [2] degrees."""
    return grid[ids] * limits


def target_actions(ids: Ints, grid: Floats, steps: Floats) -> Floats:
    """Return displacements [..., 2] of the actions `ids`; steps [...]: each target's own length."""
    return grid[ids] * steps[..., None]


def nearest(grid: Floats, normalized: Floats) -> Ints:
    """Return the actions [...] whose grid points are nearest to normalized actions [..., 2].

    Normalized: divided by the largest turn and zoom, or by the step length. The lowest of equally
    near ones counts.
    """
    offset = normalized[..., None, :] - grid
    found: Ints = np.argmin((offset * offset).sum(axis=-1), axis=-1)
    return found
