"""95 % intervals of what R runs reach on the same S episodes, tables [R, S].

How each interval is made was chosen by simulation: see docs/comparing.md, which has the figures.

- Mean and difference of means, one run: studentised bootstrap over episodes. With skewed values at
  32 episodes the percentile and BCa bootstraps hold the true mean less than 93 % of the time.
- Interquartile mean, one run: percentile bootstrap over episodes.
- Several runs: Student's t with the variance of a design in which runs and episodes are crossed,
  and Satterthwaite's degrees of freedom. A bootstrap over three runs is far too narrow.
- Shares and probabilities: Wilson's score interval, with as many episodes as their variance tells.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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


class _Spread(NamedTuple):
    """Variance of a mean over runs and episodes, and its degrees of freedom."""

    variance: float
    degrees: float

    @property
    def half_width(self) -> float:
        """Half of the t-interval."""
        return float(stats.t.ppf(_TAILS[1], self.degrees) * np.sqrt(self.variance))


def mean_interval(table: Table, *, n_resamples: int = N_RESAMPLES) -> Interval:
    """Return the mean of a table [R, S]; S at least 2."""
    return Interval(*_centre((table,), table.mean(axis=0), n_resamples)[:3])


def iqm_interval(table: Table, *, n_resamples: int = N_RESAMPLES) -> Interval:
    """Return the interquartile mean of all values of a table [R, S]: of their middle half."""
    value = float(stats.trim_mean(table, _TRIMMED, axis=None))
    n_runs, n_episodes = table.shape
    if n_runs > 1 or n_episodes < _FEWEST_EPISODES:
        influence = _iqm_influence(table)
        half = _spread((influence,), influence.mean(axis=0)).half_width
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
    """Return the same as if the two had played episodes of their own: what pairing gains.

    Several runs of one side count as their mean.
    """
    samples = (first.mean(axis=0), second.mean(axis=0))
    value = float(samples[0].mean() - samples[1].mean())
    variances = [sample.var(ddof=1) / len(sample) for sample in samples]
    error = float(np.sqrt(sum(variances)))
    if error <= _EQUAL * max(1.0, abs(value)):
        return _certain(value)
    if min(map(len, samples)) < _FEWEST_EPISODES:
        parts = zip(variances, samples, strict=True)
        degrees = error**4 / sum(v**2 / (len(sample) - 1) for v, sample in parts)
        return _students(value, _Spread(error**2, degrees))

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
    return _wilson(value, _spread(placements, per_episode), first.shape[1])


def share_interval(table: Table) -> Interval:
    """Return the mean of a table [R, S] of zeros and ones."""
    return _wilson(float(table.mean()), _spread((table,), table.mean(axis=0)), table.shape[1])


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
    spread = _spread(tables, episodes)
    if np.sqrt(spread.variance) <= _EQUAL * max(1.0, abs(value)):
        return _certain(value)
    if len(episodes) < _FEWEST_EPISODES or any(len(table) > 1 for table in tables):
        return _students(value, spread)

    def pivot(values: Table, axis: int) -> Table:
        error = values.std(axis, ddof=1) / np.sqrt(values.shape[axis])
        return _ratio(values.mean(axis) - value, error)

    resampled = _resampled((episodes,), pivot, n_resamples)
    return _studentised(value, float(np.sqrt(spread.variance)), resampled)


def _certain(value: float) -> MeanDifference:
    """Return what does not vary: the same in every episode."""
    return MeanDifference(value, value, value, 1.0 if abs(value) <= _EQUAL else 0.0)


def _students(value: float, spread: _Spread) -> MeanDifference:
    half = spread.half_width
    p_value = 2 * stats.t.sf(abs(value) / np.sqrt(spread.variance), spread.degrees)
    return MeanDifference(value, value - half, value + half, float(p_value))


def _studentised(value: float, error: float, resampled: Table) -> MeanDifference:
    """Return the studentised interval, from (mean - value) / error of each resample [B]."""
    pivots = resampled[np.isfinite(resampled)]
    low, high = np.quantile(pivots, _TAILS)
    tails = (pivots <= value / error).sum(), (pivots >= value / error).sum()
    p_value = min(1.0, 2 * (int(min(tails)) + 1) / (len(pivots) + 1))
    return MeanDifference(value, value - float(high) * error, value - float(low) * error, p_value)


def _spread(tables: Sequence[Table], episodes: Table) -> _Spread:
    """Return the variance of the mean of `episodes` over new episodes and new runs.

    Each table with several runs adds the variance between its runs, without what episodes make of
    it, which is in the variance between episodes already.

    Args:
        tables: [R, S] each; runs of one table are independent of those of another.
        episodes: [S], mean over runs, or a difference of such means.
    """
    n_episodes = len(episodes)
    parts = [(float(episodes.var(ddof=1)) / n_episodes, n_episodes - 1)]
    for table in tables:
        n_runs = len(table)
        if n_runs == 1:
            continue
        runs = table.mean(axis=1, keepdims=True)
        rest = table - table.mean(axis=0) - runs + table.mean()
        degrees = (n_runs - 1) * (n_episodes - 1)
        parts.append((float(runs.var(ddof=1)) / n_runs, n_runs - 1))
        parts.append((-float((rest**2).sum()) / degrees / table.size, degrees))
    variance = max(parts[0][0], sum(part for part, _ in parts))
    squares = sum(part**2 / degrees for part, degrees in parts)
    return _Spread(variance, variance**2 / squares if squares > 0 else n_episodes - 1)


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


def _iqm_influence(table: Table) -> Table:
    """Return each value's influence [R, S] on the interquartile mean, up to a constant."""
    ordered = np.sort(table, axis=None)
    cut = int(_TRIMMED * table.size)
    influence: Table = np.clip(table, ordered[cut], ordered[-cut - 1]) / (1 - 2 * cut / table.size)
    return influence


def _placements(table: Table, other: Table) -> Table:
    """Return for each value [R, S] the share of the other table below it; ties count half."""
    ordered = np.sort(other, axis=None)
    sides = (np.searchsorted(ordered, table, "left"), np.searchsorted(ordered, table, "right"))
    return np.asarray(sum(sides) / (2 * ordered.size), np.float64)


def _wilson(share: float, spread: _Spread, n_episodes: int) -> Interval:
    """Return Wilson's interval of a share, for a sample of the size that its variance tells."""
    if spread.variance > _EQUAL**2:
        size = max(share * (1 - share) / spread.variance, 1.0)
    elif share != 0.5:  # all below, all above, or too few to vary
        size = float(n_episodes)
    else:  # equal in every episode
        return Interval(share, share, share)
    t = float(stats.t.ppf(_TAILS[1], spread.degrees))
    weight = t**2 / size
    centre = (share + weight / 2) / (1 + weight)
    half = t / (1 + weight) * np.sqrt(share * (1 - share) / size + weight / (4 * size))
    low, high = np.clip((centre - half, centre + half), 0.0, 1.0)
    return Interval(share, float(low), float(high))
