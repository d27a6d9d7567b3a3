"""The benchmark of budgets: what it lets trainings do, and what it reads of them."""

import pytest
from paths import CONFIGS

from qplex_bench.speed import budget as bench
from qplex_bench.speed.budget import Use, settings_that_fill, train_and_watch
from qplex_hrl.cli.main import main
from qplex_hrl.config import RunConfig, load_config, parse_override


def test_a_training_fills_its_replay_and_learns() -> None:
    config = load_config(CONFIGS / "qplex_hrl_4v4_9.yaml")
    settings = settings_that_fill(config, 2000)
    filling = load_config(CONFIGS / "qplex_hrl_4v4_9.yaml", map(parse_override, settings)).training
    assert filling.buffer_size == 2000
    decisions = filling.total_timesteps / config.network.hrl.frame_skip
    assert decisions > filling.buffer_size
    assert filling.total_timesteps > filling.learning_starts


def test_predictions_stand_beside_what_was_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[RunConfig] = []

    def watch(config: RunConfig) -> Use:
        seen.append(config)
        return Use(memory=500_000_000, disk=10_000_000)

    monkeypatch.setattr(bench, "train_and_watch", watch)
    config = str(CONFIGS / "smoke.yaml")
    assert main(["benchmark", "budget", "--configs", config, "--set", "env.num_envs=2"]) == 0
    assert seen[0].env.num_envs == 2
    printed = capsys.readouterr().out
    for word in ("smoke", "500", "%"):
        assert word in printed


def test_a_training_that_fails_is_one_line() -> None:
    config = load_config(CONFIGS / "smoke.yaml", [parse_override("training.device=cuda:63")])
    with pytest.raises(ValueError, match=r"training stopped: error: .*device"):
        train_and_watch(config)


@pytest.mark.slow
def test_memory_and_disk_of_a_real_training() -> None:
    use = train_and_watch(load_config(CONFIGS / "smoke.yaml"))
    assert 100e6 < use.memory < 2e9
    assert 1e5 < use.disk < 1e8
