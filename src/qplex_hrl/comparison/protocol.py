"""The comparison in the format of the MARL evaluation protocol (Gorsane et al. 2022).

Tools that read it, such as the package marl-eval, want as many runs and evaluations of every
algorithm, and the same metrics everywhere. So runs and evaluations that only some have are left
out, and cameras that do not learn repeat their episodes for each.
"""

from collections.abc import Sequence
from typing import Any

from qplex_hrl.comparison.contestants import unique_name
from qplex_hrl.comparison.metric import METRICS, Evaluation
from qplex_hrl.comparison.ranking import PlayedContestant, Ranking

__all__ = ["protocol_of"]

_ENVIRONMENT = "MATE"

History = Sequence[Evaluation]


# Any: a JSON object of numbers, lists and text, here and below.
def protocol_of(ranking: Ranking) -> dict[str, Any]:
    """Return {environment: {task: {algorithm: {run: {step: ...}}}}} with lists per metric."""
    played = [standing.played for standing in ranking.standings]
    trained = [each for each in played if each.contestant.rule is None]
    n_runs = min((len(each.evaluations) for each in trained), default=1)
    metrics = _common_metrics(played)
    timesteps = _timesteps(trained)
    algorithms: dict[str, Any] = {}
    for each in played:
        name = each.contestant.name.replace(",", " ")  # commas have a meaning for marl-eval
        name = unique_name(name, {other.lower() for other in algorithms})
        runs = {}
        for n in range(n_runs):
            history = each.history[n] if each.contestant.rule is None else ()
            evaluation = each.evaluations[n % len(each.evaluations)]
            runs[f"run_{n + 1}"] = _run(evaluation, history, timesteps, metrics)
        algorithms[name] = runs
    return {_ENVIRONMENT: {str(ranking.standings[0].provenance["scenario"]): algorithms}}


def _timesteps(trained: Sequence[PlayedContestant]) -> list[list[int]]:
    """Return for each step the timesteps at which a run may stand: the k-th of every run."""
    runs = [
        [int(evaluation["timestep"]) for evaluation in run]
        for each in trained
        for run in each.history
    ]
    n_steps = min((len(run) for run in runs), default=0)
    return [sorted({run[k] for run in runs}) for k in range(n_steps)]


def _run(
    evaluation: Evaluation, history: History, timesteps: Sequence[Sequence[int]], metrics: list[str]
) -> dict[str, Any]:
    """Return one run; without evaluations during training, its episodes stand at every step."""
    steps: dict[str, Any] = {}
    for k, at in enumerate(timesteps):
        shown = history[k] if history else evaluation
        count = int(history[k]["timestep"]) if history else at[-1]
        steps[f"step_{k + 1}"] = {"step_count": count, **_lists(shown, metrics)}
    if not steps:
        count = int(evaluation["timestep"] or 0)
        steps["step_1"] = {"step_count": count, **_lists(evaluation, metrics)}
    return steps | {"absolute_metrics": _lists(evaluation, metrics)}


def _lists(evaluation: Evaluation, metrics: Sequence[str]) -> dict[str, Any]:
    return {name: [episode[name] for episode in evaluation["episodes"]] for name in metrics}


def _common_metrics(played: Sequence[PlayedContestant]) -> list[str]:
    """Return the metrics that every episode of everybody defines."""
    evaluations = [
        evaluation
        for each in played
        for evaluation in (*each.evaluations, *(one for run in each.history for one in run))
    ]
    return [
        metric.name
        for metric in METRICS
        if all(
            episode.get(metric.name) is not None
            for evaluation in evaluations
            for episode in evaluation["episodes"]
        )
    ]
