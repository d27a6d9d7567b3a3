"""A GRU over time for the CPU whose backward pass is a few operations per frame.

PyTorch records every small operation of every frame for its gradient on the CPU; on a GPU its own
fused kernel is used instead (``cores.RecurrentCore``). What it saves:
docs/research/2026-11-30-speed-of-the-whole-loop.md. Both compute (Cho et al. 2014, in the variant
of ``torch.nn.GRU``), for inputs x_t and the state h before them:

``r, z = sigmoid(W x_t + U h + b)``, ``c = tanh(W_c x_t + b_c + r * (U_c h + d_c))``,
``h_t = (1 - z) * c + z * h``.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from qplex_hrl.networks.gru_kernels import Gradients, activate, differentiate
from qplex_hrl.networks.row_kernels import row_operator


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
        return _forward(inputs.float(), hidden_state.float(), *weights)[0]


@row_operator("gru")
def _forward(
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return outputs [L, n, H] and c, r, z and U_c h + d_c of all frames, [L, n, 4H]."""
    length, (n, size) = len(inputs), hidden_state.shape
    bias = torch.cat([_candidate_first(input_bias), state_bias[2 * size :]])
    bias[size : 3 * size] += state_bias[: 2 * size]
    outputs = inputs.new_empty(length, n, size)
    saved = inputs.new_empty(length, n, 4 * size)
    # Products of few rows are slow, so that of the inputs is one for all frames.
    wide_weight = _candidate_first(input_weight).T.contiguous()
    torch.mm(inputs.flatten(0, 1), wide_weight, out=saved.flatten(0, 1)[:, : 3 * size])
    saved[..., 3 * size :] = 0  # the inputs have no part in the last block
    tall_weight = state_weight.T.contiguous()
    bias_values, hidden = bias.numpy(), hidden_state.contiguous()
    frames = zip(
        saved[..., size:].unbind(),
        saved.numpy(),
        outputs.unbind(),
        [hidden.numpy(), *outputs.numpy()[:-1]],
        outputs.numpy(),
        strict=True,
    )
    for of_state, parts, output, before, after in frames:
        of_state.addmm_(hidden, tall_weight)
        activate(parts, bias_values, before, after)
        hidden = output
    return outputs, saved


def _candidate_first(rows: Tensor) -> Tensor:
    """Return rows in the order c, r, z of those in PyTorch's order r, z, c."""
    return rows.roll(len(rows) // 3, dims=0)


@_forward.operator.register_fake
def _shapes(
    inputs: Tensor,
    hidden_state: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    length, (n, size) = len(inputs), hidden_state.shape
    return inputs.new_empty(length, n, size), inputs.new_empty(length, n, 4 * size)


# Any: PyTorch does not say what type a context of a custom operator has.
def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:4], *output)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad_outputs: Tensor, *_unused: Tensor | None) -> tuple[Tensor | None, ...]:
    """Return the gradients of all inputs of the operator."""
    return _gradients(grad_outputs, *ctx.saved_tensors)


@row_operator("gru_backward")
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
    grads = torch.empty_like(saved)
    grad_bias = inputs.new_zeros(4 * size)
    carried = inputs.new_zeros(n, size)
    before = torch.cat([hidden_state.unsqueeze(0), outputs[:-1]])
    frames = zip(
        grads[..., size:].unbind(),
        grads.numpy(),
        grad_outputs.contiguous().numpy(),
        saved.numpy(),
        before.numpy(),
        strict=True,
    )
    for state_grads, frame_grads, grad_output, parts, hidden in reversed(list(frames)):
        differentiate(
            grad_output,
            parts,
            hidden,
            Gradients(carried.numpy(), frame_grads, grad_bias.numpy()),
        )
        carried.addmm_(state_grads, state_weight)
    rows = grads.flatten(0, 1)
    input_grads, state_grads = rows[:, : 3 * size], rows[:, size:]
    grad_inputs = torch.mm(input_grads, _candidate_first(input_weight)).view(inputs.shape)
    # Both weights' gradients are transposed here: as products they are faster so.
    grad_input_weight = inputs.flatten(0, 1).T @ input_grads
    grad_state_weight = before.flatten(0, 1).T @ state_grads
    return (
        grad_inputs,
        carried,
        grad_input_weight.T.roll(-size, dims=0),
        grad_state_weight.T.contiguous(),
        grad_bias[: 3 * size].roll(-size),
        grad_bias[size:].clone(),
    )


@_gradients.operator.register_fake
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


_forward.operator.register_autograd(_backward, setup_context=_remember)
