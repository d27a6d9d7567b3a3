"""Evaluation: which episodes count, the JSON object, one path for scripts and checkpoints."""

import json

import numpy as np
import pytest
from fake_env import FakeEnv
from numpy.typing import NDArray
from tiny import CPU, tiny_model

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.evaluation.evaluate import evaluate, evaluate_scripted
from qplex_hrl.evaluation.metrics import episode_metrics
from qplex_hrl.evaluation.players import AgentPlayer, EvaluationSetting
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.runtime.seeding import episode_seeds

SEEDS = episode_seeds(0, 7)


def player(n_envs: int) -> AgentPlayer:
    env = FakeEnv(n_envs, p_terminate=0.15)
    return AgentPlayer(env, greedy_agent(tiny_model(env).agent, env, CPU))  # type: ignore[arg-type]


class FixedPlayer:
    """Episodes of which the statistics are known."""

    def __init__(self, **columns: list[float]) -> None:
        self.rows = np.zeros((len(next(iter(columns.values()))), len(EPISODE_COLUMNS)))
        for name, values in columns.items():
            self.rows[:, EPISODE_COLUMNS.index(name)] = values

    def run_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        assert len(seeds) == len(self.rows)
        return self.rows


def test_the_object_of_the_contract() -> None:
    fixed = FixedPlayer(
        length=[10, 20],
        coverage_sum=[5, 20],
        real_coverage_sum=[1, 2],
        mean_transport_rate=[0.2, 0.4],
        reward_sum=[3, 5],
        selected=[0, 40],
        valid_selected=[0, 10],
        stereo_coverage_sum=[4, 4],
    )
    result = evaluate(fixed, SEEDS[:2], timestep=7, provenance={"policy": "p", "scenario": "s"})
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["timestep"], result["n_episodes"]) == (7, 2)
    assert result["seeds"] == SEEDS[:2].tolist()
    assert result["mean_coverage_rate"] == 0.75  # mean of 5/10 and 20/20
    assert result["std_coverage_rate"] == pytest.approx(0.125**0.5)
    assert result["ci95_coverage_rate"] == [0.5, 1.0]
    assert result["mean_real_coverage_rate"] == pytest.approx(0.1)
    assert result["mean_transport_rate"] == pytest.approx(0.3)
    assert result["mean_selection_efficiency"] == 0.25  # the first episode selected nothing
    assert result["mean_episode_reward"] == 4.0
    assert result["mean_episode_length"] == 15.0
    assert result["mean_stereo_coverage_rate"] == pytest.approx(0.3)  # mean of 4/10 and 4/20
    assert result["std_stereo_coverage_rate"] == pytest.approx(0.02**0.5)
    assert result["ci95_stereo_coverage_rate"] == pytest.approx([0.2, 0.4])
    assert [row["stereo_coverage_rate"] for row in result["episodes"]] == [0.4, 0.2]
    assert [row["seed"] for row in result["episodes"]] == result["seeds"]
    assert [row["coverage_rate"] for row in result["episodes"]] == [0.5, 1.0]
    assert result["episodes"][0]["selection_efficiency"] is None
    provenance = result["provenance"]
    assert provenance["policy"] == "p"
    assert provenance["versions"]["numpy"] == np.__version__
    assert provenance["wall_time_seconds"] >= 0
    assert "commit" in provenance


def test_every_metric_has_mean_deviation_and_interval() -> None:
    result = evaluate(player(4), SEEDS, timestep=None, provenance={})
    for name in episode_metrics(np.zeros((1, len(EPISODE_COLUMNS)))):
        low, high = result[f"ci95_{name}"]
        assert low <= result[f"mean_{name}"] <= high
        assert result[f"std_{name}"] >= 0
        assert all(name in row for row in result["episodes"])


@pytest.mark.slow
def test_scripted_cameras_go_the_same_way() -> None:
    world = EvaluationSetting(scenario="MATE-4v2-9", max_episode_steps=30)
    result = evaluate_scripted("naive", world, SEEDS[:3], num_envs=2)
    assert result["n_episodes"] == 3
    assert result["timestep"] is None
    assert result["mean_episode_length"] == 31.0  # the limit is inclusive (world 6.5)
    assert 0.0 <= result["mean_coverage_rate"] <= 1.0
    assert result["provenance"]["policy"] == "naive"
    assert result["provenance"]["regime"] == "own"
    again = evaluate_scripted("naive", world, SEEDS[:3], num_envs=3)
    assert again["episodes"] == result["episodes"]


@pytest.mark.slow
def test_scripted_cameras_may_share_their_view() -> None:
    """Greedy cameras that see with all eyes from the start hold more targets."""
    own = EvaluationSetting(scenario="MATE-4v4-9", max_episode_steps=150)
    shared = own._replace(shared_field_of_view=True)
    results = [evaluate_scripted("greedy", world, SEEDS, num_envs=6) for world in (own, shared)]
    assert [result["provenance"]["regime"] for result in results] == ["own", "shared"]
    assert results[0]["mean_coverage_rate"] + 0.02 < results[1]["mean_coverage_rate"]


@pytest.mark.slow
def test_messages_between_scripted_cameras_may_be_lost() -> None:
    world = EvaluationSetting(scenario="MATE-4v2-9", max_episode_steps=60)
    heard, lossy = (
        evaluate_scripted("greedy", world._replace(message_loss=loss), SEEDS, num_envs=6)
        for loss in (0.0, 0.9)
    )
    assert heard["episodes"] == evaluate_scripted("greedy", world, SEEDS, num_envs=6)["episodes"]
    assert heard["episodes"] != lossy["episodes"]
    assert (heard["provenance"]["message_loss"], lossy["provenance"]["message_loss"]) == (0.0, 0.9)


PLANNERS = (("planner", False), ("planner", True), ("planner-full", None), ("planner-stereo", True))


@pytest.mark.slow
def test_planners_go_the_same_way() -> None:
    world = EvaluationSetting(scenario="MATE-4v2-9", max_episode_steps=14)
    results = []
    for name, shared in PLANNERS:
        here = world._replace(shared_field_of_view=shared)
        result = evaluate_scripted(name, here, SEEDS[:3], num_envs=2)
        again = evaluate_scripted(name, here, SEEDS[:3], num_envs=3)
        assert again["episodes"] == result["episodes"]
        assert result["provenance"]["policy"] == name
        assert result["mean_episode_length"] == 15.0
        results.append(result)
    assert [result["provenance"]["regime"] for result in results] == [
        "own",
        "shared",
        "full",
        "shared",
    ]


@pytest.mark.parametrize("name", ["greedy", "planner"])
def test_a_team_needs_a_player(name: str) -> None:
    with pytest.raises(ValueError, match="'external' leaves a team without a player"):
        evaluate_scripted(name, EvaluationSetting(opponent="external"), SEEDS, num_envs=2)


def test_a_planner_needs_cameras() -> None:
    with pytest.raises(ValueError, match="has no cameras; expected at least one"):
        evaluate_scripted(
            "planner", EvaluationSetting(scenario="MATE-Navigation"), SEEDS, num_envs=2
        )
