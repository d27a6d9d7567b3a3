"""Where searches aim, as pictures show it, is where the controller turns its cameras."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from compiled import from_python

from camcontrol.control.action_set import make_catalogue
from camcontrol.control.controller import search_pose
from camcontrol.tracking.track import P_AREA, P_INWARD, P_MAX_RANGE
from qplex_hrl.evaluation.episode_record import record_scripted
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.search_aims import search_aims_deg, search_poses_deg

SEARCH_POSE = from_python(search_pose)


def test_search_poses_are_those_of_the_controller() -> None:
    catalogue = make_catalogue(2, multi_selection=True, max_selected=1, search_actions=10)
    poses = search_poses_deg(catalogue)
    assert np.isnan(poses[:2]).all()
    for pose, number in zip(poses[2:], catalogue.search[2:], strict=True):
        bearing, view = SEARCH_POSE(0.0, int(number))
        assert tuple(pose) == (bearing, view)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_cameras_turn_to_what_searches_aim_at(shared: bool) -> None:
    """Each frame's turn and zoom are the way to the aim, as far as the limits allow."""
    world = EvaluationSetting(shared_field_of_view=shared)
    episode = record_scripted("planner", world, 3)
    assert episode.env is not None
    env, params, before = episode.env, episode.sim.params, None
    offsets = []
    for frame in islice(episode.frames, 150):
        assert frame.cameras is not None
        if before is not None:
            aim = frame.cameras.search_deg
            searches = np.isfinite(aim[:, 0])
            turn = np.remainder(aim[:, 0] - before.camera_phi_deg + 180.0, 360.0) - 180.0
            turn = np.clip(turn, -params.rotation_step_deg, params.rotation_step_deg)
            zoom = aim[:, 1] - before.camera_theta_deg
            zoom = np.clip(zoom, -params.zooming_step_deg, params.zooming_step_deg)
            played = env._scratch.camera_action[0]
            wanted = np.stack([turn, zoom], axis=-1)
            np.testing.assert_allclose(played[searches], wanted[searches], atol=1e-9)
            named = search_poses_deg(env.catalogue)[frame.cameras.action, 0]
            named += env.agent_state.pose[0, :, P_INWARD]
            offsets += (aim[:, 0] - named)[searches].round(6).tolist()
        before = frame.world
    assert {-20.0, -10.0, 0.0, 10.0, 20.0} >= set(offsets)
    assert len(set(offsets)) > 1


def test_a_search_is_no_narrower_than_the_camera_can() -> None:
    env = record_scripted("planner", EvaluationSetting(), 0).env
    assert env is not None
    pose = env.agent_state.pose
    pose[..., P_MAX_RANGE], pose[..., P_AREA] = 1000.0, 70.0 * 1000.0**2
    narrow, none = int(np.flatnonzero(env.catalogue.search >= 0)[0]), -1
    actions = np.array([narrow, none, 0, narrow])
    aims = search_aims_deg(env, actions)
    assert search_poses_deg(env.catalogue)[narrow, 1] < 70.0
    np.testing.assert_array_equal(aims[:, 1], [70.0, np.nan, np.nan, 70.0])
