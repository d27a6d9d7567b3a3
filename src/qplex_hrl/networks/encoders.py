"""Encoders of the Q-networks: what is told of a camera, its targets, its actions and the state.

Inside the networks targets come first and time before rows: [T, L, n, H] with n = B * C cameras. So
pooling over targets is a reduction over the outermost axis, and their layers are single products.
The features of actions are most of an observation: they are read where they lie, [L, n, U, Fo].
Parameters do not depend on T, U or C, but for those of ``FlatEncoder`` and ``LinearHead``. To those
two an observation is all context: they get features of no targets and no actions.
"""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.networks.pooling import pool
from qplex_hrl.types import ModelDims


class Features(NamedTuple):
    """Observations split into their parts; targets come first, actions stay as they lie."""

    context: Tensor  # [L, n, Fc]
    targets: Tensor  # [T, L, n, Ft]
    action_features: Tensor  # [L, n, U, Fo], a view of the observations
    burn_in_context: Tensor  # [b, n, Fc] of the b frames before them, which only warm the memory
    burn_in_targets: Tensor  # [T, b, n, Ft]


class Encoding(NamedTuple):
    """What an encoder knows of every frame."""

    context: Tensor  # [L, n, H]
    targets: Tensor  # [T, L, n, H], zero for targets of which nothing is told
    known: Tensor  # [T, L, n] bool, whether each may be selected


def split_features(obs: Tensor, dims: ModelDims, burn_in: int = 0) -> Features:
    """Return the parts of the observations in the layout of this module.

    Args:
        obs: [B, L, C, D] float32 or float16; the parts are float32.
        dims: sizes of the world; C and D must be its ``n_agents`` and ``obs_size``.
        burn_in: first frames, kept apart and without actions: no Q-values are wanted there.

    Raises:
        ValueError: there are more or fewer cameras, or the observations have another length.
    """
    batch, length, n_agents, obs_size = obs.shape
    if (n_agents, obs_size) != (dims.n_agents, dims.obs_size):
        msg = (
            f"observations of {n_agents} cameras with {obs_size} numbers each; "
            f"the model expects {dims.n_agents} with {dims.obs_size}"
        )
        raise ValueError(msg)
    n = batch * n_agents
    n_target_values = dims.n_targets * dims.target_size
    context, targets, actions = torch.split(
        obs.transpose(0, 1).contiguous(),  # the replay's windows lie so already: no copy
        [dims.context_size, n_target_values, dims.n_actions * dims.action_size],
        dim=-1,
    )

    def targets_first(part: Tensor) -> Tensor:
        entities = torch.unflatten(part, -1, (dims.n_targets, dims.target_size))
        return entities.permute(3, 0, 1, 2, 4).flatten(2, 3).float().contiguous()

    context = context.reshape(length, n, dims.context_size).float()
    # Most of an observation is of actions, and nothing is asked of those in the burn-in.
    actions = actions[burn_in:].float()
    actions = torch.unflatten(actions, -1, (dims.n_actions, dims.action_size))
    return Features(
        context=context[burn_in:],
        targets=targets_first(targets[burn_in:]),
        action_features=actions.flatten(1, 2),
        burn_in_context=context[:burn_in],
        burn_in_targets=targets_first(targets[:burn_in]),
    )


def flat_dims(dims: ModelDims) -> ModelDims:
    """Return sizes by which ``split_features`` takes a whole observation for context."""
    return dataclasses.replace(dims, context_size=dims.obs_size, n_targets=0, n_actions=0)


class FlatEncoder(nn.Module):
    """One layer over the whole observation, with the interface of ``TargetEncoder``."""

    identity: nn.Parameter | None

    def __init__(self, dims: ModelDims, hidden_size: int, *, by_index: bool = False) -> None:
        """Create the layer for ``flat_dims``; ``by_index`` as in ``TargetEncoder``."""
        super().__init__()
        self.context_layer = nn.Linear(dims.context_size, hidden_size)
        self.register_parameter("identity", _identity(dims, hidden_size, by_index=by_index))

    def forward(self, context: Tensor, targets: Tensor) -> Encoding:
        """Return the hidden layer as context [L, n, H], and the targets, which are none."""
        # As rows: in place on a view of a layer's output the gradient would cost three copies.
        hidden = _add_identity(self.context_layer(context.flatten(0, 1)), self.identity).relu_()
        return Encoding(hidden.view(*context.shape[:2], -1), targets, targets[..., 0] > 0)


class TargetEncoder(nn.Module):
    """Per-target embeddings and a context vector that pools them.

    The layers of the embeddings have no bias, so that a target whose features are all zero has the
    embedding zero and needs no mask; the row's flag, which is 1 for all others, serves as their
    bias. It is feature 0, ``known``, but a particle belief tells something of every target.
    """

    identity: nn.Parameter | None

    def __init__(self, dims: ModelDims, hidden_size: int, *, by_index: bool = False) -> None:
        """Create the layers for the feature sizes in ``dims``.

        ``by_index`` adds a learned vector of each camera's index, at first zero, to the context.
        """
        super().__init__()
        self._row_flag = dims.row_flag
        self.target_mlp = nn.Sequential(
            nn.Linear(dims.target_size, hidden_size, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_size, hidden_size, bias=False),
            nn.ReLU(inplace=True),
        )
        self.context_layer = nn.Linear(dims.context_size + 2 * hidden_size, hidden_size)
        self.register_parameter("identity", _identity(dims, hidden_size, by_index=by_index))

    def forward(self, context: Tensor, targets: Tensor) -> Encoding:
        """Return embeddings and pooled context.

        Args:
            context: [L, n, Fc].
            targets: [T, L, n, Ft]; feature 0 is 1 for a target that may be selected, feature
                ``row_flag`` for one whose features are not all 0.
        """
        known = targets[..., 0] > 0.5
        embeddings = self.target_mlp(targets)
        rows = (context.flatten(0, 1), targets.flatten(1, 2), embeddings.flatten(1, 2))
        pooled = pool(*rows, self._row_flag)
        hidden = self.context_layer(pooled.view(*context.shape[:2], -1))
        return Encoding(torch.relu(_add_identity(hidden, self.identity)), embeddings, known)


def _identity(dims: ModelDims, hidden_size: int, *, by_index: bool) -> nn.Parameter | None:
    """Return a vector for each camera [C, H], at first zero, if cameras go by their index."""
    return nn.Parameter(torch.zeros(dims.n_agents, hidden_size)) if by_index else None


def _add_identity(hidden: Tensor, identity: Tensor | None) -> Tensor:
    """Return [.., n, H] with each camera's vector added, if there are any."""
    if identity is None:
        return hidden
    # Cameras vary faster than batch rows.
    return hidden + identity.repeat(hidden.shape[-2] // len(identity), 1)


class StateEncoder(nn.Sequential):
    """The mixer's input from the global state: [B, L, S] -> [B, L, E]."""

    def __init__(self, state_size: int, hidden_size: int, embed_size: int) -> None:
        """Create the two layers."""
        super().__init__(
            nn.Linear(state_size, hidden_size),
            nn.ReLU(),  # not in place: see mixers.hypernet
            nn.Linear(hidden_size, embed_size),
            nn.ReLU(),
        )
