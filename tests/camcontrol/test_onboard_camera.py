"""OnboardCamera: from raw observations alone it knows and does what SelectionEnv's cameras do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camcontrol.onboard_camera import OnboardCamera
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camcontrol.tracking.track import B_SEEN
from camsim.layout import CameraObsLayout
from camsim.scenario.schema import load_scenario

LIMIT = 40  # frames of an episode; one more is played
OWN = SelectionOptions(
    decision_frames=1,
    belief="last_seen",
    memory_frames=20,
    lookahead=False,
    coverage_per_target=False,
    max_episode_steps=LIMIT,
    check_actions=False,  # one is held while targets leave the view
)
REGIMES = {
    "own": OWN,
    "shared": replace(OWN, observation_mode="shared"),
    "particles": replace(OWN, belief="particles"),
    "shared particles": replace(OWN, belief="particles", observation_mode="shared"),
    "own, looking ahead": replace(OWN, belief="particles", lookahead=True),
    "own, some random walks": replace(
        OWN, belief="particles", lookahead=True, random_walk_share=0.4, search_actions=24
    ),
    "shared, looking ahead": replace(
        OWN, belief="particles", observation_mode="shared", lookahead=True, max_episode_steps=12
    ),
    "shared, looking ahead for stereo coverage": replace(
        OWN,
        belief="particles",
        observation_mode="shared",
        lookahead=True,
        plan_goal="stereo_coverage",
        max_episode_steps=8,
    ),
    "everything, looking ahead": replace(
        OWN, belief="particles", observation_mode="enhanced", lookahead=True, max_episode_steps=8
    ),
    # Lossy in name only: then cameras of the environment, too, plan each by what it knows itself.
    "lossy, looking ahead": replace(
        OWN,
        belief="particles",
        observation_mode="shared",
        message_loss=1e-12,
        lookahead=True,
        max_episode_steps=8,
    ),
    "MATE's": replace(OWN, belief="none", executor="upstream", max_selected=9, search_actions=0),
}


def sizes_of(env: SelectionEnv) -> CameraObsLayout:
    return CameraObsLayout(env.n_agents, env.n_targets, len(env.sim.boxes.obstacles))


def wrapped(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180.0) % 360.0 - 180.0


@pytest.mark.jit
@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-2v4-0"])
@pytest.mark.parametrize("regime", REGIMES)
def test_features_and_motion_are_those_of_the_training_world(regime: str, name: str) -> None:
    """Two episodes: the camera gets raw observations, its features are the environment's."""
    options = REGIMES[regime]
    env = SelectionEnv(load_scenario(name), options, 1)
    cameras = [OnboardCamera(options, sizes_of(env)) for _ in range(env.n_agents)]
    rng = np.random.default_rng(3)
    output = env.reset(np.array([11], np.uint64))
    limit = options.max_episode_steps or LIMIT
    for frame in range(2 * (limit + 1)):
        if frame % (limit + 1) == 0:
            for c, camera in enumerate(cameras):
                camera.begin(c)
        chosen = np.where(output.avail_actions, rng.random(output.avail_actions.shape), -1.0)
        actions = chosen.argmax(-1)
        motions = []
        for c, camera in enumerate(cameras):
            camera.perceive(env.sim.obs.camera_obs[0, c])
            assert camera.clock == frame % (limit + 1)
            features, available = camera.features()
            np.testing.assert_allclose(features, output.obs[0, c], rtol=0, atol=1e-6)
            assert np.array_equal(available, output.avail_actions[0, c])
            seen = features[camera.feature_layout.glance_columns].copy()
            expected = available.copy()
            glance, available = camera.glance()
            assert np.array_equal(glance, seen)
            assert np.array_equal(available, expected)
            motions.append(camera.move(int(actions[0, c])))
        view = env.sim.view.cameras
        before = view.phi_deg[0].copy(), view.theta_deg[0].copy()
        output = env.step(actions)
        if not output.truncated[0]:
            turn, zoom = np.array(motions).T
            np.testing.assert_allclose(wrapped(view.phi_deg[0] - before[0] - turn), 0, atol=1e-9)
            wanted = np.clip(before[1] + zoom, env.sim.params.theta_min_deg, 180.0)
            np.testing.assert_allclose(view.theta_deg[0], wanted, rtol=0, atol=1e-9)


@pytest.mark.jit
def test_every_camera_alone_has_the_particles_of_its_team() -> None:
    """From its own observation of the shared view: bit by bit the one set of the environment."""
    options = replace(OWN, belief="particles", observation_mode="shared", random_walk_share=0.25)
    env = SelectionEnv(load_scenario("MATE-4v4-9"), options, 1)
    cameras = [OnboardCamera(options, sizes_of(env)) for _ in range(env.n_agents)]
    for c, camera in enumerate(cameras):
        camera.begin(c)
    rng = np.random.default_rng(7)
    output = env.reset(np.array([5], np.uint64))
    team = env.agent_state
    assert team.particles.shape[1] == team.origins.shape[1] == team.stream.shape[1] == 1
    for _ in range(LIMIT):
        for c, camera in enumerate(cameras):
            camera.perceive(env.sim.obs.camera_obs[0, c])
            camera.features()  # as the environment has written them: they include bearings
            alone = camera._state
            np.testing.assert_array_equal(alone.particles, team.particles)
            np.testing.assert_array_equal(alone.origins, team.origins)
            np.testing.assert_array_equal(alone.stream, team.stream)
            np.testing.assert_array_equal(alone.belief[0, c], team.belief[0, c])
            np.testing.assert_array_equal(alone.pose[0, c], team.pose[0, c])
        draws = np.where(output.avail_actions, rng.random(output.avail_actions.shape), -1.0)
        output = env.step(draws.argmax(-1))
    assert (team.belief[0, :, :, B_SEEN] == 0.0).any(), "some targets are out of view"


def test_beginning_again_forgets_everything() -> None:
    env = SelectionEnv(load_scenario("MATE-4v4-9"), OWN, 1)
    env.reset(np.array([5], np.uint64))
    rng = np.random.default_rng(0)
    used, fresh = (OnboardCamera(OWN, sizes_of(env)) for _ in range(2))
    used.begin(2)
    for _ in range(15):
        used.perceive(env.sim.obs.camera_obs[0, 2])
        env.step(rng.integers(0, env.n_actions, (1, 4)))
    for camera in (used, fresh):
        camera.begin(1)
        assert camera.clock == -1
        camera.perceive(env.sim.obs.camera_obs[0, 1])
    for a, b in zip(used.features(), fresh.features(), strict=True):
        assert np.array_equal(a, b)


def test_a_shared_view_shows_the_whole_team() -> None:
    for mode, expected in (("own", False), ("shared", True)):
        env = SelectionEnv(load_scenario("MATE-4v4-9"), replace(OWN, observation_mode=mode), 1)
        env.reset(np.array([1], np.uint64))
        shown = []
        for c in range(4):
            camera = OnboardCamera(OWN, sizes_of(env))
            camera.begin(c)
            camera.perceive(env.sim.obs.camera_obs[0, c])
            shown.append(camera.knows_whole_team)
        assert all(shown) == expected


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    camera = OnboardCamera(OWN, CameraObsLayout(2, 3, 1))
    with pytest.raises(ValueError, match=r"camera index 2; expected 0 to 1 in this team"):
        camera.begin(2)
    camera.begin(1)
    with pytest.raises(ValueError, match=r"shape \(7,\); expected \(55,\)"):
        camera.perceive(np.zeros(7))
    with pytest.raises(ValueError, match=r"selection -1; expected 0 to 21"):
        camera.move(-1)
    with pytest.raises(ValueError, match=r"selection 22; expected 0 to 21"):
        camera.move(22)
    with pytest.raises(ValueError, match=r"2\^17 actions"):
        OnboardCamera(replace(OWN, max_selected=17), CameraObsLayout(1, 17, 0))
