"""Observation and state vectors against the oracle, in every mode, and frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import reference_views
from random_worlds import SCENARIOS, random_actions, random_simulator, scenario_with
from reference_bridge import state_of, world_of
from scipy import stats

from camsim.compiled.rng import GAMMA
from camsim.layout import CameraObsLayout, StateLayout, TargetObsLayout
from camsim.parity.teacher_forcing import read
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


def test_observing_takes_the_masks_as_they_stand() -> None:
    """All of them: recordings put their own masks between the phases."""
    sim = random_simulator(scenario_with("MATE-4v4-9"), 4, seed=48, mode="own")
    sim.see()
    written = {}
    for name in ("camera_target_mask", "camera_camera_mask", "target_target_mask"):
        mask = read(sim, name)
        mask[...] = ~mask
        written[name] = mask.copy()
    sim.observe()
    check_vectors(sim, "own")
    for name, mask in written.items():
        np.testing.assert_array_equal(read(sim, name), mask, name)


def observe_with_loss(sim: BatchSim, loss: float) -> np.ndarray:
    """The cameras' observations [N, C, D] of the state as it stands, some messages lost."""
    sim.params = sim.params._replace(message_loss=loss)
    return sim.observe().camera_obs.copy()


def seeing_simulator(mode: str, name: str = "MATE-4v4-9") -> BatchSim:
    sim = random_simulator(scenario_with(name), N_ENVS, seed=44, mode=mode)
    sim.see()
    return sim


def test_without_messages_a_shared_view_is_each_cameras_own() -> None:
    own = observe_with_loss(seeing_simulator("own"), 0.0)
    assert np.array_equal(observe_with_loss(seeing_simulator("shared"), 1.0), own)
    assert not np.array_equal(observe_with_loss(seeing_simulator("shared"), 0.0), own)


def test_a_lost_message_hides_all_that_only_its_sender_sees() -> None:
    """Every observation is the camera's own and the views of some of its teammates."""
    sim = seeing_simulator("shared")
    obs = observe_with_loss(sim, 0.5)
    n_cameras, at = 4, CameraObsLayout(4, 4, 9)
    seen = [sim.tables.camera_target, sim.tables.camera_obstacle, sim.tables.camera_camera]
    everything = observe_with_loss(seeing_simulator("enhanced"), 0.0)
    flags = [slice(at.targets + 4, at.obstacles, 5), slice(at.obstacles + 3, at.cameras, 4)]
    flags.append(slice(at.cameras + 6, None, 7))
    lost = []
    for i in range(sim.num_envs):
        for c in range(n_cameras):
            shown = [obs[i, c, part] > 0 for part in flags]
            heard = shown[2] & ~seen[2][i, c]  # what c sees itself does not tell
            told = [heard | (np.arange(n_cameras) == c), shown[2]]  # surely, at most
            for n in (0, 1):
                assert (shown[n] >= seen[n][i, told[0]].any(axis=0)).all()
                assert (shown[n] <= seen[n][i, told[1]].any(axis=0)).all()
            lost += (~heard)[~seen[2][i, c] & (np.arange(n_cameras) != c)].tolist()
            hidden = obs[i, c] != everything[i, c]
            assert (obs[i, c][hidden] == 0.0).all(), "what is shown is right"
    assert stats.binomtest(sum(lost), len(lost), 0.5).pvalue > 1e-4


def test_messages_are_drawn_from_each_environments_stream_and_only_if_any_are_lost() -> None:
    sim = seeing_simulator("shared")
    before = sim.tables.rng.copy()
    perfect = observe_with_loss(sim, 0.0)
    assert np.array_equal(sim.tables.rng, before)
    assert not np.array_equal(observe_with_loss(sim, 0.3), perfect)
    with np.errstate(over="ignore"):
        assert np.array_equal(sim.tables.rng, before + np.uint64(4 * 3) * GAMMA)
    again = seeing_simulator("shared")
    assert np.array_equal(observe_with_loss(again, 0.3), sim.obs.camera_obs)


@pytest.mark.parametrize(
    ("mode", "loss", "words"),
    [
        ("shared", 1.5, "message_loss = 1.5; expected a number from 0 to 1"),
        ("own", 0.1, "observation_mode = 'own'; expected 0"),
        ("enhanced", 0.1, "observation_mode = 'enhanced'; expected 0"),
    ],
)
def test_messages_are_lost_only_where_there_are_some(mode: str, loss: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BatchSim(scenario_with("MATE-4v4-9"), 1, observation_mode=mode, message_loss=loss)


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
