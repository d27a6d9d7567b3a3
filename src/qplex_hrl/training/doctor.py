"""Whether this machine can train and evaluate, and what to do where it cannot."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import torch

import camsim
from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.data.replay import decision_bytes
from qplex_hrl.model import build_model
from qplex_hrl.runtime.devices import available_memory
from qplex_hrl.runtime.provenance import code_commit, package_versions
from qplex_hrl.runtime.threads import numba_threads, threads_may_share_kernels
from qplex_hrl.training.afterwards import program
from qplex_hrl.training.loop import replay_sizes

__all__ = ["Finding", "Level", "examine"]

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)

EXTRAS = {
    "viz": (("PIL", "imageio_ffmpeg", "matplotlib", "pygame"), "pictures, videos, the window"),
    "compare": (("matplotlib", "scipy"), "comparisons of policies"),
    "ray": (("ray",), "training on many processes"),
    "wandb": (("wandb",), "Weights & Biases"),
}
"""Modules of each extra, and what it is for."""

REFERENCE_SPEED = 327_000
"""Steps of greedy teams on MATE-4v4-9 per second and thread, of docs/benchmarks.md's machine."""

LEAST_SPEED = 0.15  # share of it below which something is wrong
_N_ENVS, _N_FRAMES = 256, 200
_MEASURED_SECONDS = 3.0

_REPLAYS_ON_DISK = 3  # two are kept while a third is written
_COPIES_OF_WEIGHTS = 5  # in a checkpoint: model, target, two moments of the optimiser, average


class Level(Enum):
    """How bad it is."""

    FINE = "ok"
    HINT = "note"
    WRONG = "WRONG"


class Finding(NamedTuple):
    """One thing looked at."""

    name: str
    value: str
    level: Level = Level.FINE
    remedy: str | None = None


def examine(config: RunConfig) -> Iterator[Finding]:
    """Yield what there is to say of this machine, as it is found out; nothing stays written.

    Args:
        config: of the run that memory and disk are compared with.
    """
    yield _python()
    versions = {name: version for name, version in package_versions().items() if name != "python"}
    yield Finding("packages", ", ".join(f"{k} {v or 'unknown'}" for k, v in versions.items()))
    yield Finding("commit", code_commit() or "unknown: not a git checkout")
    yield from _extras()
    yield _threads()
    yield _gpu()
    needs = _needs(config)
    yield _memory(needs)
    yield _disk(config, needs)
    yield from _folders(config)
    yield from _self_check()


def _python() -> Finding:
    version = sys.version_info[:2]
    value = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Finding("Python", value)
    names = (".".join(map(str, each)) for each in (OLDEST_PYTHON, NEWEST_PYTHON))
    remedy = f"use CPython {' to '.join(names)}: make clean, then make train PYTHON=python3.11"
    return Finding("Python", value, Level.WRONG, remedy)


def _extras() -> Iterator[Finding]:
    """Yield a finding for each extra that is optional."""
    for extra, (modules, purpose) in EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            value = f"not installed ({', '.join(missing)}): {purpose}"
            remedy = f'{program("python")} -m pip install "qplex-hrl[{extra}]"'
            yield Finding(f"extra {extra}", value, Level.HINT, remedy)
        else:
            yield Finding(f"extra {extra}", f"installed: {purpose}")


def _threads() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    beside = threads_may_share_kernels()
    layer = numba.threading_layer()  # type: ignore[attr-defined]
    value = (
        f"{usable or 'unknown'} cores, {numba.get_num_threads()} threads of kernels ({layer}), "
        f"{torch.get_num_threads()} of PyTorch"
    )
    if beside:
        return Finding("threads", value)
    remedy = "training waits for evaluations with this layer: pip install tbb, or install libgomp"
    return Finding("threads", value, Level.HINT, remedy)


def _gpu() -> Finding:
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(i) for i in range(n_gpus)]
    return Finding("GPU", ", ".join(names) or "none that PyTorch can use; none is needed")


class _Needs(NamedTuple):
    """Bytes that a run needs."""

    memory: int  # of a full replay
    disk: int  # of replays and checkpoints


def _needs(config: RunConfig) -> _Needs:
    """Return what a run needs beside what every process does."""
    env = build_env(config, 1)
    model = build_model(model_dims(env), torch.from_numpy(env.selection_bits), config.network)
    sizes = replay_sizes(env, model.agent, config.env.num_envs)
    replay = config.training.buffer_size * decision_bytes(sizes)
    checkpoint = _COPIES_OF_WEIGHTS * sum(p.numel() * p.element_size() for p in model.parameters())
    n_checkpoints = config.logging.keep_checkpoints + 3  # best, final, and one being written
    replays = _REPLAYS_ON_DISK * replay if config.training.save_replay else 0
    return _Needs(replay, replays + n_checkpoints * checkpoint)


def _memory(needs: _Needs) -> Finding:
    free = _or_none(available_memory)
    return _enough(
        "memory",
        free,
        needs.memory,
        "the replay of a training",
        "close other programs, or lower training.buffer_size",
    )


def _disk(config: RunConfig, needs: _Needs) -> Finding:
    folder = _existing(Path(config.logging.model_dir))
    free = _or_none(lambda: shutil.disk_usage(folder).free)
    return _enough(
        "disk",
        free,
        needs.disk,
        f"replays and checkpoints in {config.logging.model_dir}",
        "make room, choose another --model-dir, or --set training.save_replay=false",
    )


def _enough(name: str, free: int | None, needed: int, purpose: str, remedy: str) -> Finding:
    """Return whether there are as many bytes as needed."""
    value = f"{needed / 1e9:.2f} GB are needed for {purpose}"
    if free is None:
        return Finding(name, f"{value}; how much is free is unknown", Level.HINT)
    value = f"{free / 1e9:.1f} GB free; {value}"
    if free >= needed:
        return Finding(name, value)
    return Finding(name, value, Level.WRONG, remedy)


def _folders(config: RunConfig) -> Iterator[Finding]:
    """Yield whether the run's folders, and that of compiled kernels, can be written."""
    folders = {
        "logs": (Path(config.logging.log_dir), "choose another --log-dir"),
        "models": (Path(config.logging.model_dir), "choose another --model-dir"),
    }
    for name, (folder, remedy) in folders.items():
        if os.access(_existing(folder), os.W_OK | os.X_OK):
            yield Finding(name, f"{folder} can be written")
        else:
            yield Finding(name, f"{folder} cannot be written", Level.WRONG, remedy)
    given = os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(given) if given else Path(str(camsim.__file__)).parent
    if os.access(_existing(cache), os.W_OK | os.X_OK):
        yield Finding("kernels", f"are kept below {cache}")
    else:
        remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or they may be compiled anew"
        yield Finding("kernels", f"cannot be kept below {cache}", Level.HINT, remedy)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    whole = folder.absolute()
    return next(each for each in (whole, *whole.parents) if each.exists())


def _self_check() -> Iterator[Finding]:
    """Yield whether kernels compile and give numbers, and how fast they are on one thread."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        value = "NUMBA_DISABLE_JIT is set: kernels are interpreted, thousands of times slower"
        yield Finding("compiler", value, Level.WRONG, "unset NUMBA_DISABLE_JIT")
        return
    started = time.perf_counter()
    try:
        env = ScriptedEnv(
            load_scenario("MATE-4v4-9"), _N_ENVS, camera_policy="greedy", target_policy="greedy"
        )
        env.reset(np.arange(_N_ENVS, dtype=np.uint64))
        env.run_frames(_N_FRAMES)
    except Exception as error:  # a broken compiler can fail in any way
        reason = " ".join(str(error).split())[:200]
        remedy = "make clean, then make train: it installs NumPy and Numba anew"
        yield Finding("compiler", f"{type(error).__name__}: {reason}", Level.WRONG, remedy)
        return
    seconds = time.perf_counter() - started
    yield Finding("compiler", f"kernels compiled, or were read, and ran in {seconds:.1f} s")
    yield _speed(env)


def _speed(env: ScriptedEnv) -> Finding:
    n_steps, started = 0, time.perf_counter()
    with numba_threads(1):
        while (seconds := time.perf_counter() - started) < _MEASURED_SECONDS:
            env.run_frames(_N_FRAMES)
            n_steps += _N_FRAMES * _N_ENVS
    rate = n_steps / seconds
    ratio = rate / REFERENCE_SPEED
    value = (
        f"{rate:,.0f} steps/s of greedy teams on one thread, {ratio:.2f} times the "
        f"{REFERENCE_SPEED:,} of docs/benchmarks.md"
    )
    if ratio >= LEAST_SPEED:
        return Finding("speed", value)
    remedy = "see with `top` what else takes the cores"
    return Finding("speed", value, Level.WRONG, remedy)


def _or_none(ask: Callable[[], int]) -> int | None:
    """Return what the machine says, None if it does not know."""
    try:
        return ask()
    except (AttributeError, OSError, ValueError):
        return None
