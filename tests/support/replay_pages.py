"""Replay pages for tests in a browser, and how to read them."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from made_up_recording import LARGE, SMALL, made_up, made_up_oddity, made_up_script

CHROMIUM = shutil.which("chromium")
NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt install chromium)"),
]
Page = Any
Open = Callable[..., Page]
RECORDINGS = {
    "small": [made_up()],
    "large": [made_up(LARGE, 1)],
    "two": [made_up(), made_up(SMALL._replace(frames=41), 0, policy="planner")],
    "script": [made_up_script()],
    "odd": [made_up_oddity("<img src=x onerror=alert(1)>")],
    "shared": [made_up(regime="shared", whole=False)],
    "full": [made_up(regime="enhanced")],
    "clear": [made_up(transmittance=1.0)],
    "no camera": [made_up_script(SMALL._replace(cameras=0))],
}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 800}
BOTH = "camera=1&target=2"


def wait(page: Page, condition: str) -> None:
    """Wait until a condition holds; Playwright's own way needs what the page's policy forbids."""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never: {condition}")


def settle(page: Page) -> None:
    """Wait until two frames are drawn: what was asked for is shown then."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def state(page: Page) -> dict[str, Any]:
    settle(page)
    shown: dict[str, Any] = page.evaluate(
        "({frame: replay.state.frame, playing: replay.state.playing, speed: replay.state.speed,"
        " camera: replay.state.camera, target: replay.state.target})"
    )
    return shown


def text(page: Page, selector: str) -> str:
    settle(page)
    words: str = page.locator(selector).first.inner_text()
    return words.replace("\u2212", "-")


def table_of(page: Page, caption: str) -> list[list[str]]:
    """Return the rows of the first table with this caption as texts."""
    settle(page)
    found = page.locator("table", has=page.locator("caption", has_text=caption)).first
    rows = [row.locator("th, td").all_inner_texts() for row in found.locator("tbody tr").all()]
    return [[cell.replace("\u2212", "-").replace("\xa0", " ") for cell in row] for row in rows]
