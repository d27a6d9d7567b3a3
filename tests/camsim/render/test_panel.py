"""The panel above the terrain and the legend below it."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_worlds import BLANK, one_camera_chose, with_camera, with_targets

from camsim.render import Caption, draw_frame
from camsim.render.panel import LEGEND_SHARE, PANEL_SHARE

SIZE = 400
LARGE = 640


def test_the_panel_tells_the_figures() -> None:
    plain = draw_frame(BLANK, size=SIZE)
    panel = round(PANEL_SHARE * SIZE)
    for change in (
        {"step": 4},
        {"coverage_rate": 0.75},
        {"mean_transport_rate": 0.9},
        {"delivered": 5},
    ):
        other = draw_frame(BLANK._replace(**change), size=SIZE)  # type: ignore[arg-type]
        assert (other[:panel] != plain[:panel]).any()
        assert (other[panel:] == plain[panel:]).all()
    unknown = draw_frame(BLANK._replace(mean_transport_rate=float("nan")), size=SIZE)
    assert (unknown[:panel] != plain[:panel]).any()
    for caption in (Caption("S"), Caption(mean_coverage=0.5)):
        assert (draw_frame(BLANK, size=SIZE, caption=caption)[:panel] != plain[:panel]).any()


def test_large_pictures_have_a_legend() -> None:
    small, large = (draw_frame(BLANK, size=size) for size in (478, LARGE))
    assert small.shape[0] - 478 == pytest.approx(PANEL_SHARE * 478, abs=2)
    assert large.shape[0] - LARGE == pytest.approx((PANEL_SHARE + LEGEND_SHARE) * LARGE, abs=4)


def test_the_legend_explains_what_these_cameras_can_show() -> None:
    scripted = with_camera(with_targets(BLANK, [(500, 0)], [0]))
    chose = one_camera_chose(slow_selection=np.zeros((1, 1), np.bool_))
    talking = scripted._replace(camera_messages=np.zeros((1, 1), np.int64))
    selecting = scripted._replace(selection=np.zeros((1, 1), np.bool_))
    pictures = [
        draw_frame(scripted, size=LARGE),
        draw_frame(talking, size=LARGE),
        draw_frame(selecting, size=LARGE),
        draw_frame(scripted, size=LARGE, cameras=chose),
        draw_frame(scripted, size=LARGE, cameras=chose, beliefs=True),
    ]
    top = pictures[0].shape[0] - round(LEGEND_SHARE * LARGE)
    legends = [picture[top:] for picture in pictures]
    for k, legend in enumerate(legends):
        assert (pictures[k][:top] == pictures[0][:top]).all(), "only the legend differs"
        for other in legends[:k]:
            assert (legend != other).any()
