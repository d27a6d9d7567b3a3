"""Operators of our own: called directly where nothing is recorded, else through PyTorch."""

import torch

from qplex_hrl.networks.row_kernels import row_operator

CALLS: list[bool] = []


@row_operator("doubled_in_a_test")
def doubled(values: torch.Tensor) -> torch.Tensor:
    """Return twice the values."""
    CALLS.append(torch.is_grad_enabled())
    return values * 2


@doubled.operator.register_fake
def _shape(values: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(values)


def _gradient(ctx: object, grad: torch.Tensor) -> torch.Tensor:
    return grad * 2


doubled.operator.register_autograd(_gradient)


def test_both_ways_give_the_same_and_only_one_records() -> None:
    values = torch.arange(3.0, requires_grad=True)
    with torch.no_grad():
        direct = doubled(values)
    recorded = doubled(values)
    assert torch.equal(direct, recorded)
    assert not direct.requires_grad
    assert recorded.requires_grad
    (gradient,) = torch.autograd.grad(recorded.sum(), values)
    assert torch.equal(gradient, torch.full((3,), 2.0))
    assert len(CALLS) == 2


def test_it_keeps_the_name_and_docstring_of_its_function() -> None:
    assert doubled.__doc__ == "Return twice the values."
    assert doubled.__name__ == "doubled"  # type: ignore[attr-defined]
