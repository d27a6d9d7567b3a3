import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from camsim.scenario.schema import Scenario, ScenarioError, load_scenario, preset_names

SIZES = {
    "MATE": (4, 8, 9),
    "MATE-Navigation": (0, 8, 32),
    **{
        f"MATE-{c}v{t}-{o}": (c, t, o)
        for c, t in [(1, 1), (1, 2), (2, 2), (2, 4), (4, 2), (4, 4), (4, 8), (8, 8)]
        for o in (0, 9)
    },
}
MINIMAL: dict[str, Any] = {"num_cargoes_per_target": 4, "target": {"location": [[0, 0]]}}


def _with(path: str, value: object) -> dict[str, Any]:
    """Return the 4v4-9 preset's content with the value at the dotted path replaced."""
    content = load_scenario("MATE-4v4-9").to_mapping()
    *sections, key = path.split(".")
    section = content
    for name in sections:
        section = section[name]
    section[key] = value
    return content


def test_the_presets_are_those_of_mate() -> None:
    assert set(preset_names()) == set(SIZES)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_preset(name: str) -> None:
    scenario = load_scenario(name)
    n_cameras, n_targets, n_obstacles = SIZES[name]
    assert (scenario.n_cameras, scenario.n_targets, scenario.n_obstacles) == SIZES[name]
    assert scenario.name == f"MultiAgentTracking({n_cameras}v{n_targets}, {n_obstacles})"
    assert scenario.camera_boxes.shape == (n_cameras, 4)
    assert scenario.obstacle_boxes.shape == (n_obstacles, 4)
    assert scenario.target_boxes.tolist() == [[-200, 200, -200, 200]] * n_targets
    assert (scenario.max_episode_steps, scenario.num_cargoes_per_target) == (10000, 8)
    assert (scenario.high_capacity_target_split, scenario.bounty_factor) == (0.5, 1.0)
    assert scenario.shuffle_entities
    navigation = name == "MATE-Navigation"
    assert scenario.targets_start_with_cargoes is not navigation
    assert scenario.reward_type == ("sparse" if navigation else "dense")
    if scenario.camera is not None:
        assert scenario.camera.max_sight_range == (1000 if n_cameras == 8 else 1500)
        assert scenario.camera.min_viewing_angle == 30
    if scenario.obstacle is not None:
        assert scenario.obstacle.radius_bounds == (25, 100)
        assert scenario.obstacle.transmittance == 0.1


def test_default_values_are_those_of_mate() -> None:
    scenario = Scenario.from_mapping(
        MINIMAL | {"camera": {"location": [[1, 2]]}, "obstacle": {"radius": 3, "location": []}}
    )
    assert scenario.camera is not None
    assert scenario.obstacle is not None
    assert scenario.camera.model_dump(exclude={"location", "location_random_range"}) == {
        "radius": 40,
        "min_viewing_angle": 90,
        "max_sight_range": 500,
        "rotation_step": 5,
        "zooming_step": 2.5,
    }
    assert (scenario.target.step_size, scenario.target.sight_range) == (10, 500)
    assert (scenario.obstacle.radius_bounds, scenario.obstacle.transmittance) == ((3, 3), 0)
    assert (scenario.max_episode_steps, scenario.reward_type) == (10000, "dense")


def test_fixed_locations_come_first_and_both_range_forms_mean_the_same() -> None:
    scenario = Scenario.from_mapping(
        MINIMAL
        | {
            "camera": {
                "location_random_range": [[1, 2, 3, 4], {"low": [1, 3], "high": [2, 4]}],
                "location": [[7, 8]],
            }
        }
    )
    np.testing.assert_array_equal(scenario.camera_boxes, [[7, 7, 8, 8], [1, 2, 3, 4], [1, 2, 3, 4]])
    assert scenario.camera_boxes.dtype == np.float64


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json"])
def test_files_load_like_presets(tmp_path: Path, suffix: str) -> None:
    preset = load_scenario("MATE-8v8-9")
    path = tmp_path / f"mine{suffix}"
    dump = json.dumps if suffix == ".json" else yaml.safe_dump
    path.write_text(dump(preset.to_mapping()))
    assert load_scenario(path) == preset
    assert load_scenario(str(path)) == preset


def test_a_preset_may_be_named_like_its_file() -> None:
    assert load_scenario("MATE-4v4-9.yaml") == load_scenario("MATE-4v4-9")


@given(
    boxes=st.lists(
        st.tuples(*[st.floats(-1000, 1000)] * 4).map(
            lambda b: [*sorted(b[:2]), *sorted(b[2:])],
        ),
        min_size=1,
        max_size=4,
    )
)
def test_boxes_survive_a_round_trip(boxes: list[list[float]]) -> None:
    content = {"num_cargoes_per_target": 4, "target": {"location_random_range": boxes}}
    scenario = Scenario.from_mapping(content)
    assert scenario.target_boxes.tolist() == boxes
    assert Scenario.from_mapping(scenario.to_mapping()) == scenario


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("camera.raduis", 40, ["camera.raduis", "did you mean 'radius'?"]),
        ("shuffle", True, ["unknown key shuffle", "did you mean 'shuffle_entities'?"]),
        ("reward_type", "dens", ["reward_type = 'dens'", "'sparse'", "did you mean 'dense'?"]),
        ("num_cargoes_per_target", 3, ["num_cargoes_per_target = 3", "greater than or equal to 4"]),
        ("max_episode_steps", 0, ["max_episode_steps = 0", "greater than or equal to 1"]),
        ("max_episode_steps", "many", ["max_episode_steps = 'many'", "integer"]),
        ("high_capacity_target_split", 1.5, ["less than or equal to 1"]),
        ("bounty_factor", -1, ["bounty_factor = -1"]),
        ("bounty_factor", float("nan"), ["bounty_factor = nan"]),
        ("camera.min_viewing_angle", 181, ["camera.min_viewing_angle = 181", "180"]),
        ("camera.max_sight_range", True, ["camera.max_sight_range = True", "number"]),
        ("camera.location", [[1]], ["camera.location[0]"]),
        ("target.location_random_range", [], ["target", "at least one location"]),
        ("target.location_random_range", [[1, 0, 0, 1]], ["location_random_range[0]", "at most"]),
        ("target.location_random_range", [[0, 1]], ["[x_low, x_high, y_low, y_high]"]),
        ("target.location_random_range", [{"low": [0, 0]}], ["{low: [x, y], high: [x, y]}"]),
        ("obstacle.radius", 5, ["obstacle", "exactly one of"]),
        ("obstacle.radius_random_range", None, ["obstacle", "exactly one of"]),
        ("obstacle.radius_random_range", [5, 4], ["low <= high"]),
        ("obstacle.transmittance", 2, ["obstacle.transmittance = 2"]),
    ],
)
def test_invalid_values_are_told_in_one_line(
    tmp_path: Path, path: str, value: object, words: list[str]
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(_with(path, value)))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("section", [{}, {"location": []}, {"transmittance": 0.1}])
def test_no_obstacles_need_no_radius(section: dict[str, object]) -> None:
    scenario = Scenario.from_mapping(_with("obstacle", section))
    assert scenario.n_obstacles == 0
    assert scenario.impossible_placement() is None


@pytest.mark.parametrize("key", ["num_cargoes_per_target", "target"])
def test_required_keys(key: str) -> None:
    content = {name: value for name, value in MINIMAL.items() if name != key}
    with pytest.raises(ScenarioError, match=f"{key} is missing"):
        Scenario.from_mapping(content)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'MATE-4v4-9'"):
        load_scenario("MATE-4v4_9")


def test_a_broken_file_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("target: [")
    with pytest.raises(ScenarioError, match=r"broken\.yaml: YAML syntax error: line 1"):
        load_scenario(path)


def test_a_scenario_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_scenario("MATE-4v4-9").max_episode_steps = 5  # type: ignore[misc]
