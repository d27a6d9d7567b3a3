"""Building blocks of the Q-networks: encoders of observations and state, temporal cores, heads.

Inside the networks entities come first and time before rows: [T, L, n, H] and [U, L, n, H] with
n = B * C cameras. So pooling over targets is a reduction over the outermost axis, the selection
matrix applies to all rows as one product, and nothing needs a batched product of tiny matrices.
Parameters do not depend on T, U or C, but for those of ``FlatEncoder`` and ``LinearHead``. To those
two an observation is all context: they get features of no targets and no options.
"""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor, nn

from qplex_hrl.recurrence import GRUWeights, gru
from qplex_hrl.types import ModelDims

Terms = tuple[Tensor, ...]
"""What a head has made of its inputs; only that head knows what is in it."""


Restarts = tuple[tuple[int, Tensor], ...]
"""Frames in rising order, and which rows [n, 1] bool forget everything just before them."""


class Features(NamedTuple):
    """Observations split into their parts, entities first."""

    context: Tensor  # [L, n, Fc]
    targets: Tensor  # [T, L, n, Ft]
    options: Tensor  # [U, L, n, Fo]
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
        obs: [B, L, C, D] float32.
        dims: sizes of the world; C and D must be its ``n_agents`` and ``obs_size``.
        burn_in: first frames, kept apart and without options: no Q-values are wanted there.

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
    context, targets, options = torch.split(
        obs.transpose(0, 1).contiguous(),  # one copy of long rows makes those of short ones cheap
        [dims.context_size, n_target_values, dims.n_actions * dims.option_size],
        dim=-1,
    )

    def entities_first(part: Tensor, count: int, size: int) -> Tensor:
        entities = torch.unflatten(part, -1, (count, size)).permute(3, 0, 1, 2, 4)
        return entities.reshape(count, len(part), n, size).contiguous()

    context = context.reshape(length, n, dims.context_size)
    return Features(
        context=context[burn_in:],
        targets=entities_first(targets[burn_in:], dims.n_targets, dims.target_size),
        options=entities_first(options[burn_in:], dims.n_actions, dims.option_size),
        burn_in_context=context[:burn_in],
        burn_in_targets=entities_first(targets[:burn_in], dims.n_targets, dims.target_size),
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
        n_rows = (targets[..., self._row_flag] > 0.5).sum(dim=0).clamp_min(1).unsqueeze(-1)
        # Embeddings are not negative, so zeros of empty rows cannot win the maximum.
        pooled = torch.cat([context, embeddings.sum(dim=0) / n_rows, embeddings.amax(dim=0)], -1)
        hidden = self.context_layer(pooled)
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


class FeedForwardCore(nn.Module):
    """A layer without memory, with the interface of ``RecurrentCore``."""

    recurrent_size = 0

    def __init__(self, input_size: int, hidden_size: int) -> None:
        """Create the layer."""
        super().__init__()
        self.layer = nn.Linear(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Return [L, n, H] and the empty state [n, 0] for ``inputs`` [L, n, X]."""
        return torch.relu(self.layer(inputs)), hidden_state


class RecurrentCore(nn.Module):
    """A GRU over time."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        """Create the GRU; its state has ``hidden_size`` entries."""
        super().__init__()
        self.recurrent_size = hidden_size
        self.gru = nn.GRU(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [L, n, H] and the last state [n, H].

        Args:
            inputs: [L, n, X].
            hidden_state: [n, H] before the first frame.
        """
        if inputs.is_cuda:
            outputs, last = self.gru(inputs, hidden_state.unsqueeze(0))
            return outputs, last.squeeze(0)
        weights = GRUWeights(*self.gru.parameters())  # in the order of their registration
        outputs = gru(inputs, hidden_state, weights)
        return outputs, outputs[-1]


def over_time(
    core: FeedForwardCore | RecurrentCore,
    inputs: Tensor,
    hidden_state: Tensor,
    restarts: Restarts = (),
) -> tuple[Tensor, Tensor]:
    """Return a core's outputs [L, n, H] and last state [n, R].

    Args:
        core: has a state of length R.
        inputs: [L, n, X].
        hidden_state: [n, R] before the first frame.
        restarts: where rows begin anew with the zero state.
    """
    if core.recurrent_size == 0 or not restarts:
        last: tuple[Tensor, Tensor] = core(inputs, hidden_state)
        return last
    outputs = []
    begins = [0, *(frame for frame, _ in restarts if frame > 0)]
    rows = dict(restarts)
    for begin, end in zip(begins, [*begins[1:], len(inputs)], strict=True):
        if begin in rows:
            hidden_state = torch.where(rows[begin], 0.0, hidden_state)
        output, hidden_state = core(inputs[begin:end], hidden_state)
        outputs.append(output)
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0], hidden_state


class HeadInputs(NamedTuple):
    """What the Q-values depend on."""

    memory: Tensor  # [L, n, H] of the camera, output of its core
    context: Tensor  # [L, n, H] of the camera, output of its encoder
    targets: Tensor  # [T, L, n, H] embeddings
    priorities: Tensor | None  # [T, L, n, 2], fast and slow probabilities, if prioritised
    options: Tensor  # [U, L, n, Fo]


class OptionTerms(NamedTuple):
    """What the options' values are made of, shared by all options."""

    targets: Tensor  # [T, L, n, W] what each target adds to the hidden layer, W its width
    state: Tensor  # [L, n, W] what the camera's state adds
    value: Tensor  # [L, n] the camera's own value
    options: Tensor  # [U, L, n, Fo]
    worths: Tensor  # [L, n, T] what a target is worth to the camera, or [L, n, 0]


class TargetWorth(nn.Module):
    """What covering each target is worth to a camera."""

    def __init__(self, hidden_size: int, width: int) -> None:
        """Create the layers for embeddings and memory of length ``hidden_size``."""
        super().__init__()
        self.target_layer = nn.Linear(hidden_size, width)
        self.state_layer = nn.Linear(2 * hidden_size, width, bias=False)
        self.output = nn.Linear(width, 1)

    def forward(self, targets: Tensor, state: Tensor) -> Tensor:
        """Return [L, n, T] from embeddings [T, L, n, H] and states [L, n, 2 H]."""
        hidden = torch.relu(self.target_layer(targets) + self.state_layer(state))
        worths: Tensor = self.output(hidden).squeeze(-1)
        return worths.movedim(0, -1)


class OptionHead(nn.Module):
    """Q-value of every option from the targets it selects, its own features and the camera's state.

    ``x_u = relu(sum_{t in u} (W_e e_t + W_p p_t) + W_o o_u + W_h h)``, ``Q_u = w . x_u + v(h)``.

    The camera's state h is its memory and its context. ``start_from_plans`` adds ``s . o_u``.
    Where an option tells the share g_ut of each target that its plan covers, ``sum_t g_ut y_t`` is
    added, with ``y_t = w_y . relu(W_y e_t + W_z h)``, what the target is worth to this camera.

    The hidden layers of all options are by far the largest tensors of the model, but a loss needs
    gradients of two options per camera only: ``values`` gives all values, ``values_of`` the values
    of given actions; both from the same ``terms``.
    """

    selection: Tensor

    def __init__(
        self,
        hidden_size: int,
        option_size: int,
        selection_bits: Tensor,
        *,
        prioritised: bool,
        tells_shares: bool = False,
    ) -> None:
        """Create the layers.

        Args:
            hidden_size: length H of memory, context and a target embedding; an option's hidden
                layer has half of it.
            option_size: length Fo of an option's features, the T shares included.
            selection_bits: [U, T] bool, the targets that each option selects.
            prioritised: the selectors' probabilities p are an input.
            tells_shares: an option's last T features are what its plan covers of each target.
        """
        super().__init__()
        width, state_size = max(hidden_size // 2, 1), 2 * hidden_size
        self._n_shares = selection_bits.shape[1] if tells_shares else 0
        self.target_layer = nn.Linear(hidden_size, width, bias=False)
        self.priority_layer = nn.Linear(2, width, bias=False) if prioritised else None
        self.option_layer = nn.Linear(option_size - self._n_shares, width, bias=False)
        self.state_layer = nn.Linear(state_size, width)
        self.value_layer = nn.Linear(state_size, 1)
        self.output = nn.Linear(width, 1, bias=False)
        selection = selection_bits.to(torch.get_default_dtype())
        self.register_buffer("selection", selection, persistent=False)
        self.plan_layer: nn.Linear | None = None
        self.worth: TargetWorth | None = TargetWorth(hidden_size, width) if tells_shares else None

    def start_from_plans(self, feature: int, weight: float) -> None:
        """Add a term linear in an option's own features, at first `weight` times one of them.

        All other differences between options are 0 at first.
        """
        self.plan_layer = nn.Linear(self.option_layer.in_features, 1, bias=False)
        with torch.no_grad():
            self.plan_layer.weight.zero_()[0, feature] = weight
            self.output.weight.zero_()

    def _of_options(self, layer: nn.Linear, options: Tensor) -> Tensor:
        """Return what a layer makes of the options' features but for the shares."""
        # Rows as they are: cutting off the shares would copy them all.
        weight = nn.functional.pad(layer.weight, (0, self._n_shares))
        return nn.functional.linear(options, weight)

    def _values(self, hidden: Tensor, options: Tensor, terms: OptionTerms) -> Tensor:
        """Return the Q-values [.., L, n] from hidden layers [.., L, n, W] and features."""
        values: Tensor = self.output(hidden).squeeze(-1) + terms.value
        if self.plan_layer is not None:
            values = values + self._of_options(self.plan_layer, options).squeeze(-1)
        if self.worth is not None:
            values = values + (options[..., -self._n_shares :] * terms.worths).sum(-1)
        return values

    def forward(self, inputs: HeadInputs) -> Tensor:
        """Return the Q-values of all options, [U, L, n]."""
        return self.values(self.terms(inputs))

    def terms(self, inputs: HeadInputs) -> Terms:
        """Return what all options share, ``OptionTerms``."""
        state = torch.cat([inputs.memory, inputs.context], dim=-1)
        targets = self.target_layer(inputs.targets)
        if self.priority_layer is not None and inputs.priorities is not None:
            targets = targets + self.priority_layer(inputs.priorities)
        value = self.value_layer(state).squeeze(-1)
        worths = state[..., :0]
        if self.worth is not None:
            worths = self.worth(inputs.targets, state)
        return OptionTerms(targets, self.state_layer(state), value, inputs.options, worths)

    def values(self, shared: Terms) -> Tensor:
        """Return the Q-values of all options, [U, L, n]."""
        terms = OptionTerms(*shared)
        hidden = self._of_options(self.option_layer, terms.options)
        targets = terms.targets.flatten(1).to(hidden.dtype)
        hidden.flatten(1).addmm_(self.selection.to(hidden.dtype), targets)
        hidden = hidden.add_(terms.state).relu_()
        return self._values(hidden, terms.options, terms)

    def values_of(self, shared: Terms, actions: Tensor) -> Tensor:
        """Return the Q-values [K, L, n] of K actions per camera, [K, L, n] int64."""
        terms = OptionTerms(*shared)
        # Whole rows in memory: a product of strided tensors would be several times slower.
        selected = self.selection.T.contiguous()[:, actions].unsqueeze(-1)  # [T, K, L, n, 1]
        hidden = (selected * terms.targets.unsqueeze(1)).sum(dim=0) + terms.state
        index = actions.unsqueeze(-1).expand(*actions.shape, terms.options.shape[-1])
        options = terms.options.gather(0, index)
        hidden = hidden + self._of_options(self.option_layer, options)
        return self._values(hidden.relu_(), options, terms)


class LinearHead(nn.Module):
    """Q-values of all actions as one layer of the memory, with the interface of ``OptionHead``."""

    def __init__(self, hidden_size: int, n_actions: int) -> None:
        """Create the layer for a memory of length ``hidden_size``."""
        super().__init__()
        self.layer = nn.Linear(hidden_size, n_actions)

    def forward(self, inputs: HeadInputs) -> Tensor:
        """Return the Q-values of all actions, [U, L, n]."""
        return self.values(self.terms(inputs))

    def terms(self, inputs: HeadInputs) -> Terms:
        """Return the Q-values themselves, [L, n, U]."""
        return (self.layer(inputs.memory),)

    def values(self, shared: Terms) -> Tensor:
        """Return the Q-values of all actions, [U, L, n]."""
        return shared[0].movedim(-1, 0)

    def values_of(self, shared: Terms, actions: Tensor) -> Tensor:
        """Return the Q-values [K, L, n] of K actions per camera, [K, L, n] int64."""
        return shared[0].gather(-1, actions.movedim(0, -1)).movedim(-1, 0)


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
