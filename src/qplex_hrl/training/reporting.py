"""What a run reports to while it goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from camsim.files import failure_of
from qplex_hrl.runtime.logger import MetricSink
from qplex_hrl.runtime.signals import Interrupt
from qplex_hrl.training.display import Display
from qplex_hrl.training.progress import ProgressWindow

__all__ = ["Reporting", "saved_all_the_same"]


@contextmanager
def saved_all_the_same(path: Path, save: Callable[[], None]) -> Iterator[None]:
    """Save the state of a run if a file cannot be written in the block.

    Args:
        path: the checkpoint that is written then.
        save: writes it.

    Raises:
        OSError: a file could not be written; says what has become of the state.
    """
    try:
        yield
    except OSError as error:
        try:
            save()
        except OSError as other:
            outcome = f"its state could not be saved ({failure_of(other)})"
        else:
            outcome = f"--resume {path} goes on from here"
        raise OSError(f"{failure_of(error)}; training stopped: {outcome}") from error


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
