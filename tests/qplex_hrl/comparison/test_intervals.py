"""Intervals by hand, at the edges, beside SciPy's; how often they hold: test_interval_coverage."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from qplex_hrl.comparison.intervals import (
    holm,
    iqm_interval,
    mean_interval,
    paired_difference,
    probability_of_improvement,
    share_interval,
    unpaired_difference,
)


def values(n_runs: int, n_episodes: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.7, 0.05, (n_runs, n_episodes))


def test_many_normal_values_have_students_interval() -> None:
    table = values(1, 400)
    found = mean_interval(table)
    low, high = stats.t.interval(0.95, 399, table.mean(), stats.sem(table[0]))
    assert found.value == pytest.approx(table.mean())
    assert found[1:] == pytest.approx((low, high), abs=3e-4)


def test_few_values_have_students_interval() -> None:
    found = mean_interval(np.array([[0.5, 0.7, 0.6]]))
    half = stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3)
    assert found == pytest.approx((0.6, 0.6 - half, 0.6 + half))


def test_equal_calls_give_equal_intervals() -> None:
    assert mean_interval(values(1, 32)) == mean_interval(values(1, 32))
    assert iqm_interval(values(1, 32)) == iqm_interval(values(1, 32))


@pytest.mark.parametrize(("n_runs", "n_episodes"), [(1, 64), (1, 2), (3, 8)])
def test_a_side_beside_itself_does_not_differ(n_runs: int, n_episodes: int) -> None:
    table = values(n_runs, n_episodes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        improvement = probability_of_improvement(table, table)
        if n_runs == 1:
            assert paired_difference(table, table) == (0.0, 0.0, 0.0, 1.0)
            assert improvement == (0.5, 0.5, 0.5)
        else:  # other trainings of the same kind could differ
            found = paired_difference(table, table)
            assert found.low < found.value == 0.0 < found.high
        assert unpaired_difference(table, table).p_value > 0.9


def test_a_constant_difference_is_certain() -> None:
    table = values(1, 64)
    found = paired_difference(table + 0.1, table)
    assert found[:3] == pytest.approx((0.1, 0.1, 0.1))
    assert found.p_value == 0.0
    level = np.full((1, 64), 0.3)
    assert unpaired_difference(level, level)[:3] == (0.0, 0.0, 0.0)
    assert iqm_interval(level) == (0.3, 0.3, 0.3)


def test_mostly_equal_episodes_have_a_finite_interval() -> None:
    second = np.zeros((1, 64))
    first = second.copy()
    first[0, :2] = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = paired_difference(first, second)
    assert np.isfinite(found).all()
    assert found.low <= found.value <= found.high


def test_pairing_narrows_what_episodes_have_in_common() -> None:
    common = values(1, 64)
    first = common + 0.01 + 0.005 * values(1, 64, 1)
    paired, apart = paired_difference(first, common), unpaired_difference(first, common)
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low < 0.1 * (apart.high - apart.low)
    assert paired.p_value < 0.01 < apart.p_value


def test_unpaired_differences_of_few_are_welchs() -> None:
    first, second = values(1, 5), values(1, 5, 1)
    found = unpaired_difference(first, second)
    welch = stats.ttest_ind(first[0], second[0], equal_var=False)
    assert found.p_value == pytest.approx(welch.pvalue)
    assert found[1:3] == pytest.approx(tuple(welch.confidence_interval(0.95)))


def test_the_interval_and_the_p_value_agree() -> None:
    for seed in range(20):
        first = values(1, 32, seed)
        found = paired_difference(first + 0.018, values(1, 32, seed + 100))
        assert (found.low > 0 or found.high < 0) == (found.p_value < 0.05)


def test_runs_that_differ_widen_the_interval() -> None:
    """Means of three runs 0, 1, 2 and no difference between episodes: Student's t of the runs."""
    table = np.repeat([[0.0], [1.0], [2.0]], 64, axis=1)
    half = stats.t.ppf(0.975, 2) * 1.0 / np.sqrt(3)
    assert mean_interval(table) == pytest.approx((1.0, 1.0 - half, 1.0 + half))
    alike = values(3, 64)
    one = mean_interval(alike.mean(axis=0, keepdims=True))
    assert mean_interval(alike).high >= one.value


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    table = np.arange(16.0)[None]
    assert iqm_interval(table).value == 7.5  # of 4 to 11
    table[0, -1] = 1e6
    assert iqm_interval(table).value == 7.5
    assert iqm_interval(table).high < 13
    runs = iqm_interval(np.arange(32.0).reshape(2, 16))
    assert runs.low < runs.value == 15.5 < runs.high


def test_probability_of_improvement_by_hand() -> None:
    first, second = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    assert probability_of_improvement(first, second).value == pytest.approx(3.5 / 4)
    certain = probability_of_improvement(np.full((1, 64), 1.0), np.zeros((1, 64)))
    assert certain.value == certain.high == 1.0
    assert 0.93 < certain.low < 0.96  # 64 of 64 may still be 19 of 20
    found = probability_of_improvement(values(3, 32) + 0.02, values(2, 32, 1))
    assert 0.5 < found.low < found.value < found.high < 1.0


def test_shares_have_wilsons_interval() -> None:
    table = np.zeros((1, 64))
    table[0, :20] = 1.0
    wilson = stats.binomtest(20, 64).proportion_ci(method="wilson")
    found = share_interval(table)
    assert found.value == 20 / 64
    assert found[1:] == pytest.approx((wilson.low, wilson.high), abs=0.004)  # Student's t, not z
    assert share_interval(np.zeros((1, 64))).low == pytest.approx(0.0)


def test_holms_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.8]) == [0.8]
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_two_runs_that_are_alike_by_chance_are_not_taken_for_alike_runs() -> None:
    """Runs have one degree of freedom between them, however little they differ."""
    rng = np.random.default_rng(0)
    episodes = rng.normal(size=(1, 64))
    table = episodes + np.array([[0.0], [0.4]]) + rng.normal(size=(2, 64))
    runs = table.mean(axis=1)
    found = mean_interval(table)
    assert found.high - found.low > 2 * stats.t.ppf(0.975, 1) * runs.std(ddof=1) / np.sqrt(2)


def test_the_p_value_of_runs_agrees_with_their_interval() -> None:
    for gap in (0.0, 0.05, 0.1, 0.15, 0.3):
        found = paired_difference(values(3, 32) + gap, values(3, 32, 1))
        assert (found.low > 0 or found.high < 0) == (found.p_value < 0.05), gap


def test_unpaired_differences_know_that_runs_differ() -> None:
    """Three runs a side whose means differ by far more than their episodes."""
    first = values(3, 64) + np.array([[0.0], [1.0], [2.0]])
    second = values(3, 64, 1) + np.array([[0.0], [1.0], [2.0]])
    found = unpaired_difference(first, second)
    half = stats.t.ppf(0.975, 4) * np.sqrt(2 / 3)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)


def test_the_interquartile_mean_of_few_has_tukeys_and_mclaughlins_interval() -> None:
    """Of nine values five are in the middle half: four degrees of freedom."""
    table = np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]])
    winsorised = np.array([2, 2, 2, 3, 4, 5, 6, 6, 6])
    error = np.sqrt(((winsorised - 4.0) ** 2).sum() / (5 * 4))
    half = stats.t.ppf(0.975, 4) * error
    assert iqm_interval(table) == pytest.approx((4.0, 4.0 - half, 4.0 + half))
