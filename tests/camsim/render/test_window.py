"""The window, on a display that exists in memory only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
import pygame
import pytest

from camsim.render import DisplayError, MissingExtraError, Window

IMAGE = np.zeros((40, 60, 3), np.uint8)
IMAGE[10, 20] = (250, 100, 50)


@pytest.fixture(autouse=True)
def _display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def test_it_opens_with_the_first_picture_and_shows_it() -> None:
    with Window("world", fps=None) as window:
        assert pygame.display.get_surface() is None
        assert window.show(IMAGE)
        surface = pygame.display.get_surface()
        assert surface.get_size() == (60, 40)
        assert pygame.display.get_caption()[0] == "world"
        assert tuple(surface.get_at((20, 10)))[:3] == (250, 100, 50)
        assert window.show(np.zeros((20, 30, 3), np.uint8)), "of another size"
        assert pygame.display.get_surface().get_size() == (30, 20)
    assert window.closed
    assert pygame.display.get_surface() is None


def test_its_user_may_close_it() -> None:
    window = Window(fps=None)
    assert window.show(IMAGE)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert not window.show(IMAGE)
    assert window.closed
    assert not window.show(IMAGE), "and it stays closed"
    window.close()
    with Window(fps=None) as other:
        assert other.show(IMAGE), "another one may open"


def test_closing_a_window_that_never_opened() -> None:
    window = Window()
    window.close()
    assert not window.show(IMAGE)


def test_it_waits_for_the_next_frame() -> None:
    with Window(fps=50.0) as window:
        window.show(IMAGE)
        started = time.perf_counter()
        for _ in range(5):
            window.show(IMAGE)
        assert time.perf_counter() - started > 0.06


def test_without_a_display_one_line_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame.display.quit()
    monkeypatch.setenv("SDL_VIDEODRIVER", "nothing")
    window = Window()
    with pytest.raises(DisplayError, match="cannot open a window") as error:
        window.show(IMAGE)
    assert "\n" not in str(error.value)
    assert window.closed


def test_without_pygame_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(MissingExtraError, match=r'pygame .* pip install "qplex-hrl\[viz\]"'):
        Window().show(IMAGE)
