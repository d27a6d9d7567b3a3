"""How trained cameras do in worlds they were not trained in, beside greedy ones; can be stopped."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from rich.console import Console

from camsim.files import atomic_write_json, atomic_write_text
from qplex_bench.studies.robustness_cells import MESSAGES, Variation, variations
from qplex_bench.studies.robustness_report import (
    BASELINE,
    SILENT,
    Evaluations,
    Policy,
    RobustnessSpec,
    markdown_report,
    missed_bars,
    report_of,
    rich_report,
)
from qplex_bench.tables.plan import EPISODES_SEED, read_json
from qplex_hrl.evaluation.evaluate import evaluate_scripted
from qplex_hrl.evaluation.players import EVALUATION_ENVS
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.evaluation.trained import evaluate_checkpoint
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.signals import Interrupt, Interrupted


class Cell(NamedTuple):
    """One evaluation: who plays where."""

    policy: Policy | None  # None: greedy scripted cameras
    variation: Variation
    silent: bool = False  # they get no messages

    @property
    def player(self) -> str:
        """Name of the cameras."""
        scripted = SILENT if self.silent else BASELINE
        return self.policy.name if self.policy else scripted

    @property
    def message_loss(self) -> float:
        """Chance that a message between the cameras is lost."""
        return 1.0 if self.silent else self.variation.message_loss


def measure_robustness(spec: RobustnessSpec, device: torch.device) -> int:
    """Evaluate all cells that are not yet there, write and print the table; return the exit code.

    Returns:
        0 done, 1 a stated bar is missed, 130 interrupted; the same call goes on.

    Raises:
        ValueError: a checkpoint is not valid or cannot play all teams; nothing has been written.
        OSError: a file cannot be written.
    """
    policies = load_policies(spec.checkpoints)
    rows = variations()
    console = Console(stderr=True)
    found: Evaluations = {}
    _write_scenarios(spec, rows)
    with Interrupt() as interrupt:
        try:
            for cell in cells_of(policies, rows):
                key = (cell.player, cell.variation.cell)
                found[key] = _evaluation(spec, cell, device, interrupt, console)
        except Interrupted:
            _write(spec, policies, rows, found)
            console.print("interrupted; the same command goes on", highlight=False)
            return INTERRUPTED
    report = _write(spec, policies, rows, found)
    shown = Console(width=max(100, 60 + 40 * len(policies)))
    shown.print(rich_report(report))
    missed = missed_bars(report)
    for line in missed:
        shown.print(line, highlight=False, markup=False)
    shown.print(f"written to {spec.output}", highlight=False, markup=False, soft_wrap=True)
    return FAILED if missed else DONE


def load_policies(checkpoints: Sequence[Path]) -> list[Policy]:
    """Return what the table must know of the checkpoints.

    Raises:
        ValueError: a file is no checkpoint, cannot play all teams, or two have the same name.
    """
    policies: list[Policy] = []
    for path in checkpoints:
        trained = load_policy(path)
        q_network = trained.config.network.q_network
        if q_network.encoding == "flat" or q_network.camera_identity == "index":
            raise ValueError(
                f"{path}: its weights are bound to one size of the teams; expected "
                "network.q_network.encoding 'entities' and camera_identity 'pose'"
            )
        if path.stem in (BASELINE, SILENT, *(policy.name for policy in policies)):
            raise ValueError(f"--checkpoints {path}: expected files with different names")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        policies.append(Policy(path.stem, path, trained.config, digest))
    return policies


def cells_of(policies: Sequence[Policy], rows: Sequence[Variation]) -> list[Cell]:
    """Return every evaluation that the table needs, once, row by row.

    Messages are lost only where policies share their view; the baseline plays where one does, and
    its silent kind where one does not.
    """
    cells: dict[tuple[str, str], Cell] = {}
    for row in rows:
        able = [p for p in policies if p.shared or row.kind != MESSAGES]
        for policy in [*able, None] if able else []:
            cell = Cell(policy, row)
            cells.setdefault((cell.player, row.cell), cell)
        if row.kind != MESSAGES and not all(policy.shared for policy in policies):
            cells.setdefault((SILENT, row.cell), Cell(None, row, silent=True))
    return list(cells.values())


def _write_scenarios(spec: RobustnessSpec, rows: Sequence[Variation]) -> None:
    folder = _scenarios(spec)
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if row.preset is None:
            text = yaml.safe_dump(row.scenario.to_mapping(), sort_keys=False)
            atomic_write_text(row.file(folder), text)


def _scenarios(spec: RobustnessSpec) -> Path:
    return spec.output / "scenarios"


# Any, here and below: evaluations and the report are JSON objects of numbers, lists and text.
def _evaluation(
    spec: RobustnessSpec,
    cell: Cell,
    device: torch.device,
    interrupt: Interrupt,
    console: Console,
) -> Mapping[str, Any]:
    """Return the evaluation of a cell: the stored one if it is of the same episodes."""
    seeds = episode_seeds(EPISODES_SEED, spec.episodes)
    identity = _identity(spec, cell)
    file = spec.output / "evaluations" / cell.player / f"{cell.variation.cell}.json"
    stored = read_json(file)
    if stored and stored.get("cell") == identity and stored.get("seeds") == seeds.tolist():
        return stored
    setting = cell.variation.world(_scenarios(spec), spec.max_episode_steps)
    setting = setting._replace(message_loss=cell.message_loss)
    with interrupt.at_once():
        if cell.policy is None:
            result = evaluate_scripted(BASELINE, setting, seeds, num_envs=EVALUATION_ENVS)
        else:
            path = cell.policy.path
            result = evaluate_checkpoint(
                path, setting, seeds, num_envs=EVALUATION_ENVS, device=device
            )
    result["cell"] = identity
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_json(file, result)
    coverage, seconds = result["mean_coverage_rate"], result["provenance"]["wall_time_seconds"]
    text = f"{cell.player} {cell.variation.cell}: {coverage:.3f} ({seconds:.0f} s)"
    console.print(text, highlight=False, soft_wrap=True)
    return result


def _identity(spec: RobustnessSpec, cell: Cell) -> dict[str, Any]:
    """Return all that a cell's evaluation depends on, beside the code."""
    variation = cell.variation
    return {
        "player": cell.policy.digest if cell.policy else cell.player,
        "scenario": variation.scenario.to_mapping(),
        "opponent": variation.opponent,
        "message_loss": cell.message_loss,
        "max_episode_steps": spec.max_episode_steps,
    }


def _write(
    spec: RobustnessSpec,
    policies: Sequence[Policy],
    rows: Sequence[Variation],
    found: Evaluations,
) -> dict[str, Any]:
    """Write what is known so far, as JSON and Markdown, and return it."""
    report = report_of(spec, policies, rows, found)
    atomic_write_json(spec.output / "robustness.json", report)
    atomic_write_text(spec.output / "robustness.md", markdown_report(report))
    return report
