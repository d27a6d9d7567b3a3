"""BatchSim as a whole: batches, threads, compilation, continuation, invariants, errors."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import reference_sim
from random_worlds import SCENARIOS, random_actions, random_simulator, scenario_with

from camsim.parity.teacher_forcing import fields, read
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim

PLAY = """
import hashlib, numpy as np
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim

sim = BatchSim(load_scenario("MATE-4v4-9"), 5, target_obs=True)
sim.reset(np.arange(5, dtype=np.uint64))
rng = np.random.default_rng(7)
for frame in range(30):
    sim.step(rng.uniform(-6, 6, (5, 4, 2)), rng.uniform(-25, 25, (5, 4, 2)))
    sim.restart(np.arange(5) == frame)
for name, array in sim.state_dict().items():
    print(name, hashlib.sha256(array.tobytes()).hexdigest())
"""


def seeds(n: int, first: int = 0) -> np.ndarray:
    """Seeds first, first + 1, ... [n]."""
    return np.arange(first, first + n, dtype=np.uint64)


def assert_equal_states(a: BatchSim, b: BatchSim, rows: slice = slice(None)) -> None:
    """All of b equals rows `rows` of a, bit for bit."""
    mine, theirs = a.state_dict(), b.state_dict()
    for name, array in theirs.items():
        np.testing.assert_array_equal(mine[name][rows], array, name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_step_equals_its_phases(name: str) -> None:
    """Also with chance: both ways draw the same numbers in the same order."""
    scenario = load_scenario(name)
    fused, phased = (random_simulator(scenario, 30, seed=61) for _ in range(2))
    for sim in (fused, phased):
        sim.see()
        sim.observe()
    rng = np.random.default_rng(62)
    for _ in range(5):
        actions = random_actions(fused, rng)
        result = fused.step(*actions)
        phased.move(*actions)
        phased.see()
        wanted = phased.settle()
        phased.observe()
        assert_equal_states(fused, phased)
        for computed, array in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(computed, array)


@pytest.mark.parametrize("name", ["MATE-1v1-9", "MATE-4v4-9", "MATE-Navigation"])
def test_environment_in_a_batch_equals_itself_alone(name: str) -> None:
    scenario, n_envs = load_scenario(name), 6
    batch = BatchSim(scenario, n_envs, target_obs=True)
    alone = [BatchSim(scenario, 1, target_obs=True) for _ in range(n_envs)]
    batch.reset(seeds(n_envs))
    for i, sim in enumerate(alone):
        sim.reset(seeds(1, i))
    rng = np.random.default_rng(63)
    for frame in range(40):
        cameras, targets = random_actions(batch, rng)
        batch.step(cameras, targets)
        which = np.arange(n_envs) == frame % 9
        batch.restart(which)
        for i, sim in enumerate(alone):
            sim.step(cameras[i : i + 1], targets[i : i + 1])
            sim.restart(which[i : i + 1])
    for i, sim in enumerate(alone):
        assert_equal_states(batch, sim, slice(i, i + 1))


def play_elsewhere(**environment: str) -> str:
    """Digests of all arrays after a short play in another process."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PLAY],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout


def test_threads_do_not_matter() -> None:
    one = play_elsewhere(NUMBA_NUM_THREADS="1")
    assert one.count("\n") > 10
    assert play_elsewhere(NUMBA_NUM_THREADS="2") == one


def test_compilation_does_not_matter() -> None:
    assert play_elsewhere(NUMBA_DISABLE_JIT="1") == play_elsewhere(NUMBA_NUM_THREADS="1")


def test_same_seed_same_episode_and_other_seed_another() -> None:
    scenario = load_scenario("MATE-4v4-9")
    first, second = BatchSim(scenario, 3), BatchSim(scenario, 3)
    first.reset(seeds(3))
    second.reset(seeds(3))
    assert_equal_states(first, second)
    positions = {read(first, "target_xy")[i].tobytes() for i in range(3)}
    second.reset(seeds(3, 3))
    positions |= {read(second, "target_xy")[i].tobytes() for i in range(3)}
    assert len(positions) == 6


def test_stored_state_continues_exactly() -> None:
    scenario = load_scenario("MATE-4v4-9")
    sim, other = BatchSim(scenario, 4), BatchSim(scenario, 4)
    sim.reset(seeds(4))
    other.reset(seeds(4, 9))
    rng = np.random.default_rng(64)
    for frame in range(30):
        if frame == 10:
            other.load_state_dict(sim.state_dict())
        actions = random_actions(sim, rng)
        for each in (sim, other):
            each.step(*actions)
            each.restart(np.arange(4) == frame)
    assert_equal_states(sim, other)


def test_stored_state_of_another_shape_is_refused() -> None:
    scenario = load_scenario("MATE-4v4-9")
    small, large = BatchSim(scenario, 2), BatchSim(scenario, 3)
    with pytest.raises(ValueError, match=r"stored shape \(2, .*expected \(3, "):
        large.load_state_dict(small.state_dict())
    incomplete = large.state_dict()
    del incomplete["rng"]
    with pytest.raises(ValueError, match="lacks 'rng'"):
        large.load_state_dict(incomplete)


def test_restart_leaves_the_others_alone() -> None:
    scenario = load_scenario("MATE-4v4-9")
    sim, other = (BatchSim(scenario, 4, target_obs=True) for _ in range(2))
    for each in (sim, other):
        each.reset(seeds(4))
    sim.restart(np.array([False, True, False, False]))
    others = np.array([0, 2, 3])
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(sim.state_dict()[name][others], array[others], name)
    assert (read(sim, "target_xy")[1] != read(other, "target_xy")[1]).any()


@pytest.mark.jit
@pytest.mark.parametrize("name", SCENARIOS)
def test_invariants_on_random_play(name: str) -> None:
    """400 frames of random actions, most targets heading for warehouses."""
    sim = BatchSim(load_scenario(name), 16)
    sim.reset(seeds(16))
    rng = np.random.default_rng(65)
    units = read(sim, "awaiting_cargo_counts").sum(1).copy()
    deliveries = 0
    for _ in range(400):
        cameras, targets = random_actions(sim, rng)
        goal = read(sim, "target_goal").astype(np.int64)
        centres = np.array(reference_sim.WAREHOUSES)[goal]  # without goal, the last one
        targets = 0.3 * targets + 0.2 * (centres - read(sim, "target_xy"))
        before = read(sim, "num_delivered_cargoes").copy()
        result = sim.step(cameras, targets)
        np.testing.assert_array_equal(result.camera_reward, -result.target_reward)
        check_bodies(sim)
        check_cargo(sim, units)
        deliveries += int((read(sim, "num_delivered_cargoes") - before).sum())
        assert not result.done.any()
    assert deliveries > 0


def check_bodies(sim: BatchSim) -> None:
    """Nobody inside a disc or beyond the borders; sight areas constant; masks within range."""
    arrays = fields(sim)
    targets = arrays["target_xy"]
    assert (np.abs(targets) <= 1000.0).all()
    for kind in ("camera", "obstacle"):
        between = np.linalg.norm(targets[:, :, None] - arrays[f"{kind}_xy"][:, None], axis=-1)
        assert (between >= arrays[f"{kind}_radius"][:, None] - 1e-9).all()
        if kind == "camera":
            reach = arrays["camera_sight_range"][:, None]
            assert not (arrays["camera_target_mask"].swapaxes(1, 2) & (between > reach)).any()
    theta = arrays["camera_viewing_angle"]
    area = theta * arrays["camera_sight_range"] ** 2
    np.testing.assert_allclose(area, sim.params.area, rtol=1e-12)
    assert (theta >= sim.params.theta_min_deg).all()
    assert (theta <= 180.0).all()
    assert (np.abs(arrays["camera_orientation"]) <= 180.0).all()
    tracked = arrays["camera_target_mask"].any(1)
    np.testing.assert_array_equal(arrays["tracked_bits"] > 0, tracked)


def check_cargo(sim: BatchSim, units: np.ndarray) -> None:
    """Units waiting, carried and delivered add up; bounties never exceed what the load is worth."""
    remaining, bits = read(sim, "remaining_cargoes"), read(sim, "target_goal_bits")
    load = bits.sum(-1)
    awaiting = read(sim, "awaiting_cargo_counts")
    np.testing.assert_array_equal(awaiting, remaining.sum(1) + bits.sum(1))
    np.testing.assert_array_equal(awaiting.sum(1) + read(sim, "num_delivered_cargoes"), units)
    assert (remaining >= 0).all()
    assert (load <= read(sim, "target_capacity")).all()
    np.testing.assert_array_equal(read(sim, "freights"), sim.params.freight_scale * load)
    bounty = read(sim, "bounties")
    assert (bounty >= 0).all()
    assert (bounty <= sim.params.bounty_scale * load).all()
    assert (read(sim, "tracked_steps") <= read(sim, "target_steps")).all()


def test_trip_pays_the_same_dense_and_delayed() -> None:
    """Over a finished trip with K tracked frames both reward forms add up to the same."""
    sim = BatchSim(scenario_with("MATE-4v4-9", transmittance=0.0), 1)
    sim.reset(seeds(1))
    arrays = fields(sim)
    arrays["bounties"][...] = 0
    arrays["freights"][...] = 0
    arrays["target_goal"][...] = -1
    sim.view.targets.load[...] = 0
    arrays["target_goal"][0, 0], sim.view.targets.load[0, 0] = 2, 1
    arrays["freights"][0, 0] = arrays["bounties"][0, 0] = 100
    arrays["target_xy"][0] = [[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]]
    for tracked in (True, True, False, True):
        arrays["camera_target_mask"][...] = False
        arrays["tracked_bits"][...] = 0
        arrays["tracked_bits"][0, 0] = tracked
        sim.settle()
    arrays["target_xy"][0, 0] = [-925.0, -925.0]
    arrays["tracked_bits"][...] = 0
    sim.settle()
    assert read(sim, "target_team_episode_reward")[0] == -3 + 100 + 97
    assert read(sim, "delayed_target_team_episode_reward")[0] == 100 + 97 - 3


def test_time_limit_and_override() -> None:
    """A limit of 3 lasts 4 frames (world 6.5)."""
    sim = BatchSim(load_scenario("MATE-4v4-9"), 2, max_episode_steps=3)
    sim.reset(seeds(2))
    still = np.zeros((2, 4, 2))
    ends = [bool(sim.step(still, still).done.all()) for _ in range(4)]
    assert ends == [False, False, False, True]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"num_envs": 0}, "num_envs = 0"),
        ({"observation_mode": "all"}, "observation_mode = 'all'"),
        ({"min_baseline_deg": -1.0}, "min_baseline_deg = -1.0; expected a number from 0 to 180"),
        ({"min_baseline_deg": 180.1}, "min_baseline_deg = 180.1; expected a number from 0 to 180"),
        ({"min_baseline_deg": np.nan}, "min_baseline_deg = nan; expected a number from 0 to 180"),
    ],
)
def test_bad_construction(bad: dict[str, object], message: str) -> None:
    arguments = {"num_envs": 1} | bad
    with pytest.raises(ValueError, match=message):
        BatchSim(load_scenario("MATE-4v4-9"), **arguments)  # type: ignore[arg-type]


def test_bad_actions_and_seeds() -> None:
    sim = BatchSim(load_scenario("MATE-4v4-9"), 2)
    with pytest.raises(ValueError, match="seeds hold -1"):
        sim.reset(np.array([-1, 2]))
    with pytest.raises(ValueError, match="expected 2 integers"):
        sim.reset(seeds(3))
    with pytest.raises(ValueError, match="expected 2 integers"):
        sim.reset(np.array([0.0, 1.0]))
    sim.reset(seeds(2))
    good = np.zeros((2, 4, 2))
    with pytest.raises(ValueError, match=r"camera_action has shape \(2, 3, 2\)"):
        sim.step(good[:, :3], good)
    bad = good.copy()
    bad[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"target_action\[1, 2, 0\] = nan"):
        sim.step(good, bad)
