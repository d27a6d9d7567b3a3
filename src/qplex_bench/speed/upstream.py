"""Our simulator beside upstream MATE on this machine: greedy against greedy, one core each."""

import statistics
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario
from qplex_bench.speed.process import Client
from qplex_hrl.runtime.threads import numba_threads

SCENARIO = "MATE-4v4-9"
FLOOR = 500.0
"""Least ratio of our steps per second to upstream's, per core."""

REPEATS = 5
N_ENVS, OUR_FRAMES, UPSTREAM_FRAMES = 256, 1000, 300


class Upstream:
    """Upstream MATE in a process of its own interpreter, timed on request."""

    def __init__(self, folder: Path, python: Path) -> None:
        """Start the process and wait until upstream is imported.

        Args:
            folder: of the user's copy of upstream: holds the package `mate`.
            python: an interpreter that has what upstream needs.

        Raises:
            ValueError: the folder holds no `mate`, or upstream cannot be started.
        """
        if not (folder / "mate" / "__init__.py").is_file():
            raise ValueError(f"--upstream {folder}: holds no package 'mate'")
        arguments = (f"{SCENARIO}.yaml", str(UPSTREAM_FRAMES))
        self._client = Client(
            "upstream",
            "upstream_client.py",
            arguments,
            python=python,
            path=folder,
            option="--upstream-python",
        )

    def frames_per_second(self) -> float:
        """Return the rate of the next `UPSTREAM_FRAMES` frames."""
        return UPSTREAM_FRAMES / float(self._client.ask())

    def close(self) -> None:
        """Let the process end."""
        self._client.close()


def _rates_in_turn(upstream: Upstream) -> tuple[list[float], list[float]]:
    """Return our and upstream's frames per second, `REPEATS` of each."""
    env = ScriptedEnv(
        load_scenario(SCENARIO), N_ENVS, camera_policy="greedy", target_policy="greedy"
    )
    env.reset(np.arange(N_ENVS, dtype=np.uint64))
    env.run_frames(1)  # compiles
    ours, theirs = [], []
    for _ in range(REPEATS):
        theirs.append(upstream.frames_per_second())
        started = time.perf_counter()
        env.run_frames(OUR_FRAMES)
        ours.append(N_ENVS * OUR_FRAMES / (time.perf_counter() - started))
    return ours, theirs


def compare_with_upstream(folder: Path, python: Path) -> int:
    """Print both rates, taken in turn; return 1 if the median ratio is below the floor, else 0.

    Raises:
        ValueError: upstream cannot be run.
    """
    upstream = Upstream(folder, python)
    try:
        with numba_threads(1):
            ours, theirs = _rates_in_turn(upstream)
    finally:
        upstream.close()
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    table = Table(title=f"{SCENARIO}, greedy against greedy, one core: env-steps/s")
    for name in ("what", "median", "slowest", "fastest"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, values in (("upstream", theirs), (f"ours, N = {N_ENVS}", ours), ("ratio", ratios)):
        row = (statistics.median(values), min(values), max(values))
        table.add_row(name, *(f"{value:,.0f}" for value in row))
    Console(width=100).print(table)
    return int(statistics.median(ratios) < FLOOR)
