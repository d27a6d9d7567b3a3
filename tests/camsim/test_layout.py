"""Offsets of observations and state: parts follow each other, lengths are the specification's."""

import pytest

from camsim.layout import CameraObsLayout, StateLayout, TargetObsLayout


@pytest.mark.parametrize("sizes", [(4, 4, 9), (2, 4, 0), (0, 8, 32), (1, 1, 1)])
def test_lengths_are_those_of_the_specification(sizes: tuple[int, int, int]) -> None:
    c, t, o = sizes
    assert CameraObsLayout(*sizes).size == 22 + 5 * t + 4 * o + 7 * c  # world 7.2
    assert TargetObsLayout(*sizes).size == 27 + 7 * c + 4 * o + 5 * t  # world 7.3
    assert StateLayout(*sizes).size == 13 + 9 * c + 16 * t + 3 * o + 16  # world 7.4


def test_parts_follow_each_other() -> None:
    camera, target, state = (
        kind(4, 8, 9) for kind in (CameraObsLayout, TargetObsLayout, StateLayout)
    )
    assert (camera.own, camera.targets, camera.obstacles, camera.cameras) == (13, 22, 62, 98)
    assert (target.own, target.cameras, target.obstacles, target.targets) == (13, 27, 55, 91)
    assert (state.cameras, state.targets, state.obstacles) == (13, 49, 161)
    assert (state.freights, state.bounties, state.remaining) == (188, 196, 204)
