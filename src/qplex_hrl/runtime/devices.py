"""The machine's processors: the one place where thread counts and devices are chosen."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch

_DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?")  # PyTorch counts devices in eight bits


def limit_threads(n_threads: int) -> None:
    """Use ``n_threads``, at most one per core, in the compiled kernels and in PyTorch.

    Numba keeps the number per thread: call it in every thread that steps environments.
    """
    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    n_useful = min(n_threads, os.cpu_count() or 1)
    if torch.get_num_threads() != n_useful:
        torch.set_num_threads(n_useful)


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Use ``n_threads`` in PyTorch, until the block is left.

    Raises:
        RuntimeError: it is not positive.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def resolve_device(name: str) -> torch.device:
    """Return the device called ``name``; "auto" is the first GPU, or the CPU without one.

    Raises:
        ValueError: it is no device's name, or the machine has no such GPU.
    """
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if n_gpus else torch.device("cpu")
    if not _DEVICE.fullmatch(name):
        raise ValueError(f"device = {name[:60]!r}; expected auto, cpu or cuda[:i]")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        msg = f"training.device = '{name}'; this machine has {n_gpus} GPUs that PyTorch can use"
        raise ValueError(msg)
    return device
