"""Whether threads may call compiled kernels side by side; thread counts: `test_devices`."""

import numba
import pytest

from qplex_hrl.runtime.threads import threads_may_share_kernels


@pytest.mark.parametrize(("layer", "may"), [("omp", True), ("tbb", True), ("workqueue", False)])
def test_threads_share_kernels_where_the_threading_layer_lets_them(
    monkeypatch: pytest.MonkeyPatch, layer: str, may: bool
) -> None:
    assert threads_may_share_kernels() in (True, False)  # before any kernel, too
    monkeypatch.setattr(numba, "threading_layer", lambda: layer)
    assert threads_may_share_kernels() is may
