"""Negative information: positions where a camera would surely detect a target.

Such a position lies well inside a field of view, and no known obstacle is near the line of sight.
An observation without a detection there says that the position is empty. It holds the view of the
camera itself and, if the team shares its views, that of every teammate in it.
"""

import math

from camsim.arrays import Floats
from camsim.compiled.geometry import DEG, ray_blocked
from camsim.compiled.jit import device_fn, outlined_fn

_RANGE_SHARE, _VIEW_MARGIN_DEG, _OBSTACLE_MARGIN = 0.97, 2.0, 10.0


@outlined_fn
def _line_is_clear(obs: Floats, k: int, x: float, y: float, ux: float, uy: float) -> bool:
    """Tell whether no known obstacle comes near the line of sight (ux, uy) from (x, y)."""
    length = math.sqrt(ux * ux + uy * uy)
    start = k + 22 + 5 * int(obs[k + 1])
    for o in range(int(obs[k + 2])):
        j = start + 4 * o
        if obs[j + 3] > 0.0:
            qx, qy = obs[j] - x, obs[j + 1] - y
            if ray_blocked(ux, uy, length, qx, qy, obs[j + 2] + _OBSTACLE_MARGIN):
                return False
    return True


@device_fn
def surely_sees(
    obs: Floats, k: int, j: int, limits: tuple[float, float], x: float, y: float
) -> bool:
    """Tell whether the camera whose public state stands at obs[j:] surely sees a target at (x, y).

    `limits`: squared length, and length times the cosine of the angle, that its view surely holds.
    """
    ux, uy = x - obs[j], y - obs[j + 1]
    squared = ux * ux + uy * uy
    if squared > limits[0] or squared == 0.0:
        return False
    if ux * obs[j + 3] + uy * obs[j + 4] < limits[1] * math.sqrt(squared):
        return False
    return _line_is_clear(obs, k, obs[j], obs[j + 1], ux, uy)


@device_fn
def sight_limits(obs: Floats, j: int) -> tuple[float, float]:
    """Return the limits of `surely_sees` for the camera whose public state stands at obs[j:]."""
    squared_range = obs[j + 3] * obs[j + 3] + obs[j + 4] * obs[j + 4]
    half = max(0.5 * obs[j + 5] - _VIEW_MARGIN_DEG, 0.0) * DEG
    return _RANGE_SHARE * _RANGE_SHARE * squared_range, math.cos(half) * math.sqrt(squared_range)


@outlined_fn
def surely_observed(obs: Floats, k: int, shared: bool, x: float, y: float) -> bool:
    """Tell whether a target at (x, y) would surely be in the observation."""
    if surely_sees(obs, k, k + 13, sight_limits(obs, k + 13), x, y):
        return True
    if shared:
        start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
        for n in range(int(obs[k])):
            j = start + 7 * n
            if obs[j + 6] > 0.0 and surely_sees(obs, k, j, sight_limits(obs, j), x, y):
                return True
    return False
