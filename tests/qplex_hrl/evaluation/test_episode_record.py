"""Episodes recorded frame by frame: the ones that evaluation plays, and their videos."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from drawn_worlds import BLANK
from paths import CONFIGS

from camsim.render.record import RANDOM_WALK, FrameRecord
from qplex_hrl.config import load_config
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.evaluation.episode_record import (
    Episode,
    RecordedFrame,
    record_checkpoint,
    record_scripted,
    render_episode,
)
from qplex_hrl.evaluation.evaluate import evaluate_scripted
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.model import build_model
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.storage.checkpoint import save_checkpoint

CPU = torch.device("cpu")
CONFIG = CONFIGS / "smoke.yaml"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with the configuration of a run: decisions of 4 frames, 41 frames."""
    config = load_config(CONFIG)
    env = build_env(config, 1)
    torch.manual_seed(3)
    model = build_model(model_dims(env), torch.from_numpy(env.selection_bits), config.network)
    content = {
        "config": config.model_dump(mode="json"),
        "timestep": 5,
        "training": {"learner": {"model": model.state_dict()}},
    }
    path = tmp_path_factory.mktemp("models") / "random.pth"
    save_checkpoint(path, content)
    return path


def worlds(episode: Episode) -> list[FrameRecord]:
    return [frame.world for frame in episode.frames]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 4])
def test_the_recorded_episode_is_the_evaluated_one(checkpoint: Path, seed: int) -> None:
    frames = worlds(record_checkpoint(checkpoint, EvaluationSetting(), seed, CPU))
    seeds = episode_seeds(seed, 1)
    result = evaluate_checkpoint(checkpoint, EvaluationSetting(), seeds, num_envs=1, device=CPU)
    assert [frame.step for frame in frames] == list(range(42))
    assert [frame.done for frame in frames] == [False] * 41 + [True]
    played = frames[1:]
    assert len(played) == result["mean_episode_length"]
    coverage = np.mean([frame.coverage_rate for frame in played])
    assert coverage == pytest.approx(result["mean_coverage_rate"], rel=1e-12)
    assert played[-1].mean_transport_rate == result["mean_transport_rate"]
    chosen = [(frame.selection, frame.camera_target) for frame in played]
    valid = sum(int((chosen_now & seen).sum()) for chosen_now, seen in chosen)  # type: ignore[operator]
    total = sum(int(chosen_now.sum()) for chosen_now, _ in chosen)  # type: ignore[union-attr]
    assert total > 0
    assert valid / total == pytest.approx(result["mean_selection_efficiency"])


@pytest.mark.slow
def test_selections_are_held_for_a_decision(checkpoint: Path) -> None:
    frames = worlds(record_checkpoint(checkpoint, EvaluationSetting(), 0, CPU))
    assert frames[0].selection is None
    for first, second in zip(frames[1:-1:2], frames[2::2], strict=True):
        np.testing.assert_array_equal(first.selection, second.selection)
        assert (first.camera_xy == second.camera_xy).all()
        assert (first.target_xy != second.target_xy).any(), "every frame, not every decision"


@pytest.mark.slow
def test_decisions_and_beliefs_are_recorded(checkpoint: Path) -> None:
    """Decisions of 4 frames; what the network said is of the frame that it decided in."""
    episode = record_checkpoint(checkpoint, EvaluationSetting(), 0, CPU)
    assert (episode.kind, episode.policy, episode.timestep) == ("trained", "random.pth", 5)
    assert (episode.checkpoint, episode.opponent_view) == (checkpoint, "own")
    env = episode.env
    assert env is not None
    frames = list(episode.frames)
    assert [k for k, frame in enumerate(frames) if frame.decides] == list(range(0, 41, 4))
    for now, after in pairwise(frames):
        before, cameras = now.cameras, after.cameras
        assert before is not None
        assert cameras is not None
        if now.decision is not None:
            greedy = np.nanargmax(now.decision.q_values, axis=1)
            np.testing.assert_array_equal(cameras.slow_action, greedy)
        bits = env.selection_bits
        np.testing.assert_array_equal(cameras.slow_selection, bits[cameras.slow_action])
        np.testing.assert_array_equal(after.world.selection, bits[cameras.action])
        np.testing.assert_array_equal(
            np.isfinite(cameras.search_deg[:, 0]), env.catalogue.search[cameras.action] >= 0
        )
        seen = after.world.camera_target  # a target in view is where it was seen
        np.testing.assert_array_equal(cameras.track_age[seen], 0)
        c, t = np.nonzero(seen)
        np.testing.assert_allclose(cameras.track_xy[c, t], after.world.target_xy[t])
        assert cameras.particle_goal.size == 0, "a belief without particles"
    first = frames[0].cameras
    assert first is not None
    assert (first.action == -1).all()
    assert not first.slow_selection.any()


@pytest.mark.slow
def test_particles_are_recorded() -> None:
    shown = islice(record_scripted("planner", EvaluationSetting(), 0).frames, 40)
    for frame in shown:
        cameras = frame.cameras
        assert cameras is not None
        assert cameras.particle_xy.shape == (4, 4, 24, 2)
        assert set(np.unique(cameras.particle_goal)) <= {-1, 0, 1, 2, 3, RANDOM_WALK}
        c, t = np.nonzero(frame.world.camera_target)  # all stand where the target was detected
        places = np.broadcast_to(frame.world.target_xy[t, None], (len(t), 24, 2))
        np.testing.assert_allclose(cameras.particle_xy[c, t], places)
    assert frame.decision is None, "a planner has no network"


@pytest.mark.slow
@pytest.mark.parametrize(("shared", "loss"), [(False, None), (True, None), (False, 0.5)])
def test_the_recorded_scripted_episode_is_the_evaluated_one(
    shared: bool, loss: float | None
) -> None:
    world = EvaluationSetting("MATE-4v2-9", None, shared, max_episode_steps=30, message_loss=loss)
    frames = worlds(record_scripted("greedy", world, 2))
    assert [frame.step for frame in frames] == list(range(32))
    assert [frame.done for frame in frames] == [False] * 31 + [True]
    result = evaluate_scripted("greedy", world, episode_seeds(2, 1), num_envs=1)
    coverage = np.mean([frame.coverage_rate for frame in frames[1:]])
    assert coverage == pytest.approx(result["mean_coverage_rate"], rel=1e-12)
    assert frames[-1].mean_transport_rate == result["mean_transport_rate"]


@pytest.mark.slow
def test_the_recorded_planner_is_the_evaluated_one() -> None:
    world = EvaluationSetting(
        scenario="MATE-4v2-9", max_episode_steps=13, shared_field_of_view=True
    )
    frames = worlds(record_scripted("planner", world, 2))
    result = evaluate_scripted("planner", world, episode_seeds(2, 1), num_envs=1)
    assert len(frames) == 1 + result["mean_episode_length"]
    coverage = np.mean([frame.coverage_rate for frame in frames[1:]])
    assert coverage == pytest.approx(result["mean_coverage_rate"], rel=1e-12)
    assert any(frame.selection.any() for frame in frames[1:])  # type: ignore[union-attr]


@pytest.mark.slow
def test_messages_of_scripted_cameras_are_recorded() -> None:
    episode = record_scripted("greedy", EvaluationSetting(), 0)
    start, first, second = (frame.world for frame in islice(episode.frames, 3))
    assert start.camera_messages is None
    np.testing.assert_array_equal(first.camera_messages, 1 - np.eye(4))  # they greet each other
    assert second.camera_messages is not None
    assert (second.camera_messages == 0).any()


@pytest.mark.slow
def test_a_world_without_cameras_is_recorded() -> None:
    episode = record_scripted("greedy", EvaluationSetting(scenario="MATE-Navigation"), 0)
    frames = [frame.world for frame in islice(episode.frames, 3)]
    assert [frame.step for frame in frames] == [0, 1, 2]
    assert len(frames[-1].camera_xy) == 0


def test_every_team_needs_a_player() -> None:
    with pytest.raises(ValueError, match="'external' leaves a team without a player"):
        record_scripted("external", EvaluationSetting(), 0)


def moving() -> Episode:
    """An endless episode."""

    def frames() -> Iterator[RecordedFrame]:
        step = 0
        while True:
            yield RecordedFrame(BLANK._replace(step=step))
            step += 1

    return record_scripted("greedy", EvaluationSetting(), 0)._replace(frames=frames())


def test_videos_have_the_frames_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    assert render_episode(moving(), path, size=64, fps=20.0, max_frames=7, beliefs=True) == 7
    assert imageio_ffmpeg.count_frames_and_secs(path) == (7, pytest.approx(0.35))
    for wrong, words in (({"max_frames": 0}, "max_frames = 0"), ({"size": 65}, "size = 65")):
        with pytest.raises(ValueError, match=words):
            render_episode(moving(), path, **wrong)  # type: ignore[arg-type]


def test_the_title_says_who_plays_where() -> None:
    setting = EvaluationSetting("MATE-4v2-9", "random", shared_field_of_view=True)
    title = record_scripted("naive", setting, 7).title
    assert title == "naive  |  MATE-4v2-9  |  random targets  |  shared view  |  seed 7"
