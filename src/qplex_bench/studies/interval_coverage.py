"""How often 95 % intervals hold the truth: those of `qplex_hrl.comparison`, on made-up episodes."""

import warnings
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from qplex_hrl.comparison.intervals import (
    iqm_interval,
    mean_interval,
    paired_difference,
    probability_of_improvement,
    unpaired_difference,
)
from qplex_hrl.runtime.exit_codes import DONE, FAILED

__all__ = [
    "AT_LEAST",
    "BAR",
    "CASES",
    "CoverageSpec",
    "SyntheticCase",
    "measure_intervals",
    "share_covered",
]

BAR = (0.93, 0.97)
"""Within which the share of intervals that hold the truth must lie."""

AT_LEAST = (0.93, 1.0)
"""The same for several runs: too wide is allowed, for few runs may be alike by chance."""

_TRUTH_EPISODES = 400_000
_RUN_DEVIATION = 0.5  # of a training run's own mean, in deviations of an episode

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Values, Values]]
Bounds = tuple[float, float]


class CoverageSpec(NamedTuple):
    """How much to simulate."""

    cases: int  # data sets of each kind
    episodes: tuple[int, ...]  # of a data set
    n_resamples: int  # of a bootstrap
    plain: bool  # compare with SciPy's percentile and BCa intervals


class SyntheticCase(NamedTuple):
    """A kind of data set, and the interval that is made of it."""

    statistic: str
    data: str
    draw: Draw  # tables [R, S] and [Q, S] of two sides
    interval: Callable[[Values, Values, int], Bounds]
    truth: Callable[[Values, Values], float]  # of many episodes
    bar: Bounds | None = BAR  # None: shown, but nothing is required


def measure_intervals(spec: CoverageSpec) -> int:
    """Simulate, print a table, and return 1 if a required share lies outside the bar."""
    table = Table("statistic", "data", "episodes", "ours", "percentile", "BCa", "bar")
    code = DONE
    for n_episodes in spec.episodes:
        for case in CASES:
            share = share_covered(case, n_episodes, spec)
            holds = case.bar is None or case.bar[0] <= share <= case.bar[1]
            plain = _plain_shares(case, n_episodes, spec) if spec.plain else ("", "")
            verdict = "none" if case.bar is None else "holds" if holds else "MISSED"
            table.add_row(
                case.statistic, case.data, str(n_episodes), f"{share:.3f}", *plain, verdict
            )
            code = code if holds else FAILED
    console = Console(width=100)
    console.print(table)
    console.print(
        f"share of {spec.cases:,} intervals that hold the truth; bar: {BAR}; of runs: {AT_LEAST}"
    )
    return code


def share_covered(case: SyntheticCase, n_episodes: int, spec: CoverageSpec) -> float:
    """Return the share of the intervals of one kind of data set that hold the truth."""
    return _share(case, case.interval, n_episodes, spec)


def _share(
    case: SyntheticCase,
    interval: Callable[[Values, Values, int], Bounds],
    n_episodes: int,
    spec: CoverageSpec,
) -> float:
    name = zlib.crc32(f"{case.statistic}, {case.data}".encode())
    rng = np.random.default_rng([name, n_episodes])
    truth = _truth(case)
    held = 0
    for _ in range(spec.cases):
        low, high = interval(*case.draw(rng, n_episodes), spec.n_resamples)
        held += low <= truth <= high
    return held / spec.cases


@cache
def _truth(case: SyntheticCase) -> float:
    """Return what the intervals of one kind of data set should hold."""
    return case.truth(*case.draw(np.random.default_rng(0), _TRUTH_EPISODES))


def _plain_shares(case: SyntheticCase, n_episodes: int, spec: CoverageSpec) -> tuple[str, str]:
    """Return the shares of plain percentile and BCa intervals; empty where there is none."""
    if case.statistic in ("mean of runs", "runs against a rule", "difference of runs"):
        return f"{_share(case, _hierarchical, n_episodes, spec):.3f}", ""
    if case.statistic not in ("mean", "difference, paired", "difference, unpaired"):
        return "", ""

    def interval(method: str, first: Values, second: Values, n_resamples: int) -> Bounds:
        samples = _SAMPLES[case.statistic](first[0], second[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # BCa of equal values: no interval, which holds nothing
            found = stats.bootstrap(
                samples,
                _mean_difference if len(samples) == 2 else np.mean,
                n_resamples=n_resamples,
                method=method,
                random_state=np.random.default_rng(0),
            )
        low, high = found.confidence_interval
        return float(low), float(high)

    shares = [
        _share(case, partial(interval, method), n_episodes, spec)
        for method in ("percentile", "BCa")
    ]
    return f"{shares[0]:.3f}", f"{shares[1]:.3f}"


def _hierarchical(first: Values, second: Values, n_resamples: int) -> Bounds:
    """Return the percentile interval of a bootstrap over runs, then over episodes."""
    rng = np.random.default_rng(0)

    def weights(n: int) -> Values:  # [B, n], how often each is drawn
        drawn = np.zeros((n_resamples, n))
        np.add.at(
            drawn, (np.arange(n_resamples)[:, None], rng.integers(n, size=(n_resamples, n))), 1
        )
        return drawn / n

    episodes = weights(first.shape[1])
    per_episode = weights(len(first)) @ first - weights(len(second)) @ second
    low, high = np.percentile((per_episode * episodes).sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


_SAMPLES: dict[str, Callable[[Values, Values], tuple[Values, ...]]] = {
    "mean": lambda first, _: (first,),
    "difference, paired": lambda first, second: (first - second,),
    "difference, unpaired": lambda first, second: (first, second),
}


def _mean_difference(first: Values, second: Values, axis: int) -> Values:
    difference: Values = first.mean(axis) - second.mean(axis)
    return difference


# Draws. Each side has values that are shared with the other, as equal seeds are, and its own.


def _symmetric(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    return rng.normal(size=shape)


def _skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Skewness 1.4."""
    values: Values = rng.gamma(2.0, size=shape) / np.sqrt(2.0)
    return values


def _very_skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Skewness 2."""
    return rng.exponential(size=shape)


def _heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Skewness 6."""
    return rng.lognormal(size=shape)


def _rounded(rng: np.random.Generator, shape: tuple[int, int]) -> Values:
    """Whole numbers, most of them 0 to 3."""
    values: Values = np.floor(rng.gamma(2.0, size=shape))
    return values


def _sides(
    noise: Callable[[np.random.Generator, tuple[int, int]], Values],
    rng: np.random.Generator,
    n: int,
    *,
    shared: float = 0.0,
) -> tuple[Values, Values]:
    """Return two sides of one run each; a share of their variance is common."""
    common = np.sqrt(shared) * rng.normal(size=(1, n)) if shared else 0.0
    own = np.sqrt(1.0 - shared)
    return common + 0.5 + own * noise(rng, (1, n)), common + own * noise(rng, (1, n))


def _tied(equal: float, rng: np.random.Generator, n: int) -> tuple[Values, Values]:
    """Return sides that are equal in a share of the episodes and differ by quarters elsewhere."""
    second = np.floor(4.0 * rng.normal(size=(1, n))) / 4.0
    gain = np.round(4.0 * rng.normal(1.0, 1.0, (1, n))) / 4.0
    return second + np.where(rng.random((1, n)) < equal, 0.0, gain), second


def _of_runs(
    n_runs: tuple[int, int], deviation: float, rng: np.random.Generator, n: int
) -> tuple[Values, Values]:
    """Return sides on shared episodes.

    A side of several runs has a mean for each. One of a single run is a rule, whose mean is zero;
    one without runs is zero in every episode.
    """
    if n == _TRUTH_EPISODES:  # no runs are better than others on the average
        return np.zeros((1, 2)), np.zeros((1, 2))
    common = rng.normal(size=(1, n))

    def side(runs: int) -> Values:
        if runs == 0:
            return np.zeros((1, n))
        spread = deviation * rng.normal(size=(runs, 1)) if runs > 1 else 0.0
        values: Values = common + spread + rng.normal(size=(runs, n))
        return values

    return side(n_runs[0]), side(n_runs[1])


# Intervals and what they should hold.


def _mean(first: Values, _: Values, n_resamples: int) -> Bounds:
    return mean_interval(first, n_resamples=n_resamples)[1:]


def _iqm(first: Values, _: Values, n_resamples: int) -> Bounds:
    return iqm_interval(first, n_resamples=n_resamples)[1:]


def _paired(first: Values, second: Values, n_resamples: int) -> Bounds:
    return paired_difference(first, second, n_resamples=n_resamples)[1:3]


def _unpaired(first: Values, second: Values, n_resamples: int) -> Bounds:
    return unpaired_difference(first, second, n_resamples=n_resamples)[1:3]


def _improvement(first: Values, second: Values, _: int) -> Bounds:
    return probability_of_improvement(first, second)[1:]


def _true_mean(first: Values, _: Values) -> float:
    return float(first.mean())


def _true_iqm(first: Values, _: Values) -> float:
    return float(stats.trim_mean(first, 0.25, axis=None))


def _true_difference(first: Values, second: Values) -> float:
    return float(first.mean() - second.mean())


def _true_improvement(first: Values, second: Values) -> float:
    return probability_of_improvement(first, second).value


_ALONE = {
    "symmetric": partial(_sides, _symmetric),
    "skewed": partial(_sides, _skewed),
    "tied": partial(_sides, _rounded),
}
_TOGETHER = {
    "symmetric": partial(_sides, _symmetric, shared=0.5),
    "skewed": partial(_sides, _skewed, shared=0.5),
    "tied": partial(_tied, 0.6),
}
_HARD = {
    "very skewed": partial(_sides, _very_skewed),
    "heavy tail": partial(_sides, _heavy),
}
# What is made of several runs, and how many the other side has; None: as many.
_OF_RUNS: tuple[tuple[str, int | None, Callable[[Values, Values, int], Bounds]], ...] = (
    ("mean of runs", 0, _mean),
    ("interquartile mean of runs", 0, _iqm),
    ("runs against a rule", 1, _paired),
    ("difference of runs", None, _paired),
    ("difference of runs, unpaired", None, _unpaired),
)

CASES = (
    *(SyntheticCase("mean", data, d, _mean, _true_mean) for data, d in _ALONE.items()),
    *(SyntheticCase("interquartile mean", data, d, _iqm, _true_iqm) for data, d in _ALONE.items()),
    *(
        SyntheticCase("difference, paired", data, d, _paired, _true_difference)
        for data, d in _TOGETHER.items()
    ),
    *(
        SyntheticCase("difference, unpaired", data, d, _unpaired, _true_difference)
        for data, d in _ALONE.items()
    ),
    *(
        SyntheticCase("improvement, paired", data, d, _improvement, _true_improvement)
        for data, d in _TOGETHER.items()
    ),
    *(
        SyntheticCase("improvement, unpaired", data, d, _improvement, _true_improvement)
        for data, d in _ALONE.items()
    ),
    *(SyntheticCase("mean", data, d, _mean, _true_mean, None) for data, d in _HARD.items()),
    SyntheticCase(
        "difference, paired", "85 % equal", partial(_tied, 0.85), _paired, _true_difference, None
    ),
    *(
        SyntheticCase(
            statistic,
            f"{n_runs}, {word}",
            partial(_of_runs, (n_runs, n_runs if others is None else others), deviation),
            interval,
            _true_difference,
            AT_LEAST,
        )
        for statistic, others, interval in _OF_RUNS
        for n_runs in (2, 3, 5)
        for word, deviation in (("unequal", _RUN_DEVIATION), ("equal", 0.0))
    ),
)
"""Every kind of data set that is simulated."""
