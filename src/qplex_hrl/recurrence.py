"""A GRU over time for the CPU whose backward pass is a few operations per frame.

PyTorch records every small operation of every frame for its gradient on the CPU; on a GPU its own
fused kernel is used instead (``networks.RecurrentCore``). Both compute (Cho et al. 2014, in the
variant of ``torch.nn.GRU``), for inputs x_t and the state h before them:

``r, z = sigmoid(W x_t + U h + b)``, ``c = tanh(W_c x_t + b_c + r * (U_c h + d_c))``,
``h_t = (1 - z) * c + z * h``.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor


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
    with torch.autocast(inputs.device.type, enabled=False):
        return cast("Tensor", _forward(inputs.float(), hidden_state.float(), *weights)[0])


@torch.library.custom_op("qplex_hrl::gru", mutates_args=())
def _forward(
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return outputs [L, n, H] and, for the gradient, gates [L, n, 2H], c and U_c h + d_c."""
    length, n, _ = inputs.shape
    size = hidden_state.shape[-1]
    rows = inputs.flatten(0, 1)
    gate_bias = input_bias[: 2 * size] + state_bias[: 2 * size]
    gates = torch.addmm(gate_bias, rows, input_weight[: 2 * size].T).view(length, n, 2 * size)
    candidate = torch.addmm(input_bias[2 * size :], rows, input_weight[2 * size :].T)
    candidate = candidate.view(length, n, size)
    recurrent = torch.empty_like(candidate)
    outputs = torch.empty_like(candidate)
    # Products of few rows are nearly twice as fast with a weight that lies as it is read.
    gate_weight = state_weight[: 2 * size].T.contiguous()
    candidate_weight = state_weight[2 * size :].T.contiguous()
    frames = zip(
        gates.unbind(),
        gates[..., :size].unbind(),
        gates[..., size:].unbind(),
        candidate.unbind(),
        recurrent.unbind(),
        outputs.unbind(),
        strict=True,
    )
    hidden, candidate_bias = hidden_state, state_bias[2 * size :]
    for gate, reset, keep, new, from_state, output in frames:
        gate.addmm_(hidden, gate_weight).sigmoid_()
        torch.addmm(candidate_bias, hidden, candidate_weight, out=from_state)
        new.addcmul_(reset, from_state).tanh_()
        hidden = torch.lerp(new, hidden, keep, out=output)
    return outputs, gates, candidate, recurrent


@_forward.register_fake
def _shapes(
    inputs: Tensor, hidden_state: Tensor, *_weights: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    length, n, _ = inputs.shape
    size = hidden_state.shape[-1]
    outputs, candidate, recurrent = (inputs.new_empty(length, n, size) for _ in range(3))
    return outputs, inputs.new_empty(length, n, 2 * size), candidate, recurrent


# Any: PyTorch does not say what type a context of a custom operator has.
def _remember(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:4], *output)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad_outputs: Tensor, *_unused: Tensor | None) -> tuple[Tensor, ...]:
    """Return the gradients of all inputs of the operator."""
    return cast("tuple[Tensor, ...]", _gradients(grad_outputs, *ctx.saved_tensors))


@torch.library.custom_op("qplex_hrl::gru_backward", mutates_args=())
def _gradients(
    grad_outputs: Tensor,
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    outputs: Tensor,
    gates: Tensor,
    candidate: Tensor,
    recurrent: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of the six inputs of ``_forward``.

    All gates' gradients are a frame's gradient times factors that do not depend on it, and those
    are made for all frames at once: a frame costs two products and one matrix product.
    """
    length, n, size = outputs.shape
    reset, keep = gates[..., :size], gates[..., size:]
    before = torch.cat([hidden_state.unsqueeze(0), outputs[:-1]])
    factors = outputs.new_empty(length, n, 3, size)  # of r, z and U_c h + d_c
    new_factor = (1 - keep).mul_(1 - candidate * candidate)
    from_state = torch.mul(new_factor, reset, out=factors[:, :, 2])
    torch.mul(from_state, recurrent, out=factors[:, :, 0]).mul_(1 - reset)
    torch.mul(before - candidate, keep, out=factors[:, :, 1]).mul_(1 - keep)
    totals = grad_outputs.clone(memory_format=torch.contiguous_format)  # [L, n, H] of h_t
    frames = list(zip(totals.unbind(), factors.unbind(), keep.unbind(), strict=True))
    carried = totals.new_zeros(n, size)
    for total, factor, kept in reversed(frames):
        total.add_(carried)
        factor.mul_(total.unsqueeze(1))  # now the gradients themselves
        torch.mul(total, kept, out=carried).addmm_(factor.view(n, 3 * size), state_weight)
    state_rows = factors.view(length * n, 3 * size)
    grad_state_weight = state_rows.T @ before.flatten(0, 1)
    grad_state_bias = state_rows.sum(dim=0)
    torch.mul(totals, new_factor, out=factors[:, :, 2])  # inputs of c instead of U_c h + d_c
    grad_input_bias = grad_state_bias.clone()
    torch.sum(factors[:, :, 2], dim=(0, 1), out=grad_input_bias[2 * size :])
    grad_input_weight = state_rows.T @ inputs.flatten(0, 1)
    grad_inputs = (state_rows @ input_weight).view_as(inputs)
    return (
        grad_inputs,
        carried,
        grad_input_weight,
        grad_state_weight,
        grad_input_bias,
        grad_state_bias,
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
