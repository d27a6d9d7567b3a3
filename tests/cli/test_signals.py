"""Signals in the parts of a command in which no training asks for them: one line, whole files."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.harness import CONFIG, check_files

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.cli.main import main
from qplex_hrl.runtime.exit_codes import DONE, INTERRUPTED
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training import run_folder


def train(*more: str) -> int:
    """Train in the working folder."""
    return main(["train", "--config", str(CONFIG), "--total-timesteps", "2400", *more])


def go_on() -> int:
    """Go on from the first checkpoint in the working folder, far behind the last one."""
    models = Path("models").glob("qplex_hrl_[0-9]*.pth")
    return train("--resume", str(min(models, key=lambda path: len(path.name))))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert train() == DONE
    return folder


@pytest.fixture(scope="module")
def resumed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run after it went on from its first checkpoint without a signal."""
    folder = tmp_path_factory.mktemp("resumed") / "run"
    shutil.copytree(finished, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert go_on() == DONE
    return folder


def signalling(call: Callable[..., Any], number: signal.Signals, k: int) -> Callable[..., Any]:
    """Return the call with a signal before its k-th time."""
    calls = []

    def signalled(*args: Any, **options: Any) -> Any:
        calls.append(call)
        if len(calls) == k:
            signal.raise_signal(number)
        return call(*args, **options)

    return signalled


PLACES: dict[str, tuple[object, str, int]] = {
    "the first environments": (SelectionEnv, "__init__", 1),
    "the last environments": (SelectionEnv, "__init__", 3),
    "the claim of the log folder": (run_folder, "try_writing", 1),
    "the claim of the model folder": (run_folder, "try_writing", 2),
    "the move of later files": (run_folder, "_move", 1),
    "the copy of later rows": (run_folder, "atomic_write_text", 1),
    "the cut of later rows": (run_folder, "atomic_write_text", 2),
}
"""An object, what it does, and the time before which the signal comes."""


def final_weights(folder: Path) -> dict[str, bytes]:
    """The weights at the end of a run."""
    final = load_checkpoint(folder / "models" / "qplex_hrl_final.pth")
    model = final["training"]["learner"]["model"]
    return {name: value.numpy().tobytes() for name, value in model.items()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_before_training_goes_on_is_one_line(
    place: str,
    number: signal.Signals,
    finished: Path,
    resumed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    owner, name, k = PLACES[place]
    capfd.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, signalling(getattr(owner, name), number, k))
        assert go_on() == INTERRUPTED
    told = capfd.readouterr().err.splitlines()
    assert told[-1] == "interrupted"
    assert "Traceback" not in "".join(told)
    check_files(folder)
    if owner is run_folder and number == signal.SIGTERM:
        assert go_on() == DONE
        assert final_weights(folder) == final_weights(resumed)
