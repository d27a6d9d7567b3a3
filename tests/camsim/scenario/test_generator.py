"""Generated scenarios: sizes, quality of the cameras' places, and that they load everywhere."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from camsim.scenario.generator import generate_scenario, spread_cameras
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras need not stand well."""
    monkeypatch.setattr("camsim.scenario.generator._POLISH_STEPS", 2)
    monkeypatch.setattr("camsim.scenario.generator._SETTLE_STEPS", 30)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("sizes", [(0, 1, 0), (0, 3, 5), (1, 2, 9), (3, 1, 0), (24, 48, 20)])
def test_sizes_and_round_trip(tmp_path: Path, sizes: tuple[int, int, int]) -> None:
    scenario = generate_scenario(*sizes, transmittance=0.3, cargoes_per_target=5)
    assert (scenario.n_cameras, scenario.n_targets, scenario.n_obstacles) == sizes
    n_cameras, n_targets, n_obstacles = sizes
    assert scenario.name == f"MultiAgentTracking({n_cameras}v{n_targets}, {n_obstacles})"
    assert scenario.num_cargoes_per_target == 5
    assert (scenario.camera is None) == (n_cameras == 0)
    assert scenario.obstacle is None or scenario.obstacle.transmittance == 0.3
    path = tmp_path / "generated.yaml"
    path.write_text(yaml.safe_dump(scenario.to_mapping()))
    assert load_scenario(path) == scenario


def test_sizes_follow_from_the_largest_distance() -> None:
    """One camera in the centre: 1,414 to the corners, and all that the spec derives from it."""
    scenario = generate_scenario(1, 2, 3)
    assert scenario.camera is not None
    assert scenario.obstacle is not None
    assert scenario.camera.max_sight_range == pytest.approx(2000 * math.sqrt(2), rel=0.01)
    assert scenario.camera.radius == 40
    assert scenario.target.sight_range == pytest.approx(1000 * math.sqrt(2), rel=0.01)
    assert scenario.obstacle.radius_bounds == (25, 100)
    np.testing.assert_allclose(scenario.camera_boxes, [[-20, 20, -20, 20]], atol=15)
    np.testing.assert_array_equal(scenario.target_boxes, [[-500, 500, -500, 500]] * 2)
    np.testing.assert_array_equal(scenario.obstacle_boxes, [[-1000, 1000, -1000, 1000]] * 3)


@pytest.mark.usefixtures("quick")
def test_the_seed_decides() -> None:
    first, again, other = (generate_scenario(3, 2, 1, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("n_cameras", "most"), [(2, 1120), (4, 710), (8, 560)])
def test_every_point_has_a_camera_near(n_cameras: int, most: float) -> None:
    """Known best: 1,118 for two and 707 for four discs that cover the terrain."""
    places, distance = spread_cameras(n_cameras, seed=1)
    assert distance <= most
    points = np.random.default_rng(0).uniform(-1000, 1000, (2000, 1, 2))
    assert np.linalg.norm(points - places, axis=-1).min(1).max() <= distance + 15


@pytest.mark.usefixtures("quick")
def test_a_large_team_can_be_placed() -> None:
    """Nothing overlaps after a reset: no obstacle lost its body, cameras keep their distance."""
    sim = BatchSim(generate_scenario(24, 48, 20), 20)
    sim.reset(np.arange(20, dtype=np.uint64))
    assert (sim.view.obstacle_radius > 0).all()
    xy = sim.view.cameras.xy
    apart = np.linalg.norm(xy[:, :, None] - xy[:, None], axis=-1) + 1e9 * np.eye(24)
    assert apart.min() >= 2 * sim.params.camera_radius + sim.params.target_step - 1e-3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-1, 1, 0), "cameras = -1; expected at least 0"),
        ((1001, 1, 0), "cameras = 1001; expected at most 1000"),
        ((0, 0, 0), "targets = 0; expected at least 1"),
        ((0, 1, -2), "obstacles = -2; expected at least 0"),
        ((0, 1, 1000), "1000 obstacles must start within it, at most"),
    ],
)
def test_what_cannot_be_generated(arguments: tuple[int, int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        generate_scenario(*arguments)


@pytest.mark.parametrize("n_obstacles", [0, 1])
def test_options_are_checked(n_obstacles: int) -> None:
    with pytest.raises(ValueError, match=r"obstacle.transmittance = 1.5"):
        generate_scenario(0, 1, n_obstacles, transmittance=1.5)
    with pytest.raises(ValueError, match="num_cargoes_per_target = 3"):
        generate_scenario(0, 1, n_obstacles, cargoes_per_target=3)
