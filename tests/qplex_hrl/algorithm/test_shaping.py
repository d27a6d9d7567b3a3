"""The training reward: shaping telescopes, terminations, weights and scale."""

import numpy as np
import pytest

from qplex_hrl.algorithm.shaping import Shaping, coverage_shaping
from qplex_hrl.config import AlgorithmConfig, HRLConfig, RewardCoefficients

N, LENGTH, DISCOUNT = 5, 30, 0.9


@pytest.mark.parametrize("terminates", [False, True])
def test_the_shaping_of_an_episode_telescopes(terminates: bool) -> None:
    coverage = np.random.default_rng(0).random((LENGTH + 1, N))
    total = np.zeros(N)
    for t in range(LENGTH):
        terminated = np.full(N, terminates and t == LENGTH - 1)
        step = coverage_shaping(coverage[t], coverage[t + 1], terminated, DISCOUNT)
        total += DISCOUNT**t * step
    # Only the ends remain, whatever was done in between: gamma^L Phi(last) - Phi(first).
    last = np.zeros(N) if terminates else coverage[-1]
    np.testing.assert_allclose(total, DISCOUNT**LENGTH * last - coverage[0])


def test_reward_of_a_decision() -> None:
    shaping = Shaping(
        discount=0.5, coverage_weight=2.0, bonus_weight=3.0, scale=0.1, credit_scale=0.0
    )
    reward = shaping(
        np.array([1.0, 1.0]),
        np.array([0.25, 0.25]),
        np.array([0.75, 0.75]),
        np.array([0.2, 0.0]),
        np.array([False, True]),
    )
    # 0.1 * (1 + 2 * (0.5 * 0.75 - 0.25) + 3 * 0.2) = 0.1 * (1 + 0.25 + 0.6) = 0.185
    # After a termination 0.1 * (1 + 2 * (0 - 0.25) + 0) = 0.05
    np.testing.assert_allclose(reward, [0.185, 0.05])


def test_the_configuration_moves_each_term() -> None:
    def shaped(**changes: float) -> float:
        algorithm = AlgorithmConfig(gamma=0.9, reward_scale=changes.pop("reward_scale", 1.0))
        hrl = HRLConfig(
            fast_interval=2,
            coverage_reward_weight=changes.pop("coverage_reward_weight", 0.0),
            exploration_bonus=changes.pop("exploration_bonus", 0.0),
        )
        one = np.ones(1)
        gained = Shaping.from_config(algorithm, hrl)(
            one, 0.5 * one, one, one, np.zeros(1, np.bool_)
        )
        return float(gained[0])

    assert shaped() == 1.0
    assert shaped(reward_scale=3.0) == 3.0
    assert shaped(exploration_bonus=0.5) == 1.5
    assert shaped(coverage_reward_weight=2.0) == pytest.approx(1 + 2 * (0.81 - 0.5))


def test_credit_has_the_scale_of_coverage_in_the_reward() -> None:
    hrl = HRLConfig(reward_coefficients=RewardCoefficients(coverage_rate=0.5, raw_reward=1.0))
    shaping = Shaping.from_config(AlgorithmConfig(reward_scale=0.2), hrl)
    np.testing.assert_allclose(shaping.credit(np.array([[0.25, 1.0]])), [[0.025, 0.1]])
