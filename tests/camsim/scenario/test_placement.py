"""Layouts that no draw can place are refused; all others load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import Scenario, ScenarioError, load_scenario, preset_names
from camsim.sim import BatchSim

ANYWHERE = [-1000, 1000, -1000, 1000]


def layout(**sections: Any) -> Scenario:
    """A scenario with step size 20, one target anywhere, cameras of radius 40 and range 100."""
    target = {"step_size": 20} | sections.pop("target", {"location_random_range": [ANYWHERE]})
    mapping = {"num_cargoes_per_target": 8, "target": target}
    if "camera" in sections:
        mapping["camera"] = {"radius": 40, "max_sight_range": 100} | sections["camera"]
    if "obstacle" in sections:
        obstacle = sections["obstacle"]
        mapping["obstacle"] = (
            {} if "radius_random_range" in obstacle else {"radius": 80}
        ) | obstacle
    return Scenario.from_mapping(mapping)


@pytest.mark.parametrize("name", preset_names())
def test_presets_can_be_placed(name: str) -> None:
    assert load_scenario(name).impossible_placement() is None


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        (
            {"camera": {"location": [[0, 0]]}, "obstacle": {"location": [[400, 0], [50, 0]]}},
            "obstacle.location[1] overlaps camera.location[0]: distance 50, needs at least 140",
        ),
        (
            {"camera": {"location": [[0, 0], [0, 99]]}},
            "camera.location[1] overlaps camera.location[0]: distance 99, needs at least 100",
        ),
        (
            {"camera": {"location": [[5, 5], [5, 5]]}},
            "camera.location[1] overlaps camera.location[0]: distance 0, needs at least 100",
        ),
        (
            {"camera": {"location": [[0, 0], [0, 150]], "max_sight_range": 3000}},
            "camera.location[1] overlaps camera.location[0]: distance 150, needs at least 212.132",
        ),
        (
            {"camera": {"location": [[925, 900]]}},
            "camera.location[0] overlaps warehouse 0's keep-out disc: distance 25, "
            "needs at least 116.25",
        ),
        (
            {"target": {"location": [[-925, 870]]}},
            "target.location[0] overlaps warehouse 1's keep-out disc: distance 55, "
            "needs at least 56.25",
        ),
        (
            {
                "camera": {"location": [[0, 0]]},
                "target": {"location_random_range": [[-9, 9, -12, 12]]},
            },
            "target.location_random_range[0] overlaps camera.location[0]: at most distance 15, "
            "needs at least 40",
        ),
        (
            {
                "camera": {"location": [[0, 0], [100, 0]], "radius": 40},
                "obstacle": {"location_random_range": [[-20, 120, -20, 20]], "radius": 30},
            },
            "obstacle.location_random_range[0] lies wholly within discs that must stay free",
        ),
        (
            {"obstacle": {"location_random_range": [[0, 60, 0, 0], [50, 100, 0, 0]]}},
            "obstacle.location_random_range[1] overlaps obstacle.location_random_range[0]: "
            "at most distance 100, needs at least 180",
        ),
        (
            {"obstacle": {"location_random_range": [[0, 200, 0, 0]] * 3}},
            "obstacle.location_random_range[0] is too small: 3 obstacles must start within it, "
            "at most 2 fit at distances of 180",
        ),
        (
            {"camera": {"location": [[1001, 0]]}},
            "camera.location[0] = [1001.0, 0.0]; expected a place within the terrain",
        ),
        (
            {"obstacle": {"location_random_range": [[0, 10, -1200, -1001]]}},
            "obstacle.location_random_range[0] = [0.0, 10.0, -1200.0, -1001.0]; expected a place",
        ),
    ],
)
def test_impossible_layouts(tmp_path: Path, sections: dict[str, Any], reason: str) -> None:
    scenario = layout(**sections)
    told = scenario.impossible_placement()
    assert told is not None
    assert told.startswith(reason)
    path = tmp_path / "impossible.yaml"
    path.write_text(yaml.safe_dump(scenario.to_mapping()))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(caught.value) == f"{path}: {told}"
    assert "\n" not in told


@pytest.mark.parametrize(
    "sections",
    [
        {"camera": {"location": [[0, 0], [0, 100]]}},  # just apart
        {"camera": {"location": [[1000, 0]]}},  # clipped into the terrain
        {"camera": {"location_random_range": [[900, 1100, 0, 10]]}},  # clipped in part
        {"obstacle": {"location": [[900, 0]], "radius": 100}},  # as the presets do: ends at 880
        {"target": {"location": [[925, 868]]}},  # in the warehouse, outside its keep-out disc
        {"target": {"location": [[0, 0], [0, 0]]}},  # targets do not block each other
        {"obstacle": {"location_random_range": [[0, 180, 0, 0]] * 2}},  # only its two ends
        {
            "camera": {"location": [[0, 0]]},
            "obstacle": {"location": [[85, 0]], "radius_random_range": [25, 100]},
        },
        {"obstacle": {"location_random_range": [ANYWHERE], "radius": 900}},
    ],
)
def test_possible_layouts(sections: dict[str, Any]) -> None:
    assert layout(**sections).impossible_placement() is None


@given(
    seed=st.integers(0, 2**32),
    n_cameras=st.integers(0, 3),
    n_obstacles=st.integers(0, 4),
)
def test_whatever_a_reset_can_place_is_not_refused(
    seed: int, n_cameras: int, n_obstacles: int
) -> None:
    """Boxes around places of a real start: they are possible by construction."""
    rng = np.random.default_rng(seed)
    sections = {
        "target": {"location_random_range": [ANYWHERE] * 2},
        "camera": {"location_random_range": [ANYWHERE] * n_cameras},
        "obstacle": {
            "location_random_range": [ANYWHERE] * n_obstacles,
            "radius_random_range": [0, 200],
        },
    }
    sim = BatchSim(layout(**sections), 1)
    sim.reset(np.array([seed], np.uint64))
    for kind in ("camera", "target", "obstacle"):
        xy = read(sim, f"{kind}_xy")[0]
        extent = rng.uniform(0, 30, (len(xy), 2, 2)) * rng.integers(0, 2, (len(xy), 1, 1))
        sections[kind]["location_random_range"] = [
            [x - e[0][0], x + e[0][1], y - e[1][0], y + e[1][1]]
            for (x, y), e in zip(xy.tolist(), extent.tolist(), strict=True)
        ]
    assert layout(**sections).impossible_placement() is None
