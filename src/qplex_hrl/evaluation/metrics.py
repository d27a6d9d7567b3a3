"""Each metric's one definition, its mean and its interval, from statistics of finished episodes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from camsim.tables import EPISODE_COLUMNS

__all__ = ["best_coverage", "episode_metrics", "finite_or_none", "summary"]

_N_RESAMPLES = 10_000
_BOOTSTRAP_SEED = 0


def episode_metrics(statistics: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return each metric's value [M] in each episode, NaN where the episode does not define it.

    - coverage_rate: mean over all frames of (targets seen by a camera) / T
    - real_coverage_rate: the same over the targets that carry a bounty
    - stereo_coverage_rate: the same over all targets, of those in two views whose directions differ
      by at least `min_baseline_deg`
    - transport_rate: MATE's mean transport rate at the episode's end; lower is better
    - selection_efficiency: selected targets in that camera's view / selected targets
    - episode_reward: sum of the configured reward, undiscounted
    - camera_return: sum of MATE's own reward of the camera team
    - episode_length: frames

    Args:
        statistics: [M, K], columns EPISODE_COLUMNS.
    """
    column = dict(zip(EPISODE_COLUMNS, statistics.T, strict=True))
    return {
        "coverage_rate": _ratio(column["coverage_sum"], column["length"]),
        "real_coverage_rate": _ratio(column["real_coverage_sum"], column["length"]),
        "stereo_coverage_rate": _ratio(column["stereo_coverage_sum"], column["length"]),
        "transport_rate": column["mean_transport_rate"].copy(),
        "selection_efficiency": _ratio(column["valid_selected"], column["selected"]),
        "episode_reward": column["reward_sum"].copy(),
        "camera_return": column["camera_return"].copy(),
        "episode_length": column["length"].copy(),
    }


def summary(name: str, values: NDArray[np.float64]) -> dict[str, float | list[float] | None]:
    """Return `mean_<name>`, `std_<name>` (sample) and `ci95_<name>` [low, high] of the numbers.

    The interval is the percentile bootstrap of the mean with a fixed seed, so that equal values
    give equal intervals. Values that are NaN are not counted; what cannot be computed is None.

    Args:
        name: of the metric.
        values: [M], one per episode.
    """
    counted = values[np.isfinite(values)]
    if counted.size == 0:
        return {f"mean_{name}": None, f"std_{name}": None, f"ci95_{name}": None}
    generator = np.random.default_rng(_BOOTSTRAP_SEED)
    draws = generator.integers(counted.size, size=(_N_RESAMPLES, counted.size), dtype=np.int32)
    low, high = np.percentile(counted[draws].mean(axis=1), [2.5, 97.5])
    return {
        f"mean_{name}": float(counted.mean()),
        f"std_{name}": float(counted.std(ddof=1)) if counted.size > 1 else None,
        f"ci95_{name}": [float(low), float(high)],
    }


def best_coverage(previous: float | None, evaluation: Mapping[str, object]) -> float:
    """Return the best `mean_coverage_rate` of any evaluation so far, the given one included.

    Args:
        previous: best of the earlier ones, None without any.
        evaluation: object with `mean_coverage_rate`.
    """
    coverage = evaluation["mean_coverage_rate"]
    assert isinstance(coverage, float)
    return coverage if previous is None else max(previous, coverage)


def finite_or_none(value: float) -> float | None:
    """Return the number as JSON can hold it: None for NaN and infinities."""
    return float(value) if np.isfinite(value) else None


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    undefined = np.full_like(numerator, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)
