"""24 cameras against 48 targets: the sizes grow moderately, and a whole run works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from paths import CONFIGS

from camsim.scenario.generator import generate_scenario
from qplex_hrl.config import Override, RunConfig, load_config
from qplex_hrl.data.make_env import build_env
from qplex_hrl.data.replay import ReplaySizes, allocate_chunk, decision_bytes
from qplex_hrl.runtime.exit_codes import DONE
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training import budget
from qplex_hrl.training.trainer import train

SMOKE = CONFIGS / "smoke.yaml"


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated scenario as a file, as `qplex-hrl scenarios generate` writes it."""
    path = tmp_path_factory.mktemp("scenario") / "24v48.yaml"
    path.write_text(yaml.safe_dump(generate_scenario(24, 48, 24).to_mapping()), encoding="utf-8")
    return path


def config(scenario: Path, folder: Path, **changes: object) -> RunConfig:
    """The smallest run in that scenario: 2 environments, 2 updates, 2 episodes to evaluate."""
    keys = {
        "env.scenario": str(scenario),
        "env.num_envs": 2,
        "env.max_episode_steps": 20,
        "control.max_selected": 1,
        "training.total_timesteps": 64,
        "training.learning_starts": 30,
        "training.batch_size": 2,
        "training.buffer_size": 100,
        "training.train_freq": 80.0,
        "logging.log_dir": str(folder / "logs"),
        "logging.model_dir": str(folder / "models"),
        "logging.tensorboard": False,
        "evaluation.episodes": 2,
        "evaluation.final_episodes": 2,
    } | {name.replace("__", "."): value for name, value in changes.items()}
    return load_config(SMOKE, [Override(key, value, "") for key, value in keys.items()])


def test_actions_grow_with_targets_and_not_exponentially(scenario: Path, tmp_path: Path) -> None:
    for changes, n_actions in (
        ({"control__max_selected": 1}, 48 + 4),
        ({"control__max_selected": 2}, 48 + 48 * 47 // 2 + 4),
        ({"network__hrl__multi_selection": False}, 48 + 1 + 4),
        ({"env__action_mode": "discrete"}, 25),
    ):
        assert build_env(config(scenario, tmp_path, **changes), 1).n_actions == n_actions


@pytest.mark.jit
@pytest.mark.parametrize("mode", ["selection", "discrete"])
def test_a_large_world_is_learned_from_and_evaluated(
    scenario: Path, tmp_path: Path, mode: str
) -> None:
    assert train(config(scenario, tmp_path, env__action_mode=mode)) == DONE
    stats = json.loads((tmp_path / "logs" / "training_stats.json").read_text())
    assert stats["n_updates"] >= 2
    result = json.loads((tmp_path / "logs" / "final_eval_results.json").read_text())
    assert result["n_episodes"] == 2
    assert 0.0 < result["mean_coverage_rate"] < 1.0
    weights = load_checkpoint(tmp_path / "models" / "qplex_hrl_final.pth")["training"]["learner"]
    assert all(value.isfinite().all() for value in weights["model"].values())


def test_bytes_of_a_decision_are_those_of_the_ring() -> None:
    sizes = ReplaySizes(
        n_envs=3, n_agents=2, n_actions=5, obs_size=7, state_size=11, recurrent_size=4
    )
    ring = allocate_chunk(10, sizes)
    assert 30 * decision_bytes(sizes) == sum(array.nbytes for array in ring)
    # obs, state, masks, actions, reward, difference reward, two flags, index, recurrent state
    assert decision_bytes(sizes) == (
        2 * 7 * 2 + 11 * 2 + 2 * 5 + 2 * 8 + 4 + 2 * 4 + 1 + 1 + 8 + 2 * 4 * 2
    )


def test_a_replay_beyond_the_memory_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_config(
        SMOKE,
        [
            Override("logging.log_dir", str(tmp_path / "logs"), ""),
            Override("logging.model_dir", str(tmp_path / "models"), ""),
        ],
    )
    monkeypatch.setattr(budget, "available_memory", lambda: 10**6)
    with pytest.raises(
        ValueError,
        match=r"^this run needs [\d.,]+ [GM]B \(.*\) of memory; [\d,]+ MB are free: lower "
        r"(\S+ \(\d+\) or )?training\.buffer_size \(1000\)",
    ):
        train(run)
    assert not list(tmp_path.iterdir())
