"""Pictures of recorded frames: who stands where, sees whom, carries what, and how it goes."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Floats
from camsim.layout import TERRAIN, WAREHOUSES
from camsim.render import theme
from camsim.render.canvas import Canvas
from camsim.render.record import FrameRecord
from camsim.render.sectors import field_of_view, sector

__all__ = ["draw_frame", "draw_frames"]

Pixels = NDArray[np.uint8]

TRAIL_FRAMES = 40
_TRAIL_STRETCH = 5  # frames drawn in one colour
_LABELS_FROM = 320  # pixels: smaller pictures have no room for numbers
_TARGET_STROKES = {1: 6.0, 2: 8.5}  # radius of a target's disc by capacity


def draw_frame(
    record: FrameRecord,
    *,
    size: int = 640,
    trail: Sequence[FrameRecord] = (),
    title: str = "",
) -> Pixels:
    """Return a picture [H, W, 3] uint8 of one frame, W = size and H = size and a panel, both even.

    Args:
        record: the frame.
        size: width in pixels, even.
        trail: frames before this one, oldest first; targets leave a fading line through them.
        title: written in the panel.

    Raises:
        ValueError: `size` is out of bounds.
    """
    canvas = Canvas(size)
    _draw_fields(canvas, record)
    _draw_obstacles(canvas, record)
    _draw_trails(canvas, [*trail, record])
    _draw_selection(canvas, record)
    _draw_messages(canvas, record)
    _draw_cameras(canvas, record)
    _draw_targets(canvas, record)
    if size >= _LABELS_FROM:
        _write_cargo(canvas, record)
        _write_numbers(canvas, record)
    _write_panel(canvas, record, title)
    return canvas.finished()


def draw_frames(
    records: Iterable[FrameRecord], *, size: int = 640, title: str = ""
) -> Iterator[Pixels]:
    """Yield one picture for each of the frames of an episode, with trails.

    Raises:
        ValueError: `size` is out of bounds.
    """
    trail: deque[FrameRecord] = deque(maxlen=TRAIL_FRAMES)
    for record in records:
        yield draw_frame(record, size=size, trail=tuple(trail), title=title)
        trail.append(record)


def _draw_fields(canvas: Canvas, record: FrameRecord) -> None:
    """Draw every sector faintly, and what obstacles leave of it like light."""
    outlines = []
    for c, xy in enumerate(record.camera_xy):
        pose = (
            float(record.camera_phi_deg[c]),
            float(record.camera_theta_deg[c]),
            float(record.camera_range[c]),
        )
        seen = sector(xy, *pose)
        canvas.polygon(seen, (*theme.CAMERA, theme.HIDDEN_ALPHA))
        known = record.camera_obstacle[c]
        if record.transmittance < 1.0 and known.any():
            obstacles = record.obstacle_xy[known], record.obstacle_radius[known]
            seen = field_of_view(xy, *pose, *obstacles)
        canvas.polygon(seen, (*theme.CAMERA, theme.FIELD_ALPHA))
        outlines.append(np.concatenate([seen, seen[:1]]))
    for outline in outlines:
        canvas.line(outline, (*theme.CAMERA, theme.FIELD_EDGE_ALPHA), 0.8)


def _draw_obstacles(canvas: Canvas, record: FrameRecord) -> None:
    for xy, radius in zip(record.obstacle_xy, record.obstacle_radius, strict=True):
        if radius > 0.0:
            canvas.disc(xy, float(radius), (*theme.OBSTACLE, 255), (*theme.OBSTACLE_EDGE, 255), 1.2)


def _draw_trails(canvas: Canvas, frames: Sequence[FrameRecord]) -> None:
    """Draw each target's way through the frames, fading into the past, in its cargo's colour."""
    xy = np.array([frame.target_xy for frame in frames])
    for last in range(len(frames) - 1, 0, -_TRAIL_STRETCH):
        stretch = xy[max(last - _TRAIL_STRETCH, 0) : last + 1]
        alpha = 20 + 130 * last // len(frames)
        for t, goal in enumerate(frames[last].target_goal):
            canvas.line(stretch[:, t], (*_cargo_colour(int(goal)), alpha), 1.5)


def _draw_selection(canvas: Canvas, record: FrameRecord) -> None:
    """Draw a line from camera to selected target: solid if it is in view, dashed otherwise."""
    if record.selection is None:
        return
    for c, t in np.argwhere(record.selection):
        start, end = _between(
            canvas,
            (record.camera_xy[c], float(record.camera_radius[c])),
            (record.target_xy[t], canvas.units(_TARGET_STROKES[2] + 4.0)),
        )
        if record.camera_target[c, t]:
            canvas.line(np.stack([start, end]), (*theme.CAMERA, 255), 1.6)
        else:
            canvas.dashes(start, end, (*theme.CAMERA, 200), 1.2)


def _draw_messages(canvas: Canvas, record: FrameRecord) -> None:
    teams = (
        (record.camera_messages, record.camera_xy, theme.CAMERA_MESSAGE),
        (record.target_messages, record.target_xy, theme.TARGET_MESSAGE),
    )
    for messages, xy, colour in teams:
        if messages is None:
            continue
        for sender, receiver in np.argwhere(messages > 0):
            if sender != receiver:
                width = 1.0 + 0.5 * min(int(messages[sender, receiver]) - 1, 3)
                canvas.arrow(xy[sender], xy[receiver], canvas.units(15.0), (*colour, 180), width)


def _draw_targets(canvas: Canvas, record: FrameRecord) -> None:
    """Draw targets: filled if loaded, ringed in white if tracked, in red if they run into it."""
    for t, xy in enumerate(record.target_xy):
        radius = _TARGET_STROKES[2 if record.target_capacity[t] > 1 else 1]
        colour = _cargo_colour(int(record.target_goal[t]))
        loaded = record.target_goal[t] >= 0
        if record.target_tracked[t]:
            canvas.disc(xy, canvas.units(radius + 4.0), None, (*theme.TRACKED, 255), 1.6)
        if record.target_colliding[t]:
            canvas.disc(xy, canvas.units(radius + 1.5), (*theme.COLLISION, 255))
        body = colour if loaded else theme.TERRAIN
        edge = theme.BACKDROP if loaded else colour
        canvas.disc(xy, canvas.units(radius), (*body, 255), (*edge, 255), 1.0 if loaded else 2.0)
        if loaded and record.target_bounty[t] <= 0.0:
            canvas.disc(xy, canvas.units(0.4 * radius), (*theme.BACKDROP, 255))


def _draw_cameras(canvas: Canvas, record: FrameRecord) -> None:
    for c, xy in enumerate(record.camera_xy):
        radius = float(record.camera_radius[c])
        phi = math.radians(float(record.camera_phi_deg[c]))
        ahead = np.array([math.cos(phi), math.sin(phi)])
        across = np.array([-ahead[1], ahead[0]])
        nose = [
            xy + 1.55 * radius * ahead,
            xy + radius * (0.75 * ahead + 0.65 * across),
            xy + radius * (0.75 * ahead - 0.65 * across),
        ]
        canvas.polygon(np.array(nose), (*theme.CAMERA, 255))
        canvas.disc(xy, radius, (*theme.CAMERA_BODY, 255), (*theme.CAMERA, 255), 2.0)


def _write_cargo(canvas: Canvas, record: FrameRecord) -> None:
    """Write into every warehouse the units that wait there, in the colour of their destination."""
    for source, centre in enumerate(WAREHOUSES):
        destinations = [d for d in range(len(WAREHOUSES)) if d != source]
        for line, d in enumerate(destinations):
            units = int(record.remaining[source, d])
            down = 14.0 * (line - 1)
            canvas.chip(centre, theme.WAREHOUSES[d] if units else theme.BORDER, (-10.0, down))
            colour = theme.TEXT if units else theme.FAINT_TEXT
            shift = (-2.0, down)
            canvas.label(centre, str(units), height=12.0, colour=colour, anchor="lm", shift=shift)


def _write_numbers(canvas: Canvas, record: FrameRecord) -> None:
    """Write the index of every camera and target."""
    for c, xy in enumerate(record.camera_xy):
        canvas.label(xy, str(c), height=13.0, colour=theme.CAMERA)
    for t, xy in enumerate(record.target_xy):
        side = -1.0 if xy[0] > 0.9 * TERRAIN else 1.0
        anchor = "lm" if side > 0.0 else "rm"
        canvas.label(xy, str(t), height=11.0, anchor=anchor, shift=(14.0 * side, -7.0))


def _write_panel(canvas: Canvas, record: FrameRecord, title: str) -> None:
    """Write the figures of the frame, each under its name, and bars for the two rates."""
    figures: list[tuple[str, str, float | None]] = [
        ("frame", str(record.step), None),
        ("coverage", _percent(record.coverage_rate), record.coverage_rate),
        ("transport", _percent(record.mean_transport_rate), record.mean_transport_rate),
        ("delivered", f"{record.delivered} / {record.delivered + record.awaiting.sum()}", None),
        ("target reward", f"{record.target_reward:.0f}", None),
    ]
    canvas.panel_background()
    left, n_columns = 0.02, len(figures) + (1 if title else 0)
    column = 0.97 / n_columns
    if title:
        canvas.panel_text((left, 0.5), title, height=15.0)
        left += column
    for k, (name, value, rate) in enumerate(figures):
        x = left + k * column
        canvas.panel_text((x, 0.25), name, height=12.0, colour=theme.FAINT_TEXT)
        canvas.panel_text((x, 0.56), value, height=18.0)
        if rate is not None:
            canvas.panel_bar((x, 0.86), 0.8 * column, min(rate, 1.0))  # nan fills nothing


def _between(
    canvas: Canvas, first: tuple[Floats, float], second: tuple[Floats, float]
) -> tuple[Floats, Floats]:
    """Return the ends of the line between two discs (centre, radius)."""
    way = second[0] - first[0]
    length = max(float(np.hypot(*way)), canvas.units(1.0))
    return first[0] + way * min(first[1] / length, 0.5), second[0] - way * min(
        second[1] / length, 0.5
    )


def _cargo_colour(goal: int) -> theme.Colour:
    return theme.WAREHOUSES[goal] if goal >= 0 else theme.UNLOADED


def _percent(rate: float) -> str:
    return f"{100.0 * rate:.0f} %" if math.isfinite(rate) else "-"
