"""Attention over a camera's few targets on the CPU, one camera after the other.

As tensor operations every product of a query with the embeddings is as large as all embeddings, and
is written and read again for its sum. Here a camera's numbers stay in the cache.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qplex_hrl.networks.row_kernels import row_kernel, row_operator

Floats = NDArray[np.float32]

_ZERO = np.float32(0)


@row_operator("attend")
def attend(
    query: Tensor,
    targets: Tensor,
    known: Tensor,
    search_key: Tensor,
    search_value: Tensor,
    prior: Tensor,
    n_heads: int,
) -> tuple[Tensor, Tensor]:
    """Return probabilities per head [T+1, heads, r] and the summary [r, H] of what they choose.

    Args:
        query: [r, H] float32, already divided by the root of a head's length.
        targets: [T, r, H] embeddings, whose slices are keys and values of the heads.
        known: [T, r] bool; unknown targets get probability 0.
        search_key: [H] of the last entry, which is always known.
        search_value: [H].
        prior: [T+1, r] added to the logits.
        n_heads: divides H.
    """
    n_targets, n_rows, size = targets.shape
    probs = query.new_empty(n_targets + 1, n_heads, n_rows)
    summary = query.new_empty(n_rows, size)
    arrays = (query, targets, search_key, search_value, prior)
    inputs = _AttentionInputs(*(array.contiguous().numpy() for array in arrays))
    _choose(inputs, known.contiguous().numpy(), probs.numpy(), summary.numpy())
    return probs, summary


@attend.operator.register_fake
def _shapes(
    query: Tensor,
    targets: Tensor,
    known: Tensor,
    search_key: Tensor,
    search_value: Tensor,
    prior: Tensor,
    n_heads: int,
) -> tuple[Tensor, Tensor]:
    n_rows = len(query)
    return query.new_empty(len(targets) + 1, n_heads, n_rows), query.new_empty(query.shape)


# Any: PyTorch does not say what type a context of a custom operator has.
def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    query, targets, _known, search_key, search_value, prior, _n_heads = inputs
    ctx.save_for_backward(query, targets, search_key, search_value, prior, output[0])


def _backward(ctx: Any, grad_probs: Tensor, grad_summary: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients of all inputs of the operator."""
    query, targets, key, value, prior = _gradients(grad_probs, grad_summary, *ctx.saved_tensors)
    return query, targets, None, key, value, prior, None


@row_operator("attend_backward")
def _gradients(
    grad_probs: Tensor,
    grad_summary: Tensor,
    query: Tensor,
    targets: Tensor,
    search_key: Tensor,
    search_value: Tensor,
    prior: Tensor,
    probs: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of ``attend``'s inputs but for ``known``."""
    arrays = tuple(each.contiguous() for each in (query, targets, search_key, search_value, prior))
    grads = (
        *(torch.empty_like(each) for each in arrays[:2]),
        *(torch.zeros_like(each) for each in arrays[2:]),
    )
    _differentiate(
        _AttentionInputs(*(each.numpy() for each in arrays)),
        probs.numpy(),
        grad_probs.contiguous().numpy(),
        grad_summary.contiguous().numpy(),
        _AttentionInputs(*(each.numpy() for each in grads)),
    )
    query_grad, targets_grad, key_grad, value_grad, prior_grad = grads
    return query_grad, targets_grad, key_grad, value_grad, prior_grad


@_gradients.operator.register_fake
def _gradient_shapes(
    grad_probs: Tensor,
    grad_summary: Tensor,
    query: Tensor,
    targets: Tensor,
    search_key: Tensor,
    search_value: Tensor,
    prior: Tensor,
    probs: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    def like(array: Tensor) -> Tensor:
        return array.new_empty(array.shape)

    return like(query), like(targets), like(search_key), like(search_value), like(prior)


attend.operator.register_autograd(_backward, setup_context=_remember)


class _AttentionInputs(NamedTuple):
    """The inputs of ``attend``, or their gradients."""

    query: Floats  # [r, H]
    targets: Floats  # [T, r, H]
    search_key: Floats  # [H]
    search_value: Floats  # [H]
    prior: Floats  # [T+1, r]


@row_kernel("contract", "reassoc")
def _dot(left: Floats, right: Floats) -> np.float32:
    """Return the scalar product of two vectors."""
    total = _ZERO
    for j in range(len(left)):
        total += left[j] * right[j]
    return total


@row_kernel("contract", "reassoc")
def _normalise(probs: Floats, known: NDArray[np.bool_], largest: np.float32) -> None:
    """Replace logits [T+1] by their softmax; those of targets not ``known`` [T] count as none."""
    total, n_targets = _ZERO, len(known)
    for t in range(n_targets + 1):
        weight = _ZERO
        if t == n_targets or known[t]:
            weight = np.float32(math.exp(probs[t] - largest))
        probs[t] = weight
        total += weight
    for t in range(n_targets + 1):
        probs[t] /= total


@row_kernel("contract", "reassoc")
def _choose(
    inputs: _AttentionInputs, known: NDArray[np.bool_], probs: Floats, summary: Floats
) -> None:
    """Write probabilities [T+1, heads, r] and summaries [r, H]."""
    n_targets, n_heads = len(inputs.targets), probs.shape[1]
    size = summary.shape[1] // n_heads
    for i in range(len(summary)):
        for head in range(n_heads):
            part = slice(head * size, (head + 1) * size)
            query, chosen = inputs.query[i, part], summary[i, part]
            largest = _dot(query, inputs.search_key[part]) + inputs.prior[n_targets, i]
            probs[n_targets, head, i] = largest
            for t in range(n_targets):
                if known[t, i]:
                    logit = _dot(query, inputs.targets[t, i, part]) + inputs.prior[t, i]
                    probs[t, head, i] = logit
                    largest = max(largest, logit)
            _normalise(probs[:, head, i], known[:, i], largest)
            weight, search = probs[n_targets, head, i], inputs.search_value[part]
            for j in range(size):
                chosen[j] = weight * search[j]
            for t in range(n_targets):
                weight, target = probs[t, head, i], inputs.targets[t, i, part]
                for j in range(size):
                    chosen[j] += weight * target[j]


@row_kernel("contract", "reassoc")
def _differentiate(
    inputs: _AttentionInputs,
    probs: Floats,
    grad_probs: Floats,
    grad_summary: Floats,
    grads: _AttentionInputs,
) -> None:
    """Write ``grads``, whose parts without rows, and whose priors, are 0 before.

    With w the probabilities, g their gradients, s the summary's gradient and q the query the
    logits' are ``l_t = w_t (g_t - sum_u w_u g_u)``, and those of an embedding ``l_t q + w_t s``.
    """
    n_targets, n_heads = len(inputs.targets), probs.shape[1]
    size = grad_summary.shape[1] // n_heads
    for i in range(len(grad_summary)):
        for head in range(n_heads):
            part = slice(head * size, (head + 1) * size)
            query, of_query = inputs.query[i, part], grads.query[i, part]
            given = grad_summary[i, part]
            key, of_key = inputs.search_key[part], grads.search_key[part]
            of_value = grads.search_value[part]
            of_search = grad_probs[n_targets, head, i] + _dot(given, inputs.search_value[part])
            weight = probs[n_targets, head, i]
            mean = weight * of_search
            for t in range(n_targets):
                target, of_target = inputs.targets[t, i, part], grads.targets[t, i, part]
                of_prob = grad_probs[t, head, i] + _dot(given, target)
                of_target[0] = of_prob  # kept until the mean is known
                mean += probs[t, head, i] * of_prob
            logit = weight * (of_search - mean)
            grads.prior[n_targets, i] += logit
            for j in range(size):
                of_query[j] = logit * key[j]
            for j in range(size):
                of_key[j] += logit * query[j]
            for j in range(size):
                of_value[j] += weight * given[j]
            for t in range(n_targets):
                target, of_target = inputs.targets[t, i, part], grads.targets[t, i, part]
                weight = probs[t, head, i]
                logit = weight * (of_target[0] - mean)
                grads.prior[t, i] += logit
                for j in range(size):
                    of_query[j] += logit * target[j]
                for j in range(size):
                    of_target[j] = logit * query[j] + weight * given[j]
