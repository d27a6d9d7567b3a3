"""Time of an update by part; frames per second and seconds to a coverage of whole trainings."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from qplex_bench.speed.decision import parts_client
from qplex_bench.speed.process import SINGLE_THREAD
from qplex_bench.speed.versions import (
    Measures,
    Sample,
    ShippedCase,
    Version,
    add_rows,
    new_table,
    python,
    versions,
)
from qplex_hrl.training.progress import REFERENCE_COVERAGE

UPDATE = Measures(
    {
        "sample": "sampling",
        "forward": "loss",
        "backward": "backward",
        "step": "optimiser, target, EMA",
        "sum": "sum",
    }
)
RUN = Measures(
    {
        "without": "frames/s without evaluation",
        "with": "frames/s with evaluation",
        "seconds": f"seconds to coverage {REFERENCE_COVERAGE}",
    },
    more_is_better=frozenset({"without", "with"}),
    digits=0,
)
N_UPDATES = 3
"""In a measurement."""


class Amounts(NamedTuple):
    """How much is measured."""

    repeats: int = 5  # of which medians are printed
    timesteps: int = 300_000  # of a training; 0: updates only
    settings: tuple[str, ...] = ()  # "section.key=value" of all configurations


def benchmark_training(cases: Sequence[ShippedCase], baseline: str | None, amounts: Amounts) -> int:
    """Print what updates and trainings take in the shipped configurations; return 0.

    Updates and the simulator have one thread each; in a training they run side by side.

    Args:
        cases: worlds.
        baseline: revision of git that is measured in turn, None for none.
        amounts: how much is measured.

    Raises:
        ValueError: a configuration or the revision does not exist, or a version cannot be run.
    """
    updates = new_table("ms per update, one core", UPDATE)
    runs = new_table(f"trainings of {amounts.timesteps:,} frames, two cores", RUN)
    with versions(baseline) as all_versions:
        for case in cases:
            for version in all_versions:
                case.config(version)
        for case in cases:
            add_rows(updates, case, _updates(case, all_versions, amounts), UPDATE)
            if amounts.timesteps:
                add_rows(runs, case, _runs(case, all_versions, amounts), RUN)
    console = Console(width=120)
    console.print(updates)
    if amounts.timesteps:
        console.print(runs)
    return 0


def _updates(
    case: ShippedCase, all_versions: Sequence[Version], amounts: Amounts
) -> dict[str, list[Sample]]:
    """Return ms per update of every version by part, measured in turn."""
    samples: dict[str, list[Sample]] = {version.name: [] for version in all_versions}
    with ExitStack() as stack:
        clients = {
            version.name: stack.enter_context(
                parts_client(version, case, "update", N_UPDATES, amounts.settings)
            )
            for version in all_versions
        }
        for _ in range(amounts.repeats):
            for name, client in clients.items():
                parts = json.loads(client.ask())["parts"]
                samples[name].append(parts | {"sum": sum(parts.values())})
    return samples


def _runs(
    case: ShippedCase, all_versions: Sequence[Version], amounts: Amounts
) -> dict[str, list[Sample]]:
    """Return figures of whole trainings of every version, run in turn."""
    samples: dict[str, list[Sample]] = {version.name: [] for version in all_versions}
    never = [f"evaluation.eval_interval={2 * amounts.timesteps}"]
    for _ in range(amounts.repeats):
        for version in all_versions:
            without = run_training(version, case.config(version), amounts, never)
            evaluated = run_training(version, case.config(version), amounts, [])
            sample = {"without": without["rate"], "with": evaluated["rate"]}
            seconds = {"seconds": evaluated["seconds"]} if "seconds" in evaluated else {}
            samples[version.name].append(sample | seconds)
    return samples


def run_training(
    version: Version, config: Path, amounts: Amounts, settings: Sequence[str]
) -> Sample:
    """Train in a process of a version; return `rate` and, if reached, `seconds`.

    `rate` is frames per second from the first frame to the end. `seconds` passed from the first
    frame until an evaluation that reached REFERENCE_COVERAGE was there.

    Raises:
        ValueError: the training fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        all_settings = (
            *amounts.settings,
            f"training.total_timesteps={amounts.timesteps}",
            "training.num_threads=1",
            "evaluation.final_episodes=1",
            f"logging.checkpoint_interval={2 * amounts.timesteps}",
            f"logging.log_dir={folder / 'logs'}",
            f"logging.model_dir={folder / 'models'}",
            *settings,
        )
        command = [python(), version.root / "runners" / "train_qplex_hrl.py", "--config", config]
        result = subprocess.run(
            [*map(str, command), *(word for text in all_settings for word in ("--set", text))],
            env=os.environ | SINGLE_THREAD | {"PYTHONPATH": str(version.root / "src")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if result.returncode:
            reason = result.stderr.strip().splitlines() or ["no message"]
            raise ValueError(f"version {version.name!r} stopped: {reason[-1]}")
        return figures_of(folder / "logs")


def figures_of(logs: Path) -> dict[str, float]:
    """Return `rate` and, if reached, `seconds` from a training's log folder, of any version."""
    stats = _read(logs / "training_stats.json")
    rate = stats["frames_per_second"]
    assert isinstance(rate, float)
    began = (logs / "config.yaml").stat().st_mtime  # written just before the first frame
    reached = [
        path.stat().st_mtime - began
        for path in logs.glob("eval_results_*.json")
        if _coverage(_read(path)) >= REFERENCE_COVERAGE
    ]
    return {"rate": rate} | ({"seconds": min(reached)} if reached else {})


def _coverage(evaluation: Mapping[str, object]) -> float:
    coverage = evaluation["mean_coverage_rate"]
    assert isinstance(coverage, float)
    return coverage


def _read(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return content
