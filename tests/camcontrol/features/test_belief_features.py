"""Every feature that the particle belief adds, with the value that it has in a scene by hand.

The scene: camera 0 of two at (300, -400), its own corner is (925, -925). Inward is (-0.6, 0.8),
500 from the centre; it looks at 60 degrees, which is inward - 66.87, 60 wide, 1060.66 far. Target 0
is in view. Of the others there are four particles each, by direction from inward and distance:

| particles | direction | distance | place | long step |
|---|---|---|---|---|
| target 1, forgotten | 0 | 400 | (60, -80) | no |
| | 45 | 1100 | (-789, -244) | yes |
| | 90 | 700 | (-260, -820) | no |
| | -90 | 600 | (780, -40) | yes |
| target 2, known: all | 45 | 500 | (-195, -329) | one of them |
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_made_camera import HandMadeCamera, Public, Seen, check_row

from camcontrol.features.layout import (
    ACTION_FEATURES,
    BELIEF_ACTION_FEATURES,
    BELIEF_CONTEXT_FEATURES,
    BELIEF_TARGET_FEATURES,
    CONTEXT_FEATURES,
    TARGET_FEATURES,
)

X, Y = 300.0, -400.0
HALF = math.sqrt(0.5)
HEAVY, LIGHT = 10.0, 20.0
AXIS = math.radians(60.0) - math.atan2(0.8, -0.6)
"""Direction of the optical axis from inward."""


def place(direction_deg: float, distance: float) -> tuple[float, float]:
    """The place in a direction from inward, at a distance from the camera."""
    angle = math.atan2(0.8, -0.6) + math.radians(direction_deg)
    return X + distance * math.cos(angle), Y + distance * math.sin(angle)


@pytest.fixture(scope="module")
def camera() -> HandMadeCamera:
    made = HandMadeCamera(
        3, 2, belief="particles", executor="upstream"
    )  # without a pointing offset
    mate = Public(60, 500, -90, 30.0)  # holds all that is within 15 degrees of its axis, up to 1500
    made.perceive(Public(X, Y, 60.0), [Seen(925, 925), None, None], [mate])
    first = [place(*polar) for polar in ((0, 400), (45, 1100), (90, 700), (-90, 600))]
    made.put_particles(1, first, [0, 1, 1, 3], [HEAVY, LIGHT, HEAVY, LIGHT], known=False)
    made.put_particles(2, [place(45, 500)] * 4, [2] * 4, [HEAVY] * 3 + [LIGHT], known=True)
    return made


def test_context_tells_the_mass_in_the_views_of_all_searches(camera: HandMadeCamera) -> None:
    """In twelfths: four particles of three targets; target 0 is in view and does not count.

    The first eight views are 55 degrees wide and reach 1107.8, the others 110 and 783.3.
    """
    narrow = [1, 1 + 4, 1, 0, 0, 0, 1, 0]
    # The particle at 1100 is too far away; each view holds what is up to 55 degrees off its axis.
    wide = [1 + 4, 2 + 4, 1 + 4, 1, 0, 1, 1, 2]
    expected = {CONTEXT_FEATURES + n: mass / 12 for n, mass in enumerate(narrow + wide)}
    end = CONTEXT_FEATURES + BELIEF_CONTEXT_FEATURES
    check_row(camera.context(), expected, CONTEXT_FEATURES, end)


def test_target_out_of_view(camera: HandMadeCamera) -> None:
    # Along inward and across it, from the terrain's centre: the camera itself is at (-500, 0).
    along = [-500 + 400, -500 + 1100 * HALF, -500, -500]
    across = [0, 1100 * HALF, 700, -600]
    mean_x, mean_y = sum(along) / 4, sum(across) / 4
    squares = sum((x - mean_x) ** 2 + (y - mean_y) ** 2 for x, y in zip(along, across, strict=True))
    ux, uy = (1 + HALF) / 4, HALF / 4  # mean direction: those at 90 and -90 cancel out
    values = [
        1,
        *(mean_x / 1000, mean_y / 1000),
        math.sqrt(squares / 4) / 1000,
        *(
            ux * math.cos(AXIS) + uy * math.sin(AXIS),
            uy * math.cos(AXIS) - ux * math.sin(AXIS),
        ),
        (400 + 1100 + 700 + 600) / 4 / 1000,
        1 / 4,  # in view: the one at -90, 23.1 degrees off the axis
        3 / 4,  # in range: all but the one at 1100
        # Quadrants: own (x > 0, y < 0), then (+, +), (-, +), (-, -).
        *(2 / 4, 0, 0, 2 / 4),
        # Goals: warehouses 3, the own one, 0, 1 and 2.
        *(1 / 4, 1 / 4, 2 / 4, 0),
        2 / 4,  # heavy
    ]
    expected = {TARGET_FEATURES + n: float(value) for n, value in enumerate(values)}
    end = TARGET_FEATURES + BELIEF_TARGET_FEATURES
    check_row(camera.targets()[1], expected, TARGET_FEATURES, end)


def test_quadrants_and_goals_are_counted_from_the_own_corner() -> None:
    """As many as 1, 2, 3 and 4 particles; the camera's corner is the third, (-, -)."""
    made = HandMadeCamera(1, belief="particles", n_particles=10)
    made.perceive(Public(-800, -800, 45), [None])
    corners = [(1, 1)] * 3 + [(-1, 1)] * 4 + [(-1, -1)] + [(1, -1)] * 2
    places = [(100.0 * x, 100.0 * y) for x, y in corners]
    made.put_particles(
        0, places, [0] * 2 + [1] + [2] * 4 + [3] * 3, [HEAVY] * 7 + [LIGHT] * 3, known=True
    )
    row = made.targets()[0]
    np.testing.assert_allclose(row[41:45], [0.1, 0.2, 0.3, 0.4], atol=1e-6)  # 2, 3, 0, 1
    np.testing.assert_allclose(row[45:49], [0.4, 0.3, 0.2, 0.1], atol=1e-6)
    assert row[49] == pytest.approx(0.7, abs=1e-6)


def test_target_in_view(camera: HandMadeCamera) -> None:
    """Its particles are where it is, in warehouse 0; it has come from nowhere known."""
    dx, dy = 925 - X, 925 - Y
    distance = math.hypot(dx, dy)  # 1464.9: out of range
    angle = math.atan2(dy, dx) - math.radians(60)
    values = [
        1,
        *((925 * -0.6 + 925 * 0.8) / 1000, (925 * -0.6 - 925 * 0.8) / 1000),
        0,  # no spread
        *(math.cos(angle), math.sin(angle)),
        distance / 1000,
        *(0, 0),
        *(0, 1, 0, 0),  # quadrant (+, +), the one after the own
        *(1 / 3, 0, 1 / 3, 1 / 3),  # it will not walk to where it is
        1 / 2,  # nothing is known of its speed
    ]
    expected = {TARGET_FEATURES + n: float(value) for n, value in enumerate(values)}
    end = TARGET_FEATURES + BELIEF_TARGET_FEATURES
    check_row(camera.targets()[0], expected, TARGET_FEATURES, end)


def test_action(camera: HandMadeCamera) -> None:
    """The search at inward + 45 degrees, 110 wide, 783.3 far."""
    expected = {
        12: (2 + 4) / 12,  # of target 1 those at 0 and 90 degrees, and target 2
        # The teammate at (60, 500) has the first two in view; target 2 is 17.1 degrees off its
        # axis.
        13: 4 / 12,
        14: 2 / 12,  # of target 1, which is forgotten
        15: 1 / 12,  # in the own quadrant: the one at (60, -80)
        16: (2 + 3) / 12,  # heavy
    }
    row = camera.actions()[camera.first_search + 8 + 1]
    check_row(row, expected, ACTION_FEATURES, ACTION_FEATURES + BELIEF_ACTION_FEATURES)
