"""The table of systems: plan, resumption, interruption, failures; and whole with tiny trainings."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fake_table import CONFIGS, Fakes, spec, table_in

from qplex_bench.tables.plan import (
    EPISODES_SEED,
    Run,
    RunStatus,
    TableSpec,
    find_config,
    plan_runs,
)
from qplex_bench.tables.scheduler import make_table, next_command, scripted_cameras
from qplex_hrl.cli import main as cli
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.storage.checkpoint import save_checkpoint

WAITS = """
import signal, sys, time
from pathlib import Path
def stop(*_):
    Path(sys.argv[1], "saved").touch()
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
Path(sys.argv[1], "ready").touch()
time.sleep(60)
"""


def test_a_plan_has_every_run_with_its_own_folder_and_settings(tmp_path: Path) -> None:
    both = spec(tmp_path, regimes=("own", "shared"), scenarios=("MATE-4v2-9", "MATE-4v8-9"))
    runs = plan_runs(both)
    assert len(runs) == 2 * 2 * 2 * 2
    assert len({run.folder for run in runs}) == len(runs)
    assert {run.folder.relative_to(tmp_path / "table").as_posix() for run in runs} >= {
        "qplex/MATE-4v2-9_own/seed0",
        "qplex_hrl/MATE-4v8-9_shared/seed1",
    }
    for run in runs:
        config = run.config
        assert config.env.scenario == run.scenario
        assert config.env.shared_field_of_view == (run.regime == "shared")
        assert config.training.seed == run.seed
        assert config.training.total_timesteps == 800
        assert config.env.num_envs == 4, "--set reaches every run"
        assert config.logging.log_dir == config.logging.model_dir == str(run.folder)


def test_a_setting_may_name_the_seed(tmp_path: Path) -> None:
    weights = "training.initial_weights=before/seed{seed}/final.pth"
    plan = spec(tmp_path, "qplex", n_seeds=2)
    runs = plan_runs(plan._replace(settings=(*plan.settings, weights)))
    assert [run.config.training.initial_weights for run in runs] == [
        "before/seed0/final.pth",
        "before/seed1/final.pth",
    ]


@pytest.mark.parametrize(
    ("system", "scenario", "regime", "file"),
    [
        ("qplex_hrl", "MATE-8v8-9", "own", "qplex_hrl_8v8_9"),
        ("qplex_hrl", "MATE-4v4-9", "shared", "qplex_hrl_4v4_9_shared"),
        ("qplex_hrl", "MATE-4v8-9", "shared", "qplex_hrl_4v8_9_shared"),
        ("qplex", "MATE-4v4-9", "shared", "qplex_4v4_9"),
        ("qplex", "MATE-8v8-9", "own", "qplex_4v4_9"),
        ("qplex", "worlds/mine.yaml", "own", "qplex_4v4_9"),
    ],
)
def test_the_nearest_file_of_a_system_is_taken(
    system: str, scenario: str, regime: str, file: str
) -> None:
    assert find_config(CONFIGS, system, scenario, regime) == CONFIGS / f"{file}.yaml"


def test_all_runs_go_through_training_and_evaluation_once(tmp_path: Path) -> None:
    fakes = Fakes()
    assert make_table(spec(tmp_path), commands=fakes) == DONE
    order = [(system, seed) for seed in (0, 1) for system in ("qplex", "qplex_hrl")]
    assert fakes.steps == [(*run, status) for run in order for status in ("new", "trained")]
    again = Fakes()
    assert make_table(spec(tmp_path), commands=again) == DONE
    assert again.steps == []


def test_the_table_holds_what_the_runs_came_to(tmp_path: Path) -> None:
    make_table(spec(tmp_path), commands=Fakes())
    table = table_in(tmp_path)
    rows = table["rows"]
    assert isinstance(rows, list)
    assert [row["system"] for row in rows] == ["qplex", "qplex_hrl"]
    row = rows[0]
    assert row["mean_coverage_rate"] == pytest.approx(0.25)
    # 0.2 and 0.3: deviation 0.0707, standard error 0.05, t of one degree of freedom 12.706
    assert row["ci95_coverage_rate"] == pytest.approx([0.25 - 0.63531, 0.25 + 0.63531], abs=1e-4)
    assert (row["mean_frames"], row["mean_updates"], row["mean_minutes"]) == (200, 7, 1.5)
    assert [seed["coverage_rate"] for seed in row["seeds"]] == pytest.approx([0.2, 0.3])
    assert len({seed["config_hash"] for seed in row["seeds"]} | {row["config_hash"]}) == 2
    assert row["seeds"][0]["commit"] == "abc"
    text = (tmp_path / "table" / "table.md").read_text()
    assert "| qplex | MATE-4v2-9 | own | 0.250 ± 0.635 | 0.200 0.300 |" in text
    assert f"    {table['command']}" in text


def test_milestones_are_the_next_evaluations_during_training(tmp_path: Path) -> None:
    make_table(spec(tmp_path, milestones=(95, 150, 190)), commands=Fakes())
    table: dict[str, Any] = table_in(tmp_path)
    # Of 100 and 200 frames, and none is near behind 150: 200 is more than a tenth later.
    told = [one["mean_coverage_rate"] for one in table["rows"][0]["milestones"]]
    assert told == [pytest.approx(0.1), None, pytest.approx(0.3)]
    text = (tmp_path / "table" / "table.md").read_text()
    assert "| coverage | after 95 | after 150 | after 190 | of each seed |" in text
    assert "| 0.250 ± 0.635 | 0.100 ± 0.000 |  | 0.300 ± 0.000 | 0.200 0.300 |" in text


@pytest.mark.parametrize("milestones", [(), (100, 800)])
def test_the_command_in_the_table_makes_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, milestones: tuple[int, ...]
) -> None:
    wanted = spec(tmp_path, scripted=False, milestones=milestones)
    make_table(wanted, commands=Fakes())
    seen = []
    monkeypatch.setattr(
        "qplex_bench.tables.scheduler.make_table", lambda s, jobs: seen.append((s, jobs)) or 0
    )
    words = str(table_in(tmp_path)["command"]).split()
    assert words[0] == "qplex-hrl"
    assert cli.main(words[1:]) == 0
    assert seen == [(wanted, 1)]


def test_more_seeds_and_systems_add_to_what_is_there(tmp_path: Path) -> None:
    make_table(spec(tmp_path, "qplex", n_seeds=1), commands=Fakes())
    fakes = Fakes()
    make_table(spec(tmp_path, "qplex", "iql", n_seeds=2), commands=fakes, jobs=2)
    assert {step[:2] for step in fakes.steps} == {("iql", 0), ("qplex", 1), ("iql", 1)}


def test_other_episodes_repeat_the_evaluation_alone(tmp_path: Path) -> None:
    make_table(spec(tmp_path, "qplex"), commands=Fakes())
    fakes = Fakes()
    make_table(spec(tmp_path, "qplex", episodes=5), commands=fakes)
    assert fakes.steps == [("qplex", 0, "trained"), ("qplex", 1, "trained")]


def test_other_settings_start_anew_and_keep_the_old_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_table(spec(tmp_path, "qplex", n_seeds=1), commands=Fakes())
    capsys.readouterr()
    fakes = Fakes()
    make_table(spec(tmp_path, "qplex", n_seeds=1, timesteps=900), commands=fakes)
    assert [step[2] for step in fakes.steps] == ["new", "trained"]
    told = " ".join(capsys.readouterr().err.split())
    assert "settings have changed: starts anew" in told
    (aside,) = (tmp_path / "table" / "qplex" / "MATE-4v2-9_own").glob("seed0.previous-*")
    assert (aside / "table_evaluation.json").exists()


def test_files_of_something_else_are_never_taken_for_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "table" / "qplex" / "MATE-4v2-9_own" / "seed0"
    folder.mkdir(parents=True)
    (folder / "training_stats.json").write_text('{"status": "done"}')
    fakes = Fakes()
    make_table(spec(tmp_path, "qplex", n_seeds=1), commands=fakes)
    assert [step[2] for step in fakes.steps] == ["new", "trained"]


def test_a_stopped_run_goes_on_from_its_newest_intact_checkpoint(tmp_path: Path) -> None:
    wanted = spec(tmp_path, "qplex", n_seeds=1)
    make_table(wanted, commands=Fakes("interrupted"))
    (run,) = plan_runs(wanted)
    run.outputs.final.unlink()
    save_checkpoint(run.folder / "qplex_hrl_100.pth", {"timestep": 100})
    (run.folder / "qplex_hrl_200.pth").write_text("damaged")
    commands = []

    def record(run: Run, status: RunStatus, table: TableSpec) -> list[str]:
        commands.append(next_command(run, status, table))
        return Fakes()(run, status, table)

    assert make_table(wanted, commands=record) == DONE
    train, evaluation = commands
    assert train[3:6] == ["train", "--config", str(run.settings)]
    assert train[6:] == ["--resume", str(run.folder / "qplex_hrl_100.pth")]
    assert evaluation[3:6] == ["evaluate", "--checkpoint", str(run.outputs.final)]


@pytest.mark.parametrize(("ends", "word"), [("diverged", "diverged"), ("running", "failed")])
def test_a_run_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ends: str, word: str
) -> None:
    good, bad = Fakes(), Fakes(ends)

    def mixed(run: Run, status: RunStatus, table: TableSpec) -> list[str]:
        return (bad if run.system == "iql" else good)(run, status, table)

    wanted = spec(tmp_path, "iql", "qplex", n_seeds=1)
    assert make_table(wanted, commands=mixed) == FAILED
    told = " ".join(capsys.readouterr().err.split())
    assert f"iql MATE-4v2-9 own seed 0: {word}" in told
    assert "trained or not" in told, "the last line of its output"
    rows = table_in(tmp_path)["rows"]
    assert isinstance(rows, list)
    assert rows[0]["mean_coverage_rate"] is None
    assert rows[1]["mean_coverage_rate"] == 0.2
    n_before = len(bad.steps)
    assert make_table(wanted, commands=mixed) == FAILED
    assert len(bad.steps) == n_before + (ends != "diverged"), "divergence repeats itself"


def test_ctrl_c_lets_runs_save_themselves(tmp_path: Path) -> None:
    wanted = spec(tmp_path, "iql", "qplex", n_seeds=1)
    first, _ = plan_runs(wanted)

    def waiting(run: Run, status: RunStatus, table: TableSpec) -> list[str]:
        if run.system == "qplex":
            deadline = time.monotonic() + 20
            while not (first.folder / "ready").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
        return [sys.executable, "-S", "-c", WAITS, str(run.folder)]

    started = time.monotonic()
    assert make_table(wanted, jobs=2, commands=waiting) == INTERRUPTED
    assert time.monotonic() - started < 20
    assert (first.folder / "saved").exists()
    assert (tmp_path / "table" / "table.json").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--systems qplx", "--systems qplx: no .*qplx_4v4_9.yaml.*did you mean 'qplex'"),
        ("--regimes open", "--regimes open: expected own or shared"),
        ("--scenarios MATE-4v4-8", "MATE-4v4-8"),
        ("--scenarios MATE-4v4-9 ./MATE-4v4-9.yaml", "two have the same name"),
        ("--seeds 0", "--seeds 0: expected at least 1"),
        ("--jobs 0", "--jobs 0: expected a number from 1"),
        ("--milestones 0", "--milestones 0: expected 1 to 500000 frames"),
        ("--milestones 600000", "--milestones 600000: expected 1 to 500000 frames"),
        ("--set training.nothing=1", "training.nothing"),
        (f"--set evaluation.seed={EPISODES_SEED}", "evaluation.seed = .*expected another"),
        ("--configs missing", "expected one of none in this folder"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["benchmark", "table", "--configs", str(CONFIGS), "--output", "out", *flags.split()]
    assert cli.main(command) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert re.search(words, told), told


def test_systems_must_play_in_one_world(tmp_path: Path) -> None:
    for name, opponent in (("a", "greedy"), ("b", "random")):
        (tmp_path / f"{name}_4v4_9.yaml").write_text(f"env: {{opponent: {opponent}}}")
    with pytest.raises(ValueError, match=r"b_4v4_9.yaml: env.opponent = 'random'; .*'greedy'"):
        plan_runs(spec(tmp_path, "a", "b", configs=tmp_path))


def test_tables_of_stereo_coverage_have_the_planner_for_it() -> None:
    assert scripted_cameras("own") == ("random", "naive", "heuristic", "greedy", "planner")
    assert scripted_cameras("stereo") == (*scripted_cameras("shared"), "planner-stereo")


@pytest.mark.slow
def test_a_whole_tiny_table_and_one_result_lost(tmp_path: Path) -> None:
    wanted = spec(tmp_path, n_seeds=1, scripted=True)
    assert make_table(wanted) == DONE
    table = table_in(tmp_path)
    rows, scripted = table["rows"], table["scripted"]
    assert isinstance(rows, list)
    assert isinstance(scripted, list)
    assert [row["system"] for row in scripted] == [
        "random",
        "naive",
        "heuristic",
        "greedy",
        "planner",
    ]
    for row in [*rows, *scripted]:
        assert 0 <= row["mean_coverage_rate"] <= 1
    assert rows[0]["mean_selection_efficiency"] is None, "the grid selects no target"
    runs = plan_runs(wanted)
    evaluations = [json.loads(run.evaluation.read_text()) for run in runs]
    assert evaluations[0]["seeds"] == evaluations[1]["seeds"]
    for run in runs:
        assert not list(run.folder.glob("*.replay.npz"))
    kept = runs[1].evaluation.stat().st_mtime_ns
    runs[0].evaluation.unlink()
    assert make_table(wanted) == DONE
    again = json.loads(runs[0].evaluation.read_text())
    assert again["episodes"] == evaluations[0]["episodes"]
    assert runs[1].evaluation.stat().st_mtime_ns == kept
    assert table_in(tmp_path)["rows"] == rows
