"""The replay page in a real browser: it plays, and what it shows is what was recorded."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_recording import LARGE, SMALL, made_up, made_up_oddity, made_up_script

from camsim.render.sectors import field_of_view
from qplex_hrl.viewer.losses import find_losses, longest_loss, within_reach
from qplex_hrl.viewer.page import write_page
from qplex_hrl.viewer.recording import Recording

playwright_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
CHROMIUM = shutil.which("chromium")
pytestmark = [
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


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name.replace(' ', '_')}.html" for name in RECORDINGS}
    for name, path in paths.items():
        write_page(RECORDINGS[name], path)
    return paths


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
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


def test_every_recorded_value_arrives(open_page: Open) -> None:
    page = open_page("small")
    arrays = RECORDINGS["small"][0].arrays
    rounded = {"particle_xy": 0.5, "camera_pose": 2.0**-6, "slow_probs": 2.0**-15}
    for name, array in arrays.items():
        values = page.evaluate(f"Array.from(replay.episodes[0].arrays.{name}.values)")
        wanted = np.asarray(array, np.float64).ravel()
        got = np.array([np.nan if value is None else value for value in values], np.float64)
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=rounded.get(name, 2.0**-5))


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


def test_the_panel_of_a_camera_shows_what_was_recorded(open_page: Open) -> None:
    arrays = RECORDINGS["small"][0].arrays
    frame, camera = 33, 1
    page = open_page("small", f"frame={frame}&camera={camera}")
    decision = int(np.flatnonzero(arrays["decision_frame"] < frame)[-1])
    panel = text(page, "article[aria-label='Camera 1']")
    phi, theta, sight_range = arrays["camera_pose"][frame, camera]
    assert f"{phi:.1f}°" in panel
    assert f"{theta:.1f}°" in panel
    assert f"{sight_range:.0f}" in panel

    values = arrays["q_values"][decision, camera]
    rows = table_of(page, "Values of the slow decision")
    assert rows[0][1] == f"{np.nanmax(values):.3f}"
    assert rows[0][2] == "0.000"
    assert "chosen" in rows[0][0] or "slow decision, replaced" in rows[0][0]
    page.get_by_role("button", name="Show all").click()
    everything = [float(row[1]) for row in table_of(page, "Values of the slow decision")]
    wanted = np.sort(values[~np.isnan(values)])[::-1]
    np.testing.assert_allclose(everything, wanted, atol=6e-4)

    attention = table_of(page, "Attention in this decision")
    shares = np.round(100.0 * arrays["slow_probs"][decision, camera])
    assert [row[1] for row in attention] == [f"{share:.0f} %" for share in shares]
    assert attention[-1][0] == "search"

    believed = int(np.flatnonzero(arrays["decision_frame"] <= frame)[-1])
    for target, row in enumerate(table_of(page, "What it believes of each target")):
        age = int(arrays["track_age"][frame, camera, target])
        error = np.hypot(
            *(arrays["track_xy"][frame, camera, target] - arrays["target_xy"][frame, target])
        )
        assert row[1] == ("sees it" if age == 0 else "\u2013" if age < 0 else str(age))
        assert row[2].startswith("~") == (age < 0), "no track"
        assert abs(float(row[2].removeprefix("~")) - error) <= 0.6
        made = arrays["decision_frame"][believed]
        way = arrays["particle_xy"][believed, camera, target] - arrays["target_xy"][made, target]
        off = np.hypot(*way.T)[arrays["particle_goal"][believed, camera, target] >= 0]
        assert abs(float(row[3]) - np.sort(off)[len(off) // 2]) <= 1.5


def test_an_estimate_without_a_track_is_still_the_recorded_one(
    open_page: Open, tmp_path: Path
) -> None:
    """With particles it is their mean; without them nobody moves the estimate on."""
    about, arrays = RECORDINGS["small"][0]
    arrays = {**arrays, "track_known": np.zeros_like(arrays["track_known"])}
    write_page([Recording(about, arrays)], tmp_path / "forgotten.html")
    page = open_page(tmp_path / "forgotten.html")
    shown = page.evaluate("replay.episodes[0].estimate(20, 1, 2)")
    error = np.hypot(*(arrays["track_xy"][20, 1, 2] - arrays["target_xy"][20, 2]))
    assert shown == {"error": pytest.approx(error, abs=0.1), "tracked": False}
    bare = {name: array for name, array in arrays.items() if not name.startswith("particle_")}
    write_page([Recording(about, bare)], tmp_path / "bare.html")
    page = open_page(tmp_path / "bare.html", "camera=1")
    assert page.evaluate("replay.episodes[0].estimate(20, 1, 2)") is None
    assert [row[2] for row in table_of(page, "What it believes of each target")] == ["\u2013"] * 3


def test_a_search_is_drawn_where_the_camera_aims(open_page: Open) -> None:
    arrays = RECORDINGS["small"][0].arrays
    searching = np.isfinite(arrays["search_deg"][..., 0])
    frame, camera = (int(i) for i in np.argwhere(searching)[0])
    page = open_page("small", f"frame={frame}&camera={camera}")
    phi, view = arrays["search_deg"][frame, camera]
    sight_range = 1000.0 * np.sqrt(30.0 / view)
    aim = page.evaluate(f"replay.episodes[0].searchAim({frame}, {camera})")
    assert list(aim.values()) == pytest.approx([phi, view, sight_range], abs=0.02)
    wrapped = (phi + 180.0) % 360.0 - 180.0
    assert f"{wrapped:.1f}°, view {view:.0f}°" in text(
        page, f"article[aria-label='Camera {camera}']"
    )
    frame, camera = (int(i) for i in np.argwhere(~searching)[0])
    assert page.evaluate(f"replay.episodes[0].searchAim({frame}, {camera})") is None
    named = page.evaluate("replay.episodes[0].searchPose(0, {bearing_deg: 0, view_deg: 20})")
    assert (named["theta"], named["range"]) == (30, 1000), "no view is narrower than the camera's"


@pytest.mark.parametrize(
    ("file", "caption"),
    [
        ("small", "frames since its last detection,"),
        ("shared", "frames since any camera detected it,"),
        ("full", "frames since any camera detected it (a full view: every camera is told),"),
    ],
)
def test_whose_detection_counts_is_said(open_page: Open, file: str, caption: str) -> None:
    page = open_page(file, f"frame=30&{BOTH}")
    captions = page.locator("caption").all_inner_texts()
    assert sum(caption in each for each in captions) == 2
    head = text(page, ".about")
    assert ("(first 61 frames)" in head) == (file == "shared")


def test_a_world_without_cameras_is_shown(open_page: Open) -> None:
    page = open_page("no camera", "frame=10&target=1")
    assert "There is no camera." in text(page, "article[aria-label='Episode']")
    assert "There is no camera." in text(page, "article[aria-label='Target 1']")
    assert table_of(page, "Longest losses")[0][2:] == ["none", "\u2013", "\u2013"]
    page.keyboard.press("c")
    assert state(page)["camera"] == -1


def test_obstacles_that_let_everything_through_cut_no_view(open_page: Open) -> None:
    page = open_page("clear")
    arrays = RECORDINGS["clear"][0].arrays
    for camera in range(SMALL.cameras):
        flat = page.evaluate(f"replay.fieldOfView(replay.episodes[0], 30, {camera})")
        _, theta, sight_range = arrays["camera_pose"][30, camera]
        drawn = np.concatenate([arrays["camera_xy"][camera][None], np.reshape(flat, (-1, 2))])
        np.testing.assert_allclose(area(drawn), 0.5 * np.radians(theta) * sight_range**2, rtol=5e-3)


def test_the_fast_level_is_told_from_the_slow_one(open_page: Open) -> None:
    arrays = RECORDINGS["small"][0].arrays
    frame, camera = np.argwhere(arrays["action"] != arrays["slow_action"])[0]
    page = open_page("small", f"frame={frame}&camera={camera}")
    name = "replay.episodes[0].actionName"
    slow, fast = (
        page.evaluate(f"{name}({arrays[which][frame, camera]})").replace("\u2212", "-")
        for which in ("slow_action", "action")
    )
    panel = f"article[aria-label='Camera {camera}']"
    decision = text(page, f"{panel} section:nth-of-type(2)").splitlines()
    assert decision[decision.index("Slow level") + 1] == slow
    assert decision[decision.index("Fast level") + 1] == f"replaced it: {fast}"
    assert any(row[0] == f"{slow} ◂ slow decision, replaced" for row in table_of(page, "Values of"))


def test_the_panel_of_a_target_tells_who_could_have_had_it(open_page: Open) -> None:
    about, arrays = RECORDINGS["small"][0]
    loss = longest_loss(arrays)
    assert loss is not None
    page = open_page("small", f"frame={loss.last_frame}&target={loss.target}")
    panel = text(page, f"article[aria-label='Target {loss.target}']")
    assert f"lost for {loss.frames} frame" in panel
    within = within_reach(arrays, about["transmittance"])[loss.first_frame : loss.last_frame + 1]
    shares = within[:, :, loss.target].mean(axis=0)
    rows = table_of(page, f"Frames {loss.first_frame} to {loss.last_frame}")
    assert [row[1] for row in rows] == [f"{100.0 * share:.0f} %" for share in np.sort(shares)[::-1]]
    assert shares[int(rows[0][0][1:])] == shares.max()
    page.get_by_role("button", name=f"Show camera {rows[0][0][1:]} when").first.click()
    assert state(page)["camera"] == int(rows[0][0][1:])


def test_fields_of_view_are_cut_as_in_pictures(open_page: Open) -> None:
    page = open_page("large")
    arrays = RECORDINGS["large"][0].arrays
    for frame in (1, 400, 1200):
        for camera in range(LARGE.cameras):
            flat = page.evaluate(f"replay.fieldOfView(replay.episodes[0], {frame}, {camera})")
            pose = arrays["camera_pose"][frame, camera]
            places = arrays["camera_xy"][camera], arrays["obstacle_xy"], arrays["obstacle_radius"]
            wanted = field_of_view(places[0], *pose, *places[1:])
            drawn = np.concatenate([places[0][None], np.array(flat).reshape(-1, 2)])
            np.testing.assert_allclose(area(drawn), area(wanted), rtol=5e-3)


def area(outline: np.ndarray) -> float:
    x, y = outline.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def test_two_recordings_share_clock_and_selection(open_page: Open) -> None:
    page = open_page("two", "frame=50&camera=1")
    assert page.locator("canvas.world").count() == 2
    assert page.get_by_role("heading", name="Camera 1").count() == 2
    first, second = (page.locator(".caption").nth(i).inner_text() for i in range(2))
    assert first.startswith("Frame 50 of 60 ")
    assert second.startswith("Frame 40 of 40 (ended)")
    assert page.get_by_role("heading", name="B: planner").is_visible()


def test_scripted_cameras_have_no_belief_and_the_page_says_so(open_page: Open) -> None:
    page = open_page("script", "frame=5&camera=1&target=1")
    panel = text(page, "article[aria-label='Camera 1']")
    assert "Scripted cameras keep no belief that could be shown." in panel
    assert "This recording holds no values per action and no attention." in panel
    assert "Selected by" not in text(page, "article[aria-label='Target 1']")
    assert page.get_by_label("Messages", exact=True).is_visible()
    assert not page.get_by_label("Particles", exact=True).is_visible()
    assert not open_page("small").get_by_label("Messages", exact=True).is_visible()


def test_names_from_outside_are_shown_as_text(open_page: Open) -> None:
    page = open_page("odd")
    assert "<img src=x onerror=alert(1)>" in text(page, ".about")
    assert page.locator("img").count() == 0


def test_moves_and_particles_that_all_cameras_share(open_page: Open) -> None:
    arrays = RECORDINGS["odd"][0].arrays
    page = open_page("odd", "frame=33&camera=2&target=1")
    assert page.evaluate("replay.episodes[0].actionName(0)") == "turn +100 %, zoom \u221250 %"
    assert "There are no values for this decision." in text(page, "article[aria-label='Camera 2']")
    goals = arrays["particle_goal"][np.flatnonzero(arrays["decision_frame"] <= 33)[-1], 0, 1]
    shares = np.bincount(goals[goals >= 0], minlength=5) / (goals >= 0).sum()
    shown = page.evaluate("replay.episodes[0].modelShares(33, 2, 1)")
    np.testing.assert_allclose(shown, shares)


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
