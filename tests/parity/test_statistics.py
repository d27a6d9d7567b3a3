"""Whole episodes of scripted teams against upstream's: the greedy targets behave as they should."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from parity.golden import DATA

from camsim.envs.scripted import ScriptedEnv
from camsim.layout import EPISODE_COLUMNS
from camsim.scenario import load_scenario

N_EPISODES = 256
SIGMAS = 4.0
Samples = dict[str, np.ndarray]


def play(scenario: str, camera_policy: str, max_episode_steps: int) -> Samples:
    """One value per episode [N_EPISODES] of every metric, against greedy targets."""
    env = ScriptedEnv(
        load_scenario(scenario),
        N_EPISODES,
        camera_policy=camera_policy,
        target_policy="greedy",
        max_episode_steps=max_episode_steps,
    )
    rows = env.run_episodes(np.arange(N_EPISODES, dtype=np.uint64))
    columns = dict(zip(EPISODE_COLUMNS, rows.T, strict=True))
    return {
        "episode_length": columns["length"],
        "coverage_rate": columns["coverage_sum"] / columns["length"],
        "real_coverage_rate": columns["real_coverage_sum"] / columns["length"],
        "mean_transport_rate": columns["mean_transport_rate"],
        "camera_team_return": columns["camera_return"],
    }


def assert_same_mean(sample: np.ndarray, mean: float, standard_error: float) -> None:
    """Our mean and upstream's differ by less than four standard errors of the difference."""
    own_error = sample.std(ddof=1) / math.sqrt(len(sample))
    assert abs(sample.mean() - mean) < SIGMAS * math.hypot(own_error, standard_error)


@pytest.mark.parametrize("cameras", ["random", "naive"])
def test_episodes_of_greedy_targets(cameras: str) -> None:
    """Upstream: 37 and 38 episodes of at most 2,001 frames on MATE-4v4-9."""
    statistics = json.loads((DATA / "reference_stats.json").read_text())
    (entry,) = (
        entry
        for entry in statistics["entries"]
        if (entry["scenario"], entry["camera_agent"], entry["target_agent"])
        == ("MATE-4v4-9", cameras, "greedy")
    )
    samples = play("MATE-4v4-9", cameras, statistics["max_episode_steps"])
    for metric, sample in samples.items():
        assert_same_mean(sample, entry[metric]["mean"], entry[metric]["se"])


def test_navigation() -> None:
    """Among 32 obstacles, without cameras; upstream: 8 episodes of 1,000 frames, reward 9,700."""
    samples = play("MATE-Navigation", "random", 999)
    assert (samples["episode_length"] == 1000).all()
    assert_same_mean(-samples["camera_team_return"], 9700.0, 173.0)


def test_larger_team() -> None:
    """MATE-4v8-9; upstream: 8 episodes of 1,000 frames."""
    samples = play("MATE-4v8-9", "random", 999)
    assert_same_mean(samples["coverage_rate"], 0.284, 0.013)
    assert_same_mean(samples["real_coverage_rate"], 0.294, 0.012)
    assert_same_mean(samples["mean_transport_rate"], 0.671, 0.016)
    assert_same_mean(-samples["camera_team_return"], 7478.0, 192.0)
