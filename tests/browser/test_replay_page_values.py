"""The replay page in a real browser: what it shows is what was recorded."""

from pathlib import Path

import numpy as np
import pytest
from made_up_recording import LARGE, SMALL
from replay_pages import BOTH, NEEDS_BROWSER, RECORDINGS, Open, state, table_of, text

from camsim.render.sectors import field_of_view
from qplex_hrl.viewer.losses import longest_loss, within_reach
from qplex_hrl.viewer.page import write_page
from qplex_hrl.viewer.recording import Recording

pytestmark = NEEDS_BROWSER


def test_every_recorded_value_arrives(open_page: Open) -> None:
    page = open_page("small")
    arrays = RECORDINGS["small"][0].arrays
    rounded = {"particle_xy": 0.5, "camera_pose": 2.0**-6, "slow_probs": 2.0**-15}
    for name, array in arrays.items():
        values = page.evaluate(f"Array.from(replay.episodes[0].arrays.{name}.values)")
        wanted = np.asarray(array, np.float64).ravel()
        got = np.array([np.nan if value is None else value for value in values], np.float64)
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=rounded.get(name, 2.0**-5))


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


def test_scripted_cameras_have_no_belief_and_the_page_says_so(open_page: Open) -> None:
    page = open_page("script", "frame=5&camera=1&target=1")
    panel = text(page, "article[aria-label='Camera 1']")
    assert "Scripted cameras keep no belief that could be shown." in panel
    assert "This recording holds no values per action and no attention." in panel
    assert "Selected by" not in text(page, "article[aria-label='Target 1']")
    assert page.get_by_label("Messages", exact=True).is_visible()
    assert not page.get_by_label("Particles", exact=True).is_visible()
    assert not open_page("small").get_by_label("Messages", exact=True).is_visible()


def test_moves_and_particles_that_all_cameras_share(open_page: Open) -> None:
    arrays = RECORDINGS["odd"][0].arrays
    page = open_page("odd", "frame=33&camera=2&target=1")
    assert page.evaluate("replay.episodes[0].actionName(0)") == "turn +100 %, zoom \u221250 %"
    assert "There are no values for this decision." in text(page, "article[aria-label='Camera 2']")
    goals = arrays["particle_goal"][np.flatnonzero(arrays["decision_frame"] <= 33)[-1], 0, 1]
    shares = np.bincount(goals[goals >= 0], minlength=5) / (goals >= 0).sum()
    shown = page.evaluate("replay.episodes[0].modelShares(33, 2, 1)")
    np.testing.assert_allclose(shown, shares)
