"""Collecting the next chunk of experience while the learner works on what came before."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from torch import nn
from typing_extensions import Self

from qplex_hrl.data.rollout import Experience, Rollout


class Collector:
    """Runs one ``Rollout.collect`` between ``start`` and ``finish``, in a thread or at once.

    ``start`` takes a snapshot of the weights. What is done between the two calls cannot influence
    the chunk, nor the chunk what is done, so both ways of running give equal numbers.
    """

    def __init__(
        self,
        rollout: Rollout,
        *,
        in_thread: bool,
        prepare_thread: Callable[[], None],
        make_room: Callable[[int], None] | None = None,
    ) -> None:
        """Start the thread if there is to be one.

        Args:
            rollout: used by the collector alone between ``start`` and ``finish``.
            in_thread: overlap with the caller.
            prepare_thread: called once in the new thread.
            make_room: called before each chunk, where it is collected, with its decisions.
        """
        self._rollout = rollout
        self._make_room = make_room
        self._pool = (
            ThreadPoolExecutor(1, "collector", initializer=prepare_thread) if in_thread else None
        )
        self._pending: Future[Experience] | None = None

    def __enter__(self) -> Self:
        """Return the collector; leaving the block waits for the thread."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until nothing runs any more."""
        if self._pool is not None:
            self._pool.shutdown()

    def start(self, network: nn.Module, n_decisions: int, epsilon: float) -> None:
        """Begin a chunk, acting with a copy of ``network`` as it is now."""
        assert self._pending is None, "finish the chunk before the next one"
        self._rollout.agent.load_weights(network)
        if self._pool is not None:
            self._pending = self._pool.submit(self._collect, n_decisions, epsilon)
        else:
            self._pending = Future()
            self._pending.set_result(self._collect(n_decisions, epsilon))

    def finish(self) -> Experience:
        """Return the chunk begun by ``start``, waiting for it if need be; raise its error."""
        assert self._pending is not None, "start a chunk first"
        pending, self._pending = self._pending, None
        return pending.result()

    def _collect(self, n_decisions: int, epsilon: float) -> Experience:
        if self._make_room is not None:
            self._make_room(n_decisions)
        return self._rollout.collect(n_decisions, epsilon)
