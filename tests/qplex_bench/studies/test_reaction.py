"""Reaction times by hand, and a measurement of cameras that react beside cameras that hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from paths import CONFIGS, PRETRAINED
from tiny import CPU

from camcontrol.selection_env import SelectionEnv
from qplex_bench.studies.reaction import MOVES_DEG, Played, ReactionTimes, play, turns_towards
from qplex_hrl.agent import Agent
from qplex_hrl.cli.main import main
from qplex_hrl.config import load_config
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.evaluation.metrics import episode_metrics
from qplex_hrl.evaluation.players import AgentPlayer
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.model import camera_network
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.storage.checkpoint import save_checkpoint

PLAYING = np.ones(1, np.bool_)


def times_of(
    frames: list[tuple[int, int, int]], *, first: int = 0, playing: np.ndarray = PLAYING
) -> list[float]:
    """Return reaction times of one camera and target: seen, selected and reacts, by frame."""
    one = np.ones((1, 1, 1))
    times = ReactionTimes(one * first > 0)
    for seen, selected, reacts in frames:
        times.count(one * seen > 0, one * selected > 0, one * reacts > 0, playing)
    return times.all_finished().tolist()


def test_a_camera_that_reacts_in_the_next_frame_has_taken_one() -> None:
    assert times_of([(1, 0, 0), (1, 0, 1)]) == [1.0]
    assert times_of([(1, 0, 0), (1, 0, 0), (1, 0, 0), (1, 1, 1)]) == [3.0]
    assert times_of([(1, 0, 1), (1, 0, 0)]) == [], "it has appeared in that frame only"


def test_a_target_that_is_gone_before_counts_as_infinite() -> None:
    assert times_of([(1, 0, 0), (0, 0, 0), (1, 0, 0)]) == [np.inf]


def test_only_targets_that_appear_and_are_not_selected_count() -> None:
    later = [(1, 0, 1)] * 3
    assert times_of([(1, 1, 0), *later]) == []
    assert times_of([(1, 0, 0), *later], first=1) == []
    assert times_of([(1, 0, 0), *later], playing=~PLAYING) == []


def test_turns_away_and_trembling_are_none_towards_a_target() -> None:
    turn_deg = np.array([[2.0, -2.0, 0.5 * MOVES_DEG]])
    offset_deg = np.array([[[30.0, -30.0]] * 3])
    towards = turns_towards(turn_deg, offset_deg)
    assert towards.tolist() == [[[True, False], [False, True], [False, False]]]


def test_numbers_are_over_all_targets_that_appeared() -> None:
    times = np.array([1.0, 4.0, np.inf])
    played = Played(np.zeros(1), 0.0, turned=times, selected=times)
    assert played.median_turn == 4.0
    assert played.selected_soon == pytest.approx(1 / 3)
    nothing = Played(np.zeros(1), 0.0, np.zeros(0), np.zeros(0))
    assert np.isnan([nothing.median_turn, nothing.selected_soon]).all()


def smoke_agent() -> tuple[SelectionEnv, Agent]:
    """Return untrained cameras of the configuration smoke, which react, in three environments."""
    config = load_config(CONFIGS / "smoke.yaml")
    env = build_env(config, 3)
    torch.manual_seed(0)
    bits = torch.from_numpy(env.selection_bits.copy())
    return env, greedy_agent(camera_network(model_dims(env), bits, config.network), env, CPU)


@pytest.mark.jit
def test_with_and_without_reactions_coverage_is_that_of_the_same_episodes() -> None:
    """Frame by frame here, decision by decision in an evaluation."""
    env, agent = smoke_agent()
    seeds = episode_seeds(5, 3)
    reacting = play(env, agent, seeds, reacts=True)
    evaluated = episode_metrics(AgentPlayer(env, agent).run_episodes(seeds))["coverage_rate"]
    np.testing.assert_allclose(reacting.coverage, evaluated, rtol=1e-12)
    held = play(env, agent, seeds, reacts=False)
    assert held.replaced == 0.0 < reacting.replaced


@pytest.mark.jit
def test_the_command_prints_a_row_per_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, agent = smoke_agent()
    path = saved(tmp_path, agent)
    assert main(["benchmark", "reaction", "--checkpoint", str(path), "--episodes", "2"]) == 0
    printed = capsys.readouterr().out
    assert "greedy" in printed
    assert "evader" in printed


@pytest.mark.jit
def test_cameras_without_a_fast_level_and_too_few_episodes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = str(PRETRAINED / "qplex_hrl_4v4_9.pth")
    assert main(["benchmark", "reaction", "--checkpoint", shipped]) == 2
    assert "do not react: frame_skip = 5, fast_interval = 5" in capsys.readouterr().err
    few = ["benchmark", "reaction", "--checkpoint", shipped, "--episodes", "1"]
    assert main(few) == 2
    assert "--episodes 1: expected at least 2" in capsys.readouterr().err


def saved(folder: Path, agent: Agent) -> Path:
    """Return a checkpoint of these cameras."""
    path = folder / "cameras.pth"
    content = {
        "timestep": 0,
        "config": load_config(CONFIGS / "smoke.yaml").model_dump(mode="json"),
        "training": {"learner": {"ema": agent._network.state_dict()}},
    }
    save_checkpoint(path, content)
    return path
