"""What the doctor finds: fine machines, missing parts, too little room, odd systems."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import pytest
from tiny import tiny_config

from qplex_hrl.cli.main import main
from qplex_hrl.training import doctor
from qplex_hrl.training.budget import budget_of
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
    assert "WRONG" not in shown
    assert list(Path().iterdir()) == [], "it leaves nothing behind"


@pytest.mark.jit
@pytest.mark.usefixtures("here")
def test_what_is_wrong_fails_and_has_a_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "available_memory", lambda: 10**6)
    monkeypatch.setattr(doctor, "LEAST_SPEED", 1e6)
    Path("taken").write_text("no folder")
    assert main(["doctor", "--log-dir", "taken/logs"]) == 1
    shown = capsys.readouterr().out
    assert shown.count("WRONG") == 3
    assert "--set training.buffer_size=N" in shown
    assert "taken/logs cannot be written: not a directory" in shown
    assert "what else takes the cores" in shown
    assert "wrong: 3" in shown
    assert [path.name for path in Path().iterdir()] == ["taken"]


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
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(doctor, "try_writing", failing(full))
    needs = doctor._Needs(memory=0, disk=11)
    assert doctor._disk(config, needs).level is Level.WRONG
    findings = found(doctor._folders(config))
    assert findings["logs"].level is findings["models"].level is Level.WRONG
    assert findings["kernels"].level is Level.HINT
    assert findings["logs"].value.endswith(
        "not/yet/logs cannot be written: no space left on device"
    )
    assert list(tmp_path.iterdir()) == []


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
    assert "cores" in found(doctor._threads())["threads"].value


DAMAGED = """
import os, sys
sys.modules["numba"] = sys.modules["torch"] = None
from qplex_hrl.cli.main import main
os.chdir(sys.argv[1])
exit(main(["doctor"]))
"""


def test_damaged_packages_are_findings_and_later_checks_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DAMAGED, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    wrong = [line.split()[1] for line in lines if line.startswith("WRONG")]
    assert wrong == ["threads", "PyTorch", "memory", "compiler"]
    assert (run.returncode, run.stderr) == (1, "")
    assert any("can be written" in line for line in lines)
    assert sum("make clean, then make train" in line for line in lines) == len(wrong)


def test_a_missing_layer_of_threads_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValueError("No threading layer could be loaded.")
    monkeypatch.setattr("qplex_hrl.runtime.threads.threads_may_share_kernels", failing(error))
    (finding,) = doctor._threads()
    assert finding.level is Level.WRONG
    assert finding.remedy is not None
    assert "NUMBA_THREADING_LAYER" in finding.remedy


def test_an_old_python_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (4, 0))
    assert found(doctor._python())["Python"].level is Level.WRONG


@pytest.mark.usefixtures("here")
def test_kernels_that_do_not_compile_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = failing(RuntimeError("no\ncompiler"))
    monkeypatch.setattr("camsim.envs.scripted_env.ScriptedEnv", failure)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0, raising=False)
    assert main(["doctor"]) == 1
    assert "WRONG  compiler       RuntimeError: no compiler\n" in capsys.readouterr().out


def test_interpreted_kernels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1, raising=False)
    (finding,) = doctor._self_check()
    assert finding.level is Level.WRONG
    assert finding.remedy == "unset NUMBA_DISABLE_JIT"


def test_a_run_without_saved_replay_needs_less_disk(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    with_replay = doctor._needs(config)
    without = doctor._needs(tiny_config(tmp_path, training={"save_replay": False}))
    replay = budget_of(config).memory["replay"]
    assert without.memory == with_replay.memory
    assert with_replay.disk - without.disk == 2 * replay > 0
