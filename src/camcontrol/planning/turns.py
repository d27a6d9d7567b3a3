"""Angles as 32-bit fractions of a turn: 2**32 parts are 360 degrees.

Differences wrap by themselves, no branch is needed, and eight or more fit into a vector register.
A part is 8.4e-8 degrees. Half viewing angles are in the same parts: 90 degrees are 2**30.
"""

import math

import numpy as np

from camsim.compiled.jit import device_fn

PARTS_PER_DEGREE = 2.0**32 / 360.0
_LARGEST = 2.0**31 - 1.0  # half a turn, and the largest number
_HALF_VIEW_LIMIT = 2.0**30

# arctan(r) / (2 pi r) for r in [0, 1], highest power of r * r first.
# A Chebyshev fit of degree 12: the turn that it gives is wrong by at most 1.2e-12.
_ARCTAN = (
    6.846294623690289e-05,
    -0.0005190821646453374,
    0.0018465684684353548,
    -0.00418125292058959,
    0.006987360373546011,
    -0.009610649448840021,
    0.011940172510249283,
    -0.014405332461687615,
    0.017675200809056435,
    -0.022735701392490135,
    0.03183095735040492,
    -0.05305164715890723,
    0.15915494309035022,
)


@device_fn
def to_parts(angle_deg: float) -> np.int32:
    """Return an angle in [-360, 360] degrees in parts of a turn."""
    parts = math.floor(angle_deg * PARTS_PER_DEGREE + 0.5)
    return np.int32(np.int64(parts))


@device_fn
def half_view_parts(theta_deg: float) -> np.int32:
    """Return half of a viewing angle, given in degrees and at least 0; more than 180 is 180."""
    return np.int32(min(theta_deg * (0.5 * PARTS_PER_DEGREE), _HALF_VIEW_LIMIT))


@device_fn
def bearing_parts(x: float, y: float) -> np.int32:
    """Return the direction of the vector (x, y), 0 for a vector of length 0.

    The same as `camsim.compiled.geometry.bearing_deg` to 2e-8 degrees, but without a branch, so
    that loops over it use vector instructions.
    """
    ax, ay = abs(x), abs(y)
    ratio = min(ax, ay) / max(max(ax, ay), 1e-300)
    s = ratio * ratio
    p = _ARCTAN[0]
    p = p * s + _ARCTAN[1]
    p = p * s + _ARCTAN[2]
    p = p * s + _ARCTAN[3]
    p = p * s + _ARCTAN[4]
    p = p * s + _ARCTAN[5]
    p = p * s + _ARCTAN[6]
    p = p * s + _ARCTAN[7]
    p = p * s + _ARCTAN[8]
    p = p * s + _ARCTAN[9]
    p = p * s + _ARCTAN[10]
    p = p * s + _ARCTAN[11]
    p = p * s + _ARCTAN[12]
    turn = ratio * p
    turn = 0.25 - turn if ay > ax else turn
    turn = 0.5 - turn if x < 0.0 else turn
    turn = -turn if y < 0.0 else turn
    return np.int32(min(turn * 2.0**32, _LARGEST))
