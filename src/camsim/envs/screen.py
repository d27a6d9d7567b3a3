"""Pictures of one environment for `render`: an array or a window."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camsim.sim import BatchSim

if TYPE_CHECKING:
    from camsim.render import Window

__all__ = ["RENDER_FPS", "RENDER_MODES", "Screen"]

RENDER_MODES = ("human", "rgb_array")
RENDER_FPS = 30


class Screen:
    """Draws what an environment looks like now; opens a window only in mode `human`."""

    def __init__(self, mode: str | None, title: str) -> None:
        """Check the mode; imaging libraries are loaded with the first picture.

        Raises:
            ValueError: the mode is unknown.
        """
        if mode is not None and mode not in RENDER_MODES:
            raise ValueError(f"render_mode = {mode!r}; expected None or {', '.join(RENDER_MODES)}")
        self.mode = mode
        self._title = title
        self._window: Window | None = None

    def draw(self, sim: BatchSim, row: int = 0) -> NDArray[np.uint8]:
        """Return a picture [H, W, 3] of environment `row`."""
        from camsim.render import draw_frame, record_frame

        return draw_frame(record_frame(sim, row), title=self._title)

    def show(self, sim: BatchSim, row: int = 0) -> None:
        """Show environment `row` in the window; nothing happens after its user has closed it."""
        from camsim.render import Window

        if self._window is None:
            self._window = Window(self._title, fps=RENDER_FPS)
        if not self._window.closed:
            self._window.show(self.draw(sim, row))

    def close(self) -> None:
        """Close the window if there is one; a second call does nothing."""
        if self._window is not None:
            self._window.close()
            self._window = None
