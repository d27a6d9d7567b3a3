"""Contestants from best to worst, and what is known of the difference of every two of them."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qplex_hrl.comparison.contestants import Contestant
from qplex_hrl.comparison.curves import LearningCurve, learning_curve
from qplex_hrl.comparison.intervals import (
    Interval,
    MeanDifference,
    holm,
    iqm_interval,
    mean_interval,
    paired_difference,
    probability_of_improvement,
    share_interval,
    unpaired_difference,
)
from qplex_hrl.comparison.metric import ComparedMetric, Evaluation, table_of_metric

__all__ = [
    "PairResult",
    "PlayedContestant",
    "Ranking",
    "Standing",
    "performance_profile",
    "rank",
    "taus_of",
]

_EQUAL = 1e-12  # what rounding makes of equal numbers
_FEWEST_DIFFERENT = 6
"""Fewer episodes that differ prove nothing: five of five heads have a p-value above 0.05."""
_N_TAUS = 101


class PlayedContestant(NamedTuple):
    """What a contestant came to."""

    contestant: Contestant
    evaluations: tuple[Evaluation, ...]  # one per run, all of the same episodes
    history: tuple[tuple[Evaluation, ...], ...]  # of each run: evaluations during training
    n_left_out: int = 0  # evaluations during training that say nothing of this comparison


class Standing(NamedTuple):
    """One contestant's results."""

    played: PlayedContestant
    table: NDArray[np.float64]  # [R, S] the metric, in the episodes that count
    mean: Interval
    iqm: Interval
    curve: LearningCurve | None

    @property
    def name(self) -> str:
        """The contestant's."""
        return self.played.contestant.name

    @property
    def provenance(self) -> Evaluation:
        """What was played, of the first run."""
        provenance: Evaluation = self.played.evaluations[0]["provenance"]
        return provenance


class PairResult(NamedTuple):
    """The better of two beside the worse."""

    better: str
    worse: str
    difference: MeanDifference  # better minus worse; below zero where less is better
    unpaired: MeanDifference  # the same if each had played episodes of its own
    improvement: Interval  # chance that an episode of the better one is the better episode
    won: int  # episodes
    equal: int
    lost: int
    p_holm: float  # p-value, corrected for the number of pairs

    @property
    def n_episodes(self) -> int:
        """Episodes that count."""
        return self.won + self.equal + self.lost

    @property
    def few_differ(self) -> bool:
        """Whether too few episodes differ to claim anything."""
        return self.n_episodes - self.equal < _FEWEST_DIFFERENT

    @property
    def is_shown(self) -> bool:
        """Whether the difference is clear of zero, after correction for the number of pairs."""
        low, high = self.difference.low, self.difference.high
        return (low > 0.0 or high < 0.0) and self.p_holm < 0.05 and not self.few_differ


class Ranking(NamedTuple):
    """The whole comparison, on the episodes that define the metric for all."""

    metric: ComparedMetric
    seeds: tuple[int, ...]  # [S], of the episodes that count
    n_undefined: int  # episodes that do not count
    standings: tuple[Standing, ...]  # best first
    pairs: tuple[PairResult, ...]  # every two, in the order of the standings

    def pair(self, better: str, worse: str) -> PairResult:
        """Return the pair of two names in the order of the standings."""
        return next(p for p in self.pairs if (p.better, p.worse) == (better, worse))


def rank(played: Sequence[PlayedContestant], metric: ComparedMetric) -> Ranking:
    """Return the comparison of contestants that played the same episodes.

    Raises:
        ValueError: fewer than two episodes define the metric for all of them.
    """
    tables = [table_of_metric(each.evaluations, metric.name) for each in played]
    counted = np.isfinite(np.concatenate(tables)).all(axis=0)
    if counted.sum() < 2:
        raise ValueError(
            f"--metric {metric.name}: {counted.sum()} episodes have it for all contestants; "
            "expected two or more"
        )
    standings = [
        _standing(each, table[:, counted], metric)
        for each, table in zip(played, tables, strict=True)
    ]
    sign = 1.0 if metric.higher_is_better else -1.0
    standings.sort(key=lambda standing: -sign * standing.mean.value)
    pairs = [_pair(better, worse, sign) for better, worse in combinations(standings, 2)]
    corrected = holm([pair.difference.p_value for pair in pairs])
    seeds = np.array(played[0].evaluations[0]["seeds"])[counted].tolist()
    return Ranking(
        metric,
        tuple(seeds),
        int((~counted).sum()),
        tuple(standings),
        tuple(pair._replace(p_holm=p) for pair, p in zip(pairs, corrected, strict=True)),
    )


def performance_profile(standing: Standing, taus: NDArray[np.float64]) -> list[Interval]:
    """Return the share of episodes above each tau [K], with its pointwise 95 % interval."""
    return [share_interval((standing.table > tau).astype(np.float64)) for tau in taus]


def taus_of(ranking: Ranking) -> NDArray[np.float64]:
    """Return the thresholds [K] of performance profiles: 0 to 1, or what occurs."""
    if ranking.metric.is_rate:
        return np.linspace(0.0, 1.0, _N_TAUS)
    values = np.concatenate([standing.table.ravel() for standing in ranking.standings])
    return np.linspace(values.min(), values.max(), _N_TAUS)


def _standing(
    played: PlayedContestant, table: NDArray[np.float64], metric: ComparedMetric
) -> Standing:
    history = [list(run) for run in played.history]
    curve = learning_curve(history, metric.name)
    return Standing(played, table, mean_interval(table), iqm_interval(table), curve)


def _pair(better: Standing, worse: Standing, sign: float) -> PairResult:
    first, second = better.table, worse.table
    gains = sign * (first.mean(axis=0) - second.mean(axis=0))
    won, lost = int((gains > _EQUAL).sum()), int((gains < -_EQUAL).sum())
    difference = paired_difference(first, second)
    return PairResult(
        better.name,
        worse.name,
        difference,
        unpaired_difference(first, second),
        probability_of_improvement(sign * first, sign * second),
        won,
        len(gains) - won - lost,
        lost,
        difference.p_value,
    )
