"""Intervals over training seeds, and differences of two systems seed by seed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from qplex_bench.tables.plan import SCORES

_T_975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
"""Quantiles of Student's t for a two-sided 95 % interval, 1 to 10 degrees of freedom."""


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return low and high end of the mean's 95 % t-interval; None with fewer than two values."""
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half_width = _t_quantile(n - 1) * deviation / math.sqrt(n)
    return mean - half_width, mean + half_width


def _t_quantile(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t, to 0.002 beyond the stored ones.

    The expansion in 1 / degrees is Abramowitz and Stegun 26.7.5.
    """
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def mean_of(values: Sequence[float]) -> float | None:
    """Return the mean of the values; None without any."""
    return math.fsum(values) / len(values) if values else None


# Any, here and below: a row of a table is a JSON object of numbers, lists and text.
def difference(row: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return how much more `row` scores than `other` in the same world, seed by seed.

    Both are rows of a table; the score is that of their regime. Seeds that one of them has not
    finished do not count.
    """
    score = SCORES[row["regime"]]
    theirs = {seed["seed"]: seed[score] for seed in other["seeds"]}
    pairs = [(seed[score], theirs.get(seed["seed"])) for seed in row["seeds"]]
    values = [a - b for a, b in pairs if a is not None and b is not None]
    return {"mean_difference": mean_of(values), "ci95_difference": t_interval(values)}


def pairs_of(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the difference of every two rows of the same world, with a verdict.

    The verdict is `higher` or `lower`, of the first one, where the interval is clear of zero, else
    `no claim`.
    """
    pairs = []
    for first, second in combinations(rows, 2):
        if any(first[key] != second[key] for key in ("scenario", "regime")):
            continue
        found = difference(first, second)
        interval, verdict = found["ci95_difference"], "no claim"
        if interval is not None and (interval[0] > 0 or interval[1] < 0):
            verdict = "higher" if interval[0] > 0 else "lower"
        world = {key: first[key] for key in ("scenario", "regime")}
        names = {"first": first["system"], "second": second["system"]}
        pairs.append(world | names | found | {"verdict": verdict})
    return pairs
