"""Masks and Q(lambda) targets, with the arithmetic beside the numbers."""

import pytest
import torch
from torch import Tensor

from qplex_hrl.algorithm.returns import greedy_actions, lambda_returns, mask_unavailable

# One window of three decisions: rewards 1, 2, 3; values of the four frames 10, 20, 30, 40.
REWARD = torch.tensor([[1.0, 2.0, 3.0]])
VALUES = torch.tensor([[[10.0], [20.0], [30.0], [40.0]]])
NONE = torch.zeros(1, 3, dtype=torch.bool)


def flags(*which: int) -> Tensor:
    return torch.tensor([[t in which for t in range(3)]])


def returns(
    *,
    terminated: Tensor = NONE,
    truncated: Tensor = NONE,
    filled: Tensor = ~NONE,
    values: Tensor = VALUES,
    gamma: float = 0.5,
    td_lambda: float = 0.5,
    n_step: int = 3,
) -> list[float]:
    found = lambda_returns(
        REWARD,
        values,
        terminated,
        truncated,
        filled,
        gamma=gamma,
        td_lambda=td_lambda,
        n_step=n_step,
    )
    return found[0, :, 0].tolist()


def test_one_step_targets() -> None:
    # 1 + 0.5 * 20 = 11; 2 + 0.5 * 30 = 17; 3 + 0.5 * 40 = 23
    assert returns(n_step=1) == [11.0, 17.0, 23.0]
    assert returns(td_lambda=0.0) == [11.0, 17.0, 23.0]


def test_n_step_targets_end_with_the_window() -> None:
    # 1 + 0.5 * 2 + 0.25 * 30 = 9.5; 2 + 0.5 * 3 + 0.25 * 40 = 13.5; only one step left: 23
    assert returns(td_lambda=1.0, n_step=2) == [9.5, 13.5, 23.0]


def test_lambda_targets_mix_the_n_step_targets() -> None:
    # t = 2: 23
    # t = 1: (1 - 0.5) * 17 + 0.5 * 13.5 = 15.25
    # t = 0: G1 = 11, G2 = 9.5, G3 = 1 + 1 + 0.75 + 0.125 * 40 = 7.75
    #        0.5 * 11 + 0.25 * 9.5 + 0.25 * 7.75 = 9.8125
    assert returns() == [9.8125, 15.25, 23.0]
    # at most two rewards: 0.5 * 11 + 0.5 * 9.5 = 10.25
    assert returns(n_step=2) == [10.25, 15.25, 23.0]


def test_nothing_follows_a_termination() -> None:
    # t = 1: 2, without bootstrap
    # t = 0: G1 = 11, G2 = 1 + 0.5 * 2 = 2: 0.5 * 11 + 0.5 * 2 = 6.5
    assert returns(terminated=flags(1), filled=flags(0, 1))[:2] == [6.5, 2.0]


def test_a_truncated_decision_bootstraps_from_its_last_frame_and_stops_there() -> None:
    # t = 1: 2 + 0.5 * 30 = 17
    # t = 0: G1 = 11, G2 = 1 + 1 + 0.25 * 30 = 9.5: 0.5 * 11 + 0.5 * 9.5 = 10.25
    assert returns(truncated=flags(1), filled=flags(0, 1))[:2] == [10.25, 17.0]


def test_a_truncated_decision_that_is_not_filled_lends_its_frame_to_the_one_before() -> None:
    # decision 1 is padding: t = 0 has one step, 1 + 0.5 * 20 = 11
    assert returns(truncated=flags(1), filled=flags(0))[:1] == [11.0]


def test_what_follows_an_episodes_end_does_not_count_even_if_filled() -> None:
    # decision 2 belongs to the next episode: t = 2 has 3 + 0.5 * 40 = 23, the others as above
    assert returns(terminated=flags(1)) == [6.5, 2.0, 23.0]
    assert returns(truncated=flags(1)) == [10.25, 17.0, 23.0]


def test_values_of_padding_do_not_count() -> None:
    values = VALUES.clone()
    values[0, 2:] = torch.nan
    assert returns(terminated=flags(1), filled=flags(0, 1), values=values)[:2] == [6.5, 2.0]


def test_windows_and_value_columns_do_not_influence_each_other() -> None:
    torch.manual_seed(0)
    reward, values = torch.randn(4, 6), torch.randn(4, 7, 3)
    terminated, truncated = torch.rand(2, 4, 6) < 0.2
    filled = torch.rand(4, 6) < 0.9
    knobs = {"gamma": 0.9, "td_lambda": 0.7, "n_step": 4}
    together = lambda_returns(reward, values, terminated, truncated, filled, **knobs)
    for b in range(4):
        for g in range(3):
            alone = lambda_returns(
                reward[b : b + 1],
                values[b : b + 1, :, g : g + 1],
                terminated[b : b + 1],
                truncated[b : b + 1],
                filled[b : b + 1],
                **knobs,
            )
            torch.testing.assert_close(alone[0, :, 0], together[b, :, g])


def test_every_value_may_have_a_reward_of_its_own() -> None:
    torch.manual_seed(1)
    rewards, values = torch.randn(4, 6, 3), torch.randn(4, 7, 3)
    terminated, truncated = torch.rand(2, 4, 6) < 0.2
    filled = torch.rand(4, 6) < 0.9
    knobs = {"gamma": 0.9, "td_lambda": 0.7, "n_step": 4}
    together = lambda_returns(rewards, values, terminated, truncated, filled, **knobs)
    for g in range(3):
        alone = lambda_returns(
            rewards[..., g], values[..., g : g + 1], terminated, truncated, filled, **knobs
        )
        torch.testing.assert_close(together[..., g : g + 1], alone)


@pytest.mark.parametrize("n_step", [1, 2, 5, 9])
@pytest.mark.parametrize("td_lambda", [0.0, 0.6, 1.0])
def test_targets_equal_the_mixture_written_as_loops(n_step: int, td_lambda: float) -> None:
    torch.manual_seed(n_step)
    length, gamma = 7, 0.9
    reward, values = torch.randn(1, length).double(), torch.randn(1, length + 1, 1).double()
    end = 4  # terminated; the rest is padding
    terminated = torch.arange(length).unsqueeze(0) == end
    filled = torch.arange(length).unsqueeze(0) <= end
    found = lambda_returns(
        reward,
        values,
        terminated,
        torch.zeros_like(terminated),
        filled,
        gamma=gamma,
        td_lambda=td_lambda,
        n_step=n_step,
    )
    for t in range(end + 1):
        longest = min(n_step, end + 1 - t)
        k_step = []
        for k in range(1, longest + 1):
            total = sum(gamma**j * reward[0, t + j].item() for j in range(k))
            bootstrap = 0.0 if t + k == end + 1 else values[0, t + k, 0].item()
            k_step.append(total + gamma**k * bootstrap)
        mixed = sum((1 - td_lambda) * td_lambda**k * k_step[k] for k in range(longest - 1))
        mixed += td_lambda ** (longest - 1) * k_step[-1]
        assert found[0, t, 0].item() == pytest.approx(mixed, abs=1e-12)


def test_unavailable_actions_are_never_greedy() -> None:
    q_values = torch.tensor([[1.0, 5.0, 3.0], [-2.0, -1.0, -3.0]])
    avail = torch.tensor([[True, False, True], [True, False, False]])
    expected = [[1.0, -torch.inf, 3.0], [-2.0, -torch.inf, -torch.inf]]
    assert mask_unavailable(q_values, avail).tolist() == expected
    assert greedy_actions(q_values, avail).tolist() == [2, 0]


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes differ: q_values \(2, 3\), avail_actions \(3,\)"):
        mask_unavailable(torch.zeros(2, 3), torch.ones(3, dtype=torch.bool))
