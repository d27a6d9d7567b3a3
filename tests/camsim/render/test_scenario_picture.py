"""Still pictures of scenarios: every preset, and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camsim.render import draw_scenario, picture_of_scenario, save_picture
from camsim.scenario.schema import Scenario, load_scenario, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_its_picture(name: str) -> None:
    picture = draw_scenario(load_scenario(name), 160)
    height, width, _ = picture.shape
    assert width == 160
    assert height % 2 == 0
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_fixed_places_are_drawn_as_discs() -> None:
    world = {"num_cargoes_per_target": 8, "target": {"location": [[-300, 0]]}}
    empty = draw_scenario(Scenario.from_mapping(world), 400)
    camera = {"location": [[300, 300]], "max_sight_range": 400}
    filled = draw_scenario(Scenario.from_mapping(world | {"camera": camera}), 400)
    changed = np.argwhere((empty != filled).any(axis=-1))
    panel = empty.shape[0] - 400
    in_world = changed[changed[:, 0] > panel]
    middle = (in_world.min(axis=0) + in_world.max(axis=0)) / 2 - (panel, 0)
    per_unit = 400 / 2060
    np.testing.assert_allclose(middle, [200 - 300 * per_unit, 200 + 300 * per_unit], atol=3)
    reach = (in_world.max(axis=0) - in_world.min(axis=0)) / 2
    np.testing.assert_allclose(reach, 400 * per_unit, atol=3)


def test_a_picture_survives_its_file(tmp_path: Path) -> None:
    scenario = load_scenario("MATE-4v4-9")
    picture_of_scenario(scenario, tmp_path / "s.png", size=200)
    stored = np.asarray(Image.open(tmp_path / "s.png"))
    np.testing.assert_array_equal(stored, draw_scenario(scenario, 200))
    with pytest.raises(
        ValueError, match=r"s\.jpg: unknown kind of picture '\.jpg'; expected \.png"
    ):
        save_picture(stored, tmp_path / "s.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["s.png"]
