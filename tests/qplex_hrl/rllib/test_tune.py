"""What the summary of trainings by Ray Tune says; whole ones are in tests/cli/test_train_ray.py."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny import tiny_config

from qplex_hrl.rllib.tune import _row, _with_seed, tune_seeds
from qplex_hrl.storage.checkpoint import CheckpointError


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


def test_trials_find_initial_weights_from_their_own_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny_config(tmp_path, training={"initial_weights": "given.pth"})
    run = _with_seed(config, 3)
    assert run.training.seed == 3
    assert run.training.initial_weights == str(tmp_path / "given.pth")
    assert _with_seed(tiny_config(tmp_path), 3).training.initial_weights is None


def test_missing_initial_weights_are_told_before_any_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # Tune's own way to be told
    pytest.importorskip("ray")
    config = tiny_config(tmp_path / "out", training={"initial_weights": "given.pth"})
    with pytest.raises(CheckpointError, match=r"given\.pth"):
        tune_seeds(config, [0], {})
    assert list(tmp_path.iterdir()) == []
