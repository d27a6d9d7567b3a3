"""What a run reports to while it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from qplex_hrl.runtime.logger import MetricSink
from qplex_hrl.runtime.signals import Interrupt
from qplex_hrl.training.display import Display
from qplex_hrl.training.progress import ProgressWindow

__all__ = ["Reporting"]


class Reporting(NamedTuple):
    """Where metrics go, what the user sees, and what the user wants."""

    files: MetricSink  # keep the metrics
    display: Display
    interrupt: Interrupt
    window: ProgressWindow

    @contextmanager
    def waiting(self, reason: str | None) -> Iterator[None]:
        """Say what training waits for while the block runs; the time does not count as its own.

        Args:
            reason: in words; None: it does not wait.
        """
        if reason is None:
            yield
            return
        with self.window.paused(), self.display.waiting(reason):
            yield
