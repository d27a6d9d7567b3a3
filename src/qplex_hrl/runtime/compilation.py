"""Compilation of kernels, told to the user: at their first use it takes minutes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

from numba.core import event

__all__ = ["compilation_told"]

NOTICE = "compiling kernels (once; about two minutes) ..."
_PATIENCE = 1.0  # seconds that a compilation takes before it is told

_COMPILATION = "numba:compile"  # what is read from the cache on disk is no such event


@contextmanager
def compilation_told(say: Callable[[str], None]) -> Iterator[None]:
    """Say so, once, if kernels are compiled while the block runs and that takes more than a moment.

    Args:
        say: shows a line; called in a thread of its own.
    """
    listener = _Listener(say)
    with event.install_listener(_COMPILATION, listener):
        try:
            yield
        finally:
            listener.stop()


class _Listener(event.Listener):
    """Starts a clock when the outermost compilation begins."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._depth = 0
        self._told = False
        self._timer: Timer | None = None

    def on_start(self, event: object) -> None:
        self._depth += 1
        if self._depth == 1 and not self._told:
            self._timer = Timer(_PATIENCE, self._tell)
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.stop()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._say(NOTICE)
