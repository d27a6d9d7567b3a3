"""Learning targets as pure functions: action masks, greedy actions, Q(lambda) returns."""

import torch
from torch import Tensor


def mask_unavailable(q_values: Tensor, avail_actions: Tensor) -> Tensor:
    """Return Q-values with unavailable actions set to minus infinity.

    Args:
        q_values: [..., C, U] float32.
        avail_actions: [..., C, U] bool, at least one true per camera (padding marks action 0).

    Raises:
        ValueError: the shapes differ.
    """
    if q_values.shape != avail_actions.shape:
        msg = f"q_values {tuple(q_values.shape)}, avail_actions {tuple(avail_actions.shape)}"
        raise ValueError(f"shapes differ: {msg}")
    return q_values.masked_fill(~avail_actions, -torch.inf)


def greedy_actions(q_values: Tensor, avail_actions: Tensor) -> Tensor:
    """Return the best available action of each camera, [..., C] int64."""
    return mask_unavailable(q_values, avail_actions).argmax(dim=-1)


def lambda_returns(
    reward: Tensor,
    values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    filled: Tensor,
    *,
    gamma: float,
    td_lambda: float,
    n_step: int,
) -> Tensor:
    """Return Q(lambda) targets of at most ``n_step`` rewards, [B, L, G]; meaningless on padding.

    Peng's Q(lambda), uncorrected: ``values`` are those of greedy actions, and no exploratory action
    ends the sum. With one-step errors ``d_t = r_t + gamma v_{t+1} - v_t`` (no v_{t+1} after a
    termination) it is ``y_t = v_t + sum_{j < n} (gamma lambda)^j d_{t+j}``. That equals the mixture
    ``(1 - lambda) sum_{k < n} lambda^(k-1) y^(k) + lambda^(n-1) y^(n)`` of k-step returns (Sutton
    and Barto 2018, section 12.3). The sum stops at an episode's end, before padding and at the
    window's end, where the last value is the bootstrap. lambda = 0 or n = 1 gives one-step targets,
    lambda = 1 gives n-step targets.

    Args:
        reward: [B, L], or [B, L, G] if every value has a reward of its own.
        values: [B, L+1, G] value of each frame.
        terminated: [B, L] bool, nothing follows decision t.
        truncated: [B, L] bool, the episode was cut after decision t; frame t + 1 still counts.
        filled: [B, L] bool, false on padding.
        gamma: discount per decision.
        td_lambda: trace parameter in [0, 1].
        n_step: largest number of rewards in a target, at least 1.
    """
    following = torch.where(terminated.unsqueeze(-1), 0.0, values[:, 1:])
    rewards = reward if reward.dim() == 3 else reward.unsqueeze(-1)
    errors = rewards + gamma * following - values[:, :-1]
    errors = torch.where(filled.unsqueeze(-1), errors, 0.0)
    steps = torch.arange(reward.shape[1], device=reward.device)
    ahead = steps - steps.unsqueeze(-1)  # [from, to]
    decay = (gamma * td_lambda) ** ahead.clamp_min(0).to(reward.dtype)
    decay = torch.where((ahead >= 0) & (ahead < n_step), decay, 0.0)
    ended = (terminated | truncated).long()
    episode = ended.cumsum(dim=1) - ended  # [B, L], episode ends before each decision
    together = episode.unsqueeze(-1) == episode.unsqueeze(1)
    weights = torch.where(together, decay, 0.0)  # [B, L, L]
    return values[:, :-1] + weights @ errors
