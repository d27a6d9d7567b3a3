"""The benchmark of trainings: what it reads of a run, the order of runs, the tables."""

import json
import os
from pathlib import Path

import pytest
from paths import CONFIGS

from qplex_bench.speed import training as bench
from qplex_bench.speed.training import Amounts, benchmark_training, figures_of
from qplex_bench.speed.versions import ShippedCase, Version
from qplex_hrl.cli.main import main

CASE = ShippedCase("MATE-4v2-9", "own")
TINY = (
    "env.num_envs=3",
    "env.max_episode_steps=30",
    "training.batch_size=4",
    "training.sequence_length=4",
    "training.burn_in=2",
    "training.learning_starts=200",
    "evaluation.eval_interval=300",
    "evaluation.episodes=2",
)


def test_figures_are_read_from_the_files_that_any_version_writes(tmp_path: Path) -> None:
    def write(name: str, content: object, seconds: float) -> None:
        (tmp_path / name).write_text(json.dumps(content))
        os.utime(tmp_path / name, (seconds, seconds))

    write("config.yaml", {}, 1000.0)
    write("training_stats.json", {"frames_per_second": 1234.5}, 1400.0)
    write("eval_results_100.json", {"mean_coverage_rate": 0.70}, 1100.0)
    assert figures_of(tmp_path) == {"rate": 1234.5}
    write("eval_results_300.json", {"mean_coverage_rate": 0.80}, 1300.0)
    write("eval_results_200.json", {"mean_coverage_rate": 0.725}, 1200.0)
    assert figures_of(tmp_path) == {"rate": 1234.5, "seconds": 200.0}


def test_trainings_take_turns_and_the_table_shows_ratios(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[tuple[str, bool]] = []

    def run(version: Version, config: Path, amounts: Amounts, settings: list[str]) -> object:
        evaluates = not settings
        runs.append((version.name, evaluates))
        rate = {"old": 500.0, "this": 1500.0}[version.name] - 100.0 * evaluates
        return {"rate": rate} | ({"seconds": 77.0} if evaluates and version.name == "this" else {})

    both = [Version("old", CONFIGS.parent), Version("this", CONFIGS.parent)]
    monkeypatch.setattr(bench, "run_training", run)
    update = {"sample": 1.0, "sum": 1.0}
    monkeypatch.setattr(bench, "_updates", lambda *_: {v.name: [update] for v in both})
    monkeypatch.setattr(bench, "versions", lambda _: _Given(both))
    assert benchmark_training([CASE], "old", Amounts(repeats=2)) == 0
    assert runs == [(name, e) for name in ("old", "this") for e in (False, True)] * 2
    printed = capsys.readouterr().out
    for words in ("1,500", "1,400", "3.00x", "3.50x", "77", "trainings of 300,000 frames"):
        assert words in printed


class _Given:
    def __init__(self, given: list[Version]) -> None:
        self._given = given

    def __enter__(self) -> list[Version]:
        return self._given

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.slow
@pytest.mark.jit
def test_the_command_measures_updates_and_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "N_UPDATES", 1)
    command = "benchmark training --scenarios MATE-4v2-9 --views own --repeats 1 --timesteps 600"
    settings = [word for setting in TINY for word in ("--set", setting)]
    assert main([*command.split(), *settings]) == 0
    printed = capsys.readouterr().out
    for words in ("ms per update", "trainings of 600 frames", "frames/s with evaluation"):
        assert " ".join(words.split()) in " ".join(printed.split()), printed


def test_a_training_that_fails_is_one_line(tmp_path: Path) -> None:
    version = Version("this", CONFIGS.parent)
    with pytest.raises(ValueError, match=r"^version 'this' stopped: .*nothing\.yaml"):
        bench.run_training(version, tmp_path / "nothing.yaml", Amounts(), [])
