"""What looking ahead adds to the row of an action, in a scene by hand.

That these numbers are right for any table of plans is in planning/test_joint_plan.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_camera import HandMadeCamera, Public, Seen

FIRST = 12 + 5
"""Features of an action before those of looking ahead."""


@pytest.fixture(scope="module")
def camera() -> HandMadeCamera:
    """At (-400, 0), looks at 28 degrees; a target 300 away at 0 and another one 590 away at 180.

    Both walk by (0, 8), so are heavy.
    """
    made = HandMadeCamera(2, belief="particles", lookahead=True, coverage_per_target=True)
    for n in range(4):
        targets = [Seen(-100, 8.0 * n - 24), Seen(-990, 8.0 * n - 24)]
        made.perceive(Public(-400, 0, 28), targets)
    return made


def test_an_action_that_covers_one_target_all_the_time(camera: HandMadeCamera) -> None:
    """Target 0 goes at most 10 a frame, 250 in 25 frames: at most 56.4 degrees from the axis.

    The view turns to it and widens by 2.5 degrees a frame from 60 to 122.5, so it is in view in all
    frames of all trajectories; target 1 stays behind the camera.
    """
    row = camera.actions()[camera.action(0), FIRST:]
    np.testing.assert_allclose(row, [1, 1, 0, 1, 1, 0], atol=1e-6)


def test_an_action_that_may_not_be_selected_was_not_tried(camera: HandMadeCamera) -> None:
    """The two are 180 degrees apart, and a view that reaches 590 is narrower."""
    row = camera.actions()[camera.action(0, 1), FIRST:]
    np.testing.assert_array_equal(row, [0, 0, -1, 0, 0, 0])


def test_turning_away_loses_what_is_in_view(camera: HandMadeCamera) -> None:
    """Target 0 is 28 degrees to the right of the axis; to target 1 the camera turns left.

    In the six frames of the first action the axis goes to 58 degrees and half of the view from 30
    to 37.5: lost at once. Then it takes (58 - 37.5) / (5 + 1.25) = 3.3 frames to come back: 9 of 25
    frames are lost, two more or less by how the target walks.
    """
    tried, chosen, advantage, alone, first, second = camera.actions()[camera.action(1), FIRST:]
    assert (tried, chosen, second) == (1, 0, 0)
    assert advantage == pytest.approx(alone - 1)  # in the best plan one target is covered
    assert advantage == pytest.approx(-9 / 25, abs=2 / 25)
    assert first == pytest.approx(alone)


def test_the_features_before_are_those_without_looking_ahead() -> None:
    plain, ahead = (HandMadeCamera(2, belief="particles", lookahead=flag) for flag in (False, True))
    for made in (plain, ahead):
        made.perceive(Public(-400, 0, 0), [Seen(-100, 0), None])
    np.testing.assert_array_equal(ahead.context(), plain.context())
    np.testing.assert_array_equal(ahead.targets(), plain.targets())
    np.testing.assert_array_equal(ahead.actions()[:, :FIRST], plain.actions())
    assert ahead.actions().shape[1] == FIRST + 4
