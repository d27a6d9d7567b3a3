"""Time of a decision of one environment by part, frames per second of collecting, memory."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from rich.console import Console

from qplex_bench.speed.process import Client
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

PARTS = {
    "frames": "frames, belief, executor",
    "features": "features, state",
    "lookahead": "look-ahead",
    "act": "network",
    "store": "storing, shaping",
}
MEMORY = {
    "belief": "belief, episode",
    "particles": "particles",
    "plan_rows": "look-ahead",
    "environment": "sum",
    "plan_tables": "look-ahead, a worker's tables",
}
N_DECISIONS = 60
"""Of every environment in a measurement, whole, and as many by parts."""


def benchmark_decision(
    cases: Sequence[ShippedCase], baseline: str | None, repeats: int, settings: Sequence[str] = ()
) -> int:
    """Print what a decision takes in the shipped configurations, one thread; return 0.

    Args:
        cases: worlds.
        baseline: revision of git that is measured in turn, None for none.
        repeats: measurements of each, of which medians are printed.
        settings: "section.key=value" of all configurations.

    Raises:
        ValueError: a configuration or the revision does not exist, or a version cannot be run.
    """
    samples = {}
    with versions(baseline) as all_versions:
        for case in cases:
            for version in all_versions:
                case.config(version)
        for case in cases:
            samples[case] = _in_turn(case, all_versions, repeats, settings)
    extra = {
        name: name
        for of_versions in samples.values()
        for taken in of_versions.values()
        for name in taken[0]["details"]
    }
    parts = Measures(
        PARTS | extra | {"sum": "sum", "frames_per_second": "frames/s"},
        more_is_better=frozenset({"frames_per_second"}),
    )
    _print("us per decision of one environment; frames/s of collecting, one core", samples, parts)
    _print("kB per environment, and per worker", samples, Measures(MEMORY))
    return 0


def _in_turn(
    case: ShippedCase, all_versions: Sequence[Version], repeats: int, settings: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the answers of every version's client, asked in turn."""
    answers: dict[str, list[dict[str, Any]]] = {version.name: [] for version in all_versions}
    with ExitStack() as stack:
        clients = {
            version.name: stack.enter_context(
                parts_client(version, case, "decision", N_DECISIONS, settings)
            )
            for version in all_versions
        }
        for _ in range(repeats):
            for name, client in clients.items():
                answers[name].append(json.loads(client.ask()))
    return answers


def parts_client(
    version: Version, case: ShippedCase, what: str, amount: int, settings: Sequence[str]
) -> Client:
    """Start a version's client of `clients/parts_client.py`.

    Raises:
        ValueError: it does not start.
    """
    request = {
        "what": what,
        "config": str(case.config(version).resolve()),
        "settings": list(settings),
        "amount": amount,
    }
    return Client(
        f"version {version.name!r}",
        "parts_client.py",
        [json.dumps(request)],
        python=python(),
        path=version.root / "src",
    )


def _print(
    title: str, samples: dict[ShippedCase, dict[str, list[dict[str, Any]]]], measures: Measures
) -> None:
    table = new_table(title, measures)
    for case, of_versions in samples.items():
        flat = {name: [_flat(each) for each in taken] for name, taken in of_versions.items()}
        add_rows(table, case, flat, measures)
    Console(width=160).print(table)


def _flat(answer: dict[str, Any]) -> Sample:
    """Return one number per column."""
    kilobytes = {name: size / 1e3 for name, size in answer["memory"].items()}
    kilobytes["environment"] = sum(kilobytes.values()) - kilobytes["plan_tables"]
    rate = {"frames_per_second": answer["frames_per_second"]}
    total = {"sum": sum(answer["parts"].values())}
    return {**answer["parts"], **answer["details"], **kilobytes, **rate, **total}
