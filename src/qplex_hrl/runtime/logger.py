"""Where a run's metrics and messages go: terminal, JSON lines, TensorBoard, W&B, training.log."""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = [
    "ConsoleSink",
    "JsonlSink",
    "MetricSink",
    "TensorBoardSink",
    "TrackerError",
    "WandbSettings",
    "WandbSink",
    "WriteToAll",
    "log_messages",
]

_LOG = logging.getLogger(__name__)
_PACKAGE = logging.getLogger("qplex_hrl")

_SHOWN = {
    "coverage": ("mean_coverage_rate", "{:.3f}"),
    "loss": ("mean_loss", "{:.4f}"),
    "epsilon": ("epsilon", "{:.3f}"),
    "frames/s": ("frames_per_second", "{:,.0f}"),
}


class TrackerError(ValueError):
    """A tracker that was asked for is not installed or refuses to start; the text is one line."""


class MetricSink(Protocol):
    """A place that metrics are written to."""

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics at a timestep; names as in the contract."""

    def close(self) -> None:
        """Write what is pending; nothing happens the second time."""


class WriteToAll:
    """Several sinks as one; closes all of them, even if one fails."""

    def __init__(self, sinks: Sequence[MetricSink]) -> None:
        """Take over the sinks."""
        self._sinks = list(sinks)

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Write to every sink."""
        for sink in self._sinks:
            sink.write(timestep, metrics)

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
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Append one line and flush it.

        Raises:
            OSError: the disk is full; `filename` is set.
        """
        row: dict[str, float | None] = {"timestep": timestep}
        row |= {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        try:
            self._file.write(json.dumps(row, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            error.filename = str(self._path)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoardSink:
    """Scalars as TensorBoard events."""

    def __init__(self, folder: str | Path, first_timestep: int = 0) -> None:
        """Open an events file in the folder.

        Args:
            folder: must exist.
            first_timestep: events from here on, of an earlier part of a resumed run, are hidden.
        """
        from torch.utils.tensorboard import SummaryWriter

        purge = first_timestep or None
        self._writer = SummaryWriter(str(folder), purge_step=purge)

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Add one point to the curve of every metric."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, timestep)

    def close(self) -> None:
        """Flush and close the file."""
        self._writer.close()


class WandbSettings(NamedTuple):
    """How to log to Weights & Biases."""

    project: str
    group: str | None
    mode: Literal["online", "offline"]


class WandbSink:
    """A run of Weights & Biases; offline mode only writes files."""

    def __init__(
        self, settings: WandbSettings, folder: str | Path, config: Mapping[str, object]
    ) -> None:
        """Start the run.

        Args:
            settings: project, group and mode.
            folder: where the tracker keeps its files.
            config: the resolved configuration, shown with the run.

        Raises:
            TrackerError: the extra `wandb` is not installed, or the tracker does not start.
        """
        try:
            import wandb
        except ImportError:
            raise TrackerError(
                "logging.wandb.enabled = True, but wandb is not installed: "
                'pip install "qplex-hrl[wandb]"'
            ) from None
        try:
            self._run = wandb.init(
                project=settings.project,
                group=settings.group,
                mode=settings.mode,
                dir=str(folder),
                config=dict(config),
            )
            # The rows of evaluations come late, and W&B drops rows of a step before its last one.
            self._run.define_metric("*", step_metric="timestep")
        except wandb.Error as error:
            raise TrackerError(f"wandb did not start: {' '.join(str(error).split())}") from error

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics, with the timestep as the axis of all charts."""
        self._run.log({"timestep": timestep, **metrics})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


class ConsoleSink:
    """Progress on the terminal: a bar where there is one, else a message for each write."""

    def __init__(
        self, total_timesteps: int, first_timestep: int = 0, console: Console | None = None
    ) -> None:
        """Show the bar.

        Args:
            total_timesteps: where the bar is full.
            first_timestep: where a resumed run goes on.
            console: standard error if None.
        """
        console = console or Console(stderr=True)
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("", total=total_timesteps, completed=first_timestep)
        self._total = total_timesteps
        self._live = console.is_terminal
        if self._live:
            self._progress.start()

    def write(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Move the bar and show coverage, loss, epsilon and speed, where the metrics hold them."""
        shown = "  ".join(
            f"{label} {form.format(metrics[name])}"
            for label, (name, form) in _SHOWN.items()
            if name in metrics
        )
        self._progress.update(self._task, completed=timestep, description=shown)
        if not self._live:
            _LOG.info("timestep %d of %d  %s", timestep, self._total, shown)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()


class _FileHandler(logging.FileHandler):
    """Appends messages to a file; a full disk is an error of the run, not a note on it."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Let the error that is being handled out."""
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
    if console.is_terminal:
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
            handler.close()
