"""Observation and state vectors against the oracle, in every mode, and frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import reference_views
from random_worlds import SCENARIOS, random_actions, random_simulator, scenario_with
from reference_bridge import state_of, world_of

from camsim.layout import CameraObsLayout, StateLayout, TargetObsLayout
from camsim.sim import BatchSim

N_ENVS = 40
TOLERANCE = 1e-9


def check_vectors(sim: BatchSim, mode: str) -> None:
    """The vectors in `sim.obs` against those that the oracle makes from the same state."""
    for i in range(sim.num_envs):
        world, state = world_of(sim, i), state_of(sim, i)
        for c in range(world.n_cameras):
            wanted = reference_views.camera_observation(world, state, c, mode=mode)
            np.testing.assert_allclose(sim.obs.camera_obs[i, c], wanted, rtol=0, atol=TOLERANCE)
        for t in range(world.n_targets):
            wanted = reference_views.target_observation(world, state, t)
            np.testing.assert_allclose(sim.obs.target_obs[i, t], wanted, rtol=0, atol=TOLERANCE)
        wanted = reference_views.global_state(world, state)
        np.testing.assert_allclose(sim.obs.state[i], wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("mode", ["own", "shared", "enhanced"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_vectors_equal_the_oracle(name: str, mode: str) -> None:
    sim = random_simulator(scenario_with(name), N_ENVS, seed=41, mode=mode)
    sim.see()
    sim.observe()
    check_vectors(sim, mode)


@pytest.mark.parametrize("mode", ["own", "shared", "enhanced"])
def test_vectors_stay_right_over_frames_and_restarts(mode: str) -> None:
    """The step writes only what changes; what it leaves standing must be right all the same."""
    sim = random_simulator(scenario_with("MATE-4v4-9"), 6, seed=42, mode=mode)
    rng = np.random.default_rng(43)
    sim.see()
    sim.observe()
    for frame in range(6):
        sim.step(*random_actions(sim, rng))
        if frame % 2:
            sim.restart(np.arange(6) % 3 == frame % 3)
        check_vectors(sim, mode)


@pytest.mark.parametrize(
    ("counts", "camera", "target", "state"),
    [
        ((4, 8, 9), 126, 131, 220),
        ((8, 8, 9), 154, 159, 256),
        ((4, 4, 9), 106, 111, 156),
        ((2, 4, 9), 92, 97, 138),
        ((1, 1, 0), 34, 39, 54),
        ((1, 1, 9), 70, 75, 81),
        ((0, 8, 32), 190, 195, 253),
    ],
)
def test_sizes(counts: tuple[int, int, int], camera: int, target: int, state: int) -> None:
    """The published sizes of MATE's vectors."""
    assert CameraObsLayout(*counts).size == camera
    assert TargetObsLayout(*counts).size == target
    assert StateLayout(*counts).size == state
