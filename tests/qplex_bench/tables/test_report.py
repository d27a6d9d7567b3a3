"""Pictures of learning curves."""

from pathlib import Path

import pytest

from qplex_bench.tables.report import draw_curves


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
