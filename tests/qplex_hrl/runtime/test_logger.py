import errno
import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from qplex_hrl.runtime.logger import (
    NO_EXTRAS,
    Extras,
    Histogram,
    JsonlSink,
    WriteToAll,
    is_live,
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
        self.rows: list[tuple[int, dict[str, float], Extras]] = []
        self.n_closed = 0
        self.error = error

    def write(
        self, timestep: int, metrics: Mapping[str, float], extras: Extras = NO_EXTRAS
    ) -> None:
        self.rows.append((timestep, dict(metrics), extras))

    def close(self) -> None:
        self.n_closed += 1
        if self.error:
            raise self.error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal() -> Console:
    return Console(file=Terminal(), width=120, _environ={"TERM": "xterm"})


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_all_sinks_get_everything_and_are_closed_once() -> None:
    sinks = [Recorder(), Recorder(OSError("full")), Recorder()]
    together = WriteToAll(sinks)
    extras = Extras(video=Path("v.gif"))
    together.write(5, METRICS, extras)
    with pytest.raises(OSError, match="full"):
        together.close()
    together.close()
    assert [sink.rows for sink in sinks] == [[(5, METRICS, extras)]] * 3
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


def test_a_histogram_counts_values_between_its_edges() -> None:
    counts, edges = Histogram.of(np.array([[0.0, 0.1], [0.6, 1.0]]), 0.0, 1.0, 2)
    assert counts.tolist() == [2, 2]
    assert edges.tolist() == [0.0, 0.5, 1.0]


def test_a_full_disk_is_named() -> None:
    sink = JsonlSink("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'") as caught:
        sink.write(1, METRICS)
    assert caught.value.errno == errno.ENOSPC
    sink.close()  # what could not be written is gone


def test_a_deleted_file_is_named(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "metrics.jsonl")
    sink.write(1, METRICS)
    (tmp_path / "metrics.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"metrics\.jsonl"):
        sink.write(2, METRICS)
    sink.close()


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


@pytest.mark.parametrize(
    ("file", "environment", "live"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
        (io.StringIO(), {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
)
def test_only_a_terminal_that_can_move_its_cursor_is_live(
    file: io.StringIO, environment: dict[str, str], live: bool
) -> None:
    assert is_live(Console(file=file, _environ=environment)) is live


def test_without_a_terminal_a_message_is_one_line(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=20)
    with log_messages(tmp_path / "training.log", console=console):
        logging.getLogger("qplex_hrl").info("a message longer than twenty characters")
    assert text(console).count("\n") == 1


def test_messages_that_cannot_be_written_end_the_run() -> None:
    with pytest.raises(OSError, match="No space left"), log_messages("/dev/full"):
        logging.getLogger("qplex_hrl").warning("lost")
