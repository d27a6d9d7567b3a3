"""The replay page in a real browser: it plays, is found by keyboard and address, and fits."""

from pathlib import Path
from typing import Any

import pytest
from replay_pages import (
    BOTH,
    DESKTOP,
    NEEDS_BROWSER,
    PHONE,
    RECORDINGS,
    Open,
    settle,
    state,
    text,
    wait,
)

from qplex_hrl.viewer.losses import find_losses, longest_loss
from qplex_hrl.viewer.page import write_page

pytestmark = NEEDS_BROWSER

axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")


def test_it_plays_and_pauses(open_page: Open) -> None:
    page = open_page("small")
    assert state(page) == {"frame": 0, "playing": False, "speed": 1, "camera": -1, "target": -1}
    page.get_by_role("button", name="Play", exact=True).click()
    wait(page, "replay.state.frame > 5")
    page.get_by_role("button", name="Pause", exact=True).click()
    stopped = state(page)
    assert not stopped["playing"]
    page.keyboard.press("End")
    page.keyboard.press(" ")  # at the end: from the start again
    assert state(page)["frame"] <= 60


def test_it_scrubs_and_shows_the_coverage_of_the_frame(open_page: Open) -> None:
    page = open_page("small")
    coverage = RECORDINGS["small"][0].arrays["coverage"]
    for frame in (33, 7):
        page.get_by_role("slider", name="Frame").fill(str(frame))
        assert state(page)["frame"] == frame
        assert text(page, "#readout") == f"{frame} / 60"
        assert text(page, ".caption") == f"Frame {frame} of 60 · coverage {coverage[frame]:.3f}"
    curve = page.locator("#plot-coverage canvas")
    box = curve.bounding_box()
    curve.click(position={"x": 40 + (box["width"] - 86) * 0.5, "y": 30})
    assert state(page)["frame"] == 30


def test_the_keyboard_reaches_everything(open_page: Open) -> None:
    page = open_page("small")

    def press(*keys: str) -> dict[str, Any]:
        for key in keys:
            page.keyboard.press(key)
        return state(page)

    assert press("ArrowRight", "ArrowRight", "ArrowLeft")["frame"] == 1
    assert press("Shift+ArrowRight")["frame"] == 6  # the first frame of the next decision
    assert press("Shift+ArrowRight", "Shift+ArrowLeft")["frame"] == 6
    assert press("End")["frame"] == 60
    assert press("Home")["frame"] == 0
    assert press("]", "]")["speed"] == 4
    assert press("[")["speed"] == 2
    assert press("c", "c")["camera"] == 1
    assert press("Shift+C")["camera"] == 0
    assert press("Shift+C", "Shift+C")["camera"] == 2
    assert press("t")["target"] == 0
    losses = find_losses(RECORDINGS["small"][0].arrays["camera_target"])
    of_first = [loss.first_frame for loss in losses if loss.target == 0 and loss.first_frame > 0]
    assert press("l")["frame"] == of_first[0]
    assert press("Escape") == {
        "frame": of_first[0], "playing": False, "speed": 2, "camera": -1, "target": -1,
    }  # fmt: skip
    press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.get_by_label("Single keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    assert press("c")["camera"] == -1


def test_cameras_and_targets_are_selected_by_click_and_by_button(open_page: Open) -> None:
    page = open_page("small", "frame=20")
    canvas = page.locator("canvas.world")

    def click(name: str, at: str) -> dict[str, Any]:
        x, y = page.evaluate(f"replay.worlds[0].pixel(...replay.episodes[0].row('{name}', {at}))")
        canvas.click(position={"x": x, "y": y})
        return state(page)

    assert click("camera_xy", "2")["camera"] == 2
    assert click("target_xy", "20, 1")["target"] == 1
    assert page.get_by_role("heading", name="Camera 2").is_visible()
    assert page.get_by_role("heading", name="Target 1").is_visible()
    page.get_by_role("button", name="Camera 0", exact=True).click()
    page.get_by_role("button", name="Target 1", exact=True).click()
    assert state(page) | {"camera": 0, "target": -1} == state(page)
    strip = page.locator("#plot-losses canvas")
    strip.click(position={"x": 200, "y": 2 + 2.5 * 13})
    assert state(page)["target"] == 2


def test_two_recordings_share_clock_and_selection(open_page: Open) -> None:
    page = open_page("two", "frame=50&camera=1")
    assert page.locator("canvas.world").count() == 2
    assert page.get_by_role("heading", name="Camera 1").count() == 2
    first, second = (page.locator(".caption").nth(i).inner_text() for i in range(2))
    assert first.startswith("Frame 50 of 60 ")
    assert second.startswith("Frame 40 of 40 (ended)")
    assert page.get_by_role("heading", name="B: planner").is_visible()


def test_names_from_outside_are_shown_as_text(open_page: Open) -> None:
    page = open_page("odd")
    assert "<img src=x onerror=alert(1)>" in text(page, ".about")
    assert page.locator("img").count() == 0


def test_it_opens_at_the_longest_loss_and_the_address_keeps_the_place(
    open_page: Open, tmp_path: Path
) -> None:
    loss = longest_loss(RECORDINGS["small"][0].arrays)
    assert loss is not None
    write_page(RECORDINGS["small"], tmp_path / "jump.html", jump_to=loss.first_frame)
    page = open_page(tmp_path / "jump.html")
    assert (state(page)["frame"], state(page)["target"]) == (loss.first_frame, loss.target)
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    settle(page)
    page.reload()
    wait(page, "window.replay && window.replay.ready")
    kept = state(page)
    assert (kept["frame"], kept["camera"], kept["target"]) == (loss.first_frame + 1, 0, loss.target)


@pytest.mark.parametrize("file", ["large", "two", "script"])
def test_a_phone_shows_it_without_scrolling_sideways(open_page: Open, file: str) -> None:
    page = open_page(file, BOTH, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("canvas.world").first.bounding_box()["width"] >= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("file", "viewport"), [("large", DESKTOP), ("two", PHONE)])
def test_axe_finds_nothing_serious(
    open_page: Open, file: str, viewport: dict[str, int], scheme: str
) -> None:
    page = open_page(file, "frame=30", viewport=viewport, color_scheme=scheme)
    for target_hash in ("#frame=30", f"#frame=30&{BOTH}"):
        page.evaluate(f"location.hash = '{target_hash}'")
        settle(page)
        found = axe_api.Axe().run(page).response["violations"]
        serious = [
            (each["id"], [node["html"] for node in each["nodes"]][:3])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_the_theme_follows_the_system_and_the_button(open_page: Open) -> None:
    page = open_page("small", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(background) != dark
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(background) == dark


def test_a_long_episode_of_a_large_team_plays_from_a_small_file(
    open_page: Open, files: dict[str, Path]
) -> None:
    assert files["large"].stat().st_size < 4_000_000
    page = open_page("large", "frame=600&camera=3&target=2")
    page.keyboard.press(" ")
    wait(page, "replay.state.frame > 610")
    page.keyboard.press(" ")
    assert not state(page)["playing"]


def test_what_is_read_out_is_the_frame_at_rest(open_page: Open) -> None:
    page = open_page("small", "frame=12&camera=1")
    wait(page, "document.getElementById('announce').textContent.includes('Frame 12:')")
    page.keyboard.press("ArrowRight")
    wait(page, "document.getElementById('announce').textContent.includes('Frame 13:')")
    label = page.locator("canvas.world").get_attribute("aria-label")
    assert label.startswith("Frame 13:")
    assert "Camera 1 has chosen" in label
