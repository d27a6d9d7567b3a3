"""Whole episodes of scripted teams against upstream's: all rules behave as they should."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from parity.golden import DATA

from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario
from camsim.scripted.memory import MESSAGES_EPISODE
from camsim.tables import EPISODE_COLUMNS
from qplex_bench.agreement import reference

SIGMAS = 4.0
Samples = dict[str, np.ndarray]


def seeds(n: int) -> np.ndarray:
    """Seeds 0, 1, ... [n]."""
    return np.arange(n, dtype=np.uint64)


def play(scenario: str, cameras: str, targets: str, max_episode_steps: int) -> Samples:
    """One value per episode [128] of some metrics; edges: messages per frame of a team."""
    env = ScriptedEnv(
        load_scenario(scenario),
        128,
        camera_policy=cameras,
        target_policy=targets,
        max_episode_steps=max_episode_steps,
    )
    rows = env.run_episodes(seeds(128))
    columns = dict(zip(EPISODE_COLUMNS, rows.T, strict=True))
    return {
        "episode_length": columns["length"],
        "coverage_rate": columns["coverage_sum"] / columns["length"],
        "real_coverage_rate": columns["real_coverage_sum"] / columns["length"],
        "mean_transport_rate": columns["mean_transport_rate"],
        "target_return": -columns["camera_return"],
        "camera_edges": env.teams[2].traffic[:, MESSAGES_EPISODE] / columns["length"],
        "target_edges": env.teams[3].traffic[:, MESSAGES_EPISODE] / columns["length"],
    }


def assert_same_mean(sample: np.ndarray, mean: float, standard_error: float) -> None:
    """Our mean and upstream's differ by less than four standard errors of the difference."""
    own_error = sample.std(ddof=1) / math.sqrt(len(sample))
    assert abs(sample.mean() - mean) < SIGMAS * math.hypot(own_error, standard_error)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("scenario", "cameras", "targets"),
    [
        ("MATE-4v4-9", "random", "greedy"),
        ("MATE-4v4-9", "greedy", "greedy"),
        ("MATE-4v4-9", "heuristic", "greedy"),
        ("MATE-4v4-9", "greedy", "heuristic"),
        ("MATE-4v2-9", "greedy", "greedy"),
        ("MATE-8v8-9", "greedy", "greedy"),
    ],
)
def test_recorded_rows(scenario: str, cameras: str, targets: str) -> None:
    """Upstream: 18 to 37 episodes of at most 2,001 frames."""
    statistics = reference.load_reference(DATA / "reference_stats.json")
    (entry,) = (
        entry
        for entry in statistics["entries"]
        if (entry["scenario"], entry["camera_agent"], entry["target_agent"])
        == (scenario, cameras, targets)
    )
    for row in reference.play_entry(entry, statistics["max_episode_steps"], seeds(96)):
        assert abs(row.difference) < SIGMAS, row


def test_shipped_statistics_are_the_recorded_ones() -> None:
    recorded = reference.load_reference(DATA / "reference_stats.json")
    shipped = reference.load_reference()
    assert len(shipped["entries"]) == 10
    assert shipped["max_episode_steps"] == recorded["max_episode_steps"]
    for short, full in zip(shipped["entries"], recorded["entries"], strict=True):
        for key, value in short.items():
            if isinstance(value, dict):
                assert value == {name: full[key][name] for name in value}
            else:
                assert value == full[key]


@pytest.mark.jit
@pytest.mark.parametrize(
    ("cameras", "targets", "coverage", "real", "transport", "reward", "edges"),
    [
        # upstream: 4 to 12 episodes of 500 or 1,000 frames; edges without errors
        ("naive", "naive", (0.385, 0.015), (0.373, 0.017), (0.352, 0.015), (1834, 147), (0, 0)),
        ("random", "random", (0.290, 0.023), (0.240, 0.018), (0.153, 0.104), (-871, 161), (0, 0)),
        (
            *("greedy", "heuristic", (0.571, 0.014), (0.549, 0.014), (0.421, 0.021), (4476, 254)),
            (0.354, 0.027),
        ),
        (
            *("greedy", "greedy", (0.588, 0.014), (0.582, 0.014), (0.397, 0.016), (4377, 205)),
            (0.347, 0.026),
        ),
        (
            *("heuristic", "greedy", (0.542, 0.027), (0.527, 0.030), (0.477, 0.028), (2717, 208)),
            (5.925, 0.004),
        ),
    ],
)
def test_larger_team(
    cameras: str,
    targets: str,
    coverage: tuple[float, float],
    real: tuple[float, float],
    transport: tuple[float, float],
    reward: tuple[float, float],
    edges: tuple[float, float],
) -> None:
    """MATE-4v8-9, and how many messages go round."""
    samples = play("MATE-4v8-9", cameras, targets, 499 if cameras == "heuristic" else 999)
    assert_same_mean(samples["coverage_rate"], *coverage)
    assert_same_mean(samples["real_coverage_rate"], *real)
    assert_same_mean(samples["mean_transport_rate"], *transport)
    assert_same_mean(samples["target_return"], *reward)
    assert samples["camera_edges"].mean() == pytest.approx(edges[0], rel=0.05)
    # a broadcast is 8 messages, and upstream's frames hold 1 to 40 of them
    assert samples["target_edges"].mean() == pytest.approx(edges[1], abs=0.005)


@pytest.mark.jit
def test_navigation() -> None:
    """Among 32 obstacles, without cameras; upstream: 8 episodes of 1,000 frames, reward 9,700."""
    samples = play("MATE-Navigation", "random", "greedy", 999)
    assert (samples["episode_length"] == 1000).all()
    assert_same_mean(samples["target_return"], 9700.0, 173.0)
    assert samples["target_edges"].mean() == pytest.approx(0.015, rel=0.15)


def test_a_row_that_differs_fails(capsys: pytest.CaptureFixture[str]) -> None:
    statistics = reference.load_reference()
    entry = json.loads(json.dumps(statistics["entries"][-1]))
    entry["coverage_rate"]["mean"] = 0.2
    small = statistics | {"entries": [entry], "max_episode_steps": 100}
    assert reference.compare_with_reference(small, seeds(8)) == 1
    printed = capsys.readouterr().out
    assert "coverage_rate" in printed
    assert "beyond 3" in printed
    row = reference.Row("s", "c", "t", "episode_length", reference.Mean(5, 0), reference.Mean(5, 0))
    assert row.agrees
    assert not row._replace(ours=reference.Mean(6, 0)).agrees


def test_files_that_hold_no_statistics(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "stats.json"
    for text, fault in (
        ("{", "not JSON"),
        ("{}", "'entries'"),
        ('{"entries": [{}]}', "'scenario'"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"stats.json: .*{fault}"):
            reference.load_reference(path)
