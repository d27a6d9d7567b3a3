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
    """Return outputs [L, n, H] and r, z, c and U_c h + d_c of all frames, [4, L, n, H].

    Without ``keep`` the second is of the last frame only, [4, 1, n, H]: no gradient is wanted.
    """
    length, (n, size) = len(inputs), hidden_state.shape
    inputs = inputs.contiguous()
    # Products of few rows are faster with a weight that lies as it is read.
    wide_weight = input_weight.T.contiguous()
    gate_weight = state_weight[: 2 * size].T.contiguous()
    candidate_weight = state_weight[2 * size :].T.contiguous()
    bias = input_bias.clone()
    bias[: 2 * size] += state_bias[: 2 * size]
    candidate_bias = state_bias[2 * size :]
    outputs = inputs.new_empty(length, n, size)
    saved = inputs.new_empty(4, length if keep else 1, n, size)
    # A frame's numbers stay in the cache, so each frame is done from its inputs to its state.
    wide = inputs.new_empty(n, 3 * size)
    gates = wide[:, : 2 * size]
    reset_in, update_in, new_in = wide.split(size, dim=1)
    parts = [frame.unbind() for frame in saved.unbind(1)] * (1 if keep else length)
    hidden = hidden_state
    for frame, part, output in zip(inputs.unbind(), parts, outputs.unbind(), strict=True):
        reset, update, new, from_state = part
        torch.addmm(bias, frame, wide_weight, out=wide)
        gates.addmm_(hidden, gate_weight)
        torch.sigmoid(reset_in, out=reset)
        torch.sigmoid(update_in, out=update)
        torch.addmm(candidate_bias, hidden, candidate_weight, out=from_state)
        torch.addcmul(new_in, reset, from_state, out=new).tanh_()
        hidden = torch.lerp(new, hidden, update, out=output)
    return outputs, saved


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
    saved = inputs.new_empty(4, length if keep else 1, n, size)
    return inputs.new_empty(length, n, size), saved


# Any: PyTorch does not say what type a context of a custom operator has.
def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:4], *output)
    ctx.set_materialize_grads(False)


def _backward(
    ctx: Any, grad_outputs: Tensor, *_unused: Tensor | None
) -> tuple[Tensor | None, ...]:
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
    length, n, size = outputs.shape
    inputs = inputs.contiguous()
    grad_inputs = torch.empty_like(inputs)
    # Transposed, and rows in the order c, r, z: so both are products of neighbouring columns below.
    grad_input_weight = inputs.new_zeros(inputs.shape[-1], 3 * size)
    grad_state_weight = inputs.new_zeros(size, 3 * size)
    grad_bias = inputs.new_zeros(4 * size)
    back_weight = state_weight.view(3, size, -1)[[2, 0, 1]].flatten(0, 1)
    # Gradients of U_c h + d_c, of what is in the sigmoids of r and z, and of what is in the tanh.
    grads = inputs.new_empty(n, 4 * size)
    grad_from_state, grad_reset, grad_update, grad_new = grads.split(size, dim=1)
    state_grads, input_grads = grads[:, : 3 * size], grads[:, size:]
    total, carried = inputs.new_empty(n, size), inputs.new_zeros(n, size)
    first, second = torch.empty_like(total), torch.empty_like(total)
    before = [hidden_state, *outputs.unbind()[:-1]]
    frames = zip(
        grad_outputs.unbind(),
        inputs.unbind(),
        grad_inputs.unbind(),
        before,
        saved.unbind(1),
        strict=True,
    )
    for grad_output, frame, grad_frame, hidden, part in reversed(list(frames)):
        reset, update, new, from_state = part.unbind()
        torch.add(grad_output, carried, out=total)
        torch.mul(total, update, out=carried)
        # d z = total (h - c) z (1 - z)
        torch.sub(hidden, new, out=first).mul_(carried)
        torch.addcmul(first, first, update, value=-1, out=grad_update)
        # d c = total (1 - z) (1 - c c)
        torch.sub(total, carried, out=first)
        torch.mul(first, new, out=second)
        torch.addcmul(first, second, new, value=-1, out=first)
        grad_new.copy_(first)
        # d (U_c h + d_c) = d c r and d r = d c (U_c h + d_c) r (1 - r)
        torch.mul(first, reset, out=second)
        grad_from_state.copy_(second)
        second.mul_(from_state)
        torch.addcmul(second, second, reset, value=-1, out=grad_reset)
        carried.addmm_(state_grads, back_weight)
        torch.mm(input_grads, input_weight, out=grad_frame)
        grad_state_weight.addmm_(hidden.T, state_grads)
        grad_input_weight.addmm_(frame.T, input_grads)
        grad_bias += grads.sum(dim=0)
    return (
        grad_inputs,
        carried,
        grad_input_weight.T.contiguous(),
        grad_state_weight.T.reshape(3, size, size)[[1, 2, 0]].flatten(0, 1),
        grad_bias[size:].clone(),
        grad_bias[: 3 * size].view(3, size)[[1, 2, 0]].flatten(),
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
