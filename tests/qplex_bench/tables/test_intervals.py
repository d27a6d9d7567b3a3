"""Intervals over seeds against SciPy, and verdicts on pairs of systems."""

from typing import Any

import numpy as np
import pytest

from qplex_bench.tables.intervals import difference, pairs_of, t_interval

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("n", [2, 3, 5, 10, 11, 12, 20, 64, 1000])
def test_the_interval_is_students(n: int) -> None:
    values = np.random.default_rng(n).normal(0.8, 0.02, n)
    wanted = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    interval = t_interval(values.tolist())
    assert interval is not None
    width = wanted[1] - wanted[0]
    np.testing.assert_allclose(interval, wanted, atol=1e-3 * width)


def test_one_seed_has_no_interval() -> None:
    assert t_interval([0.5]) is None
    assert t_interval([]) is None


def row(system: str, *scores: float | None, regime: str = "own") -> dict[str, Any]:
    metric = "stereo_coverage_rate" if regime == "stereo" else "coverage_rate"
    seeds = [{"seed": seed, metric: score} for seed, score in enumerate(scores)]
    return {"system": system, "scenario": "MATE-4v4-9", "regime": regime, "seeds": seeds}


def test_a_difference_is_of_the_same_seeds_and_finished_ones() -> None:
    found = difference(row("a", 0.5, 0.7, None, 0.9), row("b", 0.4, 0.5, 0.1))
    assert found["mean_difference"] == pytest.approx(0.15)
    low, high = stats.t.interval(0.95, 1, 0.15, 0.05)
    assert found["ci95_difference"] == pytest.approx((low, high), abs=1e-3)
    assert difference(row("a", None), row("b", 0.4))["mean_difference"] is None


def test_verdicts_need_an_interval_that_is_clear_of_zero() -> None:
    rows = [row("a", 0.50, 0.61, 0.72), row("b", 0.40, 0.50, 0.60), row("c", 0.5, 0.5, 0.8)]
    found = {(pair["first"], pair["second"]): pair["verdict"] for pair in pairs_of(rows)}
    assert found == {("a", "b"): "higher", ("a", "c"): "no claim", ("b", "c"): "no claim"}
    assert pairs_of(rows[1::-1])[0]["verdict"] == "lower"
    assert pairs_of([row("a", 0.5), row("b", 0.1)])[0]["verdict"] == "no claim"


def test_pairs_are_of_one_world_and_by_its_score() -> None:
    rows = [row("a", 0.5, 0.6), row("a", 0.5, 0.6, regime="stereo"), row("b", 0.1, 0.2)]
    (pair,) = pairs_of(rows)
    assert (pair["first"], pair["second"], pair["regime"]) == ("a", "b", "own")
    stereo = [row("a", 0.5, 0.6, regime="stereo"), row("b", 0.1, 0.2, regime="stereo")]
    assert pairs_of(stereo)[0]["mean_difference"] == pytest.approx(0.4)
