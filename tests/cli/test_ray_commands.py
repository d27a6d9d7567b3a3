"""The four Ray commands of the design document, as written there, with a small budget."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

pytest.importorskip("ray")

from qplex_hrl.storage.checkpoint import load_checkpoint

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CONFIG = "configs/qplex_hrl_4v4_9_ray.yaml"
WRITTEN = f"python runners/train_qplex_hrl_ray.py --config {CONFIG}"
SMALL = (
    *("--total-timesteps", "4000", "--set", "training.learning_starts=1500"),
    *("--set", "training.buffer_size=3000", "--set", "env.max_episode_steps=100"),
    *("--set", "evaluation.final_episodes=2", "--set", "logging.checkpoint_interval=2000"),
    *("--set", "training.burn_in=1", "--set", "training.sequence_length=4"),
)


def run(folder: Path, written: str, *more: str) -> str:
    """Run a command as written, from the repository's folder, with outputs elsewhere."""
    python, *words = written.split()
    assert python == "python"
    folders = ("--log-dir", str(folder / "logs"), "--model-dir", str(folder / "models"))
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "WANDB_MODE": "offline",
    }
    result = subprocess.run(
        [sys.executable, *words, *SMALL, *folders, *more],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=400,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def check_outputs(folder: Path, at_least: int = 4000) -> None:
    logs, models = folder / "logs", folder / "models"
    final = load_checkpoint(models / "qplex_hrl_final.pth")
    assert at_least <= final["timestep"] < at_least + 3000
    result = json.loads((logs / "final_eval_results.json").read_text())
    assert 0 < result["mean_coverage_rate"] <= 1
    stats = json.loads((logs / "training_stats.json").read_text())
    assert (stats["status"], stats["timestep"]) == ("done", final["timestep"])
    assert stats["n_updates"] > 0
    for name in ("config.yaml", "training.log", "metrics.jsonl"):
        assert (logs / name).stat().st_size > 0
    assert list(logs.glob("events.out.tfevents.*"))


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The basic command and the one with W&B at once: it is the basic one with two more flags."""
    pytest.importorskip("wandb")
    folder = tmp_path_factory.mktemp("tracked")
    shown = run(folder, f"{WRITTEN} --project qplex-hrl --group experiment-1")
    import torch

    assert shown.count("there is no GPU here") == (0 if torch.cuda.is_available() else 1)
    assert "W&B: offline" in shown
    return folder


def test_with_wandb(tracked: Path) -> None:
    check_outputs(tracked)
    final = load_checkpoint(tracked / "models" / "qplex_hrl_final.pth")
    assert final["config"]["env"]["num_envs"] == 32
    assert list((tracked / "logs" / "wandb").glob("offline-run-*/*.wandb"))


def test_resume(tracked: Path, tmp_path: Path) -> None:
    checkpoint = tracked / "models"
    run(tmp_path, f"{WRITTEN} --resume {checkpoint}", "--total-timesteps", "7000")
    check_outputs(tmp_path, 7000)
    assert "resumed" in (tmp_path / "logs" / "training.log").read_text()


def test_with_resources(tmp_path: Path) -> None:
    run(tmp_path, f"{WRITTEN} --num-workers 8 --num-gpus 0.5")
    check_outputs(tmp_path)
