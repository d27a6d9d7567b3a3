"""Deliveries, pick-ups, rewards, rates and the end against the oracle; draws by distribution."""

from __future__ import annotations

import numpy as np
import pytest
import reference_sim
from random_worlds import SCENARIOS, Floats, random_simulator, scenario_with
from reference_bridge import state_of, world_of
from scipy import stats

from camsim.parity.teacher_forcing import ACCOUNT_FIELDS, RATE_FIELDS, fields, read
from camsim.sim import BatchSim

N_ENVS = 150


def settle_and_compare(sim: BatchSim, seed: int) -> int:
    """Phase 3 of every row against the oracle with equal destinations; returns the pick-ups."""
    n_envs, n_targets = read(sim, "target_goal").shape
    rng = np.random.default_rng(seed)
    forced = np.full((n_envs, n_targets), -1, np.int64)
    wanted = []
    for i in range(n_envs):
        world, state = world_of(sim, i), state_of(sim, i)

        def choose(target: int, options: list[int], row: int = i) -> int:
            forced[row, target] = rng.choice(options)
            return int(forced[row, target])

        rewards = reference_sim.cargo(world, state, choose)
        wanted.append((state, rewards, reference_sim.rates(world, state)))
    result = sim.settle(forced)
    computed = {name: read(sim, name) for name in (*ACCOUNT_FIELDS, *RATE_FIELDS)}
    for i, (state, rewards, rates) in enumerate(wanted):
        for name in ACCOUNT_FIELDS:
            np.testing.assert_array_equal(computed[name][i], getattr(state, name), name)
        for name, rate in zip(RATE_FIELDS, rates, strict=True):
            assert computed[name][i] == pytest.approx(rate, abs=1e-12)
        assert result.target_reward[i] == rewards.target_team
        assert result.camera_reward[i] == -rewards.target_team
        assert result.done[i] == rewards.done
    return int((forced >= 0).sum())


@pytest.mark.parametrize("bounty_factor", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("name", SCENARIOS)
def test_accounts_equal_the_oracle(name: str, bounty_factor: float) -> None:
    scenario = scenario_with(name, bounty_factor=bounty_factor, max_episode_steps=50)
    sim = random_simulator(scenario, N_ENVS, seed=31)
    sim.see()
    assert settle_and_compare(sim, seed=32) > 0


@pytest.mark.parametrize("reward_type", ["dense", "sparse"])
def test_reward_type(reward_type: str) -> None:
    sim = random_simulator(scenario_with("MATE-4v4-9", reward_type=reward_type), N_ENVS, seed=33)
    sim.see()
    settle_and_compare(sim, seed=34)


def waiting_at_one_warehouse(row: Floats, n_envs: int) -> BatchSim:
    """Four unloaded targets in warehouse 0, where `row` [4] units wait by destination."""
    sim = random_simulator(scenario_with("MATE-2v4-0"), n_envs, seed=35)
    arrays = fields(sim)
    arrays["target_xy"][...] = 925.0
    arrays["target_goal"][...] = -1
    sim.view.targets.load[...] = 0
    arrays["remaining_cargoes"][...] = 0
    arrays["remaining_cargoes"][:, 0] = row
    arrays["awaiting_cargo_counts"][...] = row
    arrays["target_capacity"][...] = 2
    return sim


@pytest.mark.jit
def test_destination_is_uniform_over_those_open() -> None:
    """Uniform over destinations with anything waiting, whatever the amount."""
    sim = waiting_at_one_warehouse(np.array([0.0, 90.0, 0.0, 10.0]), 4000)
    sim.settle()
    goals = read(sim, "target_goal")[:, 0].astype(np.int64)
    counts = np.bincount(goals, minlength=4)
    assert counts[0] == counts[2] == 0
    assert stats.chisquare(counts[[1, 3]]).pvalue > 1e-4


def test_targets_share_what_is_left_in_index_order() -> None:
    """Three units and capacity 2: the first takes 2, the second 1, the rest nothing."""
    sim = waiting_at_one_warehouse(np.array([0.0, 3.0, 0.0, 0.0]), 2)
    sim.settle()
    np.testing.assert_array_equal(sim.view.targets.load, [[2, 1, 0, 0]] * 2)
    np.testing.assert_array_equal(read(sim, "target_goal"), [[1, 1, -1, -1]] * 2)
    np.testing.assert_array_equal(read(sim, "freights"), [[200, 100, 0, 0]] * 2)
    empty = read(sim, "target_empty_bits")[:, :, 0] > 0
    np.testing.assert_array_equal(empty, [[False, True, True, True]] * 2)


def test_border_of_a_warehouse_belongs_to_it() -> None:
    sim = waiting_at_one_warehouse(np.array([0.0, 50.0, 0.0, 0.0]), 1)
    edge = 925.0 - 75.0
    outside = np.nextafter(edge, 0.0)
    places = [[edge, edge], [outside, 925.0], [925.0, outside], [edge, 925.0]]
    fields(sim)["target_xy"][0] = places
    sim.settle()
    np.testing.assert_array_equal(read(sim, "target_goal")[0], [1, -1, -1, 1])


def test_last_delivery_ends_the_episode_and_the_limit_is_inclusive() -> None:
    sim = waiting_at_one_warehouse(np.zeros(4), 3)
    arrays = fields(sim)
    limit = sim.params.max_episode_steps
    arrays["episode_step"][...] = [3, limit - 1, limit]
    arrays["awaiting_cargo_counts"][1:, 2] = 1.0
    assert sim.settle().done.tolist() == [True, False, True]
