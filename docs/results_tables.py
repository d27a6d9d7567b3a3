"""Write the tables of results from docs/results/*.json: `python docs/results_tables.py`.

Each table stands between `<!-- table NAME -->` and `<!-- end -->` and is replaced as a whole. The
commands in the pages make the files; what is compared with what is said here.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from qplex_bench.tables.intervals import mean_of, t_interval
from qplex_bench.tables.plan import SCORES

DOCS = Path(__file__).parent
PAGES = tuple(DOCS / name for name in ("results.md", "robustness.md", "systems.md"))
_TABLE = re.compile(r"(<!-- table (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

Node = dict[str, Any]  # Any: an object of JSON
Rows = list[Sequence[str]]

OWN, SHARED = "what it sees itself", "what any camera sees"
BEGUN = f"{OWN}, begun with cameras of MATE-4v4-9"
SHIPPED = (
    ("4v4_9_shared", SHARED),
    ("4v4_9_own", OWN),
    ("4v2_9_shared", SHARED),
    ("4v2_9_own", OWN),
    ("4v2_9_own_300k", f"{OWN}, less training"),
    ("4v2_9_own_from_4v4", BEGUN),
    ("4v8_9_shared", SHARED),
    ("8v8_9_shared", SHARED),
    ("4v8_9_own", BEGUN),
    ("8v8_9_own", BEGUN),
)
SHORT = (
    ("4v4_9_own_60k", OWN),
    ("4v4_9_own_100k", OWN),
    ("4v4_9_shared_60k", SHARED),
    ("4v4_9_shared_100k", SHARED),
)
SYSTEMS = (
    ("systems_100k_own", "qplex", "QPLEX (standard)"),
    ("systems_100k_own", "qplex_dev", "QPLEX Dev"),
    ("systems_100k_own", "hrl_qmix", "HRL-QMIX"),
    ("systems_100k_own", "hrl_vdn", "HRL-VDN"),
    ("systems_100k_own", "hrl_qplex", "HRL-QPLEX"),
    ("systems_100k_credit", "qplex_hrl", "**QPLEX HRL**"),
    ("systems_100k_own", "qplex_hrl", "QPLEX HRL without difference reward"),
    ("systems_100k_shared", "qplex_hrl", "**QPLEX HRL**"),
)
SCRIPTED = ("random", "naive", "heuristic", "greedy", "planner")
MIXERS = ("mixers_4v2_9_stereo", "mixers_4v2_9_stereo_plans_difference")
MIXER_NAMES = ("none", "vdn", "qmix", "qplex", "adaptive", "qfix_vdn", "qfix_qmix")
ABLATIONS = ("ablation_4v4_9_own", "ablation_4v4_9_shared", "ablation_4v2_9_stereo")
POLICIES = {
    "qplex_hrl_4v4_9": "own view",
    "qplex_hrl_4v4_9_mixture": "own view, mixture",
    "qplex_hrl_4v4_9_shared": "shared view",
}


@cache
def result(name: str) -> Node:
    """Return a file of docs/results."""
    found: Node = json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def updated(page: str) -> str:
    """Return the page with every table made anew."""

    def table(found: re.Match[str]) -> str:
        head, *rows = TABLES[found[2]]()
        lines = [f"| {' | '.join(cells)} |\n" for cells in (head, *rows)]
        lines.insert(1, f"{'|---' * len(head)}|\n")
        return found[1] + "".join(lines) + found[4]

    return _TABLE.sub(table, page)


def shipped() -> Rows:
    """Coverage of the shipped configurations."""
    head = ["scenario", "each camera knows", "coverage", "95 % interval", "of each seed"]
    rows: Rows = [[*head, "after 100,000 frames", "frames", "minutes"]]
    for name, knows in SHIPPED:
        [row] = result(name)["rows"]
        frames = f"{result(name)['timesteps']:,}"
        cells = [row["scenario"], knows, *_coverage(row), _after(row, 100_000), frames]
        rows.append([*cells, _minutes(row)])
    return rows


def short() -> Rows:
    """Coverage of short trainings."""
    rows: Rows = [["each camera knows", "frames", "coverage", "95 % interval", "of each seed"]]
    for name, knows in SHORT:
        [row] = result(name)["rows"]
        rows.append([knows, f"{result(name)['timesteps']:,}", *_coverage(row)])
    return rows


def stereo() -> Rows:
    """Stereo coverage of learned, planning and scripted cameras."""
    table = result("stereo")
    scenarios = ("MATE-8v8-9", "MATE-4v2-9")
    score = SCORES["stereo"]

    def row(name: str, found: Callable[[str], str]) -> list[str]:
        return [name, *map(found, scenarios)]

    def learned(scenario: str) -> Node:
        return _row(table["rows"], scenario=scenario)

    def scripted(policy: str) -> Callable[[str], str]:
        return lambda scenario: _score(
            _row(table["scripted"], system=policy, scenario=scenario), score
        )

    return [
        ["cameras", *(scenario.removeprefix("MATE-") for scenario in scenarios)],
        row("**QPLEX HRL**", lambda scenario: _score(learned(scenario), score)),
        row("of each seed", lambda scenario: _each(learned(scenario), score)),
        row("`planner-stereo`", scripted("planner-stereo")),
        row("`planner`, together for coverage", scripted("planner")),
        row(
            "`planner`, each camera alone",
            lambda scenario: _score(result(f"planner_alone_{_short(scenario)}"), score),
        ),
        row("greedy, shared view", scripted("greedy")),
        row("heuristic", scripted("heuristic")),
    ]


def targets() -> Rows:
    """Coverage of cameras trained against a mixture, by kind of targets."""
    found = result("4v4_9_own_mixture")
    rows: Rows = [
        ["targets", "coverage", "of each seed", "greedy cameras, with messages", "difference"]
    ]
    for name, greedy in found["greedy_cameras"].items():
        values = [seed[name]["mean_coverage_rate"] for seed in found["seeds"].values()]
        mean = mean_of(values)
        each = ", ".join(f"{value:.3f}" for value in values)
        assert mean is not None
        rows.append(
            [name, _with(mean, t_interval(values)), each, f"{greedy:.3f}", f"{mean - greedy:+.4f}"]
        )
    return rows


def systems() -> Rows:
    """The table of systems."""
    head = ["system", "view", "after 60,000", "after 100,000, final weights", "of each seed"]
    rows: Rows = [[*head, "transport", "efficiency", "minutes of a run"]]
    for name, system, title in SYSTEMS:
        row = _row(result(name)["rows"], system=system)
        early = row["milestones"][0]
        efficiency = row["mean_selection_efficiency"]
        rows.append(
            [
                title,
                row["regime"],
                _with(early["mean_coverage_rate"], early["ci95"]),
                _score(row, "coverage_rate"),
                _each(row, "coverage_rate").replace(" ", ", "),
                f"{row['mean_transport_rate']:.3f}",
                "" if efficiency is None else f"{efficiency:.3f}",
                _minutes(row),
            ]
        )
    scripted = [_row(result("systems_100k_own")["scripted"], system=name) for name in SCRIPTED]
    coverage, transport = (
        ", ".join(f"{row[f'mean_{key}']:.3f}" for row in scripted)
        for key in ("coverage_rate", "transport_rate")
    )
    title = f"*scripted:* {', '.join(SCRIPTED)}"
    return [*rows, [title, "own", "", coverage, "", transport, "", ""]]


def mixers() -> Rows:
    """Stereo coverage by mixer, of plain cameras and of cameras with plans."""
    plain, both = map(result, MIXERS)
    score = SCORES["stereo"]

    def learned(table: Node, mixer: str) -> str:
        system = "qplex_hrl" if mixer == "adaptive" else f"mixer_{mixer}"
        return _score(_row(table["rows"], system=system), score)

    def scripted(table: Node, policy: str) -> str:
        return _score(_row(table["scripted"], system=policy), score)

    rows: Rows = [["mixer", "plain", "with plans and difference rewards"]]
    for mixer in MIXER_NAMES:
        name = f"`{mixer}`" + " (IQL)" * (mixer == "none")
        rows.append([name, learned(plain, mixer), learned(both, mixer)])
    rows.append(["best action of the plans, nothing learned", "", scripted(both, "best_plan")])
    for policy, name in (("greedy", "greedy"), ("planner-stereo", "`planner-stereo`")):
        rows.append([name, scripted(plain, policy), scripted(both, policy)])
    return rows


def mixer_pairs() -> Rows:
    """Pairs of mixers whose difference is clear of zero; the better one comes first."""
    rows: Rows = [["setting", "first", "second", "first - second"]]
    for name, setting in zip(MIXERS, ("plain", "both"), strict=True):
        for pair in result(name)["pairs"]:
            if pair["verdict"] == "no claim":
                continue
            mean, (low, high) = pair["mean_difference"], pair["ci95_difference"]
            names = [_mixer(pair["first"]), _mixer(pair["second"])]
            names = names if mean > 0 else names[::-1]
            rows.append([setting, *names, f"+{abs(mean):.3f} ± {(high - low) / 2:.3f}"])
    return rows


def parts() -> Rows:
    """The ablations: the whole system, differences to it, and cameras that learned nothing."""
    tables = [result(name) for name in ABLATIONS]
    scores = [SCORES[table["rows"][0]["regime"]] for table in tables]
    rows: Rows = [
        ["", "own views", "shared view", "stereo"],
        ["scenario", *(table["rows"][0]["scenario"] for table in tables)],
        ["frames of a training", *(f"{table['timesteps']:,}" for table in tables)],
    ]
    whole = [_row(table["rows"], system="qplex_hrl") for table in tables]
    values = [f"**{_score(row, score)}**" for row, score in zip(whole, scores, strict=True)]
    rows.append(["**whole system**", *values])
    for part in _names(tables, "rows"):
        if part != "qplex_hrl":
            rows.append([f"`{part}`", *(_difference(table, part) for table in tables)])
    for policy in _names(tables, "scripted"):
        found = [_find(table["scripted"], system=policy) for table in tables]
        cells = [_score(r, s) if r else "" for r, s in zip(found, scores, strict=True)]
        rows.append([f"*{policy}*", *cells])
    return rows


def robustness() -> Rows:
    """Coverage in worlds that the cameras were not trained in."""
    rows: Rows = [["what differs", "value", "greedy cameras", "without messages"]]
    rows[0] = [*rows[0], *(text for name in POLICIES.values() for text in (name, "difference"))]
    for row in result("robustness")["rows"]:
        if row["cell"] == "base" and len(rows) > 1:  # the first row says it
            continue
        value = f"`{row['value']}`" if row["kind"] == "targets" else str(row["value"])
        cells = [row["kind"], value, *(_range(row[name]) for name in ("greedy", "greedy_silent"))]
        for name in POLICIES:
            cell = row["policies"].get(name)
            cells += [_range(cell), _range(cell, "above_greedy", "+.3f")]
        rows.append(cells)
    return rows


def _coverage(row: Node) -> list[str]:
    low, high = row["ci95_coverage_rate"]
    mean = row["mean_coverage_rate"]
    return [f"{mean:.3f}", f"{low:.3f} to {high:.3f}", _each(row, "coverage_rate")]


def _each(row: Node, score: str) -> str:
    return " ".join(f"{seed[score]:.3f}" for seed in row["seeds"])


def _minutes(row: Node) -> str:
    """Return the median of the seeds' minutes: a training that was halted for a while counts."""
    return f"{median(seed['minutes'] for seed in row['seeds']):.1f}"


def _after(row: Node, frames: int) -> str:
    """Return the mean of the seeds' first evaluations from that many frames on."""
    first = [next(p for p in seed["curve"] if p["timestep"] >= frames) for seed in row["seeds"]]
    return f"{mean_of([point['mean_coverage_rate'] for point in first]):.3f}"


def _score(row: Node, score: str) -> str:
    return _with(row[f"mean_{score}"], row[f"ci95_{score}"])


def _with(mean: float, interval: Sequence[float] | None) -> str:
    assert interval is not None
    return f"{mean:.3f} ± {(interval[1] - interval[0]) / 2:.3f}"


def _range(cell: Node | None, name: str = "coverage_rate", form: str = ".3f") -> str:
    if cell is None:
        return ""
    low, high = cell[f"ci95_{name}"]
    return f"{cell[f'mean_{name}']:{form}} ({low:{form}} to {high:{form}})"


def _difference(table: Node, part: str) -> str:
    row = _find(table["rows"], system=part)
    if row is None:
        return ""
    low, high = row["ci95_difference"]
    text = f"{row['mean_difference']:+.3f} ± {(high - low) / 2:.3f}"
    return f"**{text}**" if low > 0 or high < 0 else text


def _mixer(system: str) -> str:
    return f"`{'adaptive' if system == 'qplex_hrl' else system.removeprefix('mixer_')}`"


def _names(tables: Iterable[Node], key: str) -> list[str]:
    """Return the systems of several tables in order, each once."""
    return list(dict.fromkeys(row["system"] for table in tables for row in table[key]))


def _find(rows: Iterable[Node], **wanted: str) -> Node | None:
    return next((row for row in rows if wanted.items() <= row.items()), None)


def _row(rows: Iterable[Node], **wanted: str) -> Node:
    row = _find(rows, **wanted)
    if row is None:
        raise ValueError(f"docs/results: no row with {wanted}")
    return row


def _short(scenario: str) -> str:
    return scenario.removeprefix("MATE-").replace("-", "_")


TABLES: dict[str, Callable[[], Rows]] = {
    made.__name__: made
    for made in (shipped, short, stereo, targets, systems, mixers, mixer_pairs, parts, robustness)
}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
