"""Threads of the compiled kernels; PyTorch's are chosen in `devices`."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba


def threads_may_share_kernels() -> bool:
    """Tell whether several threads may run parallel kernels at the same time.

    Numba's layers `omp` and `tbb` allow it. The one that it falls back to, `workqueue`, ends the
    process instead.
    """
    numba.get_num_threads()  # chooses the layer, if no kernel has run yet
    return bool(numba.threading_layer() != "workqueue")  # type: ignore[attr-defined]


@contextmanager
def numba_threads(n_threads: int) -> Iterator[None]:
    """Use ``n_threads`` in the compiled kernels that this thread calls, until the block is left.

    Raises:
        ValueError: it is not 1 to the number that Numba was started with.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(n_threads)
    try:
        yield
    finally:
        numba.set_num_threads(before)
