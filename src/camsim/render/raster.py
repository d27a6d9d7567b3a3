"""Pictures of recorded frames: who stands where, sees whom, carries what, and how it goes."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from camsim.layout import TERRAIN, WAREHOUSES
from camsim.render import theme
from camsim.render.canvas import Canvas
from camsim.render.overlays import (
    TARGET_STROKES,
    draw_beliefs,
    draw_messages,
    draw_searches,
    draw_selections,
)
from camsim.render.panel import LEGEND_SHARE, PANEL_SHARE, Caption, draw_legend, draw_panel
from camsim.render.record import CameraRecord, FrameRecord
from camsim.render.sectors import field_of_view, sector

__all__ = ["Caption", "draw_frame", "draw_frames"]

Pixels = NDArray[np.uint8]

TRAIL_FRAMES = 40
_TRAIL_STRETCH = 5  # frames drawn in one colour
_NOTHING_KNOWN = Caption()
_LEGEND_FROM = 480  # pixels
_LABELS_FROM = 320  # pixels: smaller pictures have no room for numbers


def draw_frame(
    record: FrameRecord,
    *,
    size: int = 640,
    trail: Sequence[FrameRecord] = (),
    caption: Caption = _NOTHING_KNOWN,
    cameras: CameraRecord | None = None,
    beliefs: bool = False,
) -> Pixels:
    """Return a picture [H, W, 3] uint8 of one frame, both sides even.

    W is `size`; above the square of the terrain is a panel with figures, and below it, from 480
    pixels on, a legend.

    Args:
        record: the frame.
        size: width in pixels, even.
        trail: frames before this one, oldest first; targets leave a fading line through them.
        caption: who plays, and the mean coverage so far, written in the panel.
        cameras: what the cameras decided: tells the two levels apart, and searches.
        beliefs: draw where cameras expect the targets that none of them sees.

    Raises:
        ValueError: `size` is out of bounds.
    """
    explained = size >= _LEGEND_FROM
    canvas = Canvas(size, PANEL_SHARE, LEGEND_SHARE if explained else 0.0)
    _draw_fields(canvas, record)
    if cameras is not None:
        draw_searches(canvas, record, cameras)
    _draw_obstacles(canvas, record)
    _draw_trails(canvas, [*trail, record])
    if beliefs and cameras is not None:
        draw_beliefs(canvas, record, cameras)
    draw_selections(canvas, record, cameras)
    draw_messages(canvas, record)
    _draw_cameras(canvas, record)
    _draw_targets(canvas, record)
    if size >= _LABELS_FROM:
        _write_cargo(canvas, record)
        _write_numbers(canvas, record)
    canvas.footer_background()
    draw_panel(canvas, record, caption)
    if explained:
        draw_legend(canvas, record, cameras, beliefs=beliefs)
    return canvas.finished()


def draw_frames(
    records: Iterable[FrameRecord],
    *,
    size: int = 640,
    title: str = "",
    cameras: Iterable[CameraRecord | None] | None = None,
    beliefs: bool = False,
) -> Iterator[Pixels]:
    """Yield one picture for each of the frames of an episode, with trails.

    Args:
        records: the frames. Those after a reset count for the mean coverage.
        size: width in pixels, even.
        title: who plays where.
        cameras: what the cameras decided in each frame.
        beliefs: draw where cameras expect the targets that none of them sees.

    Raises:
        ValueError: `size` is out of bounds.
    """
    trail: deque[FrameRecord] = deque(maxlen=TRAIL_FRAMES)
    total, n_frames = 0.0, 0
    overlays = repeat(None) if cameras is None else cameras
    for record, overlay in zip(records, overlays, strict=False):  # without cameras, for ever
        if record.step > 0:
            total, n_frames = total + record.coverage_rate, n_frames + 1
        yield draw_frame(
            record,
            size=size,
            trail=tuple(trail),
            caption=Caption(title, total / n_frames if n_frames else None),
            cameras=overlay,
            beliefs=beliefs,
        )
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


def _draw_targets(canvas: Canvas, record: FrameRecord) -> None:
    """Draw targets: filled if loaded, ringed in white if tracked, in red if they run into it."""
    for t, xy in enumerate(record.target_xy):
        radius = TARGET_STROKES[2 if record.target_capacity[t] > 1 else 1]
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


def _cargo_colour(goal: int) -> theme.Colour:
    return theme.WAREHOUSES[goal] if goal >= 0 else theme.UNLOADED
