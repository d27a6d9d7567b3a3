"""The table of systems as JSON, Markdown, terminal table and pictures of learning curves."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rich.table import Table

from qplex_bench.tables.intervals import difference, mean_of, pairs_of, t_interval
from qplex_bench.tables.plan import EPISODES_SEED, SCORES, STEREO, Run, TableSpec
from qplex_hrl.config import RunConfig, config_hash

FORMAT_VERSION = 1

_METRICS = (
    "coverage_rate",
    "real_coverage_rate",
    "stereo_coverage_rate",
    "transport_rate",
    "selection_efficiency",
)
_COLUMNS = (
    "system",
    "scenario",
    "regime",
    "coverage",
    "of each seed",
    "transport",
    "efficiency",
    "frames",
    "updates",
    "minutes",
)
_N_BEFORE_DIFFERENCE = 4  # columns to the left of an ablation's differences and of milestones
_MILESTONE_SLACK = 0.1  # how much later than a milestone its evaluation may be


class Outcome(NamedTuple):
    """A run and what is known of it."""

    run: Run
    status: str  # new, stopped, trained, finished or diverged
    stats: Mapping[str, Any]  # its training_stats.json
    evaluation: Mapping[str, Any] | None  # on the table's episodes, of a finished run


class Scripted(NamedTuple):
    """Cameras that no run trains, on the table's episodes."""

    kind: Literal["scripted", "untrained"]
    policy: str
    scenario: str
    regime: str
    evaluation: Mapping[str, Any]


# Any, here and below: a table is a JSON object of numbers, lists and text.
def table_of(
    spec: TableSpec, outcomes: Iterable[Outcome], scripted: Iterable[Scripted]
) -> dict[str, Any]:
    """Return the whole table as a JSON object.

    A row's means are over the training seeds that are finished; each seed's value is the mean over
    its episodes. Intervals of trained systems are t-intervals over seeds; those of scripted
    cameras, which do not learn, are bootstrap intervals over episodes.
    """

    def key(outcome: Outcome) -> tuple[int, int, int]:
        run = outcome.run
        return (
            spec.scenarios.index(run.scenario),
            spec.regimes.index(run.regime),
            spec.systems.index(run.system),
        )

    rows = [_row(list(group)) for _, group in groupby(sorted(outcomes, key=key), key=key)]
    for row in rows:
        row["settings"] = list(spec.variant(row["system"]).settings)
        row["milestones"] = [_milestone(row, frames) for frames in spec.milestones]
        if spec.reference not in (None, row["system"]):
            row.update(difference(row, _reference_of(row, rows, spec.reference)))
    return {
        "format_version": FORMAT_VERSION,
        "command": command_of(spec),
        "timesteps": spec.timesteps,
        "episodes": spec.episodes,
        "episodes_seed": EPISODES_SEED,
        "interval": "95 % t-interval over training seeds",
        "milestones": list(spec.milestones),
        "rows": rows,
        "pairs": pairs_of(rows) if spec.pairs else [],
        "scripted": [_scripted_row(one) for one in scripted],
    }


def _reference_of(
    row: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], reference: str | None
) -> Mapping[str, Any]:
    """Return the row of an ablation's whole system in the world of another row."""
    world = ("scenario", "regime")
    return next(
        other
        for other in rows
        if other["system"] == reference and all(other[key] == row[key] for key in world)
    )


def command_of(spec: TableSpec) -> str:
    """Return the command that makes the table."""
    if spec.reference is None:
        words = ["qplex-hrl", "benchmark", "table", "--systems", *spec.systems]
    else:
        parts = [system for system in spec.systems if system != spec.reference]
        words = ["qplex-hrl", "benchmark", "ablation", "--parts", *parts]
    words += ["--scenarios", *spec.scenarios, "--regimes", *spec.regimes]
    for flag, value in (
        ("--seeds", spec.n_seeds),
        ("--timesteps", spec.timesteps),
        ("--episodes", spec.episodes),
        ("--configs", spec.configs),
        ("--output", spec.output),
    ):
        words += [flag, str(value)]
    words += ["--milestones", *map(str, spec.milestones)] if spec.milestones else []
    words += ["--scripted"] * spec.scripted + ["--pairs"] * spec.pairs
    for setting in spec.settings:
        words += ["--set", setting]
    return shlex.join(words)


def _row(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the row of one system in one scenario and regime."""
    run = outcomes[0].run
    seeds = [_seed_row(outcome) for outcome in outcomes]
    finished = [seed for seed in seeds if seed["status"] == "finished"]
    row: dict[str, Any] = {
        "system": run.system,
        "scenario": run.scenario,
        "regime": run.regime,
        "config": str(run.file),
        "config_hash": config_hash(_without_seed(run.config)),
        "n_finished": len(finished),
    }
    for name in _METRICS:
        values = [seed[name] for seed in finished if seed[name] is not None]
        row[f"mean_{name}"] = mean_of(values)
        row[f"ci95_{name}"] = t_interval(values)
    for name in ("frames", "updates", "minutes"):
        row[f"mean_{name}"] = mean_of([seed[name] for seed in finished])
    return row | {"seeds": seeds}


def _milestone(row: Mapping[str, Any], frames: int) -> dict[str, Any]:
    """Return a row's coverage by the first evaluation of each seed from `frames` on, if near."""
    values = []
    for seed in row["seeds"]:
        later = [point for point in seed["curve"] if point["timestep"] >= frames]
        if later and later[0]["timestep"] <= frames * (1 + _MILESTONE_SLACK):
            values.append(later[0]["mean_coverage_rate"])
    return {"frames": frames, "mean_coverage_rate": mean_of(values), "ci95": t_interval(values)}


def _seed_row(outcome: Outcome) -> dict[str, Any]:
    """Return what one training came to."""
    stats, evaluation = outcome.stats, outcome.evaluation or {}
    provenance = evaluation.get("provenance", {})
    seconds = stats.get("wall_time_seconds")
    return {
        "seed": outcome.run.seed,
        "status": outcome.status,
        **{name: evaluation.get(f"mean_{name}") for name in _METRICS},
        "best_coverage": stats.get("best_coverage"),
        "frames": stats.get("timestep"),
        "updates": stats.get("n_updates"),
        "minutes": None if seconds is None else seconds / 60,
        "config_hash": config_hash(outcome.run.config),
        "commit": provenance.get("commit"),
        "versions": provenance.get("versions"),
        "curve": stats.get("evaluations", []),
    }


def _scripted_row(one: Scripted) -> dict[str, Any]:
    evaluation = one.evaluation
    row: dict[str, Any] = {
        "system": one.policy,
        "kind": one.kind,
        "scenario": one.scenario,
        "regime": one.regime,
        "interval": "95 % bootstrap interval over episodes",
    }
    for name in _METRICS:
        row[f"mean_{name}"] = evaluation.get(f"mean_{name}")
        row[f"ci95_{name}"] = evaluation.get(f"ci95_{name}")
    provenance = evaluation["provenance"]
    return row | {key: provenance[key] for key in ("commit", "versions")}


def _without_seed(config: RunConfig) -> RunConfig:
    """Return what the seeds of a row have in common."""
    training = config.training.model_copy(update={"seed": 0})
    return config.model_copy(update={"training": training})


def markdown_table(table: Mapping[str, Any]) -> str:
    """Return the table as Markdown, with the command that made it and where it came from."""
    columns = _columns(table)
    lines = [_markdown_line(columns), _markdown_line(["---"] * 3 + ["---:"] * (len(columns) - 3))]
    lines += [_markdown_line(cells) for cells in _cells(table)]
    notes = [f"    {table['command']}", "", *_notes(table)]
    return "\n".join([*lines, "", *_pair_lines(table), *notes]) + "\n"


def _pair_lines(table: Mapping[str, Any]) -> list[str]:
    """Return the differences of every two systems as a Markdown table, if there are any."""
    if not table["pairs"]:
        return []
    columns = ["first", "second", "scenario", "regime", "first - second", "the first is"]
    lines = [_markdown_line(columns), _markdown_line(["---"] * 4 + ["---:", "---"])]
    for pair in table["pairs"]:
        shown = _with_interval(pair["mean_difference"], pair["ci95_difference"], "+.3f")
        cells = [pair[key] for key in ("first", "second", "scenario", "regime")]
        lines.append(_markdown_line([*cells, shown, pair["verdict"]]))
    return [*lines, ""]


def _markdown_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def rich_table(table: Mapping[str, Any]) -> Table:
    """Return the table for a terminal."""
    caption = "coverage: mean ± half the 95 % interval, over training seeds or scripted episodes"
    shown = Table(title=f"{table['timesteps']:,} frames of training each", caption=caption)
    for name in _columns(table):
        shown.add_column(name, justify="left" if name in _COLUMNS[:3] else "right")
    for cells in _cells(table):
        shown.add_row(*cells)
    return shown


def _columns(table: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns; milestones have one each, and an ablation one more."""
    more = ["difference"] * _is_ablation(table)
    more += [f"after {frames:,}" for frames in table["milestones"]]
    return [*_COLUMNS[:_N_BEFORE_DIFFERENCE], *more, *_COLUMNS[_N_BEFORE_DIFFERENCE:]]


def _is_ablation(table: Mapping[str, Any]) -> bool:
    return any("mean_difference" in row for row in table["rows"])


def _cells(table: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of all rows, as both tables show them."""
    rows = [*table["rows"], *table["scripted"]]
    cells = [_row_cells(row) for row in rows]
    nothing = [{"mean_coverage_rate": None, "ci95": None}] * len(table["milestones"])
    for row, texts in zip(rows, cells, strict=True):
        more = [
            _with_interval(one["mean_coverage_rate"], one["ci95"])
            for one in row.get("milestones", nothing)
        ]
        if _is_ablation(table):
            mean, interval = row.get("mean_difference"), row.get("ci95_difference")
            more.insert(0, _with_interval(mean, interval, "+.3f"))
        texts[_N_BEFORE_DIFFERENCE:_N_BEFORE_DIFFERENCE] = more
    return cells


def _row_cells(row: Mapping[str, Any]) -> list[str]:
    score = SCORES[row["regime"]]
    each = [_number(seed[score], ".3f") or str(seed["status"]) for seed in row.get("seeds", [])]
    return [
        row["system"] if each else f"{row['system']} ({row['kind']})",
        row["scenario"],
        row["regime"],
        _with_interval(row[f"mean_{score}"], row[f"ci95_{score}"]),
        " ".join(each),
        _number(row["mean_transport_rate"], ".3f"),
        _number(row["mean_selection_efficiency"], ".3f"),
        _number(row.get("mean_frames"), ",.0f"),
        _number(row.get("mean_updates"), ",.0f"),
        _number(row.get("mean_minutes"), ".1f"),
    ]


def _with_interval(mean: float | None, interval: Sequence[float] | None, form: str = ".3f") -> str:
    if mean is None or interval is None:
        return _number(mean, form)
    return f"{mean:{form}} ± {(interval[1] - interval[0]) / 2:.3f}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _notes(table: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know, line by line."""
    parts = [seed for row in table["rows"] for seed in row["seeds"]] + table["scripted"]
    commits = sorted({part["commit"] for part in parts if part["commit"]})
    versions = {name: v for part in parts for name, v in (part["versions"] or {}).items()}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    hashes = [
        f"{r['system']} {r['scenario']} {r['regime']} {r['config_hash']}" for r in table["rows"]
    ]
    changes = [
        f"{r['system']}: `{' '.join(r['settings'])}`" for r in table["rows"] if r["settings"]
    ]
    ablation = [
        "- Difference: to the whole system, of the same training seed; mean over seeds ± half the "
        f"95 % t-interval. Changed: {'; '.join(dict.fromkeys(changes))}."
    ]
    milestones = [
        "- After so many frames: each seed's first evaluation during training from then on, on "
        "episodes of its own; mean over seeds ± half the 95 % t-interval."
    ]
    stereo = [
        f"- With {STEREO}, coverage is stereo coverage: of targets in two views from directions "
        "that differ enough."
    ]
    pairs = [
        "- Of two systems: difference of the same training seed; mean over seeds ± half the 95 % "
        "t-interval. Higher or lower: the interval is clear of zero. One of twenty pairs that do "
        "not differ is called so by chance."
    ]
    untrained = [
        "- Untrained: cameras that hold what a rule chooses from what trained ones observe."
    ]
    return [
        *(ablation if changes else []),
        *(pairs if table["pairs"] else []),
        *(stereo if any(row["regime"] == STEREO for row in table["rows"]) else []),
        *(untrained if any(row["kind"] == "untrained" for row in table["scripted"]) else []),
        *(milestones if table["milestones"] else []),
        "- Coverage: mean over training seeds ± half the 95 % t-interval over seeds; of scripted "
        "cameras, which do not learn, over episodes, with the bootstrap interval.",
        f"- Every seed: mean of the final weights over the same {table['episodes']} episodes (seed "
        f"{table['episodes_seed']}), on which nothing was trained or chosen.",
        "- Transport: MATE's mean transport rate, lower is better. Efficiency: selected targets in "
        "that camera's view / selected targets. Minutes: training with its evaluations.",
        f"- Commit: {', '.join(commits) or 'unknown'}. Versions: {listed or 'unknown'}.",
        f"- Configuration (hash without the seed): {'; '.join(hashes)}.",
    ]


def draw_curves(table: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw `curves_<scenario>_<regime>.svg` into the folder; return the files.

    Lines are means over seeds of the evaluations during training, thin lines single seeds. Without
    matplotlib (extra `viz`) nothing is drawn.
    """
    if find_spec("matplotlib") is None:
        return []
    from matplotlib.figure import Figure

    def key(row: Mapping[str, Any]) -> tuple[str, str]:
        return row["scenario"], row["regime"]

    files = []
    for (scenario, regime), rows in groupby(sorted(table["rows"], key=key), key=key):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        for number, row in enumerate(rows):
            curves = [seed["curve"] for seed in row["seeds"] if seed["curve"]]
            for curve in curves:
                axes.plot(*_points(curve), color=f"C{number}", linewidth=0.6, alpha=0.5)
            axes.plot(*_mean_points(curves), color=f"C{number}", label=row["system"])
        axes.set(xlabel="frames", ylabel="mean coverage rate", ylim=(0, 1))
        axes.set_title(f"{Path(scenario).stem}, {regime} view")
        axes.grid(alpha=0.3)
        axes.legend()
        file = folder / f"curves_{Path(scenario).stem}_{regime}.svg"
        figure.savefig(file, metadata={"Date": None})
        files.append(file)
    return files


def _points(curve: Sequence[Mapping[str, float]]) -> tuple[list[float], list[float]]:
    return [p["timestep"] for p in curve], [p["mean_coverage_rate"] for p in curve]


def _mean_points(
    curves: Sequence[Sequence[Mapping[str, float]]],
) -> tuple[list[float], list[float]]:
    """Return the means over seeds of the evaluations that all of them have."""
    together = list(zip(*(zip(*_points(curve), strict=True) for curve in curves), strict=False))
    return (
        [sum(t for t, _ in points) / len(points) for points in together],
        [sum(coverage for _, coverage in points) / len(points) for points in together],
    )
