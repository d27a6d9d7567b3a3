"""Frames per second through TorchRL: our batched environments, and PettingZoo's one world."""

import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from qplex_hrl.runtime.devices import limit_threads

N_ENVS = 256
SECONDS = 3.0
FLOORS = {"raw worlds": 60_000.0, "selections": 40_000.0}
"""Least frames per second of each, on a machine whose bare simulator does a million."""
LEAST_RATIO = 100.0
"""Of raw worlds to PettingZoo through TorchRL's wrapper."""

Measure = Callable[[float], float]


def benchmark_torchrl(repeats: int) -> int:
    """Print frames per second, taken in turn with one thread and random actions.

    Returns:
        1 if a median is below its floor, else 0.

    Raises:
        ValueError: TorchRL is not installed.
    """
    limit_threads(1)
    torch.manual_seed(0)
    measures = _measures()
    for measure in measures.values():
        measure(0.5)  # compiles
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(repeats):
        for name, measure in measures.items():
            rates[name].append(measure(SECONDS))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    table = Table(title=f"TorchRL, one thread, {N_ENVS} worlds: frames/s")
    for column in ("what", "median", "slowest", "fastest"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, values in rates.items():
        cells = (medians[name], min(values), max(values))
        table.add_row(name, *(f"{value:,.0f}" for value in cells))
    raw, one = (medians[name] for name in ("raw worlds", "PettingZoo, one world"))
    table.caption = f"raw worlds to PettingZoo: {raw / one:.0f}"
    Console(width=100).print(table)
    slow = any(medians[name] < floor for name, floor in FLOORS.items())
    return int(slow or raw / one < LEAST_RATIO)


def _measures() -> dict[str, Measure]:
    try:
        from torchrl.envs import EnvBase, PettingZooWrapper
    except ImportError as error:
        msg = 'TorchRL is not installed; expected pip install "qplex-hrl[torchrl]"'
        raise ValueError(msg) from error
    from camsim import MateParallelEnv
    from qplex_hrl.clients.torchrl_envs import MateTorchEnv, SelectionTorchEnv

    def rate_of(env: EnvBase, frames: int) -> Measure:
        def measure(seconds: float) -> float:
            now, steps, begin = env.reset(), 0, time.perf_counter()
            while (passed := time.perf_counter() - begin) < seconds:
                _, now = env.step_and_maybe_reset(env.rand_action(now))
                steps += 1
            return float(steps * frames * env.batch_size.numel() / passed)

        return measure

    raw = MateTorchEnv(num_envs=N_ENVS, relative=True, rescaled=True)
    selections = SelectionTorchEnv(num_envs=N_ENVS)
    world = MateParallelEnv(relative=True, rescaled=True, dtype="float32")
    decision = selections.selection_env.options.decision_frames
    return {
        "raw worlds": rate_of(raw, 1),
        "selections": rate_of(selections, decision),
        "PettingZoo, one world": rate_of(PettingZooWrapper(world, return_state=True), 1),
    }
