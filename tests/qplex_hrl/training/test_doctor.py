"""What the doctor finds: fine machines, missing parts, too little room, odd systems."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import tiny_config

from qplex_hrl.cli.main import main
from qplex_hrl.training import doctor
from qplex_hrl.training.doctor import Finding, Level


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_MEASURED_SECONDS", 0.01)
    monkeypatch.setattr(doctor, "LEAST_SPEED", 0.0)
    return tmp_path


def found(findings: object) -> dict[str, Finding]:
    return {each.name: each for each in findings}  # type: ignore[attr-defined]


@pytest.mark.jit
@pytest.mark.usefixtures("here")
def test_a_fine_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    for words in ("Python", "numpy 2", "numba", "GB free", "steps/s", "nothing is wrong"):
        assert words in shown
    assert list(Path().iterdir()) == [], "it leaves nothing behind"


@pytest.mark.jit
@pytest.mark.usefixtures("here")
def test_what_is_wrong_fails_and_has_a_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "available_memory", lambda: 10**6)
    monkeypatch.setattr(doctor, "LEAST_SPEED", 1e6)
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("WRONG") == 2
    assert "lower training.buffer_size" in shown
    assert "what else takes the cores" in shown
    assert "wrong: 2" in shown


def test_missing_extras_are_notes_with_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "wandb" else object())
    findings = found(doctor._extras())
    assert findings["extra viz"].level is Level.FINE
    wandb = findings["extra wandb"]
    assert wandb.level is Level.HINT
    assert wandb.remedy is not None
    assert wandb.remedy.endswith('-m pip install "qplex-hrl[wandb]"')


def test_a_full_disk_and_folders_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path / "not" / "yet")
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    needs = doctor._Needs(memory=0, disk=11)
    assert doctor._disk(config, needs).level is Level.WRONG
    findings = found(doctor._folders(config))
    assert findings["logs"].level is findings["models"].level is Level.WRONG
    assert findings["kernels"].level is Level.HINT


def failing(error: Exception) -> Callable[..., int]:
    def ask(*_: object, **__: object) -> int:
        raise error

    return ask


def test_a_system_that_does_not_know_its_memory_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "available_memory", failing(ValueError("unrecognized name")))
    monkeypatch.setattr(shutil, "disk_usage", failing(OSError("no such call")))
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    needs = doctor._Needs(memory=1, disk=1)
    for finding in (doctor._memory(needs), doctor._disk(tiny_config(tmp_path), needs)):
        assert finding.level is Level.HINT
        assert "unknown" in finding.value
    assert "cores" in doctor._threads().value


def test_an_old_python_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (4, 0))
    assert doctor._python().level is Level.WRONG


def test_kernels_that_do_not_compile_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ScriptedEnv", failing(RuntimeError("no\ncompiler")))
    monkeypatch.setattr(doctor.numba.config, "DISABLE_JIT", 0, raising=False)
    (finding,) = doctor._self_check()
    assert finding.level is Level.WRONG
    assert finding.value == "RuntimeError: no compiler"


def test_interpreted_kernels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.numba.config, "DISABLE_JIT", 1, raising=False)
    (finding,) = doctor._self_check()
    assert finding.level is Level.WRONG
    assert finding.remedy == "unset NUMBA_DISABLE_JIT"


def test_a_run_without_saved_replay_needs_less_disk(tmp_path: Path) -> None:
    with_replay = doctor._needs(tiny_config(tmp_path))
    without = doctor._needs(tiny_config(tmp_path, training={"save_replay": False}))
    assert without.memory == with_replay.memory > 0
    assert with_replay.disk - without.disk == 3 * with_replay.memory
