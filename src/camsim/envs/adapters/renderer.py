"""Pictures of one environment for `render`: an array or a window."""

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from gymnasium import logger
from numpy.typing import NDArray

from camsim.bounds import shortened
from camsim.envs.message_board import Edges
from camsim.envs.team_env import TeamEnv

if TYPE_CHECKING:
    from camsim.render import FrameRecord, Window

__all__ = ["RENDER_FPS", "RENDER_MODES", "Screen", "picture"]

RENDER_MODES = ("human", "rgb_array")
RENDER_FPS = 30
_FRAMES = 41  # the one to draw, and those that its trail runs through

Pixels = NDArray[np.uint8]


class Screen:
    """Draws what environment 0 looks like now; opens a window only in mode `human`.

    Imaging libraries are loaded with the first frame, and not at all without a mode.
    """

    def __init__(self, mode: str | None, title: str) -> None:
        """Check the mode.

        Raises:
            ValueError: the mode is unknown.
        """
        if mode is not None and mode not in RENDER_MODES:
            raise ValueError(
                f"render_mode = {shortened(mode)}; expected None or {', '.join(RENDER_MODES)}"
            )
        self._mode = mode
        self._title = title
        self._frames: deque[FrameRecord] = deque(maxlen=_FRAMES)
        self._window: Window | None = None

    def start(self, env: TeamEnv) -> None:
        """Take up the first frame of an episode."""
        self._frames.clear()
        self.follow(env)

    def follow(self, env: TeamEnv, messages: Edges | None = None) -> None:
        """Take up a frame and, in mode `human`, show it.

        Args:
            env: the worlds.
            messages: numbers of the driven teams' messages that arrived in the frame.
        """
        if self._mode is None:
            return
        self._frames.append(_record(env, 0, messages))
        if self._mode == "human":
            self._show()

    def render(self) -> Pixels | None:
        """Return a picture [H, W, 3] in mode `rgb_array`; show it in mode `human`."""
        if self._mode is None:
            logger.warn("render() without a render_mode; choose one when making the environment")
            return None
        if self._mode == "human":
            self._show()
            return None
        return self._draw()

    def close(self) -> None:
        """Close the window if there is one; a second call does nothing."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _draw(self) -> Pixels:
        from camsim.render import Caption, draw_frame

        if not self._frames:
            raise ValueError("render before the first reset")
        *trail, record = self._frames
        return draw_frame(record, trail=trail, caption=Caption(self._title))

    def _show(self) -> None:
        """Show the last frame; nothing happens after the window's user has closed it."""
        from camsim.render import Window

        if self._window is None:
            self._window = Window(self._title, fps=RENDER_FPS)
        if not self._window.closed:
            self._window.show(self._draw())


def picture(env: TeamEnv, row: int, title: str) -> Pixels:
    """Return a picture [H, W, 3] of environment `row`, with scripted teams' messages."""
    from camsim.render import Caption, draw_frame

    return draw_frame(_record(env, row), caption=Caption(title))


def _record(env: TeamEnv, row: int, messages: Edges | None = None) -> "FrameRecord":
    """Return what environment `row` looks like; `messages` are those of driven teams."""
    from camsim.render import record_frame

    cameras, targets = (edges[row] for edges in env.message_edges)
    if messages is not None:
        cameras, targets = cameras + messages[0], targets + messages[1]
    return record_frame(env.sim, row, camera_messages=cameras, target_messages=targets)
