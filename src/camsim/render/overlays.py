"""What cameras decided and believed, drawn over the world: selections, searches, particles."""

import math

import numpy as np

from camsim.arrays import Bools, Floats
from camsim.render import theme
from camsim.render.canvas import Canvas
from camsim.render.record import CameraRecord, FrameRecord
from camsim.render.sectors import sector

__all__ = [
    "TARGET_STROKES",
    "draw_beliefs",
    "draw_diamond",
    "draw_messages",
    "draw_search_outline",
    "draw_searches",
    "draw_selections",
]

TARGET_STROKES = {1: 6.0, 2: 8.5}
"""Radius of a target's disc by capacity."""

_PARTICLE_STROKES = 1.5


def draw_selections(canvas: Canvas, record: FrameRecord, cameras: CameraRecord | None) -> None:
    """Draw a line from camera to selected target: solid if it is in view, dashed otherwise.

    Where the camera has replaced its action within a decision, the line has another colour and a
    diamond; what it replaced is a dotted line.
    """
    if record.selection is None:
        return
    slow = record.selection if cameras is None else cameras.slow_selection
    for c, t in np.argwhere(record.selection & slow):
        _selection_line(canvas, record, (int(c), int(t)), theme.CAMERA)
    for c, t in np.argwhere(slow & ~record.selection):
        start, end = _between(canvas, record, (int(c), int(t)))
        canvas.dashes(start, end, (*theme.CAMERA, 150), 1.2, dash=2.5)
    for c, t in np.argwhere(record.selection & ~slow):
        middle = _selection_line(canvas, record, (int(c), int(t)), theme.REPLACED)
        draw_diamond(canvas, middle, theme.REPLACED)


def _selection_line(
    canvas: Canvas, record: FrameRecord, pair: tuple[int, int], colour: theme.Colour
) -> Floats:
    """Draw the line of a camera and a target; return its middle."""
    start, end = _between(canvas, record, pair)
    if record.camera_target[pair]:
        canvas.line(np.stack([start, end]), (*colour, 255), 1.6)
    else:
        canvas.dashes(start, end, (*colour, 200), 1.2)
    middle: Floats = 0.5 * (start + end)
    return middle


def draw_diamond(canvas: Canvas, xy: Floats, colour: theme.Colour) -> None:
    """Draw the mark of a replaced action."""
    reach = canvas.units(5.0)
    corners = reach * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    canvas.polygon(xy + corners, (*colour, 255))


def draw_searches(canvas: Canvas, record: FrameRecord, cameras: CameraRecord) -> None:
    """Draw the sector that a searching camera turns to, with the range that it has there."""
    for c, (bearing, view) in enumerate(cameras.search_deg):
        if not math.isfinite(bearing):
            continue
        area = record.camera_theta_deg[c] * record.camera_range[c] ** 2
        outline = sector(record.camera_xy[c], bearing, view, math.sqrt(area / view))
        replaced = cameras.action[c] != cameras.slow_action[c]
        colour = theme.REPLACED if replaced else theme.CAMERA
        canvas.polygon(outline, (*colour, theme.HIDDEN_ALPHA))
        draw_search_outline(canvas, outline, colour)


def draw_search_outline(canvas: Canvas, outline: Floats, colour: theme.Colour) -> None:
    """Draw the outline [K, 2] of a sector, apex first, in dashes."""
    for end in (outline[1], outline[-1]):
        canvas.dashes(outline[0], end, (*colour, 190), 1.2)
    step = max(1, round(canvas.units(6.0) / float(np.hypot(*(outline[2] - outline[1])))))
    for first in range(1, len(outline) - step, 2 * step):
        canvas.line(outline[first : first + step + 1], (*colour, 190), 1.2)


def draw_beliefs(canvas: Canvas, record: FrameRecord, cameras: CameraRecord) -> None:
    """Draw the particles and the estimate of every target that no camera sees.

    They are of the camera that saw it last; an estimate is a cross, with a line to the target.
    """
    lost: Bools = np.logical_not(record.camera_target.any(axis=0))
    age = np.where(cameras.track_age < 0, np.iinfo(np.int64).max, cameras.track_age)
    for t in np.flatnonzero(lost):
        c = int(age[:, t].argmin()) if len(age) else 0
        _draw_particles(canvas, cameras, c, int(t))
        if cameras.track_known[:, t].any():
            _draw_estimate(canvas, cameras.track_xy[c, t], record.target_xy[t])


def _draw_particles(canvas: Canvas, cameras: CameraRecord, c: int, t: int) -> None:
    if not cameras.particle_xy.size:
        return
    m = min(c, len(cameras.particle_xy) - 1)
    places, goals = cameras.particle_xy[m, t], cameras.particle_goal[m, t]
    for xy, goal in zip(places, goals, strict=True):
        if goal >= 0:
            walks_somewhere = goal < len(theme.WAREHOUSES)
            colour = theme.WAREHOUSES[goal] if walks_somewhere else theme.UNLOADED
            canvas.disc(xy, canvas.units(_PARTICLE_STROKES), (*colour, 190))


def _draw_estimate(canvas: Canvas, estimate: Floats, truth: Floats) -> None:
    reach = canvas.units(5.0)
    for side in (-1.0, 1.0):
        arm = reach * np.array([1.0, side])
        canvas.line(np.stack([estimate - arm, estimate + arm]), (*theme.BELIEF, 255), 1.6)
    canvas.dashes(estimate, truth, (*theme.BELIEF, 170), 1.0, dash=2.0)


def draw_messages(canvas: Canvas, record: FrameRecord) -> None:
    """Draw the messages that arrived in this frame as bent arrows."""
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


def _between(canvas: Canvas, record: FrameRecord, pair: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return the ends of the line between the discs of a camera and a target."""
    c, t = pair
    camera, target = record.camera_xy[c], record.target_xy[t]
    way = target - camera
    length = max(float(np.hypot(*way)), canvas.units(1.0))
    camera_radius = float(record.camera_radius[c])
    target_radius = canvas.units(TARGET_STROKES[2] + 4.0)
    start: Floats = camera + way * min(camera_radius / length, 0.5)
    end: Floats = target - way * min(target_radius / length, 0.5)
    return start, end
