"""Ctrl-C, SIGTERM and a closed terminal: finish what must not be cut, then stop.

A training asks `Interrupt` between its iterations. Whatever else a command does ends at once, as at
Ctrl-C (`ended_as_by_ctrl_c`).
"""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

from typing_extensions import Self

_LOG = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

__all__ = ["Interrupt", "Interrupted", "ended_as_by_ctrl_c"]


class Interrupted(Exception):
    """The user wants to stop, and what was under way can be repeated."""


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt in this block at SIGTERM or a hang-up, too.

    What cleans up after Ctrl-C does so then. A second signal of the kind ends the process. A
    hang-up that is ignored, as under ``nohup``, stays ignored. Outside the main thread this does
    nothing.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    previous: dict[signal.Signals, object] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


class Interrupt:
    """Remembers that the user wants to stop; a second signal raises KeyboardInterrupt.

    A hang-up that is ignored when the block begins, as under ``nohup``, stays ignored.
    Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        """Prepare; signals are caught within the ``with`` block only."""
        self.requested = False
        self._at_once = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        """Catch signals from now on."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give signals back to who handled them before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise Interrupted in this block when the first signal comes, or has come before."""
        if self.requested:
            raise Interrupted
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # A log that cannot be written now must not break what the signal came into.
        with suppress(OSError, RuntimeError):
            _LOG.warning("%s: saving and stopping", signal.Signals(number).name)
        if self._at_once:
            raise Interrupted
