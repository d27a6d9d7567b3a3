"""What is told at the end of a training: files that exist, figures that are known, commands."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from tiny import tiny_config

from qplex_hrl.config import RunConfig, dump_config
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.storage.checkpoint import CheckpointError
from qplex_hrl.training.afterwards import afterwards
from qplex_hrl.training.run_folder import RunFolder, find_checkpoint

RESULT = {
    "timestep": 1_000_684,
    "mean_coverage_rate": 0.8123,
    "ci95_coverage_rate": [0.8, 0.825],
    "mean_stereo_coverage_rate": 0.3,
}


def finished(folder: Path, **env: object) -> RunConfig:
    """Return the configuration of a run that has left its last files."""
    folders = {"log_dir": str(folder / "logs"), "model_dir": str(folder / "models")}
    config = RunConfig.model_validate({"env": env, "logging": folders})
    files = RunFolder(Path(config.logging.log_dir), Path(config.logging.model_dir))
    for path in (files.final, files.config):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    files.config.write_text(dump_config(config))
    files.final_evaluation.write_text(json.dumps(RESULT))
    return config


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with programs in .venv/bin."""
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "qplex-hrl").write_text("")
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    return tmp_path


def test_the_end_names_files_figures_and_commands(beside: Path) -> None:
    config = finished(Path("runs"))
    shown = afterwards(config, DONE, "train")
    assert "runs/models/qplex_hrl_final.pth  " in shown
    assert "metrics.jsonl" not in shown, "it does not exist"
    assert "Coverage on MATE-4v4-9, greedy targets, own views:" in shown
    lines = {line.strip() for line in shown.splitlines()}
    for words in ("random  ", "greedy  ", "the plan among its features", "planner, without"):
        (line,) = (each for each in lines if each.startswith(words))
        assert "95 % interval 0." in line
    assert "these cameras, after 1,000,684 timesteps" in shown
    assert "0.812  (95 % interval 0.800 to 0.825)" in shown
    commands = [line.split(None, 1)[-1] for line in lines if ".venv/bin" in line]
    words = {command.split(".venv/bin/qplex-hrl ")[-1].split()[0] for command in commands}
    assert {"render", "compare", "evaluate", "export"} <= words


def test_commands_work_as_typed_from_folders_with_blanks(beside: Path) -> None:
    shown = afterwards(finished(Path("my runs")), DONE, "train")
    (line,) = (each for each in shown.splitlines() if " evaluate " in each)
    words = shlex.split(line)
    assert words[1:5] == [
        ".venv/bin/qplex-hrl",
        "evaluate",
        "--checkpoint",
        "my runs/models/qplex_hrl_final.pth",
    ]


def test_where_nobody_has_measured_the_end_says_how_to(beside: Path) -> None:
    config = finished(Path("runs"), opponent="heuristic", shared_field_of_view=True)
    shown = afterwards(config, DONE, "train")
    assert "No figures of other cameras are known here" in shown
    assert (
        ".venv/bin/qplex-hrl evaluate --camera-agent greedy --scenario MATE-4v4-9 "
        "--target-agent heuristic --shared-field-of-view" in shown
    )


@pytest.mark.parametrize(
    ("world", "flags"),
    [
        ({"shared_field_of_view": True, "message_loss": 0.25}, "--message-loss 0.25"),
        ({"max_episode_steps": 50}, None),
        ({"enhanced_observation": "camera"}, None),
        ({"min_baseline_deg": 45.0}, None),
    ],
)
def test_greedy_cameras_are_offered_only_where_flags_tell_the_world(
    beside: Path, world: dict[str, object], flags: str | None
) -> None:
    shown = afterwards(finished(Path("runs"), **world), DONE, "train")
    assert "No figures of other cameras are known here" in shown
    lines = [line for line in shown.splitlines() if "--camera-agent greedy" in line]
    assert [line.endswith(flags) for line in lines] == [True] if flags else lines == []


def test_cameras_to_hand_on_lie_beside_the_checkpoints(beside: Path) -> None:
    config = finished(Path("runs"))
    shown = afterwards(config, DONE, "train")
    assert "--output runs/models/cameras_1000684.pth" in shown
    Path("runs/models/cameras_1000684.pth").write_text("")
    Path("runs/models/qplex_hrl_final.pth").unlink()
    with pytest.raises(CheckpointError, match="runs/models: no intact checkpoint"):
        find_checkpoint(Path("runs/logs"))


def test_an_interrupted_run_says_how_it_goes_on(beside: Path) -> None:
    config = finished(Path("runs"))
    assert afterwards(config, INTERRUPTED, "train") == "", "nothing to go on from"
    Path("runs/models/qplex_hrl_100.pth").write_text("")
    assert afterwards(config, INTERRUPTED, "train-ray").splitlines()[-1].strip() == (
        ".venv/bin/qplex-hrl train-ray --config runs/logs/config.yaml --resume runs/models"
    )


def test_nothing_is_told_of_a_run_that_left_nothing(tmp_path: Path) -> None:
    assert afterwards(tiny_config(tmp_path), DONE, "train") == ""
    assert afterwards(finished(tmp_path), FAILED, "train") == ""


def test_stereo_coverage_is_told_where_it_is_the_goal(beside: Path) -> None:
    config = finished(Path("runs"))
    content = config.model_dump(mode="json")
    content["network"]["hrl"]["reward_coefficients"]["stereo_coverage_rate"] = 1.0
    assert "stereo" not in afterwards(config, DONE, "train")
    assert "stereo 0.300" in afterwards(RunConfig.model_validate(content), DONE, "train")
