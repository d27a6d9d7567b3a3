"""What a terminal shows of a training while it goes on: a live panel, or plain lines."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = ["Display", "LivePanel", "NoDisplay", "PlainLines", "sparkline"]

_LOG = logging.getLogger(__name__)

_BLOCKS = "▁▂▃▄▅▆▇█"
_MOST_POINTS = 40  # of the curve, so that a line of 80 characters has room for it
_REFRESHES = 4  # per second

_SHOWN = {
    "training coverage": ("train_coverage_rate", "{:.3f}"),
    "loss": ("mean_loss", "{:.4f}"),
    "epsilon": ("epsilon", "{:.3f}"),
    "frames/s": ("frames_per_second", "{:,.0f}"),
}


class Display(Protocol):
    """What a run tells its terminal."""

    def advance(self, timestep: int) -> None:
        """Take note of where training stands; called after every iteration, so it must be cheap."""

    def row(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Show a row of metrics of training; names as in the contract."""

    def evaluated(self, timestep: int, coverage: float) -> None:
        """Show an evaluation that is done."""

    def waiting(self, reason: str) -> AbstractContextManager[None]:
        """Say what training waits for, while the block runs."""

    def close(self) -> None:
        """Leave what is shown as it stands; nothing happens the second time."""


class NoDisplay:
    """Shows nothing: somebody else reports the run."""

    def advance(self, timestep: int) -> None:
        """Do nothing."""

    def row(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def evaluated(self, timestep: int, coverage: float) -> None:
        """Do nothing."""

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Do nothing."""
        yield

    def close(self) -> None:
        """Do nothing."""


class PlainLines(NoDisplay):
    """A message for each row and each wait, where there is no terminal."""

    def __init__(self, total_timesteps: int) -> None:
        """Prepare messages of a run of that many timesteps."""
        self._total = total_timesteps

    def row(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Log a row of metrics."""
        shown = "  ".join(f"{label} {value}" for label, value in _shown(metrics).items())
        _LOG.info("timestep %d of %d  %s", timestep, self._total, shown)

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Log what training waits for."""
        _LOG.info("%s ...", reason)
        yield


class LivePanel:
    """A panel at the foot of the terminal, drawn several times a second by a thread of its own."""

    def __init__(
        self, title: str, total_timesteps: int, first_timestep: int, console: Console
    ) -> None:
        """Show the panel.

        Args:
            title: of the run.
            total_timesteps: where the bar is full.
            first_timestep: where a resumed run goes on.
            console: a terminal; messages logged through it appear above the panel.
        """
        self._title, self._total = title, total_timesteps
        self._first = self._timestep = first_timestep
        self._started = time.perf_counter()
        self._metrics: dict[str, float] = {}
        self._evaluations: list[tuple[int, float]] = []
        self._waiting: tuple[str, float] | None = None
        self._live = Live(
            console=console, refresh_per_second=_REFRESHES, get_renderable=self._render
        )
        self._live.start()

    def advance(self, timestep: int) -> None:
        """Move the bar at the next refresh."""
        self._timestep = timestep

    def row(self, timestep: int, metrics: Mapping[str, float]) -> None:
        """Show a row of metrics from the next refresh on; what it lacks stays."""
        self._metrics = self._metrics | dict(metrics)

    def evaluated(self, timestep: int, coverage: float) -> None:
        """Add a point to the curve."""
        self._evaluations = [*self._evaluations, (timestep, coverage)]

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Show what training waits for, and for how long it has."""
        began = time.perf_counter()
        self._waiting = (reason, began)
        try:
            yield
        finally:
            self._waiting = None
            self._started += time.perf_counter() - began

    def close(self) -> None:
        """Leave the panel as it stands."""
        with suppress(OSError):  # the terminal may be gone
            self._live.stop()

    def _render(self) -> RenderableType:
        """Return the panel as of now; called by the thread that draws."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        table.add_row("evaluation", self._curve())
        shown = _shown(self._metrics)
        coverage = shown.pop("training coverage", None)
        explored = "no episode has ended yet"
        if coverage is not None:
            explored = f"coverage {coverage} in episodes that explore"
        table.add_row("training", explored)
        table.add_row("", "  ".join(f"{label} {value}" for label, value in shown.items()))
        waiting = self._waiting  # of the other thread, which may end it meanwhile
        if waiting is not None:
            reason, began = waiting
            seconds = time.perf_counter() - began
            table.add_row("now", Text(f"{reason} ... {_duration(seconds)}", style="bold"))
        return Panel(Group(self._bar(), table), title=Text(self._title), title_align="left")

    def _bar(self) -> RenderableType:
        bar = Table.grid(padding=(0, 2), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        done = min(self._timestep, self._total)
        counts = f"{self._timestep:,} / {self._total:,}  {done / self._total:.0%}"
        left = self._seconds_left()
        if left is not None:
            counts += f"  {_duration(left)} left"
        bar.add_row(ProgressBar(total=self._total, completed=done), counts)
        return bar

    def _curve(self) -> str:
        """Return the coverages of evaluations, the last one and the best one."""
        evaluations = self._evaluations
        if not evaluations:
            return "none is done yet"
        timestep, coverage = evaluations[-1]
        best_at, best = max(evaluations, key=lambda each: each[1])
        curve = sparkline([each[1] for each in evaluations][-_MOST_POINTS:])
        return f"{curve}  coverage {coverage:.3f} at {timestep:,}  best {best:.3f} at {best_at:,}"

    def _seconds_left(self) -> float | None:
        """Return the time until all is collected, without evaluations; None: nobody knows."""
        if self._waiting is not None:
            return None
        mean = (self._timestep - self._first) / max(time.perf_counter() - self._started, 1e-9)
        speed = self._metrics.get("frames_per_second", mean)
        left = self._total - self._timestep
        return left / speed if left > 0 and speed > 0 else None


def sparkline(values: Sequence[float]) -> str:
    """Return a curve of one line, from the lowest to the highest of the values."""
    if not values:
        return ""
    low, high = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((value - low) * scale)] for value in values)


def _shown(metrics: Mapping[str, float]) -> dict[str, str]:
    """Return what is shown of a row of metrics, by its label."""
    return {
        label: form.format(metrics[name])
        for label, (name, form) in _SHOWN.items()
        if name in metrics
    }


def _duration(seconds: float) -> str:
    """Return minutes and seconds, or hours and minutes."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60} h {minutes % 60:02d} min"
