import math

import pytest

from qplex_hrl.algorithm.schedules import epsilon, learning_rate


def test_epsilon_by_hand() -> None:
    assert epsilon(0, start=0.5, end=0.1, decay=1e-3) == 0.5
    # one decay time: 0.1 + 0.4 / e
    assert epsilon(1000, start=0.5, end=0.1, decay=1e-3) == pytest.approx(0.1 + 0.4 / math.e)
    assert epsilon(10**9, start=0.5, end=0.1, decay=1e-3) == 0.1
    assert epsilon(10**9, start=0.5, end=0.1, decay=0.0) == 0.5


def test_a_smaller_decay_explores_longer() -> None:
    slow, fast = (epsilon(50_000, start=1.0, end=0.05, decay=rate) for rate in (1e-5, 1e-4))
    assert slow > fast


def test_learning_rate_is_linear_then_constant() -> None:
    rates = [learning_rate(t, 100, start=1.0, end=0.2) for t in (0, 25, 100, 500)]
    assert rates == pytest.approx([1.0, 0.8, 0.2, 0.2])
