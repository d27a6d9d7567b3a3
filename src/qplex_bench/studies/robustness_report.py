"""The robustness table as JSON, Markdown and terminal table, and the bars that it must meet."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from qplex_bench.studies.robustness_cells import BASE_OPPONENT, OPPONENTS, TEAMS, Variation
from qplex_bench.tables.plan import EPISODES_SEED
from qplex_hrl.config import RunConfig, config_hash
from qplex_hrl.evaluation.metrics import summary

FORMAT_VERSION = 1
BASELINE = "greedy"
"""Scripted cameras, with messages, that every policy is compared with."""

SILENT = "greedy_silent"
"""The same without messages: they know as much of each other as cameras with own views do."""

MARGIN = 0.05
"""By how much coverage must exceed the baseline's against targets not trained against."""

TOLERANCE, JUDGED_TEAMS = 0.05, "8v8-9"
"""What a policy may lose in these teams to one that was trained there."""

# Any, here and below: evaluations and the report are JSON objects of numbers, lists and text.
Evaluations = dict[tuple[str, str], Mapping[str, Any]]
"""By name of the cameras and of the cell."""


class RobustnessSpec(NamedTuple):
    """What is measured."""

    checkpoints: tuple[Path, ...]
    episodes: int
    max_episode_steps: int
    output: Path


class Policy(NamedTuple):
    """Trained cameras in the table."""

    name: str
    path: Path
    config: RunConfig
    digest: str  # of the file

    @property
    def shared(self) -> bool:
        """Whether its cameras know what any of them sees."""
        return self.config.env.shared_field_of_view


def command_of(spec: RobustnessSpec) -> str:
    """Return the command that makes the table."""
    words = ["qplex-hrl", "benchmark", "robustness", "--checkpoints", *map(str, spec.checkpoints)]
    for flag, value in (
        ("--episodes", spec.episodes),
        ("--max-episode-steps", spec.max_episode_steps),
        ("--output", spec.output),
    ):
        words += [flag, str(value)]
    return shlex.join(words)


def report_of(
    spec: RobustnessSpec,
    policies: Sequence[Policy],
    rows: Sequence[Variation],
    found: Evaluations,
) -> dict[str, Any]:
    """Return the whole table as a JSON object.

    Intervals are 95 % bootstrap intervals over episodes; differences are taken episode by episode,
    between episodes of the same seed.
    """
    provenance: Mapping[str, Any] = next((e["provenance"] for e in found.values()), {})
    return {
        "format_version": FORMAT_VERSION,
        "command": command_of(spec),
        "episodes": spec.episodes,
        "episodes_seed": EPISODES_SEED,
        "max_episode_steps": spec.max_episode_steps,
        "policies": [_policy_entry(policy) for policy in policies],
        "rows": [_row(row, policies, found) for row in rows],
        "commit": provenance.get("commit"),
        "versions": provenance.get("versions"),
    }


def _policy_entry(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "file": str(policy.path),
        "digest": policy.digest,
        "scenario": policy.config.env.scenario,
        "regime": "shared" if policy.shared else "own",
        "config_hash": config_hash(policy.config),
    }


def _row(row: Variation, policies: Sequence[Policy], found: Evaluations) -> dict[str, Any]:
    """Return one world: what the baselines and every policy came to in it."""
    baseline, silent = (found.get((name, row.cell)) for name in (BASELINE, SILENT))
    return {
        "kind": row.kind,
        "value": row.value,
        "cell": row.cell,
        "scenario": row.preset or row.scenario.name,
        "opponent": row.opponent,
        "message_loss": row.message_loss,
        BASELINE: None if baseline is None else _coverage(baseline),
        SILENT: None if silent is None else _coverage(silent),
        "policies": {
            policy.name: _policy_cell(row, policy, policies, found)
            for policy in policies
            if (policy.name, row.cell) in found and (policy.shared or row.message_loss == 0)
        },
    }


def _coverage(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    return {name: evaluation[name] for name in ("mean_coverage_rate", "ci95_coverage_rate")}


def _policy_cell(
    row: Variation, policy: Policy, policies: Sequence[Policy], found: Evaluations
) -> dict[str, Any]:
    """Return a policy's coverage in a world, and how far it is from the others'."""
    mine = found[policy.name, row.cell]
    cell = _coverage(mine)
    baseline = found.get((BASELINE, row.cell))
    if baseline is not None:
        cell |= difference(mine, baseline, "above_greedy")
    silent = found.get((SILENT, row.cell))
    if silent is not None and not policy.shared:
        cell |= difference(mine, silent, "above_greedy_silent")
    native = _trained_there(row, policy, policies)
    if native is not None and (native.name, row.cell) in found:
        cell |= {"trained_there": native.name}
        cell |= difference(mine, found[native.name, row.cell], "above_trained_there")
    return cell


def difference(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str
) -> dict[str, float | list[float] | None]:
    """Return mean, deviation and interval of the difference in coverage, ours minus theirs.

    Raises:
        ValueError: the evaluations are of different episodes.
    """
    if ours["seeds"] != theirs["seeds"]:
        raise ValueError("expected evaluations of the same episodes")
    first, second = (
        np.array([episode["coverage_rate"] for episode in evaluation["episodes"]])
        for evaluation in (ours, theirs)
    )
    return summary(name, first - second)


def _trained_there(row: Variation, policy: Policy, policies: Sequence[Policy]) -> Policy | None:
    """Return the first policy of the same regime that was trained in a world of other teams."""
    if row.kind != TEAMS or policy.config.env.scenario == row.preset:
        return None
    for other in policies:
        if other.shared == policy.shared and other.config.env.scenario == row.preset:
            return other
    return None


def missed_bars(report: Mapping[str, Any]) -> list[str]:
    """Return a line for each stated bar that is missed.

    Against targets that are not greedy, coverage must exceed the baseline's by MARGIN; in the
    JUDGED_TEAMS it must be at most TOLERANCE below that of a policy that was trained there, where
    one is in the table.
    """
    lines = []
    for row in report["rows"]:
        judged = row["kind"] == OPPONENTS and row["value"] != BASE_OPPONENT
        for name, cell in row["policies"].items():
            above = cell.get("mean_above_greedy")
            if judged and above is not None and above < MARGIN:
                lines.append(
                    f"missed: {name} against {row['value']} targets is {above:+.3f} from "
                    f"{BASELINE} cameras; expected at least +{MARGIN}"
                )
            loss = cell.get("mean_above_trained_there")
            if row["value"] == JUDGED_TEAMS and loss is not None and loss < -TOLERANCE:
                lines.append(
                    f"missed: {name} in {JUDGED_TEAMS} is {loss:+.3f} from "
                    f"{cell['trained_there']}, trained there; expected at least -{TOLERANCE}"
                )
    return lines


def markdown_report(report: Mapping[str, Any]) -> str:
    """Return the table as Markdown, with the command that made it and where it came from."""
    names = [policy["name"] for policy in report["policies"]]
    columns = _columns(report, names)
    lines = [_line(columns), _line(["---"] * 2 + ["---:"] * (len(columns) - 2))]
    lines += [_line(_cells(report, row, names, _full)) for row in report["rows"]]
    notes = [f"    {report['command']}", "", *_notes(report)]
    return "\n".join([*lines, "", *notes]) + "\n"


def rich_report(report: Mapping[str, Any]) -> Table:
    """Return the table for a terminal."""
    names = [policy["name"] for policy in report["policies"]]
    shown = Table(
        title=f"coverage over {report['episodes']} episodes",
        caption="mean ± half the 95 % interval; differences are paired by episode",
    )
    for number, column in enumerate(_columns(report, names)):
        shown.add_column(column, justify="left" if number < 2 else "right")
    kinds = [row["kind"] for row in report["rows"]]
    for row, following in zip(report["rows"], [*kinds[1:], None], strict=True):
        cells = _cells(report, row, names, _short)
        shown.add_row(*cells, end_section=row["kind"] != following)
    return shown


def _tells_silent(report: Mapping[str, Any]) -> bool:
    """Return whether the table has policies that are to be compared with silent cameras."""
    return any(policy["regime"] == "own" for policy in report["policies"])


def _columns(report: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    columns = ["what differs", "value", f"{BASELINE} cameras"]
    columns += ["without messages"] if _tells_silent(report) else []
    for name in names:
        columns += [name, "difference"]
    return columns


Text = Callable[[float, Sequence[float], str], str]
"""Writes a mean and its interval in a number format."""


def _cells(
    report: Mapping[str, Any], row: Mapping[str, Any], names: Iterable[str], text: Text
) -> list[str]:
    def told(cell: Mapping[str, Any] | None, name: str, form: str) -> str:
        if cell is None or cell.get(f"mean_{name}") is None:
            return ""  # not known
        return text(cell[f"mean_{name}"], cell[f"ci95_{name}"], form)

    cells = [row["kind"], row["value"], told(row[BASELINE], "coverage_rate", ".3f")]
    cells += [told(row[SILENT], "coverage_rate", ".3f")] if _tells_silent(report) else []
    for name in names:
        cell = row["policies"].get(name)
        cells.append(told(cell, "coverage_rate", ".3f"))
        difference = told(cell, "above_greedy", "+.3f")
        if cell is not None and "trained_there" in cell:
            difference += f"; to {cell['trained_there']} "
            difference += told(cell, "above_trained_there", "+.3f")
        cells.append(difference)
    return cells


def _full(mean: float, interval: Sequence[float], form: str) -> str:
    low, high = interval
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"


def _short(mean: float, interval: Sequence[float], form: str) -> str:
    low, high = interval
    return f"{mean:{form}} ± {(high - low) / 2:.3f}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _notes(report: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know, line by line."""
    versions = (report["versions"] or {}).items()
    listed = ", ".join(f"{name} {version}" for name, version in versions if version)
    trained = "; ".join(
        f"{p['name']}: {p['scenario']}, {p['regime']} view, configuration {p['config_hash']}"
        for p in report["policies"]
    )
    return [
        "- Coverage: mean over episodes with its 95 % bootstrap interval. Difference: to greedy "
        "scripted cameras with messages in the same world, paired by the episodes' seeds. Without "
        "messages: the same scripted cameras when nothing arrives.",
        f"- {report['episodes']} episodes (seed {report['episodes_seed']}), at most "
        f"{report['max_episode_steps']} frames each; nothing was trained or chosen on them.",
        f"- Trained in: {trained}.",
        f"- Commit: {report['commit'] or 'unknown'}. Versions: {listed or 'unknown'}.",
    ]
