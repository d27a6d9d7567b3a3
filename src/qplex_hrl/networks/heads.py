"""Heads of the Q-networks: the value of every action."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.algorithm.returns import mask_unavailable
from qplex_hrl.networks.action_values import CameraTerms, Weights, available_values
from qplex_hrl.networks.row_kernels import kernels_serve

Terms = tuple[Tensor, ...]
"""What a head has made of its inputs; only that head knows what is in it."""


class HeadInputs(NamedTuple):
    """What the Q-values depend on."""

    memory: Tensor  # [L, n, H] of the camera, output of its core
    context: Tensor  # [L, n, H] of the camera, output of its encoder
    targets: Tensor  # [T, L, n, H] embeddings
    priorities: Tensor | None  # [T, L, n, 2], fast and slow probabilities, if prioritised
    action_features: Tensor  # [L, n, U, Fo]


class ActionTerms(NamedTuple):
    """What the actions' values are made of, shared by all actions."""

    targets: Tensor  # [T, L, n, W] what each target adds to the hidden layer, W its width
    state: Tensor  # [L, n, W] what the camera's state adds
    value: Tensor  # [L, n] the camera's own value
    action_features: Tensor  # [L, n, U, Fo]
    target_values: Tensor  # [L, n, T] value per target for the camera, or [L, n, 0]


class TargetValue(nn.Module):
    """Value per target: what covering it is worth to a camera."""

    def __init__(self, hidden_size: int, width: int) -> None:
        """Create the layers for embeddings and memory of length ``hidden_size``."""
        super().__init__()
        self.target_layer = nn.Linear(hidden_size, width)
        self.state_layer = nn.Linear(2 * hidden_size, width, bias=False)
        self.output = nn.Linear(width, 1)

    def forward(self, targets: Tensor, state: Tensor) -> Tensor:
        """Return [L, n, T] from embeddings [T, L, n, H] and states [L, n, 2 H]."""
        hidden = torch.relu(self.target_layer(targets) + self.state_layer(state))
        target_values: Tensor = self.output(hidden).squeeze(-1)
        return target_values.movedim(0, -1)


class ActionHead(nn.Module):
    """Q-value of every action from the targets it selects, its own features and the camera's state.

    ``x_u = relu(sum_{t in u} (W_e e_t + W_p p_t) + W_o o_u + W_h h)``, ``Q_u = w . x_u + v(h)``.

    The camera's state h is its memory and its context. ``start_from_plans`` adds ``s . o_u``.
    Where an action has the coverage g_ut per target of its best plan, ``sum_t g_ut y_t`` is
    added, with ``y_t = w_y . relu(W_y e_t + W_z h)``, the value per target for this camera.

    The hidden layers of all actions are by far the largest tensors of the model, but a loss needs
    gradients of one action per camera only: ``values_of`` gives the values of given actions,
    ``available_values`` those of all without gradients, both from the same ``terms``.
    """

    selection: Tensor

    def __init__(
        self,
        hidden_size: int,
        action_size: int,
        selection_bits: Tensor,
        *,
        prioritised: bool,
        tells_coverages: bool = False,
    ) -> None:
        """Create the layers.

        Args:
            hidden_size: length H of memory, context and a target embedding; an action's hidden
                layer has half of it.
            action_size: length Fo of an action's features, the T coverages included.
            selection_bits: [U, T] bool, the targets that each action selects.
            prioritised: the selectors' probabilities p are an input.
            tells_coverages: an action's last T features are what its plan covers of each target.
        """
        super().__init__()
        width, state_size = max(hidden_size // 2, 1), 2 * hidden_size
        own_size = action_size - selection_bits.shape[1] * tells_coverages
        self.target_layer = nn.Linear(hidden_size, width, bias=False)
        self.priority_layer = nn.Linear(2, width, bias=False) if prioritised else None
        self.action_layer = nn.Linear(own_size, width, bias=False)
        self.state_layer = nn.Linear(state_size, width)
        self.value_layer = nn.Linear(state_size, 1)
        self.output = nn.Linear(width, 1, bias=False)
        selection = selection_bits.to(torch.get_default_dtype())
        self.register_buffer("selection", selection, persistent=False)
        self.plan_layer: nn.Linear | None = None
        self.target_value: TargetValue | None = None
        if tells_coverages:
            self.target_value = TargetValue(hidden_size, width)

    def start_from_plans(self, feature: int, weight: float) -> None:
        """Add a term linear in an action's own features, at first `weight` times one of them.

        All other differences between actions are 0 at first.
        """
        self.plan_layer = nn.Linear(self.action_layer.in_features, 1, bias=False)
        with torch.no_grad():
            self.plan_layer.weight.zero_()[0, feature] = weight
            self.output.weight.zero_()

    def forward(self, inputs: HeadInputs) -> Tensor:
        """Return the Q-values of all actions, [L, n, U]."""
        return self.values(self.terms(inputs))

    def terms(self, inputs: HeadInputs) -> Terms:
        """Return what all actions share, ``ActionTerms``."""
        state = torch.cat([inputs.memory, inputs.context], dim=-1)
        targets = self.target_layer(inputs.targets)
        if self.priority_layer is not None and inputs.priorities is not None:
            targets = targets + self.priority_layer(inputs.priorities)
        value = self.value_layer(state).squeeze(-1)
        target_values = state[..., :0]
        if self.target_value is not None:
            target_values = self.target_value(inputs.targets, state)
        return ActionTerms(
            targets, self.state_layer(state), value, inputs.action_features, target_values
        )

    def values(self, shared: Terms) -> Tensor:
        """Return the Q-values of all actions, [L, n, U]."""
        terms = ActionTerms(*shared)
        hidden = self.action_layer(self._split(terms.action_features)[0])  # [L, n, U, W]
        targets = terms.targets.movedim(0, 2).to(hidden.dtype)
        hidden = hidden + self.selection.to(hidden.dtype) @ targets + terms.state.unsqueeze(2)
        state = terms._replace(
            value=terms.value.unsqueeze(2), target_values=terms.target_values.unsqueeze(2)
        )
        return self._values(hidden.relu_(), terms.action_features, state)

    def available_values(self, shared: Terms, avail_actions: Tensor) -> Tensor:
        """Return ``values`` with unavailable actions at minus infinity, without gradients.

        Args:
            shared: of ``terms``.
            avail_actions: [L, n, U] bool.
        """
        terms = ActionTerms(*shared)
        if not kernels_serve(terms.state):
            return mask_unavailable(self.values(shared), avail_actions)
        plan = terms.state.new_empty(0) if self.plan_layer is None else self.plan_layer.weight
        cameras = CameraTerms(
            targets=terms.targets.flatten(1, 2),
            state=terms.state.flatten(0, 1),
            value=terms.value.flatten(),
            target_values=terms.target_values.flatten(0, 1),
        )
        weights = Weights(self.action_layer.weight.T, self.output.weight.flatten(), plan.flatten())
        features, available = (x.flatten(0, 1) for x in (terms.action_features, avail_actions))
        values = available_values(features, available, self.selection > 0, cameras, weights)
        return values.view(avail_actions.shape)

    def _values(self, hidden: Tensor, features: Tensor, terms: ActionTerms) -> Tensor:
        """Return the Q-values [...] from hidden layers [..., W] and features [..., Fo]."""
        own, coverages = self._split(features)
        values: Tensor = self.output(hidden).squeeze(-1) + terms.value
        if self.plan_layer is not None:
            values = values + self.plan_layer(own).squeeze(-1)
        if self.target_value is not None:
            values = values + (coverages * terms.target_values).sum(-1)
        return values

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return actions' own features and their coverages per target, [..., T or 0]."""
        own = self.action_layer.in_features
        return features[..., :own], features[..., own:]

    def values_of(self, shared: Terms, actions: Tensor) -> Tensor:
        """Return the Q-values [K, L, n] of K actions per camera, [K, L, n] int64."""
        terms = ActionTerms(*shared)
        # Whole rows in memory: a product of strided tensors would be several times slower.
        selected = self.selection.T.contiguous()[:, actions].unsqueeze(-1)  # [T, K, L, n, 1]
        hidden = (selected * terms.targets.unsqueeze(1)).sum(dim=0) + terms.state
        index = actions.movedim(0, -1).unsqueeze(-1)  # [L, n, K, 1]
        features = terms.action_features.take_along_dim(index, dim=2).movedim(2, 0)
        hidden = hidden + self.action_layer(self._split(features)[0])
        return self._values(hidden.relu_(), features, terms)


class LinearHead(nn.Module):
    """Q-values of all actions as one layer of the memory, with the interface of ``ActionHead``."""

    def __init__(self, hidden_size: int, n_actions: int) -> None:
        """Create the layer for a memory of length ``hidden_size``."""
        super().__init__()
        self.layer = nn.Linear(hidden_size, n_actions)

    def forward(self, inputs: HeadInputs) -> Tensor:
        """Return the Q-values of all actions, [L, n, U]."""
        return self.values(self.terms(inputs))

    def terms(self, inputs: HeadInputs) -> Terms:
        """Return the Q-values themselves, [L, n, U]."""
        return (self.layer(inputs.memory),)

    def values(self, shared: Terms) -> Tensor:
        """Return the Q-values of all actions, [L, n, U]."""
        return shared[0]

    def available_values(self, shared: Terms, avail_actions: Tensor) -> Tensor:
        """Return ``values`` with unavailable actions at minus infinity, [L, n, U]."""
        return mask_unavailable(shared[0], avail_actions)

    def values_of(self, shared: Terms, actions: Tensor) -> Tensor:
        """Return the Q-values [K, L, n] of K actions per camera, [K, L, n] int64."""
        return shared[0].gather(-1, actions.movedim(0, -1)).movedim(-1, 0)
