"""Stereo coverage against NumPy's angles, and at its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python
from hypothesis import assume, given, settings
from numpy.typing import NDArray
from reference_stereo import angles_deg, covered, lost
from viewing import ROW, Places, params, scenes, tables

from camsim.kernels import stereo_coverage as stereo

stereo_coverage = from_python(stereo.stereo_coverage)
needed_cameras = from_python(stereo.needed_cameras)

Scene = tuple[Places, Places, NDArray[np.bool_], float]


def around(*bearings_deg: float, distances: tuple[float, ...] = (300.0, 700.0, 500.0)) -> Places:
    """Places of cameras in these directions from (40, -70), at different distances."""
    return [
        (40.0 + r * math.cos(math.radians(b)), -70.0 + r * math.sin(math.radians(b)))
        for b, r in zip(bearings_deg, distances, strict=False)
    ]


def share(cameras: Places, min_baseline_deg: float, *, blind: tuple[int, ...] = ()) -> float:
    """Stereo coverage of one target at (40, -70), which all cameras see but the blind ones."""
    seen = np.ones((len(cameras), 1), np.bool_)
    seen[list(blind)] = False
    found = tables(cameras, [(40.0, -70.0)], seen)
    return stereo_coverage(ROW, params(min_baseline_deg), found)


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_as_the_angles_say(scene: Scene) -> None:
    cameras, targets, seen, least = scene
    angles = angles_deg(np.reshape(cameras, (1, -1, 2)), np.array([targets]))
    distance = np.abs(angles - least)
    assume(((distance < 1e-10) | (distance > 1e-4)).all())  # in between, rounding decides
    world, limits = tables(cameras, targets, seen), params(least)
    wanted = covered(seen[None], angles, least)[0]
    assert stereo_coverage(ROW, limits, world) == wanted.mean()
    needed = np.zeros((len(cameras), len(targets)))
    for t in range(len(targets)):
        for c in needed_cameras(ROW, t, limits, world):
            if c >= 0:
                needed[c, t] += 1.0
    np.testing.assert_allclose(needed.mean(-1), lost(seen[None], angles, least)[0], atol=1e-12)


@pytest.mark.parametrize("bearing", [0.0, 77.0, 180.0, -135.0])
@pytest.mark.parametrize("least", [10.0, 30.0, 60.0, 90.0, 120.0, 170.0])
def test_the_angle_itself_counts_and_less_does_not(least: float, bearing: float) -> None:
    for side in (-1.0, 1.0):
        assert share(around(bearing, bearing + side * least), least) == 1.0
        assert share(around(bearing, bearing + side * (least + 0.001)), least) == 1.0
        assert share(around(bearing, bearing + side * (least - 0.001)), least) == 0.0


def test_with_an_angle_of_0_any_two_views_count() -> None:
    for bearing in range(0, 360, 7):
        assert share(around(bearing, bearing), 0.0) == 1.0
        assert share(around(bearing, bearing, distances=(500.0, 500.0)), 0.0) == 1.0
    assert share(around(20.0), 0.0) == 0.0
    assert share(around(20.0, 80.0), 0.0, blind=(1,)) == 0.0


def test_with_an_angle_of_180_only_cameras_that_face_each_other_count() -> None:
    for bearing in range(0, 360, 7):
        assert share(around(bearing, bearing + 180.0), 180.0) == 1.0
        assert share(around(bearing, bearing + 179.99), 180.0) == 0.0


def test_cameras_that_face_each_other_count_at_every_angle() -> None:
    assert {share(around(33.0, 213.0), least) for least in (0.0, 30.0, 90.0, 179.0)} == {1.0}


def test_only_cameras_that_see_the_target_count() -> None:
    three = around(0.0, 10.0, 60.0)
    assert share(three, 30.0) == 1.0
    assert share(three, 30.0, blind=(0,)) == 1.0
    assert share(three, 30.0, blind=(2,)) == 0.0
    assert share(three, 30.0, blind=(0, 1, 2)) == 0.0


def test_a_team_without_cameras_covers_nothing() -> None:
    assert stereo_coverage(ROW, params(30.0), tables([], [(0.0, 0.0)], np.zeros((0, 1), bool))) == 0


def test_needed_cameras_by_hand() -> None:
    def needed(*bearings: float) -> list[int]:
        seen = np.ones((len(bearings), 1), np.bool_)
        found = tables(around(*bearings), [(40.0, -70.0)], seen)
        return sorted(c for c in needed_cameras(ROW, 0, params(30.0), found) if c >= 0)

    assert needed(0.0, 10.0) == []  # nothing to lose
    assert needed(0.0, 40.0) == [0, 1]
    assert needed(0.0, 10.0, 60.0) == [2]  # it makes a pair with either of the others
    assert needed(60.0, 0.0, 10.0) == [0]
    assert needed(0.0, 60.0, 120.0) == []  # any two are enough
