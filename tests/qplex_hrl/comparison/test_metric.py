import numpy as np
import pytest

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.comparison.metric import METRICS, metric_named
from qplex_hrl.evaluation.metrics import episode_metrics


def test_every_metric_of_an_evaluation_can_decide() -> None:
    known = episode_metrics(np.ones((1, len(EPISODE_COLUMNS))))
    assert {metric.name for metric in METRICS} == known.keys()
    assert [m.name for m in METRICS if not m.higher_is_better] == ["transport_rate"]


def test_an_unknown_metric_is_an_error_that_lists_them() -> None:
    assert metric_named("coverage_rate").label == "coverage"
    with pytest.raises(ValueError, match="--metric speed: expected one of coverage_rate, real"):
        metric_named("speed")
