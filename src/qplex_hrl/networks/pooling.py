"""Pooling of a camera's few target embeddings, on the CPU one camera after the other.

As tensor operations mean and maximum read all embeddings once each, and their gradients write
several tensors of that size. Here every embedding is read once, and its gradient is written once.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qplex_hrl.networks.row_kernels import kernels_serve, row_kernel, row_operator

Floats = NDArray[np.float32]

_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)


def pool(context: Tensor, targets: Tensor, embeddings: Tensor, row_flag: int) -> Tensor:
    """Return [r, Fc + 2 H]: the context, the mean and the maximum of the embeddings.

    The mean is over the targets whose features are not all 0, or is 0. Where several embeddings are
    the largest, each gets the whole gradient on the CPU, a share elsewhere. Embeddings come from a
    ReLU, which stops the gradient where they are 0, so ties matter nowhere else in practice.

    Args:
        context: [r, Fc].
        targets: [T, r, Ft] features; that of index ``row_flag`` is 0 if all others are.
        embeddings: [T, r, H], at least 0, and 0 where all features are.
        row_flag: index of the flag in a target's features.
    """
    if kernels_serve(embeddings, targets):
        return _pool(context, targets, embeddings, row_flag)
    n_told = (targets[..., row_flag] > 0.5).sum(dim=0).clamp_min(1).unsqueeze(-1)
    return torch.cat([context, embeddings.sum(dim=0) / n_told, embeddings.amax(dim=0)], dim=-1)


@row_operator("pool")
def _pool(context: Tensor, targets: Tensor, embeddings: Tensor, row_flag: int) -> Tensor:
    (n_rows, n_context), size = context.shape, embeddings.shape[-1]
    pooled = context.new_empty(n_rows, n_context + 2 * size)
    arrays = (context, targets, embeddings)
    _write_pooled(row_flag, pooled.numpy(), *(array.contiguous().numpy() for array in arrays))
    return pooled


@_pool.operator.register_fake
def _shape(context: Tensor, targets: Tensor, embeddings: Tensor, row_flag: int) -> Tensor:
    n_rows, n_context = context.shape
    return context.new_empty(n_rows, n_context + 2 * embeddings.shape[-1])


# Any: PyTorch does not say what type a context of a custom operator has.
def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    context, targets, embeddings, ctx.row_flag = inputs
    ctx.n_context = context.shape[1]
    ctx.save_for_backward(targets, embeddings, output)


def _backward(ctx: Any, grad_pooled: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients of all inputs of the operator; features of targets get none."""
    of_context = grad_pooled[:, : ctx.n_context] if ctx.needs_input_grad[0] else None
    targets, embeddings, pooled = ctx.saved_tensors
    of_embeddings = _gradient(grad_pooled, targets, embeddings, pooled, ctx.row_flag)
    return of_context, None, of_embeddings, None


@row_operator("pool_backward")
def _gradient(
    grad_pooled: Tensor, targets: Tensor, embeddings: Tensor, pooled: Tensor, row_flag: int
) -> Tensor:
    grad = torch.empty_like(embeddings, memory_format=torch.contiguous_format)
    arrays = (grad_pooled, targets, embeddings, pooled)
    _differentiate(row_flag, grad.numpy(), *(array.contiguous().numpy() for array in arrays))
    return grad


@_gradient.operator.register_fake
def _gradient_shape(
    grad_pooled: Tensor, targets: Tensor, embeddings: Tensor, pooled: Tensor, row_flag: int
) -> Tensor:
    return embeddings.new_empty(embeddings.shape)


_pool.operator.register_autograd(_backward, setup_context=_remember)


@row_kernel("contract", "reassoc")
def _n_told(targets: Floats, row: int, row_flag: int) -> np.float32:
    """Return of how many targets anything is told to a camera, at least 1."""
    n_told = _ZERO
    for t in range(len(targets)):
        if targets[t, row, row_flag] > _HALF:
            n_told += _ONE
    return max(n_told, _ONE)


@row_kernel("contract", "reassoc")
def _write_pooled(
    row_flag: int, pooled: Floats, context: Floats, targets: Floats, embeddings: Floats
) -> None:
    """Write ``pooled`` [r, Fc + 2 H]."""
    n_context, size = context.shape[1], embeddings.shape[2]
    for i in range(len(context)):
        of_row = pooled[i]
        mean, largest = of_row[n_context : n_context + size], of_row[n_context + size :]
        for k in range(n_context):
            of_row[k] = context[i, k]
        for j in range(size):
            mean[j] = _ZERO
            largest[j] = _ZERO
        for t in range(len(embeddings)):
            embedding = embeddings[t, i]
            for j in range(size):
                mean[j] += embedding[j]
                largest[j] = max(largest[j], embedding[j])
        n_told = _n_told(targets, i, row_flag)
        for j in range(size):
            mean[j] /= n_told


@row_kernel("contract", "reassoc")
def _differentiate(
    row_flag: int,
    grad: Floats,
    grad_pooled: Floats,
    targets: Floats,
    embeddings: Floats,
    pooled: Floats,
) -> None:
    """Write the gradient of the embeddings, ``grad`` [T, r, H]."""
    size = embeddings.shape[2]
    n_context = pooled.shape[1] - 2 * size
    for i in range(len(pooled)):
        of_mean = grad_pooled[i, n_context : n_context + size]
        of_largest = grad_pooled[i, n_context + size :]
        largest = pooled[i, n_context + size :]
        n_told = _n_told(targets, i, row_flag)
        for t in range(len(embeddings)):
            embedding, of_embedding = embeddings[t, i], grad[t, i]
            for j in range(size):
                at_largest = of_largest[j] if embedding[j] == largest[j] else _ZERO
                of_embedding[j] = of_mean[j] / n_told + at_largest
