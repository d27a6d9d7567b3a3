"""A still picture of a scenario: where everything may start, and how far cameras can see."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Floats
from camsim.files import atomic_writer
from camsim.layout import WAREHOUSES
from camsim.render import theme
from camsim.render.canvas import Canvas, Image
from camsim.scenario.schema import Scenario

__all__ = ["draw_scenario", "picture_of_scenario", "save_picture"]

Pixels = NDArray[np.uint8]

_PANEL_SHARE = 0.11  # height of the panel with the facts


def draw_scenario(scenario: Scenario, size: int = 640) -> Pixels:
    """Return a picture [H, W, 3] uint8 of a scenario, W = size and H = size and a panel, both even.

    Boxes are where entities start at random, with their number; discs are fixed places. Dashed
    circles show the longest sight range of cameras, from the middle of their box.

    Raises:
        ValueError: `size` is out of bounds.
    """
    canvas = Canvas(size, _PANEL_SHARE)
    for w, centre in enumerate(WAREHOUSES):
        canvas.label(centre, str(w), height=15.0, colour=theme.WAREHOUSES[w])
    _draw_obstacle_starts(canvas, scenario)
    _draw_boxes(canvas, scenario.target_boxes, theme.TRACKED)
    _draw_boxes(canvas, scenario.camera_boxes, theme.CAMERA)
    for xy in _fixed_points(scenario.target_boxes):
        canvas.disc(xy, canvas.units(6.0), (*theme.TRACKED, 255))
    if scenario.camera is not None:
        for xy in _middles(scenario.camera_boxes):
            canvas.dashed_circle(xy, scenario.camera.max_sight_range, (*theme.CAMERA, 150), 0.9)
        for xy in _fixed_points(scenario.camera_boxes):
            body = (*theme.CAMERA_BODY, 255)
            canvas.disc(xy, scenario.camera.radius, body, (*theme.CAMERA, 255), 2.0)
    _write_facts(canvas, scenario)
    return canvas.finished()


def save_picture(image: Pixels, path: str | Path) -> None:
    """Write a picture [H, W, 3] uint8 as PNG.

    Raises:
        ValueError: the suffix is not .png.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: unknown kind of picture '{path.suffix}'; expected .png")
    with atomic_writer(path) as file:
        Image.fromarray(image).save(file, format="PNG", optimize=True)


def picture_of_scenario(scenario: Scenario, path: str | Path, size: int = 800) -> None:
    """Draw a scenario and write the picture as PNG.

    Raises:
        ValueError: the suffix is not .png, or `size` is out of bounds.
        OSError: the file cannot be written.
    """
    save_picture(draw_scenario(scenario, size), path)


def _draw_boxes(
    canvas: Canvas, boxes: Floats, colour: theme.Colour, *, number_below: bool = False
) -> None:
    """Draw start boxes [K, 4], equal ones once, with the number of entities in a corner."""
    wide = boxes[_extent(boxes).any(axis=1)]
    for box, count in zip(*np.unique(wide, axis=0, return_counts=True), strict=True):
        x_low, x_high, y_low, y_high = box
        corners = np.array([[x_low, y_low], [x_high, y_low], [x_high, y_high], [x_low, y_high]])
        canvas.polygon(corners, (*colour, 22))
        canvas.line(np.concatenate([corners, corners[:1]]), (*colour, 220), 1.4)
        corner, shift = (corners[1], (-10.0, -10.0)) if number_below else (corners[3], (10.0, 10.0))
        canvas.label(corner, str(count), height=13.0, colour=colour, shift=shift)


def _draw_obstacle_starts(canvas: Canvas, scenario: Scenario) -> None:
    """Draw where obstacles start, and their smallest and largest size in the middle."""
    if scenario.obstacle is None:
        return
    boxes = scenario.obstacle_boxes
    _draw_boxes(canvas, boxes, theme.OBSTACLE_EDGE, number_below=True)
    low, high = scenario.obstacle.radius_bounds
    for xy in np.unique(_middles(boxes), axis=0):
        if high > low:
            canvas.disc(xy, high, (*theme.OBSTACLE, 90), (*theme.OBSTACLE_EDGE, 120))
        canvas.disc(xy, low, (*theme.OBSTACLE, 255), (*theme.OBSTACLE_EDGE, 255))


def _write_facts(canvas: Canvas, scenario: Scenario) -> None:
    """Write name, sizes and main rules into the panel."""
    left = 0.02
    canvas.panel_background()
    canvas.panel_text((left, 0.3), scenario.name or "scenario", height=18.0)
    camera, obstacle = scenario.camera, scenario.obstacle
    facts = [
        (f"{scenario.n_cameras} cameras", theme.CAMERA),
        (f"{scenario.n_targets} targets", theme.TEXT),
        (f"{scenario.n_obstacles} obstacles", theme.OBSTACLE_EDGE),
        (f"{scenario.reward_type} reward", theme.FAINT_TEXT),
        (f"{scenario.max_episode_steps} frames", theme.FAINT_TEXT),
    ]
    if camera is not None:
        facts.append((f"sight {camera.max_sight_range:g}", theme.FAINT_TEXT))
    if obstacle is not None:
        facts.append((f"transmittance {obstacle.transmittance:g}", theme.FAINT_TEXT))
    for k, (words, colour) in enumerate(facts):
        at = (left + 0.94 * k / len(facts), 0.72)
        canvas.panel_text(at, words, height=12.0, colour=colour)


def _extent(boxes: Floats) -> Floats:
    """Return width and height [K, 2] of boxes [K, 4]."""
    return np.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], axis=-1)


def _middles(boxes: Floats) -> Floats:
    """Return the centres [K, 2] of boxes [K, 4]."""
    return np.stack([boxes[:, :2].mean(axis=1), boxes[:, 2:].mean(axis=1)], axis=-1)


def _fixed_points(boxes: Floats) -> Floats:
    """Return the places [K, 2] of boxes without any extent."""
    return _middles(boxes[~_extent(boxes).any(axis=1)])
