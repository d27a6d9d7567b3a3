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
    plan: Tensor  # [n, U, W] embedding of plan features and advantages, and of search actions
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

    f is asked in every frame, so it sees a glance only, a part of the observation that costs
    little, and the one at the decision. What depends on the plan, and search actions, which hardly
    change within a decision, are embedded once.
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
        of_context, of_target, of_action = dims.glance_sizes
        n_plan = dims.plan_size - dims.n_target_coverages
        self.plan_layer = nn.Linear(n_plan + 1, width)
        self.target_mlp = nn.Sequential(
            nn.Linear(2 * of_target, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
        )
        self.context_mlp = nn.Sequential(
            nn.Linear(2 * of_context + 3 * width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
        )
        self.target_layer = nn.Linear(width, width, bias=False)
        self.action_layer = nn.Linear(of_action, width, bias=False)
        self.output = nn.Linear(width, 1, bias=False)
        selection = selection_bits[: dims.n_actions - dims.n_search]
        selection = selection.to(torch.get_default_dtype())
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
        best = q_values.amax(dim=-1, keepdim=True)
        advantages = (q_values - best).clamp_min(FLOOR)
        of_actions = obs[:, obs.shape[-1] - dims.n_actions * dims.action_size :]
        by_action = torch.unflatten(of_actions, -1, (dims.n_actions, dims.action_size))
        of_any_team = slice(
            dims.action_size - dims.plan_size, dims.action_size - dims.n_target_coverages
        )
        features = [by_action[..., of_any_team], advantages.unsqueeze(-1)]
        of_search = by_action[:, len(self.selection) :, : dims.glance_sizes[2]]
        searching = nn.functional.pad(self.action_layer(of_search), (0, 0, len(self.selection), 0))
        plan = self.plan_layer(torch.cat(features, dim=-1)) + searching
        return HeldPlan(advantages, plan, self.glance(obs))

    def glance(self, obs: Tensor) -> Tensor:
        """Return what cameras react to [n, G], from observations [n, D]."""
        return obs[:, self.glance_columns]

    def forward(self, glance: Tensor, held: HeldPlan, actions: Tensor, passed: float) -> Tensor:
        """Return the advantages over keeping, [n, U], 0 for the action in force.

        Args:
            glance: [n, G] now.
            held: since the last slow decision.
            actions: [n] int64 in force.
            passed: part of the decision that has passed, 0 to 1.
        """
        context, targets, by_action = self._rows(glance)
        context_before, targets_before, _ = self._rows(held.glance)
        embeddings = self.target_mlp(torch.cat([targets, targets_before], dim=-1))
        index = actions.view(-1, 1, 1).expand(-1, 1, held.plan.shape[-1])
        in_force = held.plan.gather(1, index).squeeze(1)
        pooled = [context, context_before, embeddings.mean(dim=1), embeddings.amax(dim=1), in_force]
        state = self.context_mlp(torch.cat(pooled, dim=-1))
        now = self.action_layer(by_action) + self.selection @ self.target_layer(embeddings)
        hidden = held.plan.clone()  # and in place, where it costs half of a new tensor
        hidden[:, : now.shape[1]] += now
        hidden += state.unsqueeze(1)
        changes = self.output(torch.relu_(hidden)).squeeze(-1)
        values: Tensor = held.advantages + passed * changes
        return values - values.gather(-1, actions.unsqueeze(-1))

    def _rows(self, glance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the rows of context [n, .], targets [n, T, .] and actions but search [n, ., .]."""
        of_context, of_target, of_action = self.dims.glance_sizes
        n_targets, n_actions = self.dims.n_targets, len(self.selection)
        context, targets, actions = torch.split(
            glance, [of_context, n_targets * of_target, n_actions * of_action], dim=-1
        )
        by_target = torch.unflatten(targets, -1, (n_targets, of_target))
        return context, by_target, torch.unflatten(actions, -1, (n_actions, of_action))


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
    found = torch.where(possible, q_values[1] - kept, expected.detach())
    error = nn.functional.huber_loss(expected, found, reduction="none")
    return (error * possible).sum() / possible.sum().clamp_min(1)
