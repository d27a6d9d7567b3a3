"""Recordings: shapes, what they hold of each kind of cameras, agreement with the frames."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from drawn_worlds import BLANK
from paths import ROOT

from camsim.render.record import CameraRecord
from qplex_hrl.evaluation.episode_record import (
    RecordedFrame,
    record_checkpoint,
    record_scripted,
)
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.viewer import recording
from qplex_hrl.viewer.recording import record_episode

CPU = torch.device("cpu")
POLICY = ROOT / "pretrained" / "qplex_hrl_4v4_9.pth"
ALWAYS = {
    *("camera_xy", "camera_radius", "camera_max_range", "camera_min_angle_deg", "obstacle_xy"),
    *("obstacle_radius", "target_capacity", "camera_pose", "camera_obstacle", "target_xy"),
    *("target_goal", "target_load", "target_bounty", "camera_target", "coverage", "real_coverage"),
    *("transport", "delivered", "camera_return", "action", "slow_action", "decision_frame"),
}
BELIEF = {"search_deg", "track_xy", "track_age", "track_known"}
PARTICLES = {"particle_xy", "particle_goal"}
VALUES = {"q_values", "fast_probs", "slow_probs"}


@pytest.mark.slow
def test_trained_cameras_are_recorded_with_beliefs_and_values() -> None:
    about, arrays = record_episode(record_checkpoint(POLICY, EvaluationSetting(), 3, CPU), 13)
    assert set(arrays) == ALWAYS | BELIEF | PARTICLES | VALUES
    assert arrays["decision_frame"].tolist() == [0, 5, 10]
    n_actions = len(about["actions"])
    assert arrays["q_values"].shape == (3, 4, n_actions)
    assert arrays["particle_xy"].shape == (3, 4, 4, 24, 2)
    assert about["whole"] is False
    assert arrays["slow_probs"].shape == (3, 4, 5)
    np.testing.assert_allclose(arrays["slow_probs"].sum(axis=-1), 1.0, rtol=1e-5)
    assert about["actions"][4] == {"targets": [0, 1]}
    assert about["actions"][-16] == {"search": {"bearing_deg": 0.0, "view_deg": 55.0}}
    assert (about["decision_frames"], about["fast_interval"], about["regime"]) == (5, 5, "own")
    assert set(about["versions"]) >= {"python", "qplex-hrl", "numba", "torch"}
    again = record_checkpoint(POLICY, EvaluationSetting(), 3, CPU)
    frames = list(islice(again.frames, 13))
    assert about["mean_coverage"] == np.mean([frame.world.coverage_rate for frame in frames[1:]])
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(arrays["target_xy"][k], frame.world.target_xy)
        assert frame.cameras is not None
        np.testing.assert_array_equal(arrays["action"][k], frame.cameras.action)
        np.testing.assert_array_equal(arrays["track_xy"][k], frame.cameras.track_xy)
        np.testing.assert_array_equal(arrays["search_deg"][k], frame.cameras.search_deg)
        if frame.decides:  # particles are those of the frame that it decides in
            xy = arrays["particle_xy"][k // 5]
            np.testing.assert_allclose(xy, frame.cameras.particle_xy, rtol=1e-6)
            np.testing.assert_array_equal(
                arrays["particle_goal"][k // 5], frame.cameras.particle_goal
            )


@pytest.mark.slow
def test_planners_have_beliefs_and_scripted_cameras_messages() -> None:
    planner = record_episode(record_scripted("planner", EvaluationSetting(), 0), 8)
    assert set(planner.arrays) == ALWAYS | BELIEF | PARTICLES
    assert planner.about["decision_frames"] == planner.about["fast_interval"] == 3
    shared = EvaluationSetting(shared_field_of_view=True)
    team = record_episode(record_scripted("planner", shared, 0), 8)
    assert team.arrays["particle_xy"].shape[:2] == (3, 1), "all cameras know the same"
    greedy = record_episode(record_scripted("greedy", EvaluationSetting(), 0), 8)
    assert set(greedy.arrays) == ALWAYS | {"camera_messages", "target_messages"}
    assert greedy.arrays["camera_messages"][1].sum() > 0
    assert greedy.about["actions"] == []
    assert (greedy.arrays["action"] == -1).all()
    assert len(greedy.arrays["decision_frame"]) == 0


def test_frames_without_a_decision_keep_no_particles() -> None:
    """They would be most of the memory of an episode."""
    belief = np.zeros((2, 3, 24, 2))
    cameras = CameraRecord(*[np.zeros(0)] * 7, belief, np.zeros((2, 3, 24), np.int64))
    frame = RecordedFrame(BLANK, cameras)
    kept, dropped = (
        recording._lightened(frame._replace(decides=decides)).cameras for decides in (True, False)
    )
    assert kept is not None
    assert dropped is not None
    assert (kept.particle_xy.nbytes, kept.particle_goal.nbytes) == (2 * 3 * 24 * 8, 2 * 3 * 24)
    assert dropped.particle_xy.size == dropped.particle_goal.size == 0
    scripted = RecordedFrame(BLANK)
    assert recording._lightened(scripted) is scripted


def test_an_episode_is_whole_if_it_is_recorded_to_its_end() -> None:
    world = EvaluationSetting(max_episode_steps=5)
    assert record_episode(record_scripted("greedy", world, 0)).about["whole"]
    assert not record_episode(record_scripted("greedy", world, 0), 6).about["whole"]


def test_an_episode_has_at_least_two_frames() -> None:
    episode = record_scripted("greedy", EvaluationSetting(), 0)
    with pytest.raises(ValueError, match="max_frames = 1; expected at least 2"):
        record_episode(episode, 1)
