"""What every episode start satisfies, in any scenario, and what happens where there is no room."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference_sim
from random_worlds import WAREHOUSES, random_simulator, scenario_with
from reference_bridge import state_of, world_of

from camsim.parity.teacher_forcing import VIEW_FIELDS, fields, read
from camsim.scenario.schema import Scenario, load_scenario, preset_names
from camsim.sim import BatchSim

N_ENVS = 50
KEEP_OUT_RADIUS = 0.75 * 75.0


def started(scenario: Scenario, n_envs: int = N_ENVS) -> BatchSim:
    """A batch right after its reset."""
    sim = BatchSim(scenario, n_envs)
    sim.reset(np.arange(n_envs, dtype=np.uint64) + 100)
    return sim


def gaps(a_xy: np.ndarray, b_xy: np.ndarray) -> np.ndarray:
    """Distances [N, A, B] between points [N, A, 2] and [N, B, 2]."""
    between: np.ndarray = np.linalg.norm(a_xy[:, :, None] - b_xy[:, None], axis=-1)
    return between


@pytest.mark.parametrize("name", preset_names())
def test_entities_keep_their_distance(name: str) -> None:
    sim = started(load_scenario(name))
    arrays = fields(sim)
    cameras, camera_radii = arrays["camera_xy"], arrays["camera_radius"]
    obstacles, radii = arrays["obstacle_xy"], arrays["obstacle_radius"]
    targets = arrays["target_xy"]
    keep_out = np.broadcast_to(WAREHOUSES, (N_ENVS, 4, 2))
    step = sim.params.target_step
    real = radii > 0.0
    assert (~real).sum() <= 0.01 * real.size
    slack = 1.0 + 1e-6
    solid = np.concatenate([cameras, obstacles], 1)
    reach = np.concatenate([camera_radii, np.where(real, radii, -np.inf)], 1)
    between = gaps(solid, solid) * slack - (reach[:, :, None] + reach[:, None] + step)
    between[:, np.arange(solid.shape[1]), np.arange(solid.shape[1])] = np.inf
    assert (between >= 0.0).all()
    assert (gaps(solid, keep_out) * slack >= reach[..., None] + step + KEEP_OUT_RADIUS).all()
    assert (gaps(targets, solid) * slack >= reach[:, None]).all()
    assert (gaps(targets, keep_out) * slack >= KEEP_OUT_RADIUS).all()


def test_cameras_keep_a_tenth_of_their_sight_apart() -> None:
    """Two cameras in one small box, where bodies and step alone would leave them at 100."""
    box = [-100, 100, -100, 100]
    mapping = load_scenario("MATE-2v4-0").to_mapping()
    mapping["camera"] |= {"location": [], "location_random_range": [box, box]}
    sim = started(Scenario.from_mapping(mapping), 500)
    reach = read(sim, "camera_sight_range")
    between = gaps(read(sim, "camera_xy"), read(sim, "camera_xy"))[:, 0, 1]
    nearest = 0.1 * reach.min(1)
    assert (between >= nearest).all()
    assert (nearest > 100.0).any()


@pytest.mark.parametrize("name", preset_names())
def test_places_lie_in_their_boxes(name: str) -> None:
    """Every entity stands in some box of its kind, clipped by 1.2 of its radius."""
    sim = started(load_scenario(name))
    arrays = fields(sim)
    for kind, boxes in zip(("camera", "target", "obstacle"), sim.boxes, strict=True):
        xy = arrays[f"{kind}_xy"]
        radius = np.zeros(xy.shape[:2]) if kind == "target" else arrays[f"{kind}_radius"]
        limit = (1000.0 - 1.2 * radius)[..., None, None]
        low = np.clip(boxes[:, 0::2], -limit, limit)
        high = np.clip(boxes[:, 1::2], -limit, limit)
        inside = ((xy[:, :, None] >= low) & (xy[:, :, None] <= high)).all(-1).any(-1)
        assert (inside | ((radius == 0.0) & (kind == "obstacle"))).all()


@pytest.mark.parametrize("name", ["MATE-1v1-9", "MATE-4v4-9", "MATE-Navigation"])
def test_masks_and_rates_are_those_of_the_start(name: str) -> None:
    sim = started(scenario_with(name, transmittance=0.0))
    for i in range(N_ENVS):
        world, state = world_of(sim, i), state_of(sim, i)
        mask = reference_sim.camera_obstacle_mask(world)
        np.testing.assert_array_equal(read(sim, "camera_obstacle_mask")[i], mask)
        reference_sim.see(world, state)
        for field in VIEW_FIELDS:
            np.testing.assert_array_equal(read(sim, field)[i] > 0, getattr(state, field))
        rates = [read(sim, f"{rate}_rate")[i] for rate in ("coverage", "real_coverage")]
        np.testing.assert_allclose(rates, reference_sim.rates(world, state)[:2], atol=1e-12)


@pytest.mark.parametrize("name", ["MATE-1v1-9", "MATE-4v4-9", "MATE-8v8-9"])
def test_loads_and_tables_fit_together(name: str) -> None:
    sim = started(load_scenario(name))
    bits = read(sim, "target_goal_bits")
    load = bits.sum(-1)
    assert (load > 0).all()  # the presets start loaded
    assert (load <= read(sim, "target_capacity")).all()
    np.testing.assert_array_equal(read(sim, "freights"), 100 * load)
    np.testing.assert_array_equal(read(sim, "bounties"), 100 * load)
    remaining, awaiting = read(sim, "remaining_cargoes"), read(sim, "awaiting_cargo_counts")
    np.testing.assert_array_equal(awaiting, remaining.sum(1) + bits.sum(1))
    batch = sim.params.cargoes_per_target * load.shape[1]
    np.testing.assert_array_equal(awaiting.sum(1) % batch, 0)
    assert (read(sim, "num_delivered_cargoes") == 0).all()
    assert (read(sim, "episode_step") == 0).all()


def test_few_cargoes_come_in_several_batches() -> None:
    """With one target a batch of 8 leaves some warehouse empty with probability 0.377."""
    sim = started(load_scenario("MATE-1v1-9"), 4000)
    totals = read(sim, "awaiting_cargo_counts").sum(1)
    one_batch = (totals == 8).mean()
    assert abs(one_batch - (1 - 0.377)) < 4 * math.sqrt(0.377 * 0.623 / 4000)


def test_unloaded_start() -> None:
    sim = started(load_scenario("MATE-Navigation"))
    assert (read(sim, "target_goal") == -1).all()
    assert (sim.view.targets.load == 0).all()


def test_target_that_starts_in_a_warehouse_is_loaded_there() -> None:
    mapping = load_scenario("MATE-Navigation").to_mapping()
    mapping["target"] |= {"location": [[925, 925 - 70]], "location_random_range": []}
    sim = started(Scenario.from_mapping(mapping))
    goals = read(sim, "target_goal")
    assert (goals > 0).all()  # somewhere else than warehouse 0
    assert (sim.view.targets.load > 0).all()
    assert (read(sim, "target_team_episode_reward") == 0).all()


def test_without_shuffling_config_order_stays() -> None:
    sim = started(scenario_with("MATE-4v4-9", shuffle_entities=False))
    arrays = fields(sim)
    for kind, boxes in (("camera", sim.boxes.cameras), ("target", sim.boxes.targets)):
        xy = arrays[f"{kind}_xy"]
        assert (xy >= boxes[:, 0::2]).all()
        assert (xy <= boxes[:, 1::2]).all()
    np.testing.assert_array_equal(arrays["target_capacity"], [[2, 2, 1, 1]] * N_ENVS)


def test_obstacle_without_room_loses_its_body() -> None:
    """The second of two obstacles in one place is kept, with radius 0; a target stays as it is."""
    scenario = Scenario.from_mapping(
        {
            "num_cargoes_per_target": 8,
            "shuffle_entities": False,
            "target": {"location": [[0, 0]]},
            "obstacle": {"location": [[0, 0], [10, 0]], "radius": 50},
        }
    )
    sim = started(scenario, 3)
    np.testing.assert_array_equal(read(sim, "obstacle_radius"), [[50.0, 0.0]] * 3)
    np.testing.assert_array_equal(read(sim, "obstacle_xy"), [[[0.0, 0.0], [10.0, 0.0]]] * 3)
    np.testing.assert_array_equal(read(sim, "target_xy"), [[[0.0, 0.0]]] * 3)


def test_reset_forgets_the_episode_before() -> None:
    """A used batch and a fresh one, reset with the same seeds, are equal in every array."""
    scenario = scenario_with("MATE-4v4-9")
    used = random_simulator(scenario, N_ENVS, seed=51)
    fresh = BatchSim(scenario, N_ENVS, target_obs=True)
    used.view.world.done[...] = 1.0
    for sim in (used, fresh):
        sim.reset(np.arange(N_ENVS, dtype=np.uint64))
    for name, array in fresh.state_dict().items():
        np.testing.assert_array_equal(used.state_dict()[name], array, name)
