"""Figures of cameras without learning: those of a run's own world, and no others."""

import json
from pathlib import Path

import pytest
from paths import CONFIGS

from qplex_hrl.config import RunConfig, load_config
from qplex_hrl.evaluation import baselines
from qplex_hrl.evaluation.baselines import known_baselines

KINDS = ["random", "greedy", "the plan among its features, without learning"]


def of(name: str) -> list[baselines.Baseline]:
    return known_baselines(load_config(CONFIGS / f"{name}.yaml"))


@pytest.mark.parametrize("size", ["4v2_9", "4v4_9", "4v8_9", "8v8_9"])
@pytest.mark.parametrize("regime", ["", "_shared"])
def test_the_shipped_scenarios_are_known(size: str, regime: str) -> None:
    found = of(f"qplex_hrl_{size}{regime}")
    assert [each.cameras for each in found] == [*KINDS, "planner, without learning"]
    assert all(low < each.coverage < high for each in found for low, high in [each.interval])
    coverages = [each.coverage for each in found]
    assert coverages[0] < coverages[1], "greedy cameras cover more than random ones"


def test_cameras_that_share_their_view_have_other_figures() -> None:
    own, shared = of("qplex_hrl_4v4_9"), of("qplex_hrl_4v4_9_shared")
    assert own[2].coverage == pytest.approx(0.757, abs=0.02)  # of docs/systems.md
    assert shared[2].coverage == pytest.approx(0.911, abs=0.02)


def test_without_plans_among_the_features_none_is_compared() -> None:
    assert [each.cameras for each in of("qplex_4v4_9")] == [*KINDS[:2], "planner, without learning"]


@pytest.mark.parametrize(
    "change",
    [
        {"opponent": "heuristic"},
        {"max_episode_steps": 50},
        {"scenario": "MATE-2v4-9"},
        {"min_baseline_deg": 45.0},
        {"enhanced_observation": "target"},
        {"shared_field_of_view": True, "message_loss": 0.5},
    ],
)
def test_other_worlds_are_unknown(change: dict[str, object]) -> None:
    assert known_baselines(RunConfig.model_validate({"env": change})) == []


@pytest.mark.parametrize(
    "change",
    [
        {"control": {"n_particles": 8}},
        {"control": {"search_actions": 8}},
        {"network": {"hrl": {"frame_skip": 10}}},
        {"env": {"action_levels": 7}},
        {"network": {"hrl": {"multi_selection": False}}},
    ],
)
def test_other_plans_are_unknown(change: dict[str, object]) -> None:
    found = known_baselines(RunConfig.model_validate(change))
    assert [each.cameras for each in found] == [*KINDS[:2], "planner, without learning"]


def test_the_number_of_parallel_worlds_is_no_matter() -> None:
    assert len(known_baselines(RunConfig.model_validate({"env": {"num_envs": 3}}))) == 4


def test_the_file_says_how_it_was_made() -> None:
    content = json.loads(Path(baselines.__file__).with_name("baselines.json").read_text())
    assert content["made_by"] == "python docs/baselines.py"
    assert (content["n_episodes"], content["seed"]) == (64, 0)
    assert len(content["commit"]) == 40
    assert content["versions"].keys() >= {"python", "numpy", "numba"}
