"""How evaders walk: as greedy targets do, and away from cameras as they have learned to.

For each camera that a target observes, a layer of `EVASION_INPUTS` x 3 weights says how strongly to
step sideways out of its field, to step away from it, and to hold back the walk to the goal.
"""

import math

from camsim.arrays import Floats
from camsim.compiled.geometry import bearing_deg, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.scripted.targets.walking import sees_camera
from camsim.tables import C_PHI, C_RANGE, C_THETA, C_X, C_Y, T_LOAD, T_STEP, T_X, T_Y

EVASION_INPUTS = 5
"""Inputs for each camera: 1, distance in its sight ranges, angle off its axis in halves of its
viewing angle, whether the target stands within both, whether it carries cargo."""

EVASION_WEIGHTS = 3 * EVASION_INPUTS
"""Weights of an evader: sideways, away, hold; each one number per input."""

_FARTHEST, _WIDEST = 2.0, 3.0  # distance and angle beyond which the inputs do not grow


@device_fn
def _response(
    weights: Floats, first: int, distance: float, angle: float, inside: float, load: float
) -> float:
    """Return one output of the layer, in (-1, 1)."""
    total = weights[first] + weights[first + 1] * distance + weights[first + 2] * angle
    return math.tanh(total + weights[first + 3] * inside + weights[first + 4] * load)


@device_fn
def _answer(
    i: int, t: int, c: int, weights: Floats, cameras: Floats, targets: Floats
) -> tuple[float, float, float]:
    """Return what target t makes of camera c: a push in steps [x, y], how far to hold back."""
    dx = targets[i, t, T_X] - cameras[i, c, C_X]
    dy = targets[i, t, T_Y] - cameras[i, c, C_Y]
    length = math.sqrt(dx * dx + dy * dy)
    if length == 0.0:
        return 0.0, 0.0, 0.0
    off = wrap_deg(bearing_deg(dx, dy) - cameras[i, c, C_PHI])
    distance, angle = length / cameras[i, c, C_RANGE], abs(off) / (0.5 * cameras[i, c, C_THETA])
    inside = 1.0 if distance <= 1.0 and angle <= 1.0 else 0.0
    load = 1.0 if targets[i, t, T_LOAD] > 0.0 else 0.0
    distance, angle = min(distance, _FARTHEST), min(angle, _WIDEST)
    sideways = _response(weights, 0, distance, angle, inside, load)
    away = _response(weights, EVASION_INPUTS, distance, angle, inside, load)
    hold = _response(weights, 2 * EVASION_INPUTS, distance, angle, inside, load)
    if off < 0.0:
        sideways = -sideways
    push_x, push_y = away * dx - sideways * dy, away * dy + sideways * dx
    return push_x / length, push_y / length, max(hold, 0.0)


@outlined_fn
def evade(
    i: int,
    observes: int,
    reach: float,
    weights: Floats,
    cameras: Floats,
    targets: Floats,
    action: Floats,
) -> None:
    """Bend the greedy actions [N, T, 2] of environment i by what each target observes of cameras.

    Args:
        i: environment.
        observes: what the team sees: camsim.layout.RAW, SHARED or ENHANCED.
        reach: distance at which a target senses a camera.
        weights: [EVASION_WEIGHTS]; with zeros nothing changes.
        cameras: [N, C, CAMERA_COLUMNS].
        targets: [N, T, TARGET_COLUMNS].
        action: [N, T, 2] displacements.
    """
    for t in range(targets.shape[1]):
        step, walk, push_x, push_y = targets[i, t, T_STEP], 1.0, 0.0, 0.0
        for c in range(cameras.shape[1]):
            if sees_camera(i, t, c, observes, reach, cameras, targets):
                x, y, hold = _answer(i, t, c, weights, cameras, targets)
                push_x += x
                push_y += y
                walk *= 1.0 - hold
        ax, ay = walk * action[i, t, 0] + step * push_x, walk * action[i, t, 1] + step * push_y
        action[i, t, 0] = min(max(ax, -step), step)
        action[i, t, 1] = min(max(ay, -step), step)
