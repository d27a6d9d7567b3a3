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
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import camsim
from camsim.files import try_writing
from qplex_hrl.config import RunConfig
from qplex_hrl.runtime.memory import available_memory
from qplex_hrl.runtime.program import program
from qplex_hrl.runtime.provenance import code_commit, package_versions

if TYPE_CHECKING:
    from camsim.envs.scripted_env import ScriptedEnv

# Numba and PyTorch are imported by the checks of them: they may be what is wrong.

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


_INSTALL_ANEW = "mend what else is wrong, or install anew: make clean, then make train"


class _Check(NamedTuple):
    """Looks at one part; if it raises an error, that part is what is wrong."""

    name: str
    findings: Callable[[], Iterator[Finding]]


def examine(config: RunConfig) -> Iterator[Finding]:
    """Yield what there is to say of this machine, as it is found out; nothing stays written.

    Args:
        config: of the run that memory and disk are compared with.
    """
    checks = (
        _Check("Python", _python),
        _Check("packages", _packages),
        _Check("extras", _extras),
        _Check("threads", _threads),
        _Check("PyTorch", _pytorch),
        _Check("memory", lambda: _room(config)),
        _Check("folders", lambda: _folders(config)),
        _Check("compiler", _self_check),
    )
    for check in checks:
        try:
            yield from check.findings()
        except Exception as error:  # a damaged installation can fail in any way
            yield Finding(check.name, _line_of(error), Level.WRONG, _INSTALL_ANEW)


def _python() -> Iterator[Finding]:
    version = sys.version_info[:2]
    value = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        yield Finding("Python", value)
        return
    names = (".".join(map(str, each)) for each in (OLDEST_PYTHON, NEWEST_PYTHON))
    remedy = f"use CPython {' to '.join(names)}: make clean, then make train PYTHON=python3.11"
    yield Finding("Python", value, Level.WRONG, remedy)


def _packages() -> Iterator[Finding]:
    versions = {name: version for name, version in package_versions().items() if name != "python"}
    yield Finding("packages", ", ".join(f"{k} {v or 'unknown'}" for k, v in versions.items()))
    yield Finding("commit", code_commit() or "unknown: not a git checkout")


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


def _threads() -> Iterator[Finding]:
    import numba

    from qplex_hrl.runtime.threads import threads_may_share_kernels

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        beside = threads_may_share_kernels()
    except ValueError as error:  # no layer of threads that is asked for, or at all
        remedy = "unset NUMBA_THREADING_LAYER, pip install tbb, or install libgomp"
        yield Finding("threads", _line_of(error), Level.WRONG, remedy)
        return
    layer = numba.threading_layer()  # type: ignore[attr-defined]
    value = f"{usable or 'unknown'} cores, {numba.get_num_threads()} threads of kernels ({layer})"
    if beside:
        yield Finding("threads", value)
    else:
        remedy = "training waits for evaluations with it: pip install tbb, or install libgomp"
        yield Finding("threads", value, Level.HINT, remedy)


def _pytorch() -> Iterator[Finding]:
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(i) for i in range(n_gpus)]
    yield Finding("PyTorch", f"{torch.get_num_threads()} threads")
    yield Finding("GPU", ", ".join(names) or "none that PyTorch can use; none is needed")


class _Needs(NamedTuple):
    """Bytes that a run needs."""

    memory: int  # with a full replay
    disk: int


def _needs(config: RunConfig) -> _Needs:
    """Return what a run needs."""
    from qplex_hrl.training.budget import budget_of

    budget = budget_of(config)
    return _Needs(sum(budget.memory.values()), sum(budget.disk.values()))


def _room(config: RunConfig) -> Iterator[Finding]:
    needs = _needs(config)
    yield _memory(needs)
    yield _disk(config, needs)


def _memory(needs: _Needs) -> Finding:
    free = _or_none(available_memory)
    return _enough(
        "memory",
        free,
        needs.memory,
        "a training with a full replay",
        "close other programs, or lower it with --set training.buffer_size=N",
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
        reason = _reason_not_to_write(folder)
        if reason is None:
            yield Finding(name, f"{folder} can be written")
        else:
            yield Finding(name, f"{folder} cannot be written: {reason}", Level.WRONG, remedy)
    given = os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(given) if given else Path(str(camsim.__file__)).parent
    reason = _reason_not_to_write(cache)
    if reason is None:
        yield Finding("kernels", f"are kept below {cache}")
    else:
        remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or they may be compiled anew"
        yield Finding("kernels", f"cannot be kept below {cache}: {reason}", Level.HINT, remedy)


def _reason_not_to_write(folder: Path) -> str | None:
    """Return why no file can be written below a folder that may not exist yet; None: one can."""
    try:
        with TemporaryDirectory(prefix=".doctor-", dir=_existing(folder)) as trial:
            try_writing(Path(trial))
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    whole = folder.absolute()
    return next(each for each in (whole, *whole.parents) if each.exists())


def _self_check() -> Iterator[Finding]:
    """Yield whether kernels compile and give numbers, and how fast they are on one thread."""
    import numba
    import numpy as np

    from camsim.envs.scripted_env import ScriptedEnv
    from camsim.scenario.schema import load_scenario

    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        value = "NUMBA_DISABLE_JIT is set: kernels are interpreted, thousands of times slower"
        yield Finding("compiler", value, Level.WRONG, "unset NUMBA_DISABLE_JIT")
        return
    started = time.perf_counter()
    env = ScriptedEnv(
        load_scenario("MATE-4v4-9"), _N_ENVS, camera_policy="greedy", target_policy="greedy"
    )
    env.reset(np.arange(_N_ENVS, dtype=np.uint64))
    env.run_frames(_N_FRAMES)
    seconds = time.perf_counter() - started
    yield Finding("compiler", f"kernels compiled, or were read, and ran in {seconds:.1f} s")
    yield _speed(env)


def _speed(env: "ScriptedEnv") -> Finding:
    from qplex_hrl.runtime.threads import numba_threads

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


def _line_of(error: Exception) -> str:
    """Return an error as the beginning of one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _or_none(ask: Callable[[], int]) -> int | None:
    """Return what the machine says, None if it does not know."""
    try:
        return ask()
    except (AttributeError, OSError, ValueError):
        return None
