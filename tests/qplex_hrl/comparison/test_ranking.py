import numpy as np
import pytest
from made_up_evaluations import example, scripted, trained

from qplex_hrl.comparison.metric import metric_named
from qplex_hrl.comparison.ranking import performance_profile, rank, taus_of

COVERAGE, TRANSPORT = metric_named("coverage_rate"), metric_named("transport_rate")


def test_the_best_comes_first() -> None:
    ranking = example()
    assert [each.name for each in ranking.standings] == ["good <b>", "greedy", "a=0.5,b=0.5"]
    assert [(pair.better, pair.worse) for pair in ranking.pairs] == [
        ("good <b>", "greedy"),
        ("good <b>", "a=0.5,b=0.5"),
        ("greedy", "a=0.5,b=0.5"),
    ]
    assert all(pair.is_shown for pair in ranking.pairs)
    assert all(pair.p_holm >= pair.difference.p_value for pair in ranking.pairs)


def test_a_lower_transport_rate_is_better() -> None:
    low, high = np.linspace(0.2, 0.4, 16), np.linspace(0.5, 0.6, 16)
    by_transport = rank([scripted("low", low), scripted("high", high)], TRANSPORT)
    pair = by_transport.pair("high", "low")  # high coverage, low transport rate
    assert pair.difference.value < 0.0
    assert (pair.won, pair.equal, pair.lost) == (16, 0, 0)
    assert pair.improvement.value == 1.0


def test_won_equal_and_lost_episodes() -> None:
    first, second = np.full(20, 0.5), np.full(20, 0.5)
    first[:12], first[12:15] = 0.7, 0.4
    pair = rank([scripted("b", second), scripted("a", first)], COVERAGE).pairs[0]
    assert (pair.won, pair.equal, pair.lost, pair.n_episodes) == (12, 5, 3, 20)
    assert pair.difference.value == pytest.approx((12 * 0.2 - 3 * 0.1) / 20)


def test_few_episodes_that_differ_show_nothing() -> None:
    second = np.linspace(0.4, 0.6, 64)
    for n_differ, shown in ((5, False), (20, True)):
        first = second.copy()
        first[:n_differ] += 0.2 + 0.01 * second[:n_differ]
        pair = rank([scripted("a", first), scripted("b", second)], COVERAGE).pairs[0]
        assert pair.is_shown == shown, n_differ


def test_all_figures_are_of_the_episodes_that_define_the_metric_for_all() -> None:
    """`a` is better on the common episodes, though its own mean is lower."""
    first = np.append(np.linspace(0.5, 0.6, 12), [0.0, 0.0])
    second = np.append(np.linspace(0.4, 0.5, 12), [np.nan, np.nan])
    ranking = rank([scripted("b", second), scripted("a", first)], COVERAGE)
    assert [standing.name for standing in ranking.standings] == ["a", "b"]
    assert ranking.standings[0].mean.value == pytest.approx(0.55)
    assert ranking.pairs[0].n_episodes == 12
    assert ranking.pairs[0].difference.value == pytest.approx(0.1)
    assert ranking.seeds == tuple(range(12))
    assert ranking.n_undefined == 2


def test_a_metric_that_is_hardly_ever_defined_is_an_error() -> None:
    values = [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="selection_efficiency: 0 episodes have it"):
        rank([scripted("a", values)] * 2, metric_named("selection_efficiency"))
    apart = [np.array([0.1, 0.2, np.nan, np.nan]), np.array([np.nan, np.nan, 0.1, 0.2])]
    with pytest.raises(ValueError, match="coverage_rate: 0 episodes have it"):
        rank([scripted("a", apart[0]), scripted("b", apart[1])], COVERAGE)


def test_profiles_fall_from_one_to_zero() -> None:
    ranking = rank([scripted("a", [0.2, 0.4, 0.6, 0.8]), scripted("b", [0.1] * 4)], COVERAGE)
    assert len(taus_of(ranking)) == 101
    profile = performance_profile(ranking.standings[0], np.array([0.0, 0.4, 0.5, 0.8]))
    assert [point.value for point in profile] == [1.0, 0.5, 0.5, 0.0]
    assert all(point.low <= point.value <= point.high for point in profile)


def test_thresholds_of_what_is_no_rate_span_its_values() -> None:
    ranking = rank([scripted("a", [1.0, 5.0]), scripted("b", [2.0, 9.0])], COVERAGE)
    taus = taus_of(ranking._replace(metric=metric_named("camera_return")))
    assert (taus[0], taus[-1]) == (1.0, 9.0)


def test_runs_make_one_contestant() -> None:
    runs = np.linspace(0.5, 0.6, 12) + np.array([[0.0], [0.1], [0.05]])
    ranking = rank([trained("runs", runs), scripted("b", np.full(12, 0.3))], COVERAGE)
    best = ranking.standings[0]
    assert best.table.shape == (3, 12)
    assert best.mean.value == pytest.approx(runs.mean())
    assert ranking.pairs[0].n_episodes == 12
