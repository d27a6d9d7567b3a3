"""What trainings take of memory and disk, beside what was predicted before they began."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from qplex_bench.speed.process import SINGLE_THREAD
from qplex_bench.speed.versions import python
from qplex_hrl.config import RunConfig, dump_config, load_config, parse_override
from qplex_hrl.training.budget import budget_of

__all__ = ["Use", "measure_budgets", "settings_that_fill", "train_and_watch"]

_LOOKS_EVERY = 0.02  # seconds


class Use(NamedTuple):
    """The most bytes that a training had taken at any moment."""

    memory: int  # resident
    disk: int  # in its two folders


def measure_budgets(configs: Sequence[Path], most_decisions: int, settings: Sequence[str]) -> int:
    """Print predicted and measured memory and disk of short trainings; return 0.

    A training lasts until its replay is full, with two evaluations and three checkpoints.

    Args:
        configs: files.
        most_decisions: a replay is made smaller if it holds more: filling it takes long.
        settings: "section.key=value" of all configurations.

    Raises:
        ValueError: a configuration is wrong, or a training fails.
    """
    runs = [(path, _filling(path, most_decisions, settings)) for path in configs]
    table = Table(title="memory and disk of trainings, MB")
    for heading in ("configuration", "memory predicted", "most", "off", "disk predicted", "most"):
        table.add_column(heading, justify="left" if heading == "configuration" else "right")
    table.add_column("off", justify="right")
    for path, config in runs:
        budget = budget_of(config)
        use = train_and_watch(config)
        cells = [path.stem]
        for parts, taken in ((budget.memory, use.memory), (budget.disk, use.disk)):
            predicted = sum(parts.values())
            cells += [f"{predicted / 1e6:,.0f}", f"{taken / 1e6:,.0f}"]
            cells.append(f"{predicted / taken - 1:+.1%}")
        table.add_row(*cells)
    Console(width=120).print(table)
    return 0


def _filling(path: Path, most_decisions: int, settings: Sequence[str]) -> RunConfig:
    given = load_config(path, map(parse_override, settings))
    more = settings_that_fill(given, most_decisions)
    return load_config(path, map(parse_override, (*settings, *more)))


def settings_that_fill(config: RunConfig, most_decisions: int) -> list[str]:
    """Return settings with which a training fills its replay soon, evaluates and saves."""
    training, n_envs = config.training, config.env.num_envs
    window = training.burn_in + training.sequence_length + 1
    size = min(training.buffer_size, max(most_decisions, window * n_envs))
    frames = -(-size // n_envs) * n_envs * config.network.hrl.frame_skip
    total = max(frames, 2 * training.learning_starts) * 5 // 4
    return [
        f"training.buffer_size={size}",
        f"training.total_timesteps={total}",
        f"evaluation.eval_interval={total // 2}",
        f"logging.checkpoint_interval={total // 4}",
    ]


def train_and_watch(config: RunConfig) -> Use:
    """Train in a process of its own and return what it took.

    Raises:
        ValueError: the training fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "config.yaml"
        path.write_text(dump_config(config), encoding="utf-8")
        runs = folder / "run"
        command = [str(python()), "-m", "qplex_hrl", "train", "--config", str(path)]
        command += ["--log-dir", str(runs / "logs"), "--model-dir", str(runs / "models")]
        with (folder / "errors.txt").open("w+", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, env=os.environ | SINGLE_THREAD, stdout=subprocess.DEVNULL, stderr=errors
            )
            disk = 0
            while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
                disk = max(disk, _size_of(runs))
                time.sleep(_LOOKS_EVERY)
            process.returncode = os.waitstatus_to_exitcode(ended[1])
            if process.returncode:
                errors.seek(0)
                lines = errors.read().strip().splitlines() or ["no message"]
                raise ValueError(f"{config.env.scenario}: the training stopped: {lines[-1]}")
        return Use(memory=1024 * ended[2].ru_maxrss, disk=max(disk, _size_of(runs)))


def _size_of(folder: Path) -> int:
    """Return the bytes of all files below; files come and go."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_blocks * 512
    return total
