import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.evaluation.metrics import best_coverage, episode_metrics, finite_or_none, summary


def row(**values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([values.get(name, 0.0) for name in EPISODE_COLUMNS])


def test_episode_metrics_by_hand() -> None:
    first = row(
        length=10,
        coverage_sum=7.5,
        real_coverage_sum=5,
        mean_transport_rate=0.25,
        camera_return=-3,
        reward_sum=4,
        selected=8,
        valid_selected=6,
        stereo_coverage_sum=2.5,
    )
    metrics = episode_metrics(np.stack([first, row(length=4, coverage_sum=1)]))
    assert {name: values.tolist() for name, values in metrics.items() if name[0] != "s"} == {
        "coverage_rate": [0.75, 0.25],  # 7.5 / 10, 1 / 4
        "real_coverage_rate": [0.5, 0.0],
        "transport_rate": [0.25, 0.0],
        "episode_reward": [4.0, 0.0],
        "camera_return": [-3.0, 0.0],
        "episode_length": [10.0, 4.0],
    }
    assert metrics["stereo_coverage_rate"].tolist() == [0.25, 0.0]
    # 6 / 8; nothing was selected in the second episode, so nothing is counted there
    np.testing.assert_array_equal(metrics["selection_efficiency"], [0.75, np.nan])


def test_summary_by_hand() -> None:
    result = summary("x", np.array([1.0, 3.0, np.nan]))
    assert result["mean_x"] == 2.0
    assert result["std_x"] == pytest.approx(2**0.5)  # sqrt((1 + 1) / (2 - 1))
    assert result["ci95_x"] == [1.0, 3.0]  # each mean of two draws: 1, 2 or 3


def test_summary_without_numbers() -> None:
    assert summary("x", np.array([np.nan])) == {"mean_x": None, "std_x": None, "ci95_x": None}
    assert summary("x", np.array([2.0])) == {"mean_x": 2.0, "std_x": None, "ci95_x": [2.0, 2.0]}


def test_the_interval_has_the_right_width() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    interval = summary("x", values)["ci95_x"]
    assert isinstance(interval, list)
    half_width = 1.96 * values.std() / 20  # sqrt(400) = 20
    assert interval == pytest.approx(
        [values.mean() - half_width, values.mean() + half_width], abs=0.02
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_summaries_are_json_and_repeat(values: list[float]) -> None:
    result = summary("x", np.array(values))
    assert json.loads(json.dumps(result, allow_nan=False)) == summary("x", np.array(values))
    interval = result["ci95_x"]
    assert isinstance(interval, list)
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= interval[0] <= interval[1] <= max(values) + slack


def test_best_coverage() -> None:
    assert best_coverage(None, {"mean_coverage_rate": 0.5}) == 0.5
    assert best_coverage(0.6, {"mean_coverage_rate": 0.5}) == 0.6
    assert best_coverage(0.4, {"mean_coverage_rate": 0.5}) == 0.5


def test_finite_or_none() -> None:
    assert [finite_or_none(x) for x in (1.0, float("nan"), float("inf"))] == [1.0, None, None]
