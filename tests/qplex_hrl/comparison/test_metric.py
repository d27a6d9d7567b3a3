import numpy as np
import pytest
from made_up_evaluations import evaluation

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.comparison.metric import METRICS, metric_named, table_of_metric
from qplex_hrl.evaluation.metrics import episode_metrics


def test_every_metric_of_an_evaluation_can_decide() -> None:
    known = episode_metrics(np.ones((1, len(EPISODE_COLUMNS))))
    assert {metric.name for metric in METRICS} == known.keys()
    assert [m.name for m in METRICS if not m.higher_is_better] == ["transport_rate"]


def test_an_unknown_metric_is_an_error_that_lists_them() -> None:
    assert metric_named("coverage_rate").label == "coverage"
    with pytest.raises(ValueError, match="--metric speed: expected one of coverage_rate, real"):
        metric_named("speed")


def test_what_an_episode_does_not_define_is_nan() -> None:
    table = table_of_metric([evaluation([0.1, 0.2])] * 3, "coverage_rate")
    np.testing.assert_array_equal(table, [[0.1, 0.2]] * 3)
    assert np.isnan(table_of_metric([evaluation([0.1])], "selection_efficiency")).all()
