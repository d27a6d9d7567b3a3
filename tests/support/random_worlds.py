"""Batches of random states for tests: legal, but stranger than play ever gets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camsim.parity.teacher_forcing import fields
from camsim.scenario.schema import Scenario, load_scenario
from camsim.sim import BatchSim

Floats = NDArray[np.float64]
SCENARIOS = ("MATE-1v1-9", "MATE-2v4-0", "MATE-4v4-9", "MATE-8v8-9", "MATE-Navigation")
WAREHOUSES = np.array([[925.0, 925.0], [-925.0, 925.0], [-925.0, -925.0], [925.0, -925.0]])


def scenario_with(name: str, **changes: object) -> Scenario:
    """A preset with top-level keys or the obstacles' `transmittance` changed."""
    mapping = load_scenario(name).to_mapping()
    if "transmittance" in changes and "obstacle" in mapping:
        mapping["obstacle"]["transmittance"] = changes.pop("transmittance")
    changes.pop("transmittance", None)
    return Scenario.from_mapping(mapping | changes)


def random_simulator(scenario: Scenario, n_envs: int, seed: int, mode: str = "own") -> BatchSim:
    """A batch whose poses, positions and accounts are random, masks and rates stale.

    A quarter of the targets stands at the edge of an obstacle or camera, a quarter in a warehouse
    or on its border; some cameras have extreme viewing angles or look along -180 degrees.
    """
    rng = np.random.default_rng(seed)
    sim = BatchSim(scenario, n_envs, observation_mode=mode, target_obs=True)
    sim.reset(rng.integers(0, 2**63, n_envs).astype(np.uint64))
    arrays = fields(sim)
    shape = arrays["camera_orientation"].shape
    odd = rng.random(shape) < 0.2
    orientation = np.where(odd, rng.choice([-180.0, -90.0, 0.0, 90.0], shape), 0.0)
    arrays["camera_orientation"][...] = np.where(odd, orientation, rng.uniform(-180, 180, shape))
    theta_min = sim.params.theta_min_deg
    theta = np.where(rng.random(shape) < 0.5, theta_min, 180.0)
    odd = rng.random(shape) < 0.2
    arrays["camera_viewing_angle"][...] = np.where(odd, theta, rng.uniform(theta_min, 180, shape))
    arrays["target_xy"][...] = _positions(rng, arrays)
    _fill_accounts(rng, sim, arrays)
    sim.refresh()
    return sim


def _positions(rng: np.random.Generator, arrays: dict[str, Floats]) -> Floats:
    """Target positions [N, T, 2]: anywhere, near discs, in warehouses, at borders."""
    shape = arrays["target_goal"].shape
    xy = rng.uniform(-1000, 1000, (*shape, 2))
    discs = np.concatenate([arrays["obstacle_xy"], arrays["camera_xy"]], axis=1)
    radii = np.concatenate([arrays["obstacle_radius"], arrays["camera_radius"]], axis=1)
    kind = rng.integers(0, 4, shape)
    if discs.shape[1]:
        which = rng.integers(0, discs.shape[1], shape)
        rows = np.arange(shape[0])[:, None]
        angle = rng.uniform(-np.pi, np.pi, shape)
        reach = radii[rows, which] + rng.choice([-1.0, 0.0, 1e-7, 3.0, 15.0], shape)
        offset = np.stack([np.cos(angle), np.sin(angle)], -1) * reach[..., None]
        xy = np.where((kind == 1)[..., None], discs[rows, which] + offset, xy)
    corner = WAREHOUSES[rng.integers(0, 4, shape)]
    offset = rng.uniform(-80.0, 80.0, (*shape, 2))
    offset = np.where(rng.random((*shape, 2)) < 0.1, 75.0, offset)
    xy = np.where((kind == 2)[..., None], corner + offset, xy)
    return np.clip(xy, -1000.0, 1000.0)


def _fill_accounts(rng: np.random.Generator, sim: BatchSim, arrays: dict[str, Floats]) -> None:
    """Random cargo tables, loads, bounties, beliefs and clocks that fit together."""
    n_envs, n_targets = arrays["target_goal"].shape
    capacity = arrays["target_capacity"]
    goal = rng.integers(-1, 4, (n_envs, n_targets))
    load = np.where(goal < 0, 0, np.minimum(rng.integers(1, 3, goal.shape), capacity))
    bounty = np.floor(rng.random(goal.shape) * (load * sim.params.bounty_scale + 1))
    remaining = rng.integers(0, 4, (n_envs, 4, 4)) * (rng.random((n_envs, 4, 1)) < 0.7)
    remaining *= 1 - np.eye(4, dtype=np.int64)
    carried = (load[..., None] * (goal[..., None] == np.arange(4))).sum(1)
    arrays["target_goal"][...] = goal
    sim.view.targets.load[...] = load
    arrays["freights"][...] = load * sim.params.freight_scale
    arrays["bounties"][...] = np.where(rng.random(goal.shape) < 0.2, load > 0, bounty)
    arrays["target_empty_bits"][...] = rng.random((n_envs, n_targets, 4)) < 0.3
    arrays["target_steps"][...] = rng.integers(0, 100, goal.shape)
    arrays["tracked_steps"][...] = rng.integers(0, 100, goal.shape)
    arrays["remaining_cargoes"][...] = remaining
    arrays["awaiting_cargo_counts"][...] = remaining.sum(1) + carried
    arrays["num_delivered_cargoes"][...] = rng.integers(0, 20, n_envs)
    arrays["target_team_episode_reward"][...] = rng.integers(-500, 500, n_envs)
    arrays["delayed_target_team_episode_reward"][...] = rng.integers(0, 500, n_envs)
    arrays["episode_step"][...] = rng.integers(0, sim.params.max_episode_steps + 1, n_envs)


def random_actions(sim: BatchSim, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Actions [N, C, 2] and [N, T, 2]: up to twice the limits, some zero, some huge."""
    arrays = fields(sim)
    n_envs, n_targets = arrays["target_goal"].shape
    n_cameras = arrays["camera_orientation"].shape[1]
    limits = np.array([sim.params.rotation_step_deg, sim.params.zooming_step_deg])
    cameras = rng.uniform(-2, 2, (n_envs, n_cameras, 2)) * limits
    targets = rng.uniform(-2, 2, (n_envs, n_targets, 2)) * sim.params.target_step
    for actions in (cameras, targets):
        kind = rng.random(actions.shape[:2])
        actions[kind < 0.1] = 0.0
        actions[kind > 0.95] *= 1000.0
    return cameras, targets
