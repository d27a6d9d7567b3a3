"""Worlds of TeamEnv with both teams in the hands of a test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from camsim import TeamEnv, TeamOptions, load_scenario
from camsim.envs.team_env import TeamOutput

BOTH = TeamOptions(targets="external")


def make(
    n_envs: int = 3, options: TeamOptions = BOTH, name: str = "MATE-4v4-9", **changes: object
) -> TeamEnv:
    """A TeamEnv, both teams external unless `options` or `changes` say otherwise."""
    return TeamEnv(load_scenario(name), replace(options, **changes), n_envs)  # type: ignore[arg-type]


def seeds(n: int, first: int = 0) -> NDArray[np.uint64]:
    return np.arange(first, first + n, dtype=np.uint64)


def nothing(env: TeamEnv) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Actions of both teams that move nobody."""
    n = env.num_envs
    return np.zeros((n, env.n_cameras, 2)), np.zeros((n, env.n_targets, 2))


def copied(out: TeamOutput) -> TeamOutput:
    return TeamOutput(*(array.copy() for array in out))


def assert_equal_rows(one: TeamOutput, other: TeamOutput, rows: object = slice(None)) -> None:
    for name, a, b in zip(TeamOutput._fields, one, other, strict=True):
        np.testing.assert_array_equal(a[rows], b[rows], name)
