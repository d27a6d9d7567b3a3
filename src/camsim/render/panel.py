"""What is written above and below the terrain: who plays, the figures of a frame, the legend."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from camsim.arrays import Floats
from camsim.render import theme
from camsim.render.canvas import Canvas
from camsim.render.overlays import draw_diamond, draw_search_outline
from camsim.render.record import CameraRecord, FrameRecord
from camsim.render.sectors import sector

__all__ = ["LEGEND_SHARE", "PANEL_SHARE", "Caption", "draw_legend", "draw_panel"]

PANEL_SHARE, LEGEND_SHARE = 0.12, 0.075
"""Heights of the panel and of the legend, relative to the width."""

_COLUMNS = 5


class Caption(NamedTuple):
    """What a frame does not know of its episode."""

    title: str = ""  # who plays where
    mean_coverage: float | None = None  # of the episode's frames so far: what tables report


def draw_panel(canvas: Canvas, record: FrameRecord, caption: Caption) -> None:
    """Write the title, and the figures of the frame under their names, with bars for rates."""
    mean = caption.mean_coverage
    figures: list[tuple[str, str, float | None]] = [
        ("frame", str(record.step), None),
        ("coverage now", _percent(record.coverage_rate), record.coverage_rate),
        ("mean coverage", "-" if mean is None else _percent(mean), mean),
        ("transport", _percent(record.mean_transport_rate), record.mean_transport_rate),
        ("delivered", f"{record.delivered} / {record.delivered + record.awaiting.sum()}", None),
    ]
    canvas.panel_background()
    canvas.panel_text((0.02, 0.18), caption.title, height=13.0)
    column = 0.97 / len(figures)
    for k, (name, value, rate) in enumerate(figures):
        x = 0.02 + k * column
        canvas.panel_text((x, 0.46), name, height=11.0, colour=theme.FAINT_TEXT)
        canvas.panel_text((x, 0.70), value, height=17.0)
        if rate is not None:
            canvas.panel_bar((x, 0.92), 0.8 * column, min(rate, 1.0))  # nan fills nothing


def draw_legend(
    canvas: Canvas, record: FrameRecord, cameras: CameraRecord | None, *, beliefs: bool
) -> None:
    """Explain the signs below the terrain: those that this kind of cameras can have."""
    entries: list[tuple[str, Callable[[Canvas, Floats], None]]] = [
        ("camera's view", _view),
        ("tracked target", _tracked),
        ("without cargo", _unloaded),
    ]
    if cameras is not None:
        entries += [
            ("selected, in view", _solid),
            ("selected, unseen", _dashed),
            ("search", _search),
            ("fast level's choice", _replaced),
            ("choice replaced", _dotted),
        ]
    elif record.selection is not None:
        entries += [("selected, in view", _solid), ("selected, unseen", _dashed)]
    if record.camera_messages is not None:
        entries += [("cameras' message", _camera_message), ("targets' message", _target_message)]
    if beliefs and cameras is not None:
        entries.append(("expected place", _expected))
    for k, (words, sign) in enumerate(entries):
        place = canvas.legend_place(k % _COLUMNS, k // _COLUMNS, _COLUMNS)
        sign(canvas, place)
        canvas.label(place, words, height=11.0, anchor="lm", shift=(17.0, 0.0))


def _view(canvas: Canvas, xy: Floats) -> None:
    outline = sector(xy - canvas.units(10.0) * np.array([1.0, 0.0]), 0.0, 40.0, canvas.units(22.0))
    canvas.polygon(outline, (*theme.CAMERA, 2 * theme.FIELD_ALPHA))
    canvas.line(np.concatenate([outline, outline[:1]]), (*theme.CAMERA, theme.FIELD_EDGE_ALPHA))


def _search(canvas: Canvas, xy: Floats) -> None:
    outline = sector(xy - canvas.units(10.0) * np.array([1.0, 0.0]), 0.0, 40.0, canvas.units(22.0))
    draw_search_outline(canvas, outline, theme.CAMERA)


def _tracked(canvas: Canvas, xy: Floats) -> None:
    canvas.disc(xy, canvas.units(9.0), None, (*theme.TRACKED, 255), 1.6)
    canvas.disc(xy, canvas.units(5.0), (*theme.WAREHOUSES[0], 255))


def _unloaded(canvas: Canvas, xy: Floats) -> None:
    canvas.disc(xy, canvas.units(6.0), (*theme.BACKDROP, 255), (*theme.UNLOADED, 255), 2.0)


def _ends(canvas: Canvas, xy: Floats) -> tuple[Floats, Floats]:
    half = np.array([canvas.units(12.0), 0.0])
    return xy - half, xy + half


def _solid(canvas: Canvas, xy: Floats) -> None:
    canvas.line(np.stack(_ends(canvas, xy)), (*theme.CAMERA, 255), 1.6)


def _dashed(canvas: Canvas, xy: Floats) -> None:
    canvas.dashes(*_ends(canvas, xy), (*theme.CAMERA, 200), 1.2)


def _dotted(canvas: Canvas, xy: Floats) -> None:
    canvas.dashes(*_ends(canvas, xy), (*theme.CAMERA, 150), 1.2, dash=2.5)


def _replaced(canvas: Canvas, xy: Floats) -> None:
    canvas.line(np.stack(_ends(canvas, xy)), (*theme.REPLACED, 255), 1.6)
    draw_diamond(canvas, xy, theme.REPLACED)


def _camera_message(canvas: Canvas, xy: Floats) -> None:
    canvas.arrow(*_ends(canvas, xy), 0.0, (*theme.CAMERA_MESSAGE, 220), 1.0)


def _target_message(canvas: Canvas, xy: Floats) -> None:
    canvas.arrow(*_ends(canvas, xy), 0.0, (*theme.TARGET_MESSAGE, 220), 1.0)


def _expected(canvas: Canvas, xy: Floats) -> None:
    reach = canvas.units(5.0)
    for side in (-1.0, 1.0):
        arm = reach * np.array([1.0, side])
        canvas.line(np.stack([xy - arm, xy + arm]), (*theme.BELIEF, 255), 1.6)
    for k, colour in enumerate(theme.WAREHOUSES[:3]):
        place = xy + canvas.units(4.0) * np.array([k - 1.0, 2.0 - k])
        canvas.disc(place, canvas.units(1.5), (*colour, 230))


def _percent(rate: float) -> str:
    return f"{100.0 * rate:.0f} %" if math.isfinite(rate) else "-"
