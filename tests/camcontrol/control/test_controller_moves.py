"""Cameras that choose turns and zooms of MATE's grid instead of targets (world 9.6)."""

from __future__ import annotations

import numpy as np
import pytest

from camcontrol.control.action_set import make_moves, selection_bits
from camcontrol.onboard_camera import OnboardCamera
from camcontrol.selection_env import EnvOutput, SelectionEnv, SelectionOptions
from camsim.envs.discrete_actions import camera_actions, camera_grid
from camsim.envs.team_env import TeamEnv, TeamOptions
from camsim.layout import CameraObsLayout
from camsim.scenario.schema import load_scenario
from camsim.tables import EPISODE_COLUMNS

NOTHING = 12  # of 25 moves


def make(n_envs: int = 3, levels: int = 5, decision_frames: int = 1) -> SelectionEnv:
    """An environment of moves, not yet reset."""
    options = SelectionOptions(
        action_mode="discrete",
        action_levels=levels,
        decision_frames=decision_frames,
        belief="last_seen",
        lookahead=False,
        max_episode_steps=30,
    )
    return SelectionEnv(load_scenario("MATE-4v4-9"), options, n_envs)


def seeds(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.uint64)


def limits(env: SelectionEnv) -> np.ndarray:
    """Largest turn and zoom [2] in degrees."""
    return np.array([env.sim.params.rotation_step_deg, env.sim.params.zooming_step_deg])


def pose(env: SelectionEnv) -> np.ndarray:
    """Orientation and viewing angle of every camera [N, C, 2] in degrees."""
    cameras = env.sim.view.cameras
    return np.stack([cameras.phi_deg, cameras.theta_deg], axis=-1)


def wrapped(angle_deg: np.ndarray) -> np.ndarray:
    """Angles in [-180, 180)."""
    result: np.ndarray = (angle_deg + 180.0) % 360.0 - 180.0
    return result


def move_features(env: SelectionEnv, output: EnvOutput) -> np.ndarray:
    """The actions' part of the observations [N, C, U, Fo]."""
    layout = env.feature_layout
    part = output.obs[..., -layout.n_actions * layout.action_size :]
    return part.reshape(*part.shape[:2], layout.n_actions, layout.action_size)


@pytest.mark.parametrize("levels", [3, 5])
def test_every_move_turns_and_zooms_by_its_share(levels: int) -> None:
    """From the middle of the legal range, one frame."""
    env = make(levels=levels)
    assert env.n_actions == levels**2
    for u in range(env.n_actions):
        env.reset(seeds(3))
        env.sim.view.cameras.theta_deg[:] = 90.0
        before = pose(env)
        ids = np.full((3, 4), u)
        env.run_frames(ids)
        wanted = camera_actions(ids, camera_grid(levels), limits(env))
        moved = pose(env) - before
        np.testing.assert_allclose(wrapped(moved[..., 0]), wanted[..., 0], atol=1e-9)
        np.testing.assert_allclose(moved[..., 1], wanted[..., 1], atol=1e-9)


def test_the_corner_and_the_middle_of_the_grid() -> None:
    """World 9.6: id = i + 5j; 0 turns clockwise and zooms in, 12 does nothing, 14 turns only."""
    moves = make_moves(5, 1).moves
    assert moves[[0, NOTHING, 14, 21]].tolist() == [[-1, -1], [0, 0], [1, 0], [-0.5, 1]]


@pytest.mark.parametrize("levels", [3, 5])
def test_play_equals_the_team_environment_with_discrete_actions(levels: int) -> None:
    """The same worlds, frame by frame, through automatic resets."""
    env = make(levels=levels)
    options = TeamOptions(targets="greedy", camera_action_levels=levels, max_episode_steps=30)
    team = TeamEnv(load_scenario("MATE-4v4-9"), options, 3)
    rng = np.random.default_rng(3)
    output, other = env.reset(seeds(3)), team.reset(seeds(3))
    for _ in range(70):
        np.testing.assert_array_equal(env.sim.obs.camera_obs, other.camera_obs)
        for table in ("cameras", "targets", "world", "camera_target"):
            mine, theirs = getattr(env.sim.tables, table), getattr(team.sim.tables, table)
            np.testing.assert_array_equal(mine, theirs, table)
        actions = rng.integers(0, env.n_actions, (3, 4))
        output = env.step(actions)
        other = team.step(actions)
        if output.truncated.any():  # TeamEnv shows an episode's end before the next one begins
            other = team.step(actions)
        assert output.avail_actions.all()


def test_features_tell_the_pose_that_a_move_leads_to() -> None:
    """Held for 9 frames, through the ends of the zoom's range."""
    env = make(decision_frames=9)
    rng = np.random.default_rng(4)
    output = env.reset(seeds(3))
    at_limit = 0
    for _ in range(3):
        features, before = move_features(env, output), pose(env)
        grid = np.broadcast_to(camera_grid(5), (3, 4, 25, 2))
        np.testing.assert_allclose(features[..., :2], grid)
        assert not features[..., [2, 7]].any()  # no search action, no targets that span an angle
        actions = rng.integers(0, 25, (3, 4))
        chosen = np.take_along_axis(features, actions[..., None, None], axis=2)[:, :, 0]
        output = env.step(actions)
        moved = pose(env) - before
        np.testing.assert_allclose(180.0 * chosen[..., 3], wrapped(moved[..., 0]), atol=1e-3)
        np.testing.assert_allclose(90.0 * chosen[..., 4], moved[..., 1], atol=1e-3)
        np.testing.assert_allclose(90.0 * (chosen[..., 6] + 1), pose(env)[..., 1], atol=1e-3)
        shares = camera_grid(5)[actions][..., 1]
        at_limit += int((np.abs(moved[..., 1] - 9 * 2.5 * shares) > 0.1).sum())
    assert at_limit > 0, "some zoom was cut off"


def test_expected_targets_of_doing_nothing_are_those_in_view() -> None:
    env = make(n_envs=8)
    output = env.reset(seeds(8))
    rng = np.random.default_rng(5)
    for _ in range(20):
        in_view = env.sim.tables.camera_target.sum(-1) / 4
        np.testing.assert_allclose(move_features(env, output)[:, :, NOTHING, 10], in_view)
        output = env.step(rng.integers(0, 25, (8, 4)))


def test_nothing_is_selected() -> None:
    env = make(decision_frames=5)
    env.reset(seeds(3))
    assert env.selection_bits.shape == (25, 4)
    assert not env.selection_bits.any()
    while not (output := env.step(np.zeros((3, 4), np.int64))).truncated.any():
        pass
    counts = dict(zip(EPISODE_COLUMNS, output.episode.T, strict=True))
    assert counts["length"].tolist() == [31] * 3
    assert not counts["selected"].any()
    assert not counts["valid_selected"].any()


def test_a_single_camera_moves_alike() -> None:
    env = make()
    output = env.reset(seeds(3))
    camera = OnboardCamera(env.options, CameraObsLayout(4, 4, 9))
    assert not camera.selection_bits.any()
    camera.begin(2)
    camera.perceive(env.sim.obs.camera_obs[1, 2])
    features, available = camera.features()
    np.testing.assert_array_equal(features, output.obs[1, 2])
    assert available.all()
    for u in range(25):
        np.testing.assert_array_equal(camera.move(u), camera_grid(5)[u] * limits(env))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action_mode": "grid"}, "action_mode = 'grid'; expected one of selection, discrete"),
        ({"action_levels": 4}, "action_levels = 4; expected an odd number"),
        ({"action_levels": 1}, "action_levels = 1; expected an integer from 3 to 255"),
        ({"action_levels": 257}, "action_levels = 257; expected an integer from 3 to 255"),
    ],
)
def test_bad_options(changes: dict[str, object], message: str) -> None:
    options = SelectionOptions(**{"action_mode": "discrete", "lookahead": False} | changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        SelectionEnv(load_scenario("MATE-4v4-9"), options, 1)


def test_selection_bits_of_moves_are_empty_for_any_number_of_targets() -> None:
    assert selection_bits(make_moves(3, 1), 7).tolist() == [[False] * 7] * 9
