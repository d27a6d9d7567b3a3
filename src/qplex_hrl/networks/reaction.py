"""The fast level: whether a camera keeps its action within a decision, or replaces it.

Rows are cameras, n = B * C of them; nothing here has an axis of time.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.types import ModelDims

FLOOR = -3.0
"""Least advantage that the fast level is told of; also that of unavailable actions."""


class HeldPlan(NamedTuple):
    """What a camera holds since its last slow decision."""

    advantages: Tensor  # [n, U] slow values minus the best one, at least FLOOR
    plan_features: Tensor  # [n, U, Fp] of its observation, but for the coverage per target


class ReactionNetwork(nn.Module):
    """Advantages of replacing a camera's action, from what it sees now and the plan it holds.

    ``A(u) = d_u - d_a + p (f_u - f_a)``: d the slow level's advantages, a the action in force, p
    the part of the decision that has passed and f a small network. So nothing is replaced where
    nothing has passed, and keeping is worth 0: Q(lambda) of single frames would drown in noise what
    an action is worth more than another (Baird 1993; Tallec, Blier and Ollivier 2019).

    f learns from the slow level: at a decision's end, p = 1, that says what all actions are worth
    now (`reaction_loss`). To replace an action by a better one never lowers the value if the values
    are right (interruption: Sutton, Precup and Singh 1999, theorem 2).
    """

    selection: Tensor

    def __init__(self, dims: ModelDims, selection_bits: Tensor, width: int) -> None:
        """Create the layers.

        Args:
            dims: sizes of the world, with plan features.
            selection_bits: [U, T] bool, the targets that each action selects.
            width: of every layer, W.
        """
        super().__init__()
        self.dims = dims
        self.target_mlp = nn.Sequential(
            nn.Linear(dims.target_size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.context_layer = nn.Linear(dims.context_size + 2 * width, width)
        self.state_layer = nn.Linear(width, width)
        self.target_layer = nn.Linear(width, width, bias=False)
        features = dims.action_size - dims.n_target_coverages + 2
        self.action_layer = nn.Linear(features, width, bias=False)
        self.output = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        selection = selection_bits.to(torch.get_default_dtype())
        self.register_buffer("selection", selection, persistent=False)

    def forward(self, obs: Tensor, held: HeldPlan, actions: Tensor, passed: float) -> Tensor:
        """Return the advantages over keeping, [n, U], 0 for the action in force.

        Args:
            obs: [n, D'] without plan features.
            held: since the last slow decision.
            actions: [n] int64 in force.
            passed: part of the decision that has passed, 0 to 1.
        """
        dims = self.dims
        own_size = dims.action_size - dims.plan_size
        context, targets, own = torch.split(
            obs,
            [dims.context_size, dims.n_targets * dims.target_size, dims.n_actions * own_size],
            dim=-1,
        )
        embeddings = self.target_mlp(torch.unflatten(targets, -1, (dims.n_targets, -1)))
        pooled = torch.cat([context, embeddings.mean(dim=1), embeddings.amax(dim=1)], dim=-1)
        state = self.state_layer(torch.relu(self.context_layer(pooled)))
        in_force = nn.functional.one_hot(actions, dims.n_actions).to(obs.dtype)
        features = torch.cat(
            [
                torch.unflatten(own, -1, (dims.n_actions, own_size)),
                held.plan_features,
                held.advantages.unsqueeze(-1),
                in_force.unsqueeze(-1),
            ],
            dim=-1,
        )
        hidden = self.action_layer(features) + state.unsqueeze(1)
        hidden = torch.relu(hidden + self.selection @ self.target_layer(embeddings))
        values: Tensor = held.advantages + passed * self.output(hidden).squeeze(-1)
        return values - values.gather(-1, actions.unsqueeze(-1))


def held_plan(obs: Tensor, q_values: Tensor, dims: ModelDims) -> HeldPlan:
    """Return what cameras hold after a slow decision.

    Args:
        obs: [n, D] that it was made from.
        q_values: [n, U], minus infinity where an action is not available.
        dims: sizes of the world.
    """
    advantages = q_values - q_values.amax(dim=-1, keepdim=True)
    actions = obs[:, obs.shape[-1] - dims.n_actions * dims.action_size :]
    by_action = torch.unflatten(actions, -1, (dims.n_actions, dims.action_size))
    of_any_team = slice(
        dims.action_size - dims.plan_size, dims.action_size - dims.n_target_coverages
    )
    plan_features = by_action[..., of_any_team]
    return HeldPlan(advantages.clamp_min(FLOOR), plan_features)


def without_plan_features(obs: Tensor, dims: ModelDims) -> Tensor:
    """Return observations [n, D'] without plan features, from whole ones [n, D]."""
    start = obs.shape[-1] - dims.n_actions * dims.action_size
    actions = torch.unflatten(obs[:, start:], -1, (dims.n_actions, dims.action_size))
    own = actions[..., : dims.action_size - dims.plan_size]
    return torch.cat([obs[:, :start], own.flatten(1)], dim=-1)


def reaction_loss(
    network: ReactionNetwork, obs: Tensor, q_values: Tensor, actions: Tensor, filled: Tensor
) -> Tensor:
    """Return the mean error of what the fast level expects of slow decisions, [].

    Args:
        network: learns.
        obs: [2, n, D] at consecutive slow decisions.
        q_values: [2, n, U] of the slow level there, without gradient, minus infinity where an
            action is not available.
        actions: [n] int64 in force between them, at the end.
        filled: [n] bool, where the second decision is of the same episode.
    """
    held = held_plan(obs[0], q_values[0], network.dims)
    expected = network(without_plan_features(obs[1], network.dims), held, actions, 1.0)
    kept = q_values[1].gather(-1, actions.unsqueeze(-1))
    possible = torch.isfinite(q_values[1]) & torch.isfinite(kept) & filled.unsqueeze(-1)
    found = torch.where(possible, q_values[1] - kept, expected.detach())
    error = nn.functional.huber_loss(expected, found, reduction="none")
    return (error * possible).sum() / possible.sum().clamp_min(1)
