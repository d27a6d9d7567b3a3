"""95 % intervals of what R runs reach on the same S episodes, tables [R, S].

How each interval is made was chosen by simulation: see docs/comparing.md, and its research note.

- Mean and difference of means, one run: studentised bootstrap over episodes. With skewed values at
  32 episodes the percentile and BCa bootstraps hold the true mean less than 93 % of the time.
- Interquartile mean, one run: percentile bootstrap over episodes; of few episodes the t-interval of
  Tukey and McLaughlin (1963).
- Several runs: runs and episodes are crossed. Their parts of the variance have a quantile of
  Student's t each, with as many degrees of freedom as each has (Banerjee 1960). One number of
  degrees for both (Satterthwaite), or a bootstrap over three runs, is too narrow.
- Shares and probabilities: Wilson's score interval, with as many episodes as their variance tells.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

__all__ = [
    "LEVEL",
    "Interval",
    "MeanDifference",
    "holm",
    "iqm_interval",
    "mean_interval",
    "paired_difference",
    "probability_of_improvement",
    "share_interval",
    "unpaired_difference",
]

LEVEL = 0.95
N_RESAMPLES = 9_999

_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_BOOTSTRAP_SEED = 0
_FEWEST_EPISODES = 10
"""Below this many a bootstrap repeats too few values; Student's t is used."""
_TRIMMED = 0.25  # of each end, by the interquartile mean
_EQUAL = 1e-12  # relative; what rounding makes of equal numbers

Table = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


class MeanDifference(NamedTuple):
    """How much more the first has, the 95 % interval and the two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    p_value: float


class _VariancePart(NamedTuple):
    """A part of a mean's variance, and its degrees of freedom."""

    variance: float
    degrees: float


class _Spread(NamedTuple):
    """What a mean over runs and episodes varies by: with new episodes, and with new runs."""

    episodes: _VariancePart
    runs: _VariancePart  # of no variance: one run

    @property
    def variance(self) -> float:
        """Of the mean."""
        return self.episodes.variance + self.runs.variance

    def half_width(self, tail: float = 1 - _TAILS[1]) -> float:
        """Return how far the mean strays, with a chance of `tail` for further on either side.

        Each part has its own quantile, so runs that are few and by chance alike are not taken for
        runs that are alike (Banerjee 1960).
        """
        parts = [part for part in self if part.variance > 0.0]
        squares = [stats.t.isf(tail, part.degrees) ** 2 * part.variance for part in parts]
        return float(np.sqrt(sum(squares)))

    def p_value(self, value: float) -> float:
        """Return the two-sided chance of a mean as far from zero as `value`."""
        least, distance = 1e-12, abs(value)
        if self.half_width(least / 2) <= distance:
            return least
        if distance == 0.0:
            return 1.0
        return float(optimize.brentq(lambda p: self.half_width(p / 2) - distance, least, 1.0))


def mean_interval(table: Table, *, n_resamples: int = N_RESAMPLES) -> Interval:
    """Return the mean of a table [R, S]; S at least 2."""
    return Interval(*_centre((table,), table.mean(axis=0), n_resamples)[:3])


def iqm_interval(table: Table, *, n_resamples: int = N_RESAMPLES) -> Interval:
    """Return the interquartile mean of all values of a table [R, S]: of their middle half."""
    value = float(stats.trim_mean(table, _TRIMMED, axis=None))
    n_runs, n_episodes = table.shape
    if n_runs > 1 or n_episodes < _FEWEST_EPISODES:
        half = _iqm_spread(table).half_width()
        return Interval(value, value - half, value + half)

    def statistic(values: Table, axis: int) -> Table:
        trimmed: Table = stats.trim_mean(values, _TRIMMED, axis=axis)
        return trimmed

    low, high = np.quantile(_resampled((table[0],), statistic, n_resamples), _TAILS)
    return Interval(value, float(low), float(high))


def paired_difference(
    first: Table, second: Table, *, n_resamples: int = N_RESAMPLES
) -> MeanDifference:
    """Return how much more the first table has than the second, on the same episodes.

    Args:
        first: [R, S].
        second: [Q, S].
        n_resamples: of the bootstrap.
    """
    differences = first.mean(axis=0) - second.mean(axis=0)
    return _centre((first, second), differences, n_resamples)


def unpaired_difference(
    first: Table, second: Table, *, n_resamples: int = N_RESAMPLES
) -> MeanDifference:
    """Return the same as if the two had played episodes of their own: what pairing gains."""
    samples = (first.mean(axis=0), second.mean(axis=0))
    value = float(samples[0].mean() - samples[1].mean())
    spread = _spread((first, second), samples)
    error = float(np.sqrt(spread.variance))
    if error <= _EQUAL * max(1.0, abs(value)):
        return _certain(value)
    if _few_or_runs((first, second)):
        return _students(value, spread)

    def pivot(x: Table, y: Table, axis: int) -> Table:
        spread = x.var(axis, ddof=1) / x.shape[axis] + y.var(axis, ddof=1) / y.shape[axis]
        return _ratio(x.mean(axis) - y.mean(axis) - value, np.sqrt(spread))

    return _studentised(value, error, _resampled(samples, pivot, n_resamples))


def probability_of_improvement(first: Table, second: Table) -> Interval:
    """Return the chance that an episode of the first exceeds one of the second; ties count half.

    It is Mann and Whitney's statistic of all pairs of episodes. Its variance is that of the
    placements of each episode among those of the other side, so equal seeds are taken into account.

    Args:
        first: [R, S].
        second: [Q, S].
    """
    placements = _placements(first, second), _placements(second, first)
    value = float(placements[0].mean())
    per_episode = placements[0].mean(axis=0) - placements[1].mean(axis=0)
    return _wilson(value, _spread(placements, (per_episode,)), first.shape[1])


def share_interval(table: Table) -> Interval:
    """Return the mean of a table [R, S] of zeros and ones."""
    return _wilson(float(table.mean()), _spread((table,), (table.mean(axis=0),)), table.shape[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number by Holm's step-down method."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    factors = len(p_values) - np.arange(len(p_values))
    corrected[order] = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    return [min(1.0, float(p)) for p in corrected]


def _centre(tables: Sequence[Table], episodes: Table, n_resamples: int) -> MeanDifference:
    """Return the mean of `episodes` [S], which are means over the runs of the tables [R, S]."""
    value = float(episodes.mean())
    spread = _spread(tables, (episodes,))
    if np.sqrt(spread.variance) <= _EQUAL * max(1.0, abs(value)):
        return _certain(value)
    if _few_or_runs(tables):
        return _students(value, spread)

    def pivot(values: Table, axis: int) -> Table:
        error = values.std(axis, ddof=1) / np.sqrt(values.shape[axis])
        return _ratio(values.mean(axis) - value, error)

    resampled = _resampled((episodes,), pivot, n_resamples)
    return _studentised(value, float(np.sqrt(spread.variance)), resampled)


def _few_or_runs(tables: Sequence[Table]) -> bool:
    """Tell whether a bootstrap over the episodes of tables [R, S] will not do."""
    return any(len(table) > 1 or table.shape[1] < _FEWEST_EPISODES for table in tables)


def _certain(value: float) -> MeanDifference:
    """Return what does not vary: the same in every episode."""
    return MeanDifference(value, value, value, 1.0 if abs(value) <= _EQUAL else 0.0)


def _students(value: float, spread: _Spread) -> MeanDifference:
    half = spread.half_width()
    return MeanDifference(value, value - half, value + half, spread.p_value(value))


def _studentised(value: float, error: float, resampled: Table) -> MeanDifference:
    """Return the studentised interval, from (mean - value) / error of each resample [B]."""
    pivots = resampled[np.isfinite(resampled)]
    low, high = np.quantile(pivots, _TAILS)
    tails = (pivots <= value / error).sum(), (pivots >= value / error).sum()
    p_value = min(1.0, 2 * (int(min(tails)) + 1) / (len(pivots) + 1))
    return MeanDifference(value, value - float(high) * error, value - float(low) * error, p_value)


def _spread(tables: Sequence[Table], samples: Sequence[Table]) -> _Spread:
    """Return how a mean varies with new episodes and new runs.

    Each table with several runs adds the variance between its runs. What is neither of a run nor of
    an episode is in the variance between runs and in that between episodes, so it is taken out of
    the latter.

    Args:
        tables: [R, S] each; runs of one table are independent of those of another.
        samples: [S] each: means over runs, or the differences of such means; independent.
    """
    episodes = _sum([_mean_part(sample) for sample in samples])
    runs, counted_twice = [], 0.0
    for table in tables:
        if len(table) == 1:
            continue
        of_runs = _mean_part(table.mean(axis=1))
        rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        degrees = of_runs.degrees * (table.shape[1] - 1)
        runs.append(of_runs)
        counted_twice += min(of_runs.variance, float((rest**2).sum()) / degrees / table.size)
    left = max(episodes.variance - counted_twice, 0.0)
    return _Spread(episodes._replace(variance=left), _sum(runs))


def _mean_part(values: Table) -> _VariancePart:
    """Return the variance of the mean of values [n]."""
    return _VariancePart(float(values.var(ddof=1)) / len(values), len(values) - 1)


def _sum(parts: Sequence[_VariancePart]) -> _VariancePart:
    """Return parts of the same kind as one, with Satterthwaite's degrees of freedom."""
    variance = sum(part.variance for part in parts)
    squares = sum(part.variance**2 / part.degrees for part in parts)
    return _VariancePart(variance, variance**2 / squares if squares > 0.0 else 1.0)


def _resampled(
    samples: tuple[Table, ...], statistic: Callable[..., Table], n_resamples: int
) -> Table:
    """Return the statistic of each resample [B], the same for the same samples.

    SciPy's bootstrap has no studentised interval, and warns where a resample repeats one value.
    """
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    draws = [
        sample[rng.integers(len(sample), size=(n_resamples, len(sample)))] for sample in samples
    ]
    return statistic(*draws, axis=1)


def _ratio(differences: Table, errors: Table) -> Table:
    """Return differences / errors; NaN where a resample repeats one value."""
    undefined = np.full_like(differences, np.nan)
    return np.divide(differences, errors, out=undefined, where=errors > _EQUAL)


def _iqm_spread(table: Table) -> _Spread:
    """Return how the interquartile mean of a table [R, S] varies.

    It is the mean of each value's influence. The variance between episodes has as many degrees of
    freedom as episodes are in the middle half, as Tukey and McLaughlin have it.
    """
    ordered = np.sort(table, axis=None)
    cut = int(_TRIMMED * table.size)
    influence: Table = np.clip(table, ordered[cut], ordered[-cut - 1]) / (1 - 2 * cut / table.size)
    spread = _spread((influence,), (influence.mean(axis=0),))
    n_episodes = table.shape[1]
    kept = n_episodes - 2 * int(_TRIMMED * n_episodes)
    scale = (1 - 1 / n_episodes) / (1 - 1 / kept)
    return spread._replace(episodes=_VariancePart(scale * spread.episodes.variance, kept - 1))


def _placements(table: Table, other: Table) -> Table:
    """Return for each value [R, S] the share of the other table below it; ties count half."""
    ordered = np.sort(other, axis=None)
    sides = (np.searchsorted(ordered, table, "left"), np.searchsorted(ordered, table, "right"))
    return np.asarray(sum(sides) / (2 * ordered.size), np.float64)


def _wilson(share: float, spread: _Spread, n_episodes: int) -> Interval:
    """Return Wilson's interval of a share, for a sample of the size that its variance tells."""
    if spread.variance > _EQUAL**2:
        size = max(share * (1 - share) / spread.variance, 1.0)
        t = spread.half_width() / float(np.sqrt(spread.variance))
    elif share != 0.5:  # all below, all above, or too few to vary
        size, t = float(n_episodes), float(stats.t.ppf(_TAILS[1], n_episodes - 1))
    else:  # equal in every episode
        return Interval(share, share, share)
    weight = t**2 / size
    centre = (share + weight / 2) / (1 + weight)
    half = t / (1 + weight) * np.sqrt(share * (1 - share) / size + weight / (4 * size))
    low, high = np.clip((centre - half, centre + half), 0.0, 1.0)
    return Interval(share, float(low), float(high))
