"""Overlays: selections of both levels, searches, beliefs, messages; each shows where it should."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_worlds import BLANK, one_camera_chose, with_camera, with_targets
from numpy.typing import NDArray

from camsim.render import draw_frame, theme
from camsim.render.canvas import Canvas
from camsim.render.panel import PANEL_SHARE
from camsim.render.record import CameraRecord, FrameRecord

SIZE = 400
CANVAS = Canvas(SIZE, PANEL_SHARE)
WATCHED = with_camera(with_targets(BLANK, [(500, -500)], [0]), xy=(-500.0, 500.0), phi_deg=90.0)
"""A camera that looks up, and a target below it to the right."""

CHOSEN = WATCHED._replace(selection=np.ones((1, 1), np.bool_))
Pixels = NDArray[np.uint8]


def at(picture: Pixels, x: float, y: float) -> NDArray[np.int64]:
    """The colour at a place of the terrain."""
    column, line = (CANVAS.pixels(np.array([x, y])) / 2).astype(int)
    return picture[line, column].astype(np.int64)


def around(picture: Pixels, x: float, y: float, reach: int = 2) -> Pixels:
    column, line = (CANVAS.pixels(np.array([x, y])) / 2).astype(int)
    return picture[line - reach : line + reach + 1, column - reach : column + reach + 1]


def shows(picture: Pixels, x: float, y: float, colour: theme.Colour) -> bool:
    """Whether a place has about this colour."""
    nearest = np.abs(around(picture, x, y).astype(np.int64) - colour).max(axis=-1).min()
    return bool(nearest < 60)


def bright(picture: Pixels) -> int:
    """How many places of the way from camera to target are bright."""
    return sum(int(at(picture, x, -x).sum() > 250) for x in np.linspace(-400, 400, 41))


def light_of(picture: Pixels) -> int:
    """How bright the way from camera to target is."""
    return sum(int(at(picture, x, -x).sum()) for x in np.linspace(-400, 400, 41))


def light(record: FrameRecord) -> int:
    return light_of(draw_frame(record, size=SIZE))


def test_selection_lines_are_solid_if_valid() -> None:
    valid = CHOSEN._replace(camera_target=np.ones((1, 1), np.bool_))
    counts = [bright(draw_frame(drawn, size=SIZE)) for drawn in (WATCHED, CHOSEN, valid)]
    assert counts[0] == 0
    assert 5 < counts[1] < 36
    assert counts[2] == 41


def test_both_levels_are_told_apart() -> None:
    valid = CHOSEN._replace(camera_target=np.ones((1, 1), np.bool_))
    kept = draw_frame(valid, size=SIZE, cameras=one_camera_chose())
    np.testing.assert_array_equal(kept, draw_frame(valid, size=SIZE)[: len(kept)])
    none = np.zeros((1, 1), np.bool_)
    replaced = draw_frame(valid, size=SIZE, cameras=one_camera_chose(slow_selection=none))
    assert shows(replaced, 200, -200, theme.REPLACED)
    assert shows(kept, 200, -200, theme.CAMERA)
    middle = around(replaced, 0, 0, 6).astype(np.int64) - theme.REPLACED
    assert (np.abs(middle).max(axis=-1) < 60).sum() > 20, "a diamond"
    dropped = draw_frame(WATCHED._replace(selection=none), size=SIZE, cameras=one_camera_chose())
    assert light(WATCHED) < light_of(dropped) < 0.8 * light_of(kept), "dotted"


def test_searches_show_the_sector_that_the_camera_turns_to() -> None:
    """The view of 90 degrees and 600 units becomes one of 45 degrees: 849 units."""
    searching = one_camera_chose(search_deg=np.array([[-45.0, 45.0]]))
    plain, drawn = (
        draw_frame(WATCHED, size=SIZE, cameras=each) for each in (one_camera_chose(), searching)
    )
    change = np.abs(drawn.astype(np.int64) - plain).max(axis=-1)
    inside = around(change, -500 + 500 / 2**0.5, 500 - 500 / 2**0.5, 1)
    assert inside.max() > 0
    rim = [
        around(change, -500 + 849 * np.cos(angle), 500 + 849 * np.sin(angle), 1).max()
        for angle in np.radians(np.linspace(-65, -25, 15))
    ]
    assert max(rim) > 60
    beyond = around(change, -500 + 900 / 2**0.5, 500 - 900 / 2**0.5, 1)
    assert beyond.max() == 0


@pytest.mark.parametrize("seen", [False, True])
def test_beliefs_are_of_targets_that_no_camera_sees(seen: bool) -> None:
    record = WATCHED._replace(camera_target=np.full((1, 1), seen))
    belief = one_camera_chose(
        track_xy=np.array([[[300.0, -300.0]]]),
        track_known=np.ones((1, 1), np.bool_),
        track_age=np.array([[7]]),
        particle_xy=np.array([[[[0.0, 300.0], [100.0, 300.0]]]]),
        particle_goal=np.array([[[1, -1]]]),
    )
    drawn = draw_frame(record, size=SIZE, cameras=belief, beliefs=True)
    assert shows(drawn, 300, -300, theme.BELIEF) != seen
    assert shows(drawn, 0, 300, theme.WAREHOUSES[1]) != seen
    assert not shows(drawn, 100, 300, theme.WAREHOUSES[1]), "weight 0"
    unasked = draw_frame(record, size=SIZE, cameras=belief)
    assert not shows(unasked, 300, -300, theme.BELIEF)


def test_the_belief_drawn_is_the_freshest() -> None:
    two = WATCHED._replace(
        camera_xy=np.array([[-500.0, 500.0], [-500.0, -500.0]]),
        camera_radius=np.full(2, 40.0),
        camera_phi_deg=np.full(2, 90.0),
        camera_theta_deg=np.full(2, 30.0),
        camera_range=np.full(2, 300.0),
        camera_obstacle=np.zeros((2, 0), np.bool_),
        camera_target=np.zeros((2, 1), np.bool_),
    )
    belief = CameraRecord(
        action=np.zeros(2, np.int64),
        slow_action=np.zeros(2, np.int64),
        slow_selection=np.zeros((2, 1), np.bool_),
        search_deg=np.full((2, 2), np.nan),
        track_xy=np.array([[[300.0, 300.0]], [[-300.0, 0.0]]]),
        track_age=np.array([[-1], [50]]),
        track_known=np.ones((2, 1), np.bool_),
        particle_xy=np.zeros((0, 1, 0, 2)),
        particle_goal=np.zeros((0, 1, 0), np.int64),
    )
    drawn = draw_frame(two, size=SIZE, cameras=belief, beliefs=True)
    assert shows(drawn, -300, 0, theme.BELIEF)
    assert not shows(drawn, 300, 300, theme.BELIEF)


def test_messages_are_arrows_to_the_receiver() -> None:
    record = with_targets(BLANK, [(-400, 0), (400, 0)], [0, 1])
    there, back = np.array([[0, 1], [0, 0]]), np.array([[0, 0], [1, 0]])
    sent = record._replace(target_messages=there)
    assert difference(record, sent) > 60
    assert difference(sent, record._replace(target_messages=back)) > 60
    silent = record._replace(target_messages=3 * np.eye(2, dtype=np.int64))
    np.testing.assert_array_equal(draw_frame(silent, size=SIZE), draw_frame(record, size=SIZE))
    near = with_targets(BLANK, [(0, 0), (1, 0)], [0, 1])._replace(target_messages=there)
    draw_frame(near, size=SIZE)  # no room for an arrow
    cameras = with_camera()._replace(camera_messages=np.ones((1, 1), np.int64))
    np.testing.assert_array_equal(
        draw_frame(cameras, size=SIZE), draw_frame(with_camera(), size=SIZE)
    )


def difference(a: FrameRecord, b: FrameRecord) -> int:
    """How much two pictures differ where an arrow from left to right has its head."""
    first, second = (around(draw_frame(each, size=SIZE), 345, 20, 8) for each in (a, b))
    return int(np.abs(first.astype(np.int64) - second).max())
