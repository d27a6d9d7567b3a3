"""Settings of all tests: threads, their order, examples that are the same in every run."""

import os
import signal

# Before anything imports them: the workers of `make test` share the machine's cores. Two threads of
# Numba are there for the tests that compare numbers of threads; one of them is in use otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("NUMBA_NUM_THREADS", "2")

import numba
import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)  # first examples compile
settings.load_profile("repeatable")

CLUSTERS_AT = 0.6
"""Share of the other tests that goes before those that start clusters; see below."""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Let compiled code use one thread unless a test asks for more."""
    numba.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def signals_as_at_a_terminal() -> None:
    """Let signals do what they do there, even if the tests run under `nohup` or `&`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that start clusters in a row, and leave out those that need compiled code.

    Two workers begin at the first test and in the middle. Clusters stand a little behind the
    middle: one worker does them all, when the other one has compiled what they run; never two at a
    time.
    """
    if numba.config.DISABLE_JIT:
        skip = pytest.mark.skip(reason="needs compiled code, and the JIT is off")
        for item in items:
            if item.get_closest_marker("jit"):
                item.add_marker(skip)
    clusters = [item for item in items if _starts_cluster(item)]
    others = [item for item in items if not _starts_cluster(item)]
    place = int(CLUSTERS_AT * len(others))
    items[:] = others[:place] + clusters + others[place:]


def _starts_cluster(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("ray") and item.get_closest_marker("slow"))
