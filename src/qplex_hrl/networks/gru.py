"""A GRU over time for the CPU whose backward pass is a few operations per frame.

PyTorch records every small operation of every frame for its gradient on the CPU; on a GPU its own
fused kernel is used instead (``cores.RecurrentCore``). What it saves:
docs/research/2026-11-30-speed-of-the-whole-loop.md. Both compute (Cho et al. 2014, in the variant
of ``torch.nn.GRU``), for inputs x_t and the state h before them:

``r, z = sigmoid(W x_t + U h + b)``, ``c = tanh(W_c x_t + b_c + r * (U_c h + d_c))``,
``h_t = (1 - z) * c + z * h``.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from qplex_hrl.networks.gru_kernels import Gradients, activate, differentiate


class GRUWeights(NamedTuple):
    """Parameters in the layout of ``torch.nn.GRU``, rows in the order r, z, c."""

    inputs: Tensor  # [3H, X]
    state: Tensor  # [3H, H]
    input_bias: Tensor  # [3H]
    state_bias: Tensor  # [3H]


def gru(inputs: Tensor, hidden_state: Tensor, weights: GRUWeights) -> Tensor:
    """Return the state after every frame, [L, n, H] float32.

    Args:
        inputs: [L, n, X].
        hidden_state: [n, H] before the first frame.
        weights: of one layer.
    """
    keep = torch.is_grad_enabled()
    with torch.autocast(inputs.device.type, enabled=False):
        return cast("Tensor", _forward(inputs.float(), hidden_state.float(), *weights, keep)[0])


@torch.library.custom_op("qplex_hrl::gru", mutates_args=())
def _forward(
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Return outputs [L, n, H] and c, r, z and U_c h + d_c of all frames, [L, n, 4H].

    Without ``keep`` the second is of the last frame only, [1, n, 4H]: no gradient is wanted.
    """
    length, (n, size) = len(inputs), hidden_state.shape
    inputs, hidden = inputs.contiguous(), hidden_state.contiguous()
    # Products of few rows are faster with a weight that lies as it is read.
    wide_weight = _candidate_first(input_weight).T.contiguous()
    bias = torch.cat([_candidate_first(input_bias), state_bias[2 * size :]])
    bias[size : 3 * size] += state_bias[: 2 * size]
    tall_weight = state_weight.T.contiguous()
    outputs = inputs.new_empty(length, n, size)
    saved = inputs.new_empty(length if keep else 1, n, 4 * size)
    bias_values = bias.numpy()
    repeats = 1 if keep else length
    frames = zip(
        inputs.unbind(),
        saved[..., : 3 * size].unbind() * repeats,
        saved[..., 3 * size :].unbind() * repeats,
        saved[..., size:].unbind() * repeats,
        list(saved.numpy()) * repeats,
        outputs.unbind(),
        [hidden.numpy(), *outputs.numpy()[:-1]],
        outputs.numpy(),
        strict=True,
    )
    # A frame's numbers stay in the cache, so each frame is done from its inputs to its state.
    for frame, of_inputs, rest, of_state, parts, output, before, after in frames:
        torch.mm(frame, wide_weight, out=of_inputs)
        rest.zero_()  # the inputs have no part in the last block
        of_state.addmm_(hidden, tall_weight)
        activate(parts, bias_values, before, after)
        hidden = output
    return outputs, saved


def _candidate_first(rows: Tensor) -> Tensor:
    """Return rows in the order c, r, z of those in PyTorch's order r, z, c."""
    return rows.roll(len(rows) // 3, dims=0)


@_forward.register_fake
def _shapes(
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    length, (n, size) = len(inputs), hidden_state.shape
    saved = inputs.new_empty(length if keep else 1, n, 4 * size)
    return inputs.new_empty(length, n, size), saved


# Any: PyTorch does not say what type a context of a custom operator has.
def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:4], *output)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad_outputs: Tensor, *_unused: Tensor | None) -> tuple[Tensor | None, ...]:
    """Return the gradients of all inputs of the operator."""
    return (*_gradients(grad_outputs, *ctx.saved_tensors), None)


@torch.library.custom_op("qplex_hrl::gru_backward", mutates_args=())
def _gradients(
    grad_outputs: Tensor,
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    outputs: Tensor,
    saved: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of the first six inputs of ``_forward``."""
    _, n, size = outputs.shape
    inputs, grad_outputs = inputs.contiguous(), grad_outputs.contiguous()
    grad_inputs = torch.empty_like(inputs)
    back_weight = _candidate_first(input_weight)
    # Both weights' gradients are transposed here: as products they are faster so.
    grad_input_weight = inputs.new_zeros(inputs.shape[-1], 3 * size)
    grad_state_weight = inputs.new_zeros(size, 3 * size)
    grad_bias = inputs.new_zeros(4 * size)
    grads = inputs.new_empty(n, 4 * size)
    input_grads, state_grads = grads[:, : 3 * size], grads[:, size:]
    carried = inputs.new_zeros(n, size)
    first = hidden_state.contiguous()
    frames = zip(
        inputs.unbind(),
        grad_inputs.unbind(),
        [first, *outputs.unbind()[:-1]],
        grad_outputs.numpy(),
        saved.numpy(),
        [first.numpy(), *outputs.numpy()[:-1]],
        strict=True,
    )
    gradients = Gradients(carried.numpy(), grads.numpy(), grad_bias.numpy())
    for frame, grad_frame, hidden, grad_output, parts, before in reversed(list(frames)):
        differentiate(grad_output, parts, before, gradients)
        carried.addmm_(state_grads, state_weight)
        torch.mm(input_grads, back_weight, out=grad_frame)
        grad_state_weight.addmm_(hidden.T, state_grads)
        grad_input_weight.addmm_(frame.T, input_grads)
    return (
        grad_inputs,
        carried,
        grad_input_weight.T.roll(-size, dims=0),
        grad_state_weight.T.contiguous(),
        grad_bias[: 3 * size].roll(-size),
        grad_bias[size:].clone(),
    )


@_gradients.register_fake
def _gradient_shapes(
    grad_outputs: Tensor,
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    *_saved: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    bias = input_weight.new_empty(len(input_weight))
    return (
        inputs.new_empty(inputs.shape),
        hidden_state.new_empty(hidden_state.shape),
        input_weight.new_empty(input_weight.shape),
        state_weight.new_empty(state_weight.shape),
        bias,
        bias.new_empty(bias.shape),
    )


_forward.register_autograd(_backward, setup_context=_remember)
