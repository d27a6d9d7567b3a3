"""The inside of a forked process: patches that inject a fault, then the command itself."""

import ctypes
import itertools
import math
import os
import random
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

import qplex_hrl.comparison.play
import qplex_hrl.evaluation.evaluate
import qplex_hrl.training.trainer  # noqa: F401  (imported by the server, once)
from camcontrol.selection_env import EnvOutput, SelectionEnv
from qplex_hrl.cli.main import main
from qplex_hrl.learner import Learner
from qplex_hrl.model import CameraNetwork
from qplex_hrl.rllib.cluster import check_ray
from qplex_hrl.types import AgentOutput, SequenceBatch

FULL_STORE_BLOCKS = 48
"""Of 8 MB: more than the store of so small a run."""


def run(arguments: list[str], folder: str, patch: str | None, value: float) -> None:
    """Do a command as a process of its own does it."""
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        with Path(name).open("ab") as file:
            os.dup2(file.fileno(), number)
    if patch is not None:
        globals()[patch](value)
    sys.exit(main(arguments))


def jump_clock(seed: float) -> None:
    """Let the wall clock jump by days at every look."""
    draw, real = random.Random(seed), time.time
    time.time = lambda: real() + draw.uniform(-1e6, 1e6)


def spoil_loss(k: float) -> None:
    """Make the loss of the k-th update NaN."""
    whole, calls = Learner._loss, itertools.count()

    def loss(self: Learner, batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        value, metrics = whole(self, batch)
        return (value * math.nan if next(calls) == k else value), metrics

    Learner._loss = loss  # type: ignore[method-assign]


def spoil_q_values(k: float) -> None:
    """Make a Q-value of the k-th decision NaN."""
    whole, calls = CameraNetwork.step, itertools.count()

    def step(self: CameraNetwork, *inputs: Tensor) -> AgentOutput:
        output = whole(self, *inputs)
        if next(calls) == k:
            output.q_values[..., 0] = math.nan
        return output

    CameraNetwork.step = step  # type: ignore[method-assign]


def spoil_world(k: float) -> None:
    """Make what a camera sees NaN from the k-th decision on; one alone may be an episode's last."""
    whole, calls = SelectionEnv.step, itertools.count()

    def step(self: SelectionEnv, *inputs: Any, **more: Any) -> EnvOutput:
        output = whole(self, *inputs, **more)
        if next(calls) >= k:
            output.obs[0, 0] = math.nan
            output.state[0] = math.nan
        return output

    SelectionEnv.step = step  # type: ignore[method-assign]


def obey_modes(_: float) -> None:
    """Give up root's right to write everywhere, so that a folder's mode counts."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the interface; this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    libc.capget(header, sets)
    sets[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capset")


def give_workers_up(seconds: float) -> None:
    """Let Ray's workers be silent for less than ten minutes."""
    remote_rollout = _remote_rollout()
    remote_rollout.START_SECONDS = remote_rollout.ANSWER_SECONDS = seconds


def fill_store(k: float) -> None:
    """Fill Ray's object store before the k-th chunk with objects that stay there.

    With a fraction there is room for the weights that begin the chunk, and none for its results.
    """
    remote_rollout = _remote_rollout()
    import ray

    whole, calls, held = remote_rollout.RemoteEpisodes.start, itertools.count(), []

    def start(self: object, network: CameraNetwork, *inputs: Any) -> None:
        if next(calls) == int(k):
            n_bytes = sum(value.nbytes for value in network.state_dict().values())
            room = ray.put(np.zeros(n_bytes, np.uint8)) if k % 1 else None
            for n_numbers in (2**20, 2**17, 2**14, 2**11):
                with suppress(ray.exceptions.RayError):  # full
                    for _ in range(FULL_STORE_BLOCKS):
                        held.append(reference := ray.put(np.ones(n_numbers)))
                        held.append(ray.get(reference))  # a view, which keeps it there
            del room
        whole(self, network, *inputs)

    remote_rollout.RemoteEpisodes.start = start


def fill_store_and_disk(k: float) -> None:
    """Fill Ray's object store, and let Ray take the disk for full."""
    os.environ["RAY_local_fs_capacity_threshold"] = "0.001"  # noqa: SIM112  # Ray reads it so
    fill_store(k)


def _remote_rollout() -> Any:
    """Return the module, imported as the command does it."""
    check_ray()
    return import_module("qplex_hrl.rllib.remote_rollout")
