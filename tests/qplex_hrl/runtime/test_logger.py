import errno
import io
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from qplex_hrl.runtime.logger import (
    ConsoleSink,
    JsonlSink,
    TensorBoardSink,
    TrackerError,
    WandbSettings,
    WandbSink,
    WriteToAll,
    log_messages,
)

METRICS = {
    "mean_coverage_rate": 0.61234,
    "mean_loss": 0.5,
    "epsilon": 0.25,
    "frames_per_second": 8123.0,
    "other": 1.0,
}


class Recorder:
    def __init__(self, error: Exception | None = None) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.n_closed = 0
        self.error = error

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        self.rows.append((timestep, dict(metrics)))

    def close(self) -> None:
        self.n_closed += 1
        if self.error:
            raise self.error


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_all_sinks_get_everything_and_are_closed_once() -> None:
    sinks = [Recorder(), Recorder(OSError("full")), Recorder()]
    together = WriteToAll(sinks)
    together.write(5, METRICS)
    with pytest.raises(OSError, match="full"):
        together.close()
    together.close()
    assert [sink.rows for sink in sinks] == [[(5, METRICS)]] * 3
    assert [sink.n_closed for sink in sinks] == [1, 1, 1]


def test_json_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for timestep, loss in ((1, 0.5), (2, float("nan"))):
        sink = JsonlSink(path)
        sink.write(timestep, {"mean_loss": loss})
        # Each line is on its way to the disk before the sink is closed.
        assert len(path.read_text().splitlines()) == timestep
        sink.close()
        sink.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [{"timestep": 1, "mean_loss": 0.5}, {"timestep": 2, "mean_loss": None}]


def test_a_full_disk_is_named() -> None:
    sink = JsonlSink("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'") as caught:
        sink.write(1, METRICS)
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        sink.close()


def test_tensorboard_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = TensorBoardSink(tmp_path)
    first.write(10, {"mean_loss": 0.5})
    first.write(30, {"mean_loss": 9.0})
    first.close()
    first.close()
    resumed = TensorBoardSink(tmp_path, first_timestep=20)
    resumed.write(20, {"mean_loss": 0.25})
    resumed.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("mean_loss")] == [(10, 0.5), (20, 0.25)]


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = SimpleNamespace(
        log=calls.append,
        finish=lambda: calls.append("finish"),
        define_metric=lambda name, step_metric: calls.append((name, step_metric)),
    )

    def init(**options: object) -> object:
        calls.append(options)
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, Error=RuntimeError))
    sink = WandbSink(WandbSettings("p", None, "offline"), tmp_path, {"a": 1})
    sink.write(3, {"mean_loss": 0.5})
    sink.close()
    options = {"project": "p", "group": None, "mode": "offline", "dir": str(tmp_path)}
    assert calls == [
        options | {"config": {"a": 1}},
        ("*", "timestep"),  # rows need not come in the order of their timesteps
        {"timestep": 3, "mean_loss": 0.5},
        "finish",
    ]


def test_wandb_faults_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = WandbSettings("p", "g", "online")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrackerError, match=r"not installed: pip install"):
        WandbSink(settings, tmp_path, {})

    def init(**_: object) -> object:
        raise RuntimeError("no\nkey")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, Error=RuntimeError))
    with pytest.raises(TrackerError, match="did not start: no key"):
        WandbSink(settings, tmp_path, {})


def test_the_bar_shows_what_matters() -> None:
    console = terminal()
    sink = ConsoleSink(1000, first_timestep=100, console=console)
    sink.write(500, METRICS)
    sink.close()
    sink.close()
    shown = text(console)
    for words in ("500/1000", "coverage 0.612", "loss 0.5000", "epsilon 0.250", "frames/s 8,123"):
        assert words in shown


def test_without_a_terminal_messages_take_the_bars_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    console = Console(file=io.StringIO())
    sink = ConsoleSink(1000, console=console)
    with caplog.at_level(logging.INFO, "qplex_hrl"):
        sink.write(500, {"epsilon": 0.25})
    sink.close()
    assert caplog.messages == ["timestep 500 of 1000  epsilon 0.250"]


@pytest.mark.parametrize(("level", "expected"), [("INFO", ["one"]), ("DEBUG", ["one", "two"])])
def test_messages_go_to_file_and_terminal(tmp_path: Path, level: str, expected: list[str]) -> None:
    console, path = terminal(), tmp_path / "training.log"
    logger = logging.getLogger("qplex_hrl.training.trainer")
    before = list(logging.getLogger("qplex_hrl").handlers)
    with log_messages(path, level, console):
        logger.info("one")
        logger.debug("two")
    logger.warning("after")
    lines = path.read_text().splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == expected
    assert all(words in text(console) for words in expected)
    assert logging.getLogger("qplex_hrl").handlers == before


def test_without_a_terminal_a_message_is_one_line(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=20)
    with log_messages(tmp_path / "training.log", console=console):
        logging.getLogger("qplex_hrl").info("a message longer than twenty characters")
    assert text(console).count("\n") == 1


def test_messages_that_cannot_be_written_end_the_run() -> None:
    with pytest.raises(OSError, match="No space left"), log_messages("/dev/full"):
        logging.getLogger("qplex_hrl").warning("lost")
