"""Where a run's metrics and messages go: JSON lines, training.log, the terminal.

TensorBoard and W&B are in `trackers`; what the terminal shows of a training is in
`qplex_hrl.training.display`.
"""

import errno
import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.logging import RichHandler

__all__ = [
    "NO_EXTRAS",
    "Extras",
    "Histogram",
    "JsonlSink",
    "MetricSink",
    "WriteToAll",
    "is_live",
    "log_messages",
]

_PACKAGE = logging.getLogger("qplex_hrl")


class Histogram(NamedTuple):
    """How often numbers occur."""

    counts: NDArray[np.int64]  # [K] of numbers from edges[k] to edges[k + 1]
    edges: NDArray[np.float64]  # [K + 1], rising

    @classmethod
    def of(cls, values: NDArray[Any], low: float, high: float, n_bins: int) -> "Histogram":
        """Return the histogram of numbers of any shape from `low` to `high`."""
        counts, edges = np.histogram(values, bins=n_bins, range=(low, high))
        return cls(counts.astype(np.int64), edges.astype(np.float64))


class Extras(NamedTuple):
    """What goes with a row of metrics where it can be shown."""

    histograms: Mapping[str, Histogram] = MappingProxyType({})
    video: Path | None = None  # .gif


NO_EXTRAS = Extras()


class MetricSink(Protocol):
    """A place that metrics are written to."""

    def write(
        self, timestep: int, metrics: Mapping[str, float], extras: Extras = NO_EXTRAS
    ) -> None:
        """Take the metrics at a timestep; names as in the contract."""

    def close(self) -> None:
        """Write what is pending; nothing happens the second time."""


class WriteToAll:
    """Several sinks as one; closes all of them, even if one fails."""

    def __init__(self, sinks: Sequence[MetricSink]) -> None:
        """Take over the sinks."""
        self._sinks = list(sinks)

    def write(
        self, timestep: int, metrics: Mapping[str, float], extras: Extras = NO_EXTRAS
    ) -> None:
        """Write to every sink."""
        for sink in self._sinks:
            sink.write(timestep, metrics, extras)

    def close(self) -> None:
        """Close every sink, in reverse order.

        Raises:
            OSError: a sink could not write what was pending; the others are closed all the same.
        """
        try:
            while self._sinks:
                self._sinks.pop().close()
        finally:
            if self._sinks:
                self.close()


class JsonlSink:
    """One JSON object per write, appended to a file; NaN and infinities become null."""

    def __init__(self, path: str | Path) -> None:
        """Open the file, keeping what it holds.

        Raises:
            OSError: it cannot be written.
        """
        self._path = Path(path)
        # Without a buffer: what could not be written must not come again when the file is closed.
        self._file = self._path.open("ab", buffering=0)

    def write(
        self, timestep: int, metrics: Mapping[str, float], extras: Extras = NO_EXTRAS
    ) -> None:
        """Append one line with the metrics alone.

        Raises:
            OSError: the disk is full, or somebody deleted the file; `filename` is set.
        """
        row: dict[str, float | None] = {"timestep": timestep}
        row |= {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        line = (json.dumps(row, allow_nan=False) + "\n").encode()
        try:
            if not os.fstat(self._file.fileno()).st_nlink:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            error.filename = str(self._path)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def is_live(console: Console) -> bool:
    """Tell whether what is drawn can be drawn anew there: a terminal that can move its cursor.

    Rich calls a file a terminal where FORCE_COLOR is set, and a terminal with TERM=dumb, too.
    """
    return console.is_interactive and console.file.isatty()


class _FileHandler(logging.FileHandler):
    """Appends messages to a file; a full disk is an error of the run, not a note on it."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Let the error that is being handled out, with the file's name."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            error.filename = self.baseFilename
        raise  # noqa: PLE0704  # called from an except block of logging


@contextmanager
def log_messages(
    path: str | Path, level: str = "INFO", console: Console | None = None
) -> Iterator[None]:
    """Send this package's log messages to a file and to the terminal while the block runs.

    Args:
        path: file that messages are appended to.
        level: smallest level that is logged, such as `DEBUG`.
        console: standard error if None; give a progress bar's own, so that both fit together.

    Raises:
        OSError: the file cannot be written.
    """
    console = console or Console(stderr=True)
    lines = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    to_file = _FileHandler(path, encoding="utf-8")
    to_file.setFormatter(lines)
    to_console: logging.Handler
    if is_live(console):
        to_console = RichHandler(console=console, show_path=False)
    else:
        to_console = logging.StreamHandler(console.file)
        to_console.setFormatter(lines)
    handlers: tuple[logging.Handler, ...] = (to_file, to_console)
    before = _PACKAGE.level
    _PACKAGE.setLevel(level)
    for handler in handlers:
        _PACKAGE.addHandler(handler)
    try:
        yield
    finally:
        _PACKAGE.setLevel(before)
        for handler in handlers:
            _PACKAGE.removeHandler(handler)
            with suppress(OSError):  # what was not written has been an error already
                handler.close()
