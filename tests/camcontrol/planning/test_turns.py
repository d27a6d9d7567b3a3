"""Angles as parts of a turn against degrees in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st

from camcontrol.planning import turns

to_parts = from_python(turns.to_parts)
half_view_parts = from_python(turns.half_view_parts)
bearing_parts = from_python(turns.bearing_parts)


def degrees(parts: int) -> float:
    return int(parts) * 360.0 / 2**32


@given(st.floats(-360.0, 360.0))
def test_parts_wrap(angle: float) -> None:
    error = (degrees(to_parts(angle)) - angle + 180.0) % 360.0 - 180.0
    assert abs(error) <= 1e-7
    assert -180.0 <= degrees(to_parts(angle)) < 180.0


@given(st.floats(-2e3, 2e3), st.floats(-2e3, 2e3))
def test_bearings(x: float, y: float) -> None:
    if math.hypot(x, y) < 1e-6:
        return
    error = degrees(bearing_parts(x, y)) - math.degrees(math.atan2(y, x))
    assert abs((error + 180.0) % 360.0 - 180.0) <= 2e-7


def test_nowhere_is_ahead() -> None:
    assert bearing_parts(0.0, 0.0) == 0


@pytest.mark.parametrize(
    ("theta", "half"), [(0.0, 0.0), (30.0, 15.0), (180.0, 90.0), (720.0, 90.0)]
)
def test_half_views(theta: float, half: float) -> None:
    parts = half_view_parts(theta)
    assert isinstance(parts, (int, np.integer))
    assert degrees(int(parts)) == pytest.approx(half, abs=1e-7)
