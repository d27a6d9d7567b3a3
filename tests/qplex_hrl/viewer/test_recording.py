"""Recordings: shapes, what they hold of each kind of cameras, agreement with the frames."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from paths import ROOT

from qplex_hrl.evaluation.episode_record import record_checkpoint, record_scripted
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.viewer.recording import record_episode

CPU = torch.device("cpu")
POLICY = ROOT / "pretrained" / "qplex_hrl_4v4_9.pth"
ALWAYS = {
    *("camera_xy", "camera_radius", "camera_max_range", "camera_min_angle_deg", "obstacle_xy"),
    *("obstacle_radius", "target_capacity", "camera_pose", "camera_obstacle", "target_xy"),
    *("target_goal", "target_load", "target_bounty", "camera_target", "coverage", "real_coverage"),
    *("transport", "delivered", "camera_return", "action", "slow_action", "decision_frame"),
}
BELIEF = {"track_xy", "track_age", "track_known"}
PARTICLES = {"particle_xy", "particle_goal"}
VALUES = {"q_values", "fast_probs", "slow_probs"}


@pytest.mark.slow
def test_trained_cameras_are_recorded_with_beliefs_and_values() -> None:
    recording = record_episode(record_checkpoint(POLICY, EvaluationSetting(), 3, CPU), 13)
    arrays, about = recording.arrays, recording.about
    assert set(arrays) == ALWAYS | BELIEF | PARTICLES | VALUES
    assert arrays["decision_frame"].tolist() == [0, 5, 10]
    n_actions = len(about["actions"])
    assert arrays["q_values"].shape == (3, 4, n_actions)
    assert arrays["particle_xy"].shape == (3, 4, 4, 24, 2)
    assert arrays["slow_probs"].shape == (3, 4, 5)
    np.testing.assert_allclose(arrays["slow_probs"].sum(axis=-1), 1.0, rtol=1e-5)
    assert about["actions"][4] == {"targets": [0, 1]}
    assert about["actions"][-16] == {"search": {"bearing_deg": 0.0, "view_deg": 55.0}}
    assert (about["decision_frames"], about["fast_interval"], about["regime"]) == (5, 5, "own")
    again = record_checkpoint(POLICY, EvaluationSetting(), 3, CPU)
    frames = list(islice(again.frames, 13))
    assert about["mean_coverage"] == np.mean([frame.world.coverage_rate for frame in frames[1:]])
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(arrays["target_xy"][k], frame.world.target_xy)
        assert frame.cameras is not None
        np.testing.assert_array_equal(arrays["action"][k], frame.cameras.action)
        np.testing.assert_array_equal(arrays["track_xy"][k], frame.cameras.track_xy)


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


def test_an_episode_has_at_least_two_frames() -> None:
    episode = record_scripted("greedy", EvaluationSetting(), 0)
    with pytest.raises(ValueError, match="max_frames = 1; expected at least 2"):
        record_episode(episode, 1)
