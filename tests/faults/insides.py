"""Faults within a process: clocks that jump, numbers that are none."""

import math
import random
from pathlib import Path

import numpy as np
import torch
from faults.harness import Bench, FaultShows, Outcome, last_line

from qplex_hrl.storage.checkpoint import load_checkpoint


def clock_jumps(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Let the wall clock jump for a whole training."""
    command = bench.start(bench.train(), folder, "jump_clock", rng.randrange(1000))
    if (code := command.end()) != 0:
        raise FaultShows(Outcome.LOST, f"exit code {code}: {last_line(command.errors)}")
    bench.check_run(folder)
    return Outcome.IDENTICAL


def nan_inside(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Make a loss, a Q-value or what a camera sees NaN: the run stops, and can go on before it."""
    patch, most = rng.choice([("spoil_loss", 40), ("spoil_q_values", 300), ("spoil_world", 300)])
    command = bench.start(bench.train(), folder, patch, rng.randrange(most))
    code = command.end()
    _check_finite(folder)
    if code not in (1, 2):
        raise FaultShows(Outcome.WRONG, f"{patch}: exit code {code}, as if nothing had been")
    try:
        bench.finish(folder)
    except FaultShows as shown:
        raise FaultShows(shown.outcome, f"{patch}, then resumed: {shown.detail}") from shown
    return Outcome.IDENTICAL


def _check_finite(folder: Path) -> None:
    """Check that no file holds a NaN."""
    for path in folder.rglob("*.json*"):
        if "NaN" in path.read_text(encoding="utf-8"):
            raise FaultShows(Outcome.WRONG, f"NaN in {path.name}")
    for path in folder.rglob("*.pth"):
        if _has_nan(load_checkpoint(path)["training"]):
            raise FaultShows(Outcome.WRONG, f"NaN in {path.name}")


def _has_nan(content: object) -> bool:
    match content:
        case dict():
            return any(map(_has_nan, content.values()))
        case list():
            return any(map(_has_nan, content))
        case float():
            return math.isnan(content)
        case torch.Tensor() if content.is_floating_point():
            return bool(content.isnan().any())
        case np.ndarray() if content.dtype.kind == "f":
            return bool(np.isnan(content).any())
    return False
