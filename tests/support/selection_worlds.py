"""Environments of selecting cameras for tests: options, what to do with them, copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from camcontrol.selection_env import EnvOutput, SelectionEnv, SelectionOptions
from camsim.scenario.schema import load_scenario

UPSTREAM = SelectionOptions(
    decision_frames=1,
    belief="none",
    max_selected=9,
    search_actions=0,
    executor="upstream",
    lookahead=False,
    gamma=1.0,
    check_actions=False,  # tests of what happens to targets out of view
)
OURS = SelectionOptions(
    belief="last_seen",
    memory_frames=20,
    lookahead=False,
    coverage_per_target=False,
    gamma=0.98,
    check_actions=False,
)
REGIMES = {
    "upstream": replace(UPSTREAM, decision_frames=5),
    "own": OURS,
    "shared": replace(OURS, observation_mode="shared"),
    "lossy": replace(OURS, observation_mode="shared", message_loss=0.4),
    "particles": replace(OURS, belief="particles"),
    "shared particles": replace(OURS, belief="particles", observation_mode="shared"),
    "looking ahead": replace(OURS, belief="particles", observation_mode="shared", lookahead=True),
}


def seeds(n: int, first: int = 0) -> np.ndarray:
    """Seeds first, first + 1, ... [n]."""
    return np.arange(first, first + n, dtype=np.uint64)


def make(options: SelectionOptions, n_envs: int, name: str = "MATE-4v4-9") -> SelectionEnv:
    """An environment after its reset."""
    env = SelectionEnv(load_scenario(name), options, n_envs)
    env.reset(seeds(n_envs))
    return env


def choose(env: SelectionEnv, rng: np.random.Generator, avail: np.ndarray) -> np.ndarray:
    """Random available actions [N, C]."""
    return np.where(avail, rng.random(avail.shape), -1.0).argmax(-1)


def copied(output: EnvOutput) -> EnvOutput:
    """The output, out of reach of the next decision."""
    return EnvOutput(*(array.copy() for array in output))


def assert_equal_states(a: SelectionEnv, b: SelectionEnv, rows: slice = slice(None)) -> None:
    """All of b equals rows `rows` of a, bit for bit."""
    mine, theirs = a.state_dict(), b.state_dict()
    for name, array in theirs.items():
        if len(array):
            np.testing.assert_array_equal(mine[name][rows], array, name)
