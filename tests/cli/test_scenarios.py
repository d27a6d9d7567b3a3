"""The commands `qplex-hrl scenarios ...`, from their arguments to files and exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from paths import DATA

from camsim.scenario.schema import Scenario, load_scenario
from qplex_hrl.cli import main as cli

TRACE = DATA / "trace_MATE-1v1-9_greedy_s4106.npz"
SIZES = "--cameras 1 --targets 2 --obstacles 3"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder; generated scenarios need not be good ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camsim.scenario.generator._POLISH_STEPS", 2)
    return tmp_path


def run(line: str) -> int:
    """Exit code of `qplex-hrl scenarios LINE`."""
    try:
        return cli.main(["scenarios", *line.split()])
    except SystemExit as stop:  # argparse's own way out
        return int(str(stop.code))


def test_list_and_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 18
    assert "MATE-4v4-9 4 4 9" in [" ".join(line.split()) for line in lines]
    assert run("show MATE-8v8-9") == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown == load_scenario("MATE-8v8-9").to_mapping()
    assert run("show MATE-8v8") == 2
    assert "did you mean" in capsys.readouterr().err


def test_show_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Scenario, Path]] = []
    module = ModuleType("camsim.render")
    module.picture_of_scenario = lambda *given: calls.append(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "camsim.render", module)
    assert run("show MATE-4v4-9 --picture world.png") == 0
    assert calls == [(load_scenario("MATE-4v4-9"), Path("world.png"))]


@pytest.mark.parametrize("name", ["mine.yaml", "mine.json"])
def test_generate_a_file(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"generate {SIZES}") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert run(f"generate {SIZES} --output {name}") == 0
    assert load_scenario(name) == Scenario.from_mapping(printed)
    before = (folder / name).read_bytes()
    assert run(f"generate {SIZES} --seed 1 --output {name}") == 2
    assert f"--output {name}: exists; give --force" in capsys.readouterr().err
    assert (folder / name).read_bytes() == before
    assert run(f"generate {SIZES} --seed 1 --output {name} --force") == 0
    assert (folder / name).read_bytes() != before
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("generate", "required: --cameras, --targets, --obstacles"),
        ("generate --cameras x --targets 1 --obstacles 0", "invalid int value: 'x'"),
        (
            "generate --cameras -1 --targets 1 --obstacles 0",
            "--cameras -1: expected a number",
        ),
        (f"generate {SIZES} --transmittance 2", "--transmittance 2.0"),
        (f"generate {SIZES} --cargoes-per-target 3", "--cargoes-per-target 3"),
        (f"generate {SIZES} --seed -1", "--seed -1: expected a number from 0 to"),
        (f"generate {SIZES} --output mine.txt", "mine.txt: expected a name that ends in"),
        (f"generate {SIZES} --output none/mine.yaml", "none/mine.yaml: no such file"),
        ("verify", "the following arguments are required: TRACE.npz"),
        ("verify none.npz", "none.npz: no such file"),
        ("show impossible.yaml", "camera.location[1] overlaps camera.location[0]: distance 9, ne"),
        ("show typed.yaml", "target.step_size = '20'; expected a valid number"),
    ],
)
def test_bad_input_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    world = load_scenario("MATE-2v2-0").to_mapping()
    world["camera"]["location"] = [[0, 0], [9, 0]]
    (folder / "impossible.yaml").write_text(yaml.safe_dump(world))
    world["target"]["step_size"] = "20"
    (folder / "typed.yaml").write_text(yaml.safe_dump(world))
    files = sorted(folder.iterdir())
    assert run(line) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert sorted(folder.iterdir()) == files


def test_verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"verify {TRACE}") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].endswith("MATE-1v1-9, 1 cameras, 1 targets, 9 obstacles, 300 steps")
    assert "collision flags 300 0 0 agrees" in lines
    assert lines[-1] == "1 of 1 traces agree; 0 of 98 pairs in view differ at the edge of a shadow"
    with np.load(TRACE) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["target_team_reward"] = arrays["target_team_reward"] + (np.arange(300) == 17)
    np.savez(folder / "wrong.npz", **arrays)
    assert run(f"verify {TRACE} wrong.npz") == 1
    shown = capsys.readouterr().out
    assert "DISAGREES (1): target_team_reward at step 17: recorded " in shown
    assert "1 of 2 traces agree" in shown
    assert run(f"verify wrong.npz none.npz {TRACE}") == 2
    captured = capsys.readouterr()
    assert captured.err == "error: none.npz: no such file\n"
    assert "1 of 2 traces agree" in captured.out
