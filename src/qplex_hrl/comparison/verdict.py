"""What the comparison says, in sentences."""

from itertools import pairwise

from qplex_hrl.comparison.metric import ComparedMetric
from qplex_hrl.comparison.ranking import PairResult, Ranking

__all__ = ["METHOD", "notes_of", "number", "verdict_of", "with_interval"]

METHOD = (
    "All contestants play the same episodes, so differences are taken episode by episode.",
    "Means and differences of one run: studentised bootstrap over episodes, 9,999 resamples. "
    "Interquartile means: percentile bootstrap. Fewer than ten episodes: t-intervals. Several "
    "runs: t-intervals with the variance between runs and that between episodes, each with its own "
    "degrees of freedom. Shares and probabilities: Wilson's interval.",
    "Interquartile mean: mean of the middle half of all episodes. Probability of improvement: "
    "chance that a random episode of the first is better than a random one of the second; ties "
    "count half.",
    "A difference is called shown if its 95 % interval is clear of zero, its p-value stays below "
    "0.05 after Holm's correction, and at least six episodes differ.",
)


def verdict_of(ranking: Ranking) -> list[str]:
    """Return one sentence for two contestants; for more, their order and each step of it."""
    names = [standing.name for standing in ranking.standings]
    steps = [
        _sentence(ranking.pair(better, worse), ranking.metric) for better, worse in pairwise(names)
    ]
    if len(names) == 2:
        return steps
    places = ", ".join(
        f"{standing.name} {number(standing.mean.value, ranking.metric)}"
        for standing in ranking.standings
    )
    return [f"By {ranking.metric.label}, best first: {places}.", *steps]


def notes_of(ranking: Ranking) -> list[str]:
    """Return what a reader must know before using the figures."""
    notes = []
    single = [s.name for s in ranking.standings if len(s.played.contestant.runs) == 1]
    if single:
        notes.append(
            f"One training: {', '.join(single)}. Another training seed may come out otherwise; "
            "give several runs, as NAME=RUN,RUN,RUN, to take that into account."
        )
    if ranking.n_undefined:
        notes.append(
            f"{ranking.n_undefined} of {ranking.n_undefined + len(ranking.seeds)} episodes are "
            f"left out: there is no {ranking.metric.label} in them for all."
        )
    cut = [s for s in ranking.standings if s.played.n_left_out]
    if cut:
        listed = ", ".join(f"{s.played.n_left_out} of {s.name}" for s in cut)
        notes.append(
            f"Evaluations during training that are left out: {listed}. They played another world, "
            "or weights later than those compared."
        )
    if len(ranking.pairs) > 1:
        notes.append(
            f"{len(ranking.pairs)} pairs are compared. P-values are corrected for that by Holm's "
            "method; intervals are not."
        )
    for key, word in (("regime", "Views"), ("message_loss", "Message losses")):
        values = {s.name: s.provenance.get(key) for s in ranking.standings}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in values.items())
            notes.append(f"{word} differ: {listed}.")
    return notes


def number(value: float, metric: ComparedMetric) -> str:
    """Return a value as tables show it."""
    text = format(value, ".3f" if metric.is_rate else ".1f")
    return text.removeprefix("-") if float(text) == 0.0 else text


def with_interval(value: float, low: float, high: float, metric: ComparedMetric) -> str:
    """Return a value and its interval as tables show them."""
    return f"{number(value, metric)} ({number(low, metric)} to {number(high, metric)})"


def _sentence(pair: PairResult, metric: ComparedMetric) -> str:
    if pair.equal == pair.n_episodes:
        return (
            f"No difference: all {pair.n_episodes} episodes of {pair.better} and {pair.worse} "
            "are equal."
        )
    sign = 1.0 if metric.higher_is_better else -1.0
    ends = sorted((sign * pair.difference.low, sign * pair.difference.high))
    value, low, high = (number(x, metric) for x in (sign * pair.difference.value, *ends))
    if metric.name == "coverage_rate":
        claim = f"{pair.better} covers {value} more than {pair.worse}"
    else:
        word = "higher" if metric.higher_is_better else "lower"
        claim = f"{pair.better} has a {metric.label} {value} {word} than {pair.worse}"
    said = f"{claim}, 95 % {low} to {high}; on {pair.won} of {pair.n_episodes} episodes"
    if pair.is_shown:
        return f"{said}."
    few = f"; only {pair.won + pair.lost} episodes differ" if pair.few_differ else ""
    return f"No difference shown: {said}{few}."
