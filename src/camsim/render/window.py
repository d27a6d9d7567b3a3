"""A window that shows pictures as they come: the render mode `human`."""

import os
from types import ModuleType, TracebackType

import numpy as np
from numpy.typing import NDArray

from camsim.render.errors import DisplayError, MissingExtraError

__all__ = ["Window"]


class Window:
    """A window, opened by the first picture; its user may close it at any time."""

    def __init__(self, title: str = "camsim", fps: float | None = 30.0) -> None:
        """Remember how to show pictures; nothing opens yet.

        Args:
            title: of the window.
            fps: `show` waits so that at most so many pictures appear in a second; None: no wait.
        """
        self._title = title
        self._fps = fps
        self._pygame: ModuleType | None = None
        self._size: tuple[int, int] | None = None
        self.closed = False

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show a picture [H, W, 3] uint8; return false once the window has been closed.

        Raises:
            MissingExtraError: pygame is not installed.
            DisplayError: there is no display.
        """
        if self.closed:
            return False
        size = (image.shape[1], image.shape[0])
        game = self._opened(size)
        if any(event.type == game.QUIT for event in game.event.get()):
            self.close()
            return False
        surface = game.surfarray.make_surface(image.swapaxes(0, 1))
        game.display.get_surface().blit(surface, (0, 0))
        game.display.flip()
        if self._fps is not None:
            self._clock.tick(self._fps)
        return True

    def close(self) -> None:
        """Close the window for good; a second call does nothing."""
        self.closed = True
        if self._pygame is not None:
            self._pygame.display.quit()
            self._pygame = None

    def __enter__(self) -> "Window":
        """Return the window, to be closed by the block's end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window."""
        self.close()

    def _opened(self, size: tuple[int, int]) -> ModuleType:
        """Return pygame with a window of that size."""
        if self._pygame is None:
            self._pygame = _import_pygame()
            self._clock = self._pygame.time.Clock()
        game = self._pygame
        if self._size != size:
            try:
                game.display.init()
                game.display.set_mode(size)
            except game.error as error:
                self.close()
                msg = f"cannot open a window ({error}); draw to a file or an array instead"
                raise DisplayError(msg) from error
            game.display.set_caption(self._title)
            self._size = size
        return game


def _import_pygame() -> ModuleType:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it would print a greeting
    try:
        import pygame
    except ImportError:
        raise MissingExtraError("pygame") from None
    return pygame
