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


def test_rewards_of_a_decision() -> None:
    shaping = Shaping(
        discount=0.5, coverage_weight=2.0, bonus_weight=3.0, scale=0.1, coverage_rate=0.4
    )
    team, own = shaping(
        np.array([1.0, 1.0]),
        (np.array([[0.5, 0.0], [0.0, 1.0]]), np.full((2, 2), 9.0)),
        (np.array([0.25, 0.25]), np.array([0.75, 0.75])),
        np.array([0.2, 0.0]),
        np.array([False, True]),
    )
    # 0.1 * (1 + 2 * (0.5 * 0.75 - 0.25) + 3 * 0.2) = 0.1 * (1 + 0.25 + 0.6) = 0.185
    # After a termination 0.1 * (1 + 2 * (0 - 0.25) + 0) = 0.05
    np.testing.assert_allclose(team, [0.185, 0.05])
    # 0.1 * (0.4 * 0.5 + 0.85) = 0.105, 0.1 * 0.85; 0.1 * (0 - 0.5), 0.1 * (0.4 - 0.5)
    np.testing.assert_allclose(own, [[0.105, 0.085], [-0.05, -0.01]])


def test_a_camera_earns_the_weighted_sum_of_what_would_be_lost_without_it() -> None:
    shaping = Shaping(0.5, 0.0, 0.0, scale=0.5, coverage_rate=0.4, stereo_coverage_rate=3.0)
    none, rows = np.zeros(1), np.zeros((1, 2))
    lost = (np.array([[0.5, 0.0]]), np.array([[0.25, 1.0]]))
    own = shaping(none, lost, (none, none), none, none > 0).own
    # Half of 0.4 * 0.5 + 3 * 0.25 is 0.475; half of 0 + 3 * 1 is 1.5
    np.testing.assert_allclose(own, [[0.475, 1.5]])
    np.testing.assert_array_equal(shaping(none, (rows, rows), (none, none), none, none > 0).own, 0)


@pytest.mark.parametrize("which", ["team", "own"])
def test_the_configuration_moves_each_term(which: str) -> None:
    def shaped(**changes: float) -> float:
        algorithm = AlgorithmConfig(gamma=0.9, reward_scale=changes.pop("reward_scale", 1.0))
        hrl = HRLConfig(
            frame_skip=2,
            fast_interval=2,
            coverage_reward_weight=changes.pop("coverage_reward_weight", 0.0),
            exploration_bonus=changes.pop("exploration_bonus", 0.0),
            reward_coefficients=RewardCoefficients(**changes),
        )
        one, no = np.ones(1), np.zeros(1, np.bool_)
        gained = Shaping.from_config(algorithm, hrl)(
            one, (one[:, None], 0.5 * one[:, None]), (0.5 * one, one), one, no
        )
        return float(getattr(gained, which).item())

    assert shaped() == 1.0
    assert shaped(reward_scale=3.0) == 3.0
    assert shaped(exploration_bonus=0.5) == 1.5
    assert shaped(coverage_reward_weight=2.0) == pytest.approx(1 + 2 * (0.81 - 0.5))
    assert shaped(coverage_rate=0.5) == (0.5 if which == "own" else 1.0)
    assert shaped(stereo_coverage_rate=4.0) == (3.0 if which == "own" else 1.0)
