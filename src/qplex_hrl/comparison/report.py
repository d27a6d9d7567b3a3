"""The comparison as tables for a terminal, as Markdown, and as a JSON object."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from qplex_hrl.comparison.intervals import LEVEL, Interval, MeanDifference
from qplex_hrl.comparison.metric import Evaluation
from qplex_hrl.comparison.ranking import (
    PairResult,
    Ranking,
    Standing,
    performance_profile,
    taus_of,
)
from qplex_hrl.comparison.verdict import METHOD, notes_of, verdict_of, with_interval

__all__ = [
    "FORMAT",
    "GENERATOR",
    "Cells",
    "facts_of",
    "json_of",
    "markdown_of",
    "pair_cells",
    "rich_of",
    "standing_cells",
    "title_of",
]

FORMAT = "qplex-hrl comparison"
FORMAT_VERSION = 1
GENERATOR = "qplex-hrl compare"
"""Marks pages as made by this command, which may replace them."""

_MARKUP = re.compile(r"[\\`*{}\[\]|#$~]|(?<!\w)_|_(?!\w)")


class Cells(NamedTuple):
    """A table as text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def standing_cells(ranking: Ranking) -> Cells:
    """Return the contestants, best first."""
    metric = ranking.metric
    rows = tuple(
        (
            each.name,
            str(each.provenance["regime"]),
            str(len(each.played.contestant.runs) or "none"),
            with_interval(*each.mean, metric),
            with_interval(*each.iqm, metric),
        )
        for each in ranking.standings
    )
    title = f"{metric.label[0].upper()}{metric.label[1:]}, with 95 % intervals"
    return Cells(title, ("contestant", "view", "trainings", "mean", "interquartile mean"), rows)


def pair_cells(ranking: Ranking) -> Cells:
    """Return the difference of every two."""
    rows = tuple(
        (
            f"{pair.better} - {pair.worse}",
            with_interval(*pair.difference[:3], ranking.metric),
            f"{pair.won}/{pair.equal}/{pair.lost}",
            "{:.2f} ({:.2f} to {:.2f})".format(*pair.improvement),
            _p_value(pair.p_holm),
            "yes" if pair.is_shown else "no",
        )
        for pair in ranking.pairs
    )
    columns = ("pair", "difference", "won/equal/lost", "improvement", "p", "shown")
    return Cells("Differences on the same episodes, with 95 % intervals", columns, rows)


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def title_of(ranking: Ranking) -> str:
    """Return who is compared, best first."""
    *names, last = [standing.name for standing in ranking.standings]
    return f"{', '.join(names)} and {last}, compared"


def facts_of(ranking: Ranking) -> dict[str, str]:
    """Return what was played, as words and values."""
    first = ranking.standings[0]
    provenance, evaluation = first.provenance, first.played.evaluations[0]
    limit = provenance["max_episode_steps"]
    return {
        "scenario": str(provenance["scenario"]),
        "targets": str(provenance["opponent"]),
        "episodes": str(evaluation["n_episodes"]),
        "frames at most": "as the scenario says" if limit is None else str(limit),
        "commit": str(provenance["commit"] or "unknown"),
    }


def rich_of(ranking: Ranking) -> list[Table]:
    """Return the tables for a terminal."""
    tables = []
    for cells in (standing_cells(ranking), pair_cells(ranking)):
        table = Table(
            title=Text(cells.title),
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for n, column in enumerate(cells.columns):
            table.add_column(column, overflow="fold", justify="right" if n else "left")
        for row in cells.rows:
            table.add_row(*map(Text, row))  # names are no markup
        tables.append(table)
    return tables


def markdown_of(ranking: Ranking, command: str) -> str:
    """Return the page as Markdown."""
    lines = [f"<!-- {GENERATOR} -->", "", f"# {_plain(title_of(ranking))}", ""]
    lines += [*map(_plain, verdict_of(ranking)), ""]
    for cells in (standing_cells(ranking), pair_cells(ranking)):
        lines += [f"{cells.title}:", "", *_markdown_rows(cells), ""]
    lines += [f"- {_plain(note)}" for note in (*notes_of(ranking), *METHOD)]
    facts = "; ".join(f"{word}: {value}" for word, value in facts_of(ranking).items())
    return "\n".join([*lines, f"- {_plain(facts)}.", "", f"    {command}"]) + "\n"


def _markdown_rows(cells: Cells) -> list[str]:
    def line(texts: Iterable[str]) -> str:
        return "| " + " | ".join(map(_plain, texts)) + " |"

    rule = ["---"] + ["---:"] * (len(cells.columns) - 1)
    return [line(cells.columns), line(rule), *map(line, cells.rows)]


def _plain(text: str) -> str:
    """Return Markdown that shows the text as it is."""
    return _MARKUP.sub(r"\\\g<0>", escape(text, quote=False))


# Any: a JSON object of numbers, lists and text.
def json_of(ranking: Ranking, command: str) -> dict[str, Any]:
    """Return everything, every episode included; equal runs have equal objects."""
    taus = taus_of(ranking)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "command": command,
        "verdict": verdict_of(ranking),
        "notes": notes_of(ranking),
        "method": list(METHOD),
        "level": LEVEL,
        "metric": ranking.metric._asdict(),
        "counted_seeds": list(ranking.seeds),
        "taus": taus.tolist(),
        "contestants": [
            _standing_json(each, [*performance_profile(each, taus)]) for each in ranking.standings
        ],
        "pairs": [_pair_json(pair) for pair in ranking.pairs],
    }


def _standing_json(standing: Standing, profile: Sequence[Interval]) -> dict[str, Any]:
    contestant, curve = standing.played.contestant, standing.curve
    return {
        "name": contestant.name,
        "rule": contestant.rule,
        "checkpoints": [str(run.checkpoint) for run in contestant.runs],
        "mean": _interval_json(standing.mean),
        "interquartile_mean": _interval_json(standing.iqm),
        "performance_profile": [_interval_json(point) for point in profile],
        "learning_curve": curve
        and [
            {"timestep": timestep} | _interval_json(point)
            for timestep, point in zip(curve.timesteps, curve.points, strict=True)
        ],
        "evaluations": list(map(_without_times, standing.played.evaluations)),
    }


def _without_times(evaluation: Evaluation) -> Mapping[str, Any]:
    """Return an evaluation without what differs between equal ones."""
    provenance = dict(evaluation["provenance"])
    provenance.pop("wall_time_seconds", None)
    return {**evaluation, "provenance": provenance}


def _pair_json(pair: PairResult) -> Mapping[str, Any]:
    return {
        "better": pair.better,
        "worse": pair.worse,
        "difference": _interval_json(pair.difference),
        "p_value": pair.difference.p_value,
        "p_value_holm": pair.p_holm,
        "shown": pair.is_shown,
        "unpaired_difference": _interval_json(pair.unpaired),
        "probability_of_improvement": _interval_json(pair.improvement),
        "episodes_better": pair.won,
        "episodes_equal": pair.equal,
        "episodes_worse": pair.lost,
    }


def _interval_json(interval: Interval | MeanDifference) -> dict[str, Any]:
    return {"value": interval.value, "ci95": [interval.low, interval.high]}
