"""Cases that rounding may decide: by hand, and just beside them."""

import numpy as np
import pytest

from camsim.parity.ties import in_any_disc, near_border, near_reach, near_tangent


def test_pairs_that_are_just_so_far_apart() -> None:
    here = np.array([[0.0, 0.0], [1.0, 0.0]])
    there = np.array([[3.0, 4.0], [6.0, 0.0], [0.0, 5.0 + 1e-6]])
    wanted = [[True, False, False], [False, True, False]]
    assert near_reach(here, there, np.array(5.0)).tolist() == wanted


@pytest.mark.parametrize(
    ("offset", "wanted"),
    [
        ((50.0, 50.0), True),  # on the left side: 45 degrees from the axis
        ((50.0, -50.0), True),
        ((50.0, 49.9), False),
        ((100.0, 0.0), True),  # at the end
        ((99.9, 0.0), False),
        ((0.0, 100.0), False),  # as far, but beside the view
        ((80.0, 80.0), False),  # in the direction of the side, but beyond the end
    ],
)
def test_border_of_a_view_of_90_degrees(offset: tuple[float, float], wanted: bool) -> None:
    assert near_border(np.array(offset), 0.0, 90.0, 100.0) == wanted


@pytest.mark.parametrize(("across", "wanted"), [(50.0, True), (49.0, False), (51.0, False)])
def test_lines_that_touch_a_disc(across: float, wanted: bool) -> None:
    """A disc of radius 50 at distance 100: its tangent leaves at 30 degrees."""
    point = np.array([100 * np.cos(np.pi / 6), across])
    disc = np.array([[100.0, 0.0]])
    assert near_tangent(np.zeros(2), point, disc, np.array([50.0])) == wanted


def test_places_in_discs() -> None:
    discs, radii = np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([1.0, 2.0])
    assert in_any_disc(np.array([8.0, 0.0]), discs, radii)  # on the edge
    assert in_any_disc(np.array([0.5, 0.5]), discs, radii)
    assert not in_any_disc(np.array([5.0, 0.0]), discs, radii)
