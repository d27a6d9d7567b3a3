"""Learning curves of trainings: the evaluations in their log folders, with intervals."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qplex_hrl.comparison.intervals import Interval, mean_interval
from qplex_hrl.comparison.metric import Evaluation, table_of_metric

__all__ = ["LearningCurve", "learning_curve", "of_the_world", "read_evaluations"]

_WORLD = {
    "scenario": None,
    "opponent": None,
    "regime": None,
    "max_episode_steps": None,
    "message_loss": 0.0,
}
"""What makes the world that an evaluation played, and what files without it mean."""

_EVALUATION = re.compile(r"eval_results_(\d+)\.json")


class LearningCurve(NamedTuple):
    """A metric during training, mean over runs, at the timesteps that all runs have."""

    timesteps: tuple[int, ...]
    points: tuple[Interval, ...]  # 95 %, over runs and episodes


def read_evaluations(logs: Path) -> list[Evaluation]:
    """Return the evaluations during a training, by timestep.

    Raises:
        ValueError: a file is damaged.
    """
    found = []
    for path in logs.iterdir():
        if match := _EVALUATION.fullmatch(path.name):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                complete = {"timestep", "episodes"} <= content.keys()
            except (ValueError, AttributeError):
                complete = False
            if not complete:
                raise ValueError(f"{path}: damaged, or not an evaluation")
            found.append((int(match[1]), content))
    return [content for _, content in sorted(found, key=lambda each: each[0])]


def of_the_world(history: Sequence[Evaluation], played: Evaluation) -> tuple[Evaluation, ...]:
    """Return the evaluations in the world of `played`, and not of later weights than it has."""

    def world(evaluation: Evaluation) -> list[object]:
        provenance = evaluation.get("provenance", {})
        return [provenance.get(key, default) for key, default in _WORLD.items()]

    return tuple(
        each
        for each in history
        if world(each) == world(played) and each["timestep"] <= played["timestep"]
    )


def learning_curve(runs: Sequence[Sequence[Evaluation]], metric: str) -> LearningCurve | None:
    """Return the curve of runs that differ in their seeds; None without a common evaluation.

    Args:
        runs: of each, the evaluations during training.
        metric: key of an episode.
    """
    by_timestep = [{int(each["timestep"]): each for each in run} for run in runs]
    common = sorted(set.intersection(*(set(run) for run in by_timestep))) if runs else []
    timesteps, points = [], []
    for timestep in common:
        evaluations = [run[timestep] for run in by_timestep]
        if len({len(each["episodes"]) for each in evaluations}) > 1:
            continue  # runs that were evaluated on different numbers of episodes
        table = table_of_metric(evaluations, metric)
        table = table[:, np.isfinite(table).all(axis=0)]
        if table.shape[1] >= 2:
            timesteps.append(timestep)
            points.append(mean_interval(table))
    return LearningCurve(tuple(timesteps), tuple(points)) if timesteps else None
