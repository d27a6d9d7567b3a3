"""Cameras of a checkpoint. Whole evaluations of them: `test_policy_file_pretrained`, `training`."""

from pathlib import Path

import pytest
from tiny import CPU

from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.storage.checkpoint import CheckpointError, save_checkpoint

SEEDS = episode_seeds(0, 7)


def test_a_checkpoint_that_is_not_of_a_training_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "qplex_hrl_1.pth"
    save_checkpoint(path, {"weights": [1.0]})
    with pytest.raises(CheckpointError, match=r"qplex_hrl_1\.pth: not a checkpoint of a training"):
        evaluate_checkpoint(path, EvaluationSetting(), SEEDS, num_envs=2, device=CPU)
