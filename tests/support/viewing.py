"""Worlds that consist of who stands where and who sees whom: for stereo coverage."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from camsim.scenario.schema import load_scenario
from camsim.state import SimParams, StartBoxes, Tables, allocate_tables
from camsim.tables import C_X, C_Y, T_X, T_Y

Places = list[tuple[float, float]]
ROW = 1  # of the tables: the other one holds nothing but NaN and cameras that see everything

_AT = st.floats(-1000.0, 1000.0) | st.sampled_from([-200.0, -100.0, 0.0, 100.0, 200.0])
_PLACE = st.tuples(_AT, _AT)


def params(min_baseline_deg: float) -> SimParams:
    return SimParams.from_scenario(load_scenario("MATE-4v4-9"), min_baseline_deg=min_baseline_deg)


def tables(cameras: Places, targets: Places, seen: NDArray[np.bool_]) -> Tables:
    """Tables whose row ROW has the places and the mask `seen` [C, T]."""
    none = np.zeros((0, 4))
    boxes = StartBoxes(np.zeros((len(cameras), 4)), np.zeros((len(targets), 4)), none)
    found = allocate_tables(2, boxes)
    for table in (found.cameras, found.targets, found.world):
        table[...] = np.nan
    found.camera_target[...] = True
    found.cameras[ROW][:, [C_X, C_Y]] = np.reshape(cameras, (-1, 2))
    found.targets[ROW][:, [T_X, T_Y]] = targets
    found.camera_target[ROW] = seen
    return found


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Places, Places, NDArray[np.bool_], float]:
    """Cameras, targets, the mask of views [C, T] and a smallest angle; many in straight lines."""
    targets = draw(st.lists(_PLACE, min_size=1, max_size=4))
    apart = _PLACE.filter(lambda at: min(np.hypot(at[0] - x, at[1] - y) for x, y in targets) > 1)
    cameras = draw(st.lists(apart, max_size=6))
    bits = draw(st.integers(0, 2 ** (len(cameras) * len(targets)) - 1))
    shape = (len(cameras), len(targets))
    seen = np.array([bits >> k & 1 for k in range(shape[0] * shape[1])], np.bool_).reshape(shape)
    angle = draw(st.floats(0.0, 180.0) | st.sampled_from([0.0, 30.0, 45.0, 90.0, 135.0, 180.0]))
    return cameras, targets, seen, angle
