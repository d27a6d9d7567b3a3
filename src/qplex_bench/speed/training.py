"""Frames per second of a training run."""

import json
import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qplex_hrl.config import load_config, parse_override
from qplex_hrl.training.trainer import train

TRAINING_FLOORS = {1: 4_000, 5: 8_000}
"""Least training frames per second on two cores, updates included, by `fast_interval`."""

TRAINING_WORK = (
    "control.lookahead=false",
    "control.coverage_per_target=false",
    "control.belief=last_seen",
    "network.q_network.type=hierarchical_rnn",
    "algorithm.ema_decay=0",
    "training.batch_size=24",
    "training.train_freq=1.0",
)
"""What the floors are about: the configuration for which they were stated."""


def _training_rate(config_path: Path, settings: tuple[str, ...], timesteps: int) -> float:
    """Return frames per second of a short run, whole process but for set-up and evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            parse_override(text)
            for text in (
                *settings,
                f"training.total_timesteps={timesteps}",
                f"evaluation.eval_interval={2 * timesteps}",
                "evaluation.final_episodes=1",
                f"logging.checkpoint_interval={2 * timesteps}",
                f"logging.log_interval={max(timesteps // 10, 1)}",
                f"logging.log_dir={folder}/logs",
                f"logging.model_dir={folder}/models",
            )
        ]
        if train(load_config(config_path, overrides), None, "WARNING") != 0:
            raise RuntimeError("the benchmark's training run did not finish")
        lines = (Path(folder) / "logs" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    steady = [
        row["frames_per_second"]
        for row in rows
        if row.get("frames_per_second") and row.get("n_updates", 0) > 0
    ]
    return float(statistics.median(steady))


def benchmark_training(
    config_path: Path = Path("configs/qplex_hrl_4v4_9.yaml"), timesteps: int = 150_000
) -> int:
    """Print training frames per second, updates included; return 1 if a floor is missed, else 0."""
    table = Table(title=f"{config_path}: training frames/s on 2 cores, updates included")
    for name in ("work", "frames/s", "floor"):
        table.add_column(name, justify="left" if name == "work" else "right")
    rate = _training_rate(config_path, (), timesteps)
    table.add_row("as configured", f"{rate:,.0f}", "")
    missed = False
    for fast_interval, floor in TRAINING_FLOORS.items():
        settings = (*TRAINING_WORK, f"network.hrl.fast_interval={fast_interval}")
        rate = _training_rate(config_path, settings, timesteps)
        missed |= rate < floor
        table.add_row(f"light, fast_interval {fast_interval}", f"{rate:,.0f}", f"{floor:,}")
    Console(width=100).print(table)
    return int(missed)
