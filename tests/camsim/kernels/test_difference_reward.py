"""Difference rewards: what is lost without a camera, taken out and counted again."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import from_python
from hypothesis import assume, given, settings
from numpy.typing import NDArray
from reference_stereo import angles_deg, lost
from viewing import ROW, Places, params, scenes, tables

from camsim.kernels import difference_reward

add_coverage_lost = from_python(difference_reward.add_coverage_lost)
add_stereo_lost = from_python(difference_reward.add_stereo_lost)

DISCOUNT = 0.7


@settings(max_examples=200, deadline=None)
@given(scenes())
def test_what_is_added_is_what_would_be_lost(
    scene: tuple[Places, Places, NDArray[np.bool_], float],
) -> None:
    cameras, targets, seen, least = scene
    angles = angles_deg(np.reshape(cameras, (1, -1, 2)), np.array([targets]))
    assume((np.abs(angles - least) > 1e-4).all())
    world = tables(cameras, targets, seen)
    coverage, stereo = np.full((2, 2, len(cameras)), 0.25)
    add_coverage_lost(ROW, world, DISCOUNT, coverage)
    add_stereo_lost(ROW, params(least), world, DISCOUNT, stereo)
    for c in range(len(cameras)):
        without = np.delete(seen, c, axis=0).any(axis=0).mean()
        wanted = 0.25 + DISCOUNT * (seen.any(axis=0).mean() - without)
        assert coverage[ROW, c] == pytest.approx(wanted, abs=1e-12)
    wanted_stereo = 0.25 + DISCOUNT * lost(seen[None], angles, least)[0]
    np.testing.assert_allclose(stereo[ROW], wanted_stereo, atol=1e-12)
    assert (coverage[0] == 0.25).all(), "another environment"
    assert (stereo[0] == 0.25).all(), "another environment"
