"""Intervals over seeds against SciPy, and pictures of learning curves."""

from pathlib import Path

import numpy as np
import pytest

from qplex_bench.studies.report import draw_curves, t_interval

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


def test_curves_have_a_picture_for_each_world(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def row(system: str, regime: str, *curves: list[float]) -> dict[str, object]:
        seeds = [
            {"curve": [{"timestep": 100 * i, "mean_coverage_rate": c} for i, c in enumerate(curve)]}
            for curve in curves
        ]
        return {"system": system, "scenario": "MATE-4v4-9", "regime": regime, "seeds": seeds}

    rows = [
        row("qplex", "own", [0.1, 0.2], [0.3, 0.4, 0.5]),
        row("qplex_hrl", "own", [], []),
        row("qplex", "shared", [0.1, 0.2]),
    ]
    files = draw_curves({"rows": rows}, tmp_path)
    assert [file.name for file in files] == [
        "curves_MATE-4v4-9_own.svg",
        "curves_MATE-4v4-9_shared.svg",
    ]
    for file in files:
        assert "<svg" in file.read_text()
