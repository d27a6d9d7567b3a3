"""Pooling of target embeddings against tensor operations."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qplex_hrl.networks.pooling import _pool, pool


def inputs(
    n_targets: int, n_rows: int, size: int, seed: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Context, features whose entry 1 tells whether a row has any, and values before the ReLU."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    targets = random(n_targets, n_rows, 3)
    targets[..., 1] = (targets[..., 1] > 0).to(dtype)
    values = random(n_targets, n_rows, size) * targets[..., 1:2]
    return random(n_rows, 2), targets, values


def as_operations(context: Tensor, targets: Tensor, embeddings: Tensor) -> Tensor:
    n_told = targets[..., 1].sum(dim=0).clamp_min(1).unsqueeze(-1)
    return torch.cat([context, embeddings.sum(dim=0) / n_told, embeddings.amax(dim=0)], dim=-1)


@pytest.mark.jit
@given(
    n_targets=st.integers(1, 5),
    n_rows=st.integers(0, 4),
    size=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_pooled_numbers_and_gradients_are_those_of_tensor_operations(
    n_targets: int, n_rows: int, size: int, seed: int
) -> None:
    """Behind a ReLU: where several embeddings are zero, none gets a gradient."""
    context, targets, values = inputs(n_targets, n_rows, size, seed)
    width = context.shape[1] + 2 * size
    weight = torch.linspace(-1.0, 2.0, n_rows * width).view(n_rows, width)
    results = []
    for function in (functools.partial(pool, row_flag=1), as_operations):
        own = [context.clone().requires_grad_(), values.clone().requires_grad_()]
        pooled = function(own[0], targets, own[1].relu())
        (pooled * weight).sum().backward()  # type: ignore[no-untyped-call]
        results.append([pooled.detach(), *(each.grad for each in own)])
    torch.testing.assert_close(*results)


def test_without_gradients_the_numbers_are_the_same() -> None:
    context, targets, values = inputs(4, 6, 8, seed=0)
    embeddings = values.relu()
    with torch.no_grad():
        direct = pool(context, targets, embeddings, 1)
    assert torch.equal(direct, pool(context, targets, embeddings, 1))


def test_other_dtypes_are_tensor_operations() -> None:
    context, targets, values = inputs(4, 6, 8, seed=0, dtype=torch.float64)
    pooled = pool(context, targets, values.relu(), 1)
    assert pooled.dtype == torch.float64
    torch.testing.assert_close(pooled, as_operations(context, targets, values.relu()))


@pytest.mark.jit
def test_it_is_an_operator_of_pytorch() -> None:
    context, targets, values = inputs(3, 5, 4, seed=0)
    arguments = (context, targets, values.relu().detach().requires_grad_(), 1)
    checks = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(_pool.operator, arguments, test_utils=checks)
