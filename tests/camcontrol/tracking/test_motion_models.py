"""The particles' motion models: warehouses, and the noise of a walk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python
from hypothesis import given
from hypothesis import strategies as st

from camcontrol.tracking import motion_models
from camsim.layout import WAREHOUSES

warehouse_at = from_python(motion_models.warehouse_at)
noise_towards = from_python(motion_models.noise_towards)


@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_warehouse_at(x: float, y: float) -> None:
    inside = np.flatnonzero((np.abs(WAREHOUSES - [x, y]) <= 75.0).all(1))
    assert warehouse_at(x, y) == (inside[0] if len(inside) else -1)


@given(
    st.floats(-800, 800),
    st.floats(-800, 800),
    st.sampled_from([10.0, 20.0]),
    st.integers(0, 3),
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
)
def test_noise_explains_how_a_target_moves(
    x: float, y: float, step: float, goal: int, nx: float, ny: float
) -> None:
    """A frame of a greedy target that walks to the goal fits to it and is repeated (world 11.3)."""
    gx, gy = WAREHOUSES[goal] - [x, y]
    way = math.hypot(gx, gy)
    ax = min(max(step * (gx / way + nx), -step), step)
    ay = min(max(step * (gy / way + ny), -step), step)
    shorter = min(1.0, step / max(math.hypot(ax, ay), 1e-9))
    vx, vy = ax * shorter, ay * shorter
    found_x, found_y, misfit = noise_towards(x, y, vx, vy, step, goal)
    assert max(abs(found_x), abs(found_y)) <= 0.5 * step + 1e-9
    assert misfit < 0.15
    again = np.clip([step * gx / way + found_x, step * gy / way + found_y], -step, step)
    again *= min(1.0, step / max(math.hypot(*again), 1e-9))
    assert again == pytest.approx([vx, vy], abs=0.2 * step)
