"""Thread counts and devices."""

import os
import threading

import numba
import pytest
import torch

from qplex_hrl.runtime.devices import (
    limit_threads,
    resolve_device,
    torch_threads,
)
from qplex_hrl.runtime.threads import numba_threads


def test_threads_are_limited_in_the_calling_thread() -> None:
    before = torch.get_num_threads(), numba.get_num_threads()
    seen: list[int] = []

    def work() -> None:
        limit_threads(1)
        seen.extend([torch.get_num_threads(), numba.get_num_threads()])

    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [1, 1]
        limit_threads(10**6)  # more than there are: all that there are
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
        assert torch.get_num_threads() == os.cpu_count()
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])


def test_threads_are_as_before_after_a_block_and_after_an_error() -> None:
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(3)
    try:
        with numba_threads(1), torch_threads(2):
            assert (torch.get_num_threads(), numba.get_num_threads()) == (2, 1)
        assert (torch.get_num_threads(), numba.get_num_threads()) == (3, before[1])
        with pytest.raises(KeyError), numba_threads(1), torch_threads(2):
            raise KeyError
        assert (torch.get_num_threads(), numba.get_num_threads()) == (3, before[1])
    finally:
        torch.set_num_threads(before[0])


def test_devices_by_name() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"training\.device = 'cuda:99'; this machine has"):
        resolve_device("cuda:99")


@pytest.mark.parametrize("name", ["", ".", "mps", "cuda:", "cuda:-1", "cuda:99999999999", "cpu\n"])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"device = .*; expected auto, cpu or cuda\[:i\]"):
        resolve_device(name)
