"""Replay pages in Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replay_pages import CHROMIUM, DESKTOP, RECORDINGS, Open, Page, settle, wait

from qplex_hrl.viewer.page import write_page


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name.replace(' ', '_')}.html" for name in RECORDINGS}
    for name, path in paths.items():
        write_page(RECORDINGS[name], path)
    return paths


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, files: dict[str, Path]) -> Iterator[Open]:
    """Return a function that opens a page; no page may log an error or ask for anything else."""
    contexts, troubles, requests, opened = [], [], [], set()

    def open_(file: str | Path, hash_: str = "", **options: Any) -> Page:
        path = files[file] if isinstance(file, str) else file
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url.split("#")[0]))
        opened.add(path.as_uri())
        page.goto(f"{path.as_uri()}#{hash_}")
        wait(page, "window.replay && window.replay.ready")
        settle(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []
    assert {url for url in requests if url != "data:,"} <= opened  # the empty icon
