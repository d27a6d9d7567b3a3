"""Every feature of context, targets and actions, with the value that it has in a scene by hand.

The scene: camera 0 of four at (300, -400). The terrain's centre is at (-300, 400) from there, 500
away, so inward is (-0.6, 0.8), 126.87 degrees. It looks at 60 degrees with a viewing angle of 60:
sight range sqrt(30 * 1500^2 / 60) = 1060.66.

| target | relative to the camera | distance, direction | known how |
|---|---|---|---|
| 0 | (300, 400) | 500, (0.6, 0.8) = 53.13 degrees | in view, walks by (-6, 8), carries cargo |
| 1 | (-800, 600) | 1000, (-0.8, 0.6) = 143.13 degrees | seen a frame ago, walked by (-5, 12) |
| 2 | (350, 1200) | 1250, (0.28, 0.96) = 73.74 degrees | seen two frames ago, once |
| 3 | | | never seen |
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_made_camera import HandMadeCamera, Public, Seen, check_row

from camcontrol.features.layout import ACTION_FEATURES, CONTEXT_FEATURES, TARGET_FEATURES

INWARD = math.degrees(math.atan2(0.8, -0.6))
BEARINGS = [math.degrees(math.atan2(y, x)) for x, y in ((0.6, 0.8), (-0.8, 0.6), (0.28, 0.96))]
REACH = math.sqrt(30.0 * 1500.0**2 / 60.0)


def scene(**options: object) -> HandMadeCamera:
    camera = HandMadeCamera(4, 4, **options)
    mates = [
        Public(900, 0, 180),  # holds target 0; looks past target 1, which is 1414 away
        Public(-500, 900, -90),  # holds target 1
        Public(300, 0, 0, visible=False),  # would hold target 0
    ]
    # Beside the way to target 0: 250 along (0.6, 0.8) and 60 along (-0.8, 0.6), its right side.
    obstacle = (300 + 150 - 48, -400 + 200 + 36, 40.0)

    def look(phi_deg: float, *targets: Seen | None) -> None:
        camera.perceive(Public(300, -400, phi_deg), targets, mates, obstacle)

    look(INWARD + 90, Seen(612, -16, True), Seen(-490, 176), Seen(650, 800), None)
    look(INWARD + 180, Seen(606, -8, True), Seen(-495, 188), None, None)
    look(60.0, Seen(600, 0, True), None, None, None)
    return camera


@pytest.fixture(scope="module")
def camera() -> HandMadeCamera:
    return scene()


def test_context(camera: HandMadeCamera) -> None:
    turned = math.radians(60.0 - INWARD)
    expected = {
        0: math.cos(turned),
        1: math.sin(turned),
        2: 60 / 90 - 1,  # viewing angle
        3: REACH / 1000 - 1,
        4: 0.5,  # from the centre
        5: 0.3,
        6: -0.4,
        7: 3 / 4,  # known
        8: 1 / 4,  # in view
        9: 1 - 2 / 100,  # two frames after the first
        # Frames since eight directions were in view, of 60. The first view held inward + 90
        # degrees, the second inward + 180; the third is at inward - 66.87 and holds those at -90
        # and -45, which are less than 30 away. The others never.
        10: 1.0,
        11: 1.0,
        12: 2 / 60,
        13: 1.0,
        14: 1 / 60,
        15: 1.0,
        16: 0.0,
        17: 0.0,
    }
    check_row(camera.context(), expected, 0, CONTEXT_FEATURES)


def target_values() -> dict[int, dict[int, float]]:
    """What the three known targets' rows hold, by target."""
    turns = [math.radians(bearing - 60.0) for bearing in BEARINGS]
    # Clearance of a line to the target in n frames: the obstacle's centre is at q = (102, 236) from
    # the camera, |q x d| / |d| - 40 for the way d; target 0 walks left, so that its line cuts the
    # obstacle: |102 * 400 - 236 * 300| / 500 - 40 = 20, then -3.5 and -34.1.
    ways = [(300 - 6 * n, 400 + 8 * n) for n in (0, 5, 12)]
    clear = [abs(102 * y - 236 * x) / math.hypot(x, y) - 40 for x, y in ways]
    assert [round(c, 1) for c in clear] == [20.0, -3.5, -34.1]
    to_second = abs(102 * 0.96 - 236 * 0.28) - 40  # target 2 stands: -8.2 all the time
    # Warehouses, own corner first: (925, -925), (925, 925), (-925, 925), (-925, -925).
    corners = [(925, -925), (925, 925), (-925, 925), (-925, -925)]

    def headings(x: float, y: float, ux: float, uy: float) -> list[float]:
        return [((cx - x) * ux + (cy - y) * uy) / math.hypot(cx - x, cy - y) for cx, cy in corners]

    def beyond(x: float, y: float, centre: float) -> float:
        """Degrees that (x, y), seen from a teammate, is outside of its view of 60 degrees."""
        angle = math.degrees(math.atan2(y, x)) - centre
        return max(abs((angle + 180) % 360 - 180) - 30, 0.0)

    first = [
        *(1, 1, 0, 1, 0.5),  # known, in view, age, cargo, distance
        *(math.cos(turns[0]), math.sin(turns[0])),
        *(0.28, -0.96),  # from inward: 0.6 * -0.6 + 0.8 * 0.8, and 0.8 * -0.6 - 0.6 * 0.8
        *(0, 1, 1),  # 6.87 degrees from the axis: within the view, and within 1060.66
        180 / 90,  # widest view that reaches 500: 67.5e6 / 500^2 = 270 degrees, at most 180
        (180 - 60) / (2.5 * 36),
        (-6 * 0.6 + 8 * 0.8) / 20,  # along the line of sight: 2.8
        (8 * 0.6 + 6 * 0.8) / 20,  # across: 9.6
        10 / 20,
        *(-0.36, -0.48),  # place (600, 0) along inward and across: 600 * -0.6, -600 * 0.8
        *(c / 100 for c in clear),
        (1500 - 500) / 1000,
        10 / 20,  # highest speed seen
        # Teammates: the first holds it; the second, at (-500, 900), sees it at (1100, -900).
        *(1 / 3, 0, beyond(1100, -900, -90) / 180),
        *headings(600, 0, -0.6, 0.8),
        math.hypot(325, 925) / 1000,
    ]
    second = [
        *(1, 0, 1 / 40, 0, 1.0),
        *(math.cos(turns[1]), math.sin(turns[1])),
        *(0.96, 0.28),  # -0.8 * -0.6 + 0.6 * 0.8, and 0.6 * -0.6 + 0.8 * 0.8
        (BEARINGS[1] - 60 - 30) / (5 * 36),  # 53.13 degrees out of view
        *(0, 1),
        67.5 / 90,  # 67.5e6 / 1000^2
        (67.5 - 60) / (2.5 * 36),
        # It went on by (-5, 12) to (-500, 200), and its velocity fell by 2 %.
        0.98 * (5 * 0.8 + 12 * 0.6) / 20,
        0.98 * (-12 * 0.8 + 5 * 0.6) / 20,
        0.98 * 13 / 20,
        *((500 * 0.6 + 200 * 0.8) / 1000, (200 * -0.6 + 500 * 0.8) / 1000),
        *(1, 1, 1),  # the obstacle is 250 - 40 from its line; told up to 100
        (1500 - 1000) / 1000,
        13 / 20,
        # The first has it in the viewing angle, but out of range: no turning time.
        *(1 / 3, 0, 0),
        *headings(-500, 200, -5 / 13, 12 / 13),
        math.hypot(425, 725) / 1000,
    ]
    third = [
        *(1, 0, 2 / 40, 0, 1.25),
        *(math.cos(turns[2]), math.sin(turns[2])),
        *(0.6, -0.8),  # 0.28 * -0.6 + 0.96 * 0.8, and 0.96 * -0.6 - 0.28 * 0.8
        *(0, 1, 0),  # 13.74 degrees from the axis, but 1250 away
        43.2 / 90,  # 67.5e6 / 1250^2
        (43.2 - 60) / (2.5 * 36),
        *(0, 0, 0),  # seen once: no velocity
        *((650 * -0.6 + 800 * 0.8) / 1000, (800 * -0.6 - 650 * 0.8) / 1000),
        *(to_second / 100 for _ in range(3)),
        (1500 - 1250) / 1000,
        0,
        # Seen from the teammates at (-250, 800) and (1150, -100): 42.6 and 55.0 degrees outside.
        *(0, beyond(-250, 800, 180) / 180, beyond(1150, -100, -90) / 180),
        *(0, 0, 0, 0),  # it heads nowhere
        math.hypot(275, 125) / 1000,
    ]
    rows = enumerate((first, second, third))
    return {t: dict(enumerate(map(float, values))) for t, values in rows}


@pytest.mark.parametrize("target", [0, 1, 2])
def test_known_targets(camera: HandMadeCamera, target: int) -> None:
    check_row(camera.targets()[target], target_values()[target], 0, TARGET_FEATURES)


def test_every_feature_of_a_target_differs_between_two_of_them() -> None:
    """So that no feature is checked by a value that it has always."""
    rows = np.array([list(row.values()) for row in target_values().values()])
    same = np.flatnonzero(np.ptp(rows, axis=0) < 1e-3).tolist()
    assert same == [0]  # known: the next test


def test_a_target_never_seen_is_a_row_of_zeros(camera: HandMadeCamera) -> None:
    assert not camera.targets()[3].any()


def test_action_of_one_target(camera: HandMadeCamera) -> None:
    """It aims at (282, 424), three frames ahead; 509.2 away, farther than now."""
    aim = math.degrees(math.atan2(424, 282))
    # 1.08 * 509.2 + 30 = 579.9 is to be reached: 67.5e6 / 579.9^2 = 200.7 degrees, at most 180.
    expected = {
        0: 1,
        1: 0,
        2: 0,
        3: (aim - 60) / 180,
        4: (180 - 60) / 90,
        5: 120 / 2.5 / 36,  # zooming takes 48 frames, turning by 3.6 degrees one
        6: 180 / 90 - 1,
        7: 0,  # one target spans nothing
        # A view of 180 degrees that reaches sqrt(67.5e6 / 180) = 612 holds target 0 alone, which a
        # visible teammate has, too.
        8: 1 / 4,
        9: 0,
        10: 1 / 4,
        # 56.4 degrees is inward - 70.5: the view holds directions 0 and 5, never seen, 6 and 7.
        11: 2 / 4,
    }
    check_row(camera.actions()[camera.action(0)], expected, 0, ACTION_FEATURES)


def test_action_of_two_targets(camera: HandMadeCamera) -> None:
    """Targets 0, three frames ahead, and 2, which is 1250 away."""
    ahead = math.degrees(math.atan2(424, 282))
    aim, spread = 0.5 * (ahead + BEARINGS[2]), BEARINGS[2] - ahead  # 65.1 and 17.4
    theta = 67.5e6 / (1.08 * 1250 + 30) ** 2  # 35.4
    expected = {
        0: 0,
        1: 1,
        2: 0,
        3: (aim - 60) / 180,
        4: (theta - 60) / 90,
        5: (60 - theta) / 2.5 / 36,  # 9.8 frames of zooming, 1.0 of turning
        6: theta / 90 - 1,
        7: spread / theta,
        8: 2 / 4,  # both
        9: 1 / 4,  # target 2, which no teammate has
        10: 1 / 4,  # target 0, which is in view
        11: 0,  # inward - 61.8: holds direction 7 alone, in view now
    }
    check_row(camera.actions()[camera.action(0, 2)], expected, 0, ACTION_FEATURES)


def test_action_that_searches(camera: HandMadeCamera) -> None:
    """The third one: inward + 90 degrees, viewing angle 55; -143.13 degrees."""
    turn = 360 + (INWARD + 90 - 60 - 360)  # 156.87 to the left
    expected = {
        0: 0,
        1: 0,
        2: 1,
        3: turn / 180,
        4: (55 - 60) / 90,
        5: turn / 5 / 36,
        6: 55 / 90 - 1,
        7: 0,
        8: 0,  # target 1, the nearest, is 73.7 degrees from its axis
        9: 0,
        10: 0,
        11: 2 / 60,  # direction 2, in view two frames ago
    }
    check_row(camera.actions()[camera.first_search + 2], expected, 0, ACTION_FEATURES)


def test_action_with_nothing_to_aim_at_is_a_row_of_zeros(camera: HandMadeCamera) -> None:
    assert not camera.actions()[camera.action(3)].any()


def test_move() -> None:
    """Move 9 of 25: the largest turn, and half the largest zoom inwards, for five frames."""
    moves = scene(action_mode="discrete", decision_frames=5)
    expected = {
        0: 1,
        1: -0.5,
        2: 0,
        3: 5 * 5 / 180,
        4: -0.5 * 2.5 * 5 / 90,
        5: 5 / 36,
        6: (60 - 6.25) / 90 - 1,
        7: 0,
        # 85 degrees, 53.75 wide, up to 1121: target 0 at 53.1 and target 1 at 143.1 are outside,
        # target 2 at 73.7 is too far away.
        8: 0,
        9: 0,
        10: 0,
        11: 0,  # inward - 41.9: holds direction 7, in view now
    }
    check_row(moves.actions()[4 + 5 * 1], expected, 0, ACTION_FEATURES)


def test_move_that_does_nothing_keeps_the_view() -> None:
    """Move 12: what it shows is what is in view."""
    row = scene(action_mode="discrete").actions()[12]
    assert row[[0, 1, 3, 4, 5]].tolist() == [0] * 5
    np.testing.assert_allclose(row[8:12], [1 / 4, 0, 1 / 4, 0], atol=1e-6)
