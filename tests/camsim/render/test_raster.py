"""Pictures of frames: sizes, and that what a picture must show is there."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from drawn_worlds import BLANK, with_camera, with_obstacle, with_targets
from numpy.typing import NDArray

from camsim.render import Caption, MissingExtraError, draw_frame, draw_frames, theme
from camsim.render.canvas import Canvas
from camsim.render.panel import PANEL_SHARE
from camsim.render.record import FrameRecord

SIZE = 400
CANVAS = Canvas(SIZE, PANEL_SHARE)
Pixels = NDArray[np.uint8]


def at(picture: Pixels, x: float, y: float) -> NDArray[np.int64]:
    """The colour at a place of the terrain."""
    column, line = (CANVAS.pixels(np.array([x, y])) / 2).astype(int)
    return picture[line, column].astype(np.int64)


def is_colour(colour: NDArray[np.int64], wanted: theme.Colour) -> bool:
    return bool(np.abs(colour - wanted).max() < 30)


def difference(a: FrameRecord, b: FrameRecord, x: float, y: float, reach: float = 30.0) -> int:
    """How much two pictures differ around a place of the terrain."""
    pictures = [draw_frame(record, size=SIZE).astype(np.int64) for record in (a, b)]
    low = (CANVAS.pixels(np.array([x - reach, y + reach])) / 2).astype(int)
    high = (CANVAS.pixels(np.array([x + reach, y - reach])) / 2).astype(int)
    part = np.abs(pictures[0] - pictures[1])[low[1] : high[1] + 1, low[0] : high[0] + 1]
    return int(part.max())


@pytest.mark.parametrize("size", [64, 320, 402, 640])
def test_pictures_have_even_sides(size: int) -> None:
    picture = draw_frame(with_camera(with_targets(BLANK, [(0, 0)], [1])), size=size)
    assert picture.dtype == np.uint8
    height, width, channels = picture.shape
    assert (width, channels) == (size, 3)
    assert height % 2 == 0
    assert 1.05 * size < height < 1.25 * size


@pytest.mark.parametrize("size", [0, 63, 641, 5000])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"size = {size}; expected an even number from 64 to"):
        draw_frame(BLANK, size=size)


def test_drawing_is_repeatable_and_leaves_the_record_alone() -> None:
    record = with_camera(with_targets(BLANK, [(0, 300)], [1]))
    first = draw_frame(record, size=SIZE)
    np.testing.assert_array_equal(draw_frame(record, size=SIZE), first)


def test_light_reaches_the_field_of_view_and_not_the_shadow() -> None:
    open_field = draw_frame(with_camera(), size=SIZE)
    record = with_obstacle(with_camera(), (250.0, 0.0), 60.0)
    cut = draw_frame(record, size=SIZE)
    dark = at(open_field, -300, 10)
    lit = at(open_field, 440, 10)
    assert lit.sum() > dark.sum() + 20
    shadow = at(cut, 440, 10)
    assert dark.sum() < shadow.sum() < lit.sum() - 20, "hidden, but still in the sector"
    assert (at(cut, 150, 10) == lit).all()
    assert (at(cut, 300, 200) == lit).all()
    assert is_colour(at(cut, 250, 0), theme.OBSTACLE)
    clear = draw_frame(record._replace(transmittance=1.0), size=SIZE)
    assert (at(clear, 440, 10) == lit).all()
    unknown = record._replace(camera_obstacle=np.zeros((1, 1), np.bool_))
    assert (at(draw_frame(unknown, size=SIZE), 440, 10) == lit).all()


def test_zoom_and_heading_show() -> None:
    wide, narrow = with_camera(), with_camera()._replace(camera_theta_deg=np.array([30.0]))
    assert difference(wide, narrow, 250, 200) > 20
    assert difference(wide, narrow, 250, 0) == 0
    far = with_camera()._replace(camera_range=np.array([900.0]))
    assert difference(wide, far, 800, 0) > 20
    assert difference(wide, with_camera(phi_deg=180.0), -300, 0) > 20


@pytest.mark.parametrize("goal", [0, 1, 2, 3])
def test_targets_have_the_colour_of_their_goal(goal: int) -> None:
    picture = draw_frame(with_targets(BLANK, [(-310, 310)], [goal]), size=SIZE)
    assert is_colour(at(picture, -310, 310), theme.WAREHOUSES[goal])
    corner = np.array([925.0, 925.0]) * [(1, 1), (-1, 1), (-1, -1), (1, -1)][goal]
    edge = at(picture, corner[0] - 73.0 * np.sign(corner[0]), corner[1])
    assert np.abs(edge - theme.WAREHOUSES[goal]).max() < 70


def test_unloaded_targets_are_hollow_and_heavy_ones_larger() -> None:
    light = with_targets(BLANK, [(310, 310)], [2])
    hollow = draw_frame(with_targets(BLANK, [(310, 310)], [-1]), size=SIZE)
    assert is_colour(at(hollow, 310, 310), theme.TERRAIN)
    heavy = light._replace(target_capacity=np.array([2]))
    assert is_colour(at(draw_frame(heavy, size=SIZE), 310 + 21, 310), theme.WAREHOUSES[2])
    assert not is_colour(at(draw_frame(light, size=SIZE), 310 + 21, 310), theme.WAREHOUSES[2])


@pytest.mark.parametrize(
    "change",
    [
        {"target_tracked": np.array([True])},
        {"target_colliding": np.array([True])},
        {"target_bounty": np.array([0.0])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_marks_of_targets(change: dict[str, NDArray[np.generic]]) -> None:
    record = with_targets(BLANK, [(310, 310)], [2])
    assert difference(record, record._replace(**change), 310, 310) > 60


def test_cargo_left_is_written_into_the_warehouses() -> None:
    stocked = BLANK._replace(remaining=np.full((4, 4), 8, np.int64))
    for x, y in ((925, 925), (-925, 925), (-925, -925), (925, -925)):
        assert difference(BLANK, stocked, x, y, 60.0) > 60
    assert difference(BLANK, stocked, 0, 0, 700.0) == 0


def test_targets_leave_trails() -> None:
    records = [with_targets(BLANK, [(20.0 * k - 500.0, 310.0)], [2]) for k in range(50)]
    pictures = list(draw_frames(records, size=SIZE))
    assert len(pictures) == 50
    first = draw_frame(records[0], size=SIZE, caption=Caption(mean_coverage=0.5))
    np.testing.assert_array_equal(pictures[0], first)
    fresh = draw_frame(records[-1], size=SIZE)
    steps = [(np.abs(at(pictures[-1], x, 310) - at(fresh, x, 310))).sum() for x in (400, 0, -450)]
    assert steps[0] > steps[1] > 0 == steps[2], "fading, and forgotten"


def test_the_mean_coverage_is_that_of_the_frames_after_the_reset() -> None:
    """What tables report: the frame of the reset does not count."""
    rates = [0.0, 1.0, 0.5, 0.25]
    records = [BLANK._replace(step=step, coverage_rate=rate) for step, rate in enumerate(rates)]
    for mean, record, picture in zip(
        [None, 1.0, 0.75, 7 / 12], records, draw_frames(records, size=SIZE, title="T"), strict=True
    ):
        expected = draw_frame(record, size=SIZE, caption=Caption("T", mean))
        np.testing.assert_array_equal(picture, expected)


def test_without_pillow_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "camsim.render.canvas")
    with pytest.raises(MissingExtraError, match=r'pillow .* pip install "qplex-hrl\[viz\]"'):
        importlib.import_module("camsim.render.canvas")
