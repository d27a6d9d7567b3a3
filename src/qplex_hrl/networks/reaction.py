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
    avail_actions: Tensor  # [n, U] bool
    glance: Tensor  # [n, G] of its observation


class ReactionNetwork(nn.Module):
    """Advantages of replacing a camera's action, from what it sees now and the plan it holds.

    ``A(u) = d_u - d_a + p (f_u - f_a)``: d the slow level's advantages, a the action in force, p
    the part of the decision that has passed and f a small network. So nothing is replaced where
    nothing has passed, and keeping is worth 0: Q(lambda) of single frames would drown in noise what
    an action is worth more than another (Baird 1993; Tallec, Blier and Ollivier 2019).

    f learns from the slow level: at a decision's end, p = 1, that says what all actions are worth
    now (`reaction_loss`). To replace an action by a better one never lowers the value if the values
    are right (interruption: Sutton, Precup and Singh 1999, theorem 2).

    f is asked in every frame, so it sees a glance only: the camera, each target's estimate, how
    teammates stand to it, now and at the decision.
    """

    selection: Tensor
    glance_columns: Tensor

    def __init__(
        self, dims: ModelDims, selection_bits: Tensor, width: int, margin: float = 0.0
    ) -> None:
        """Create the layers.

        Args:
            dims: sizes of the world.
            selection_bits: [U, T] bool, the targets that each action selects.
            width: of every layer, W.
            margin: how much more than keeping an action must be worth to replace it; not learned.
        """
        super().__init__()
        self.dims = dims
        self.margin = margin
        self.target_mlp = nn.Sequential(
            nn.Linear(2 * dims.glance_target_size, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.context_layer = nn.Linear(2 * dims.glance_context_size + 2 * width, width)
        self.state_layer = nn.Linear(width, width)
        self.target_layer = nn.Linear(width, width, bias=False)
        n_features = dims.plan_size - dims.n_target_coverages + 2
        self.action_layer = nn.Linear(n_features, width, bias=False)
        self.output = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        selection = selection_bits.to(torch.get_default_dtype())
        self.register_buffer("selection", selection, persistent=False)
        columns = torch.tensor(dims.glance_columns, dtype=torch.int64)
        self.register_buffer("glance_columns", columns, persistent=False)

    def hold(self, obs: Tensor, q_values: Tensor) -> HeldPlan:
        """Return what cameras hold after a slow decision.

        Args:
            obs: [n, D] that it was made from.
            q_values: [n, U], minus infinity where an action is not available.
        """
        dims = self.dims
        advantages = q_values - q_values.amax(dim=-1, keepdim=True)
        of_actions = obs[:, obs.shape[-1] - dims.n_actions * dims.action_size :]
        by_action = torch.unflatten(of_actions, -1, (dims.n_actions, dims.action_size))
        of_any_team = slice(
            dims.action_size - dims.plan_size, dims.action_size - dims.n_target_coverages
        )
        return HeldPlan(
            advantages.clamp_min(FLOOR),
            by_action[..., of_any_team],
            torch.isfinite(q_values),
            self.glance(obs),
        )

    def glance(self, obs: Tensor) -> Tensor:
        """Return what cameras react to [n, G], from observations [n, D]."""
        return obs[:, self.glance_columns]

    def forward(self, glance: Tensor, held: HeldPlan, actions: Tensor, passed: float) -> Tensor:
        """Return the advantages over keeping, [n, U], 0 for the action in force.

        Minus infinity for others that are not available: those that were not at the decision, or
        that select a target which is not known any more. A single target that is known always is.

        Args:
            glance: [n, G] now.
            held: since the last slow decision.
            actions: [n] int64 in force.
            passed: part of the decision that has passed, 0 to 1.
        """
        dims = self.dims
        start = dims.glance_context_size
        by_target = (dims.n_targets, dims.glance_target_size)
        targets = torch.unflatten(glance[:, start:], -1, by_target)
        before = torch.unflatten(held.glance[:, start:], -1, by_target)
        embeddings = torch.relu(self.target_mlp(torch.cat([targets, before], dim=-1)))
        context = torch.cat(
            [
                glance[:, :start],
                held.glance[:, :start],
                embeddings.mean(dim=1),
                embeddings.amax(dim=1),
            ],
            dim=-1,
        )
        state = self.state_layer(torch.relu(self.context_layer(context)))
        in_force = nn.functional.one_hot(actions, dims.n_actions).to(glance.dtype)
        features = torch.cat(
            [held.plan_features, held.advantages.unsqueeze(-1), in_force.unsqueeze(-1)], dim=-1
        )
        hidden = self.action_layer(features) + state.unsqueeze(1)
        hidden = torch.relu(hidden + self.selection @ self.target_layer(embeddings))
        values: Tensor = held.advantages + passed * self.output(hidden).squeeze(-1)
        values = values - values.gather(-1, actions.unsqueeze(-1))
        possible = self._available(targets[..., 0] > 0, held.avail_actions) | (in_force > 0)
        return values.masked_fill(~possible, -torch.inf)

    def _available(self, known: Tensor, before: Tensor) -> Tensor:
        """Return the actions [n, U] that may be chosen, of known targets [n, T]."""
        n_unknown = (~known).to(self.selection.dtype) @ self.selection.T
        single = self.selection.sum(dim=-1) == 1
        return (n_unknown == 0) & (before | single)


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
    held = network.hold(obs[0], q_values[0])
    expected = network(network.glance(obs[1]), held, actions, 1.0)
    kept = q_values[1].gather(-1, actions.unsqueeze(-1))
    possible = torch.isfinite(q_values[1]) & torch.isfinite(kept) & filled.unsqueeze(-1)
    possible &= torch.isfinite(expected)
    zero = torch.zeros_like(expected)
    found = torch.where(possible, q_values[1] - kept, zero)
    error = nn.functional.huber_loss(torch.where(possible, expected, zero), found, reduction="none")
    return error.sum() / possible.sum().clamp_min(1)
