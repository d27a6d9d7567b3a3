"""Two scripted teams after a reset, and how tests read and compare what they did."""

from __future__ import annotations

import numpy as np
from reference_policies import (
    Pose,
)
from reference_sim import Vector

from camsim.envs.scripted_env import ScriptedEnv
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import Scenario, load_scenario
from camsim.scripted.spec import CameraRules, TargetRules

TOLERANCE = 1e-9


def seeds(n: int) -> np.ndarray:
    """Seeds 0, 1, ... [n]."""
    return np.arange(n, dtype=np.uint64)


def play(
    scenario: str | Scenario,
    n_envs: int,
    cameras: str | CameraRules = "random",
    targets: str | TargetRules = "random",
) -> ScriptedEnv:
    """Two teams after a reset."""
    if isinstance(scenario, str):
        scenario = load_scenario(scenario)
    env = ScriptedEnv(scenario, n_envs, camera_policy=cameras, target_policy=targets)
    env.reset(seeds(n_envs))
    return env


def pair(values: np.ndarray) -> Vector:
    """A point or vector [2] as a tuple."""
    return float(values[0]), float(values[1])


def pairs(values: np.ndarray) -> list[Vector]:
    """Points [n, 2] as tuples."""
    return [pair(value) for value in values]


def poses(env: ScriptedEnv, i: int) -> list[Pose]:
    """Where the cameras of environment i look."""
    columns = ("camera_orientation", "camera_viewing_angle", "camera_sight_range")
    return [Pose(*row) for row in np.stack([read(env.sim, k)[i] for k in columns], 1).tolist()]


def arrows(edges: np.ndarray) -> set[tuple[int, int]]:
    """Who heard whom, from counts of messages [n, n]; every count is 0 or 1."""
    assert edges.max(initial=0) <= 1
    return {(int(a), int(b)) for a, b in np.argwhere(edges)}


def close(actual: np.ndarray, wanted: Vector) -> None:
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=TOLERANCE)
