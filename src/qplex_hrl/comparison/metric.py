"""The metrics that contestants can be compared by: how to call them, and which end is better."""

from typing import NamedTuple

__all__ = ["METRICS", "ComparedMetric", "metric_named"]


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
