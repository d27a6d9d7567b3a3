"""`qplex-hrl compare` as a user types it."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from paths import CONFIGS, PRETRAINED

from qplex_hrl.cli import main as cli

CHECKPOINT = str(PRETRAINED / "qplex_hrl_4v4_9.pth")
SHORT = ["--episodes", "4", "--max-episode-steps", "20", "--device", "cpu"]
FILES = {"comparison.html", "comparison.json", "comparison.md", "marl_eval.json"}


@pytest.mark.jit
def test_a_checkpoint_with_itself_does_not_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "folder"
    command = ["compare", f"mine={CHECKPOINT}", f"again={CHECKPOINT}", *SHORT]
    assert cli.main([*command, "--output", str(output)]) == 0
    printed, told = capsys.readouterr()
    assert "No difference: all 4 episodes of mine and again are equal." in printed
    assert told == "playing 4 episodes of mine ...\nplaying 4 episodes of again ...\n"
    assert max(map(len, printed.splitlines()[:-1])) <= 100
    assert {path.name for path in output.iterdir()} == FILES
    content = json.loads((output / "comparison.json").read_text())
    assert content["pairs"][0]["difference"] == {"value": 0.0, "ci95": [0.0, 0.0]}
    assert "--max-episode-steps 20" in content["command"]


@pytest.mark.jit
def test_names_that_are_markup_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["x[/y]=greedy", r"x$\frac$=random", "_a=naive", "<script>=greedy"]
    assert cli.main(["compare", *names, *SHORT, "--output", str(tmp_path)]) == 0
    assert "x[/y]" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == FILES


@pytest.mark.jit
def test_what_was_played_is_kept_if_drawing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("qplex_hrl.comparison.report.rich_of", fail)
    with pytest.raises(RuntimeError):
        cli.main(["compare", "greedy", "random", *SHORT, "--output", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"comparison.html"}


@pytest.mark.slow
@pytest.mark.jit
def test_random_against_greedy_has_the_known_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.276 and 0.725 on 256 episodes each, as the README says."""
    command = ["compare", "random", "greedy", "--episodes", "16", "--seed", "1"]
    assert cli.main([*command, "--output", str(tmp_path)]) == 0
    assert "greedy covers 0.4" in capsys.readouterr().out
    pair = json.loads((tmp_path / "comparison.json").read_text())["pairs"][0]
    low, high = pair["difference"]["ci95"]
    assert low < 0.725 - 0.276 < high
    assert (pair["better"], pair["episodes_better"]) == ("greedy", 16)


@pytest.mark.slow
@pytest.mark.jit
def test_a_run_brings_its_learning_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "--config", str(CONFIGS / "smoke.yaml")]) == 0
    logs, models = "logs/smoke", "models/smoke"
    command = ["compare", f"by_logs={logs}", f"by_models={models}", "greedy", "--episodes", "2"]
    assert cli.main([*command, "--output", "out"]) == 0
    assert "One training: " in capsys.readouterr().out
    content = json.loads(Path("out/comparison.json").read_text())
    curves = {each["name"]: each["learning_curve"] for each in content["contestants"]}
    assert len(curves["by_logs"]) == len(curves["by_models"]) == 2
    assert curves["greedy"] is None
    world = content["contestants"][0]["evaluations"][0]["provenance"]
    assert (world["scenario"], world["max_episode_steps"]) == ("MATE-4v2-9", 40)
    protocol = json.loads(Path("out/marl_eval.json").read_text())["MATE"]["MATE-4v2-9"]
    assert list(protocol["greedy"]["run_1"]) == ["step_1", "step_2", "absolute_metrics"]
    assert "Learning curves" in Path("out/comparison.html").read_text()
    assert cli.main([*command, "--output", "other", "--max-episode-steps", "20"]) == 0
    assert "left out: 2 of by_logs, 2 of by_models" in " ".join(capsys.readouterr().out.split())
    other = json.loads(Path("other/comparison.json").read_text())
    assert [each["learning_curve"] for each in other["contestants"]] == [None] * 3
    assert "Learning curves" not in Path("other/comparison.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["greedy"], "greedy: expected two or more contestants"),
        (["greedy", "gredy"], "did you mean 'greedy'?"),
        (["greedy", "none.pth"], "none.pth: no such file or folder"),
        (["greedy", "."], "no intact checkpoint"),
        (["greedy", "random", "--episodes", "1"], "--episodes 1: expected at least 2"),
        (["greedy", "random", "--seed", "-1"], "--seed -1: expected a number from 0 to"),
        (["greedy", "random", "--max-episode-steps", "0"], "expected a number from 1"),
        (["greedy", "random", "--metric", "speed"], "--metric speed: expected one of"),
        (["greedy", "random", "--scenario", "MATE-9v9"], "MATE-9v9"),
        (["greedy", "random", "--output", "keep"], "--output keep: a file"),
        (["greedy", "random", "--output", "mine"], "comparison.html there is not of an earlier"),
        (["greedy", "planner", "--metric", "selection_efficiency"], "greedy selects no targets"),
        (
            [CHECKPOINT, str(PRETRAINED / "qplex_hrl_4v2_9.pth"), "--output", "out"],
            "give --scenario",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("keep").touch()
    Path("mine/comparison.html").mkdir(parents=True)
    assert cli.main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert {path.name for path in tmp_path.iterdir()} == {"keep", "mine"}


def test_a_missing_library_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = "matplotlib"
    monkeypatch.setattr(
        "qplex_hrl.cli.compare.find_spec", lambda name: None if name == missing else find_spec(name)
    )
    assert cli.main(["compare", "greedy", "random", "--output", "out"]) == 2
    assert capsys.readouterr().err == (
        "error: compare needs matplotlib: pip install 'qplex-hrl[compare]'\n"
    )
