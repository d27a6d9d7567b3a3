"""What the summary of trainings by Ray Tune says; whole ones are in tests/cli/test_train_ray.py."""

import json
from pathlib import Path
from types import SimpleNamespace

from tiny import tiny_config

from qplex_hrl.rllib_tune import _row


def test_a_run_that_never_evaluated_has_no_best_coverage(tmp_path: Path) -> None:
    """Too short for an evaluation, or lost before its first one: JSON holds no NaN."""
    for metrics in ({"timestep": 5120, "best_coverage": float("nan")}, None):
        result = SimpleNamespace(
            metrics=metrics, best_checkpoints=[], path=str(tmp_path / "seed_0"), error=None
        )
        row = _row(tiny_config(tmp_path), result)
        assert row["best_coverage"] is None
        assert row["final_coverage"] is None
        assert json.loads(json.dumps(row, allow_nan=False)) == row
