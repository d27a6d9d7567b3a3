"""The metrics that contestants can be compared by, and their values in episodes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["METRICS", "ComparedMetric", "Evaluation", "metric_named", "table_of_metric"]

# Any: an evaluation is a JSON object of numbers, lists and text.
Evaluation = Mapping[str, Any]


class ComparedMetric(NamedTuple):
    """A metric of an evaluation, as sentences and plots call it."""

    name: str  # key of an episode
    label: str
    higher_is_better: bool
    is_rate: bool  # 0 to 1


METRICS = (
    ComparedMetric("coverage_rate", "coverage", True, True),
    ComparedMetric("real_coverage_rate", "coverage of targets with a bounty", True, True),
    ComparedMetric("stereo_coverage_rate", "stereo coverage", True, True),
    ComparedMetric("transport_rate", "transport rate", False, True),
    ComparedMetric("selection_efficiency", "selection efficiency", True, True),
    ComparedMetric("episode_reward", "episode reward", True, False),
    ComparedMetric("camera_return", "camera return", True, False),
    ComparedMetric("episode_length", "episode length", True, False),
)


def metric_named(name: str) -> ComparedMetric:
    """Return the metric.

    Raises:
        ValueError: there is none of this name.
    """
    for metric in METRICS:
        if metric.name == name:
            return metric
    known = ", ".join(metric.name for metric in METRICS)
    raise ValueError(f"--metric {name}: expected one of {known}")


def table_of_metric(evaluations: Sequence[Evaluation], metric: str) -> NDArray[np.float64]:
    """Return a metric of R runs in S episodes [R, S], NaN where an episode does not define it."""
    rows = [[episode.get(metric) for episode in each["episodes"]] for each in evaluations]
    return np.array(rows, dtype=np.float64)  # None becomes NaN
