"""A canvas in world coordinates between panels for text: drawn large, then halved to be smooth."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Floats
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.render import theme
from camsim.render.errors import MissingExtraError

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError:
    raise MissingExtraError("pillow") from None

__all__ = ["Canvas", "Image", "Rgba"]

Rgba = tuple[int, int, int, int]
Pixels = NDArray[np.uint8]

SMALLEST, LARGEST = 64, 4096
_SCALE = 2  # how much larger it is drawn
_HALF_VIEW = 1.03 * TERRAIN  # of the world, with a margin
_DESIGN_SIZE = 640.0  # strokes and fonts are sized for this width


class Canvas:
    """A picture of the terrain; places in terrain units, strokes in pixels at a width of 640."""

    def __init__(self, size: int, panel_share: float = 0.09, footer_share: float = 0.0) -> None:
        """Start with the empty terrain, its warehouses, and an empty panel above.

        Args:
            size: width in pixels, even; the terrain fills a square of it.
            panel_share: height of the panel, relative to the width.
            footer_share: height of the space below the terrain.

        Raises:
            ValueError: `size` is odd or out of bounds.
        """
        if size % 2 or not SMALLEST <= size <= LARGEST:
            msg = f"size = {size}; expected an even number from {SMALLEST} to {LARGEST}"
            raise ValueError(msg)
        self.size = size
        self.stroke = _SCALE * size / _DESIGN_SIZE
        self._panel = _SCALE * 2 * round(0.5 * panel_share * size)
        self._per_unit = _SCALE * size / (2.0 * _HALF_VIEW)
        self._footer = _SCALE * 2 * round(0.5 * footer_share * size)
        self._image = _empty_terrain(size, self._panel, self._footer).copy()
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def pixels(self, xy: Floats) -> Floats:
        """Return places [..., 2] in pixels of the enlarged picture; y points down there."""
        return _pixels(xy, self._per_unit, self._panel)

    def finished(self) -> Pixels:
        """Return the picture [H, W, 3] uint8 in its final size."""
        return np.asarray(self._image.reduce(_SCALE))

    def units(self, strokes: float) -> float:
        """Return the length of that many strokes in terrain units."""
        return strokes * self.stroke / self._per_unit

    def polygon(self, outline: Floats, fill: Rgba) -> None:
        """Fill the outline [K, 2]."""
        self._draw.polygon(self.pixels(outline).ravel().tolist(), fill=fill)

    def line(self, points: Floats, colour: Rgba, width: float = 1.0) -> None:
        """Draw a line through points [K, 2]."""
        self._draw.line(
            self.pixels(points).ravel().tolist(),
            fill=colour,
            width=max(1, round(width * self.stroke)),
            joint="curve" if width > 1.5 else None,
        )

    def dashes(
        self, start: Floats, end: Floats, colour: Rgba, width: float = 1.0, dash: float = 5.0
    ) -> None:
        """Draw a dashed line."""
        length = float(np.hypot(*(end - start)))
        n_dashes = max(1, int(length / (2.0 * self.units(dash))))
        for k in range(n_dashes):
            part = np.array([[2 * k], [2 * k + 1]]) / (2 * n_dashes - 1)
            self.line(start + part * (end - start), colour, width)

    def disc(
        self,
        xy: Floats,
        radius: float,
        fill: Rgba | None,
        edge: Rgba | None = None,
        width: float = 1.0,
    ) -> None:
        """Draw a disc or ring around xy [2] with a radius in terrain units."""
        x, y = self.pixels(xy)
        r = radius * self._per_unit
        box = (float(x - r), float(y - r), float(x + r), float(y + r))
        self._draw.ellipse(box, fill=fill, outline=edge, width=max(1, round(width * self.stroke)))

    def dashed_circle(self, xy: Floats, radius: float, colour: Rgba, width: float = 1.0) -> None:
        """Draw a dashed circle with a radius in terrain units."""
        n_dashes = max(12, int(2.0 * math.pi * radius / self.units(12.0)))
        for k in range(n_dashes):
            bearings = 2.0 * np.pi * (k + np.linspace(0.0, 0.5, 4)) / n_dashes
            arc = np.stack([np.cos(bearings), np.sin(bearings)], axis=-1)
            self.line(xy + radius * arc, colour, width)

    def arrow(self, start: Floats, end: Floats, gap: float, colour: Rgba, width: float) -> None:
        """Draw a bent arrow that keeps `gap` (terrain units) from both ends."""
        way = end - start
        length = float(np.hypot(*way))
        if length <= 2.5 * gap:
            return
        side = np.array([-way[1], way[0]])
        back, half = self.units(9.0 + width), self.units(3.5 + width)
        share = np.linspace(gap / length, 1.0 - (gap + back) / length, 14)[:, None]
        points = start + share * way + 0.24 * share * (1.0 - share) * side
        base = points[-1]
        ahead = end - base
        ahead /= max(float(np.hypot(*ahead)), 1e-9)
        across = np.array([-ahead[1], ahead[0]])
        head = [base + back * ahead, base + half * across, base - half * across]
        self.line(points, colour, width)
        self.polygon(np.array(head), colour)

    def label(
        self,
        xy: Floats,
        words: str,
        *,
        height: float,
        colour: theme.Colour = theme.TEXT,
        anchor: str = "mm",
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Write at a place [2], shifted by strokes to the right and down; anchors as in Pillow."""
        x, y = self.pixels(xy) + np.array(shift) * self.stroke
        self._write((float(x), float(y)), words, height, colour, anchor)

    def chip(self, xy: Floats, colour: theme.Colour, shift: tuple[float, float]) -> None:
        """Draw a small square that stands for a warehouse's colour."""
        x, y = self.pixels(xy) + np.array(shift) * self.stroke
        half = 3.2 * self.stroke
        box = (float(x - half), float(y - half), float(x + half), float(y + half))
        self._draw.rectangle(box, fill=colour)

    def panel_background(self) -> None:
        """Paint the panel anew, over whatever reaches into it."""
        self._draw.rectangle((0, 0, self._image.width, self._panel - 1), fill=theme.BACKDROP)

    def footer_background(self) -> None:
        """Paint the space below the terrain anew, over whatever reaches into it."""
        top = self._image.height - self._footer
        if self._footer:
            self._draw.rectangle((0, top, *self._image.size), fill=theme.BACKDROP)

    def legend_place(self, column: int, line: int, n_columns: int) -> Floats:
        """Return the place [2] of a sign below the terrain, in terrain units; lines from 0 on."""
        x = (0.035 + 0.97 * column / n_columns) * self._image.width
        y = self._image.height - self._footer + (0.27 + 0.43 * line) * self._footer
        place: Floats = (np.array([x, y - self._panel]) / self._per_unit - _HALF_VIEW) * (1.0, -1.0)
        return place

    def panel_text(
        self,
        at: tuple[float, float],
        words: str,
        *,
        height: float,
        colour: theme.Colour = theme.TEXT,
        anchor: str = "lm",
    ) -> None:
        """Write into the panel, at shares of its width and height."""
        x, y = at[0] * self._image.width, at[1] * self._panel
        self._write((x, y), words, height, colour, anchor)

    def panel_bar(self, at: tuple[float, float], width: float, filled: float) -> None:
        """Draw a bar into the panel, `width` as a share of the picture's, `filled` from 0 to 1."""
        x, y = at[0] * self._image.width, at[1] * self._panel
        half = 2.0 * self.stroke
        for share, colour in ((1.0, theme.GRID), (filled, theme.CAMERA)):
            if share > 0.0:
                end = x + share * width * self._image.width
                self._draw.rectangle((x, y - half, end, y + half), fill=colour)

    def _write(
        self, at: tuple[float, float], words: str, height: float, colour: theme.Colour, anchor: str
    ) -> None:
        font = _font(max(6, round(height * self.stroke)))
        self._draw.text(at, words, fill=colour, font=font, anchor=anchor)


def _pixels(xy: Floats, per_unit: float, panel: int) -> Floats:
    return (xy * (1.0, -1.0) + _HALF_VIEW) * per_unit + (0.0, panel)


@lru_cache(maxsize=4)
def _empty_terrain(size: int, panel: int, footer: int) -> Image.Image:
    """Return terrain, grid and warehouses, enlarged, between panel and footer; callers copy it."""
    side = _SCALE * size
    per_unit = side / (2.0 * _HALF_VIEW)
    image = Image.new("RGB", (side, side + panel + footer), theme.BACKDROP)
    draw = ImageDraw.Draw(image, "RGBA")

    def box(centre: Floats, half: float) -> list[float]:
        corners = centre + half * np.array([[-1.0, 1.0], [1.0, -1.0]])
        corner_pixels: list[float] = _pixels(corners, per_unit, panel).ravel().tolist()
        return corner_pixels

    stroke = max(1, round(side / _DESIGN_SIZE))
    terrain = box(np.zeros(2), TERRAIN)
    draw.rectangle(terrain, fill=theme.TERRAIN)
    left, top, right, bottom = terrain
    for k in range(1, 8):
        x, y = left + (right - left) * k / 8, top + (bottom - top) * k / 8
        draw.line((x, top, x, bottom), fill=theme.GRID, width=stroke)
        draw.line((left, y, right, y), fill=theme.GRID, width=stroke)
    for centre, colour in zip(WAREHOUSES, theme.WAREHOUSES, strict=True):
        place = box(centre, WAREHOUSE_HALF_WIDTH)
        draw.rectangle(place, fill=(*colour, 46), outline=colour, width=2 * stroke)
    draw.rectangle(terrain, outline=theme.BORDER, width=stroke)
    return image


@lru_cache(maxsize=32)
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(pixels)
