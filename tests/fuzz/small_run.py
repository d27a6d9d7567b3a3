"""A small training that stops before its first file: what `train` builds, in the caller's hands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from qplex_hrl.config import RunConfig
from qplex_hrl.training import trainer

SMALL: dict[str, dict[str, Any]] = {
    "env": {"scenario": "MATE-2v4-0", "num_envs": 2, "max_episode_steps": 20},
    "control": {
        "n_particles": 4,
        "search_actions": 2,
        "max_selected": 2,
    },
    "network": {
        "q_network": {"hidden_size": 8},
        "state_encoder": {"hidden_size": 8, "embed_size": 8},
        "mixing_network": {"embed_size": 4, "hypernet_size": 8, "n_heads": 2},
    },
    "training": {
        "total_timesteps": 3000,
        "learning_starts": 100,
        "batch_size": 2,
        "buffer_size": 400,
        "sequence_length": 4,
        "burn_in": 2,
        "train_freq": 20.0,
        "device": "cpu",
        "overlap": False,
    },
    "logging": {"tensorboard": False, "video_every": 0},
    "evaluation": {"episodes": 2, "final_episodes": 2, "num_envs": 2},
}
Job = Callable[[Any, Path | None, Callable[[], Any]], None]


def small_config(folder: Path) -> RunConfig:
    """Return the run of the tests, with folders of its own."""
    folders = {"log_dir": str(folder / "logs"), "model_dir": str(folder / "models")}
    return RunConfig.model_validate(SMALL | {"logging": SMALL["logging"] | folders})


def built(config: RunConfig, job: Job, checkpoint: Path | None = None) -> None:
    """Do what `train` does before its first file, then `job` with the run, instead of training.

    Args:
        config: of the run.
        job: gets the run, the checkpoint and what does an iteration.
        checkpoint: what `--resume` names.
    """

    def execute(
        run: Any, found: Path | None, _: str, iterate: Callable[[], Any], budget: str
    ) -> int:
        try:
            job(run, found, iterate)
        finally:
            run.close()
        return 0

    with patch.object(trainer, "execute", execute):
        trainer.train(config, checkpoint, "ERROR")


def write_checkpoint(folder: Path, n_iterations: int = 12) -> Path:
    """Train a little, write a checkpoint with its replay; return the checkpoint."""
    path = folder / "qplex_hrl_1.pth"

    def job(run: Any, _: Path | None, iterate: Callable[[], Any]) -> None:
        for _i in range(n_iterations):
            iterate()
        run.save(path)

    built(small_config(folder), job)
    return path
