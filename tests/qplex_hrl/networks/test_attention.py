"""Attention camera by camera, against the same formula as tensor operations."""

import pytest
import torch
from torch import Tensor

from qplex_hrl.networks.attention import attend

T, ROWS, H = 3, 5, 8


def reference(inputs: list[Tensor], known: Tensor, n_heads: int) -> tuple[Tensor, Tensor]:
    query, targets, search_key, search_value, prior = inputs
    keys = torch.cat([targets, search_key.expand(1, ROWS, H)]).unflatten(-1, (n_heads, -1))
    values = torch.cat([targets, search_value.expand(1, ROWS, H)]).unflatten(-1, (n_heads, -1))
    logits = (query.unflatten(-1, (n_heads, -1)) * keys).sum(-1) + prior.unsqueeze(-1)
    unknown = torch.cat([~known, torch.zeros(1, ROWS, dtype=torch.bool)])
    weights = logits.masked_fill(unknown.unsqueeze(-1), -torch.inf).softmax(dim=0)
    return weights.movedim(-1, 1), (weights.unsqueeze(-1) * values).sum(dim=0).flatten(-2)


@pytest.mark.parametrize("n_heads", [1, 2])
def test_values_and_gradients_are_those_of_the_formula(n_heads: int) -> None:
    """In row 0 no target is known: all that can be chosen is to search."""
    torch.manual_seed(0)
    shapes = [(ROWS, H), (T, ROWS, H), (H,), (H,), (T + 1, ROWS)]
    ours = [torch.randn(shape, requires_grad=True) for shape in shapes]
    theirs = [each.detach().clone().requires_grad_() for each in ours]
    known = torch.rand(T, ROWS) < 0.7
    known[:, 0] = False
    query, targets, search_key, search_value, prior = ours
    probs, summary = attend(query, targets, known, search_key, search_value, prior, n_heads)
    expected = reference(theirs, known, n_heads)
    assert probs[-1, :, 0].tolist() == [1.0] * n_heads
    torch.testing.assert_close((probs, summary), expected)
    weights = torch.randn(probs.shape), torch.randn(summary.shape)
    for results in ((probs, summary), expected):
        sum(
            (weight * result).sum() for weight, result in zip(weights, results, strict=True)
        ).backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_a_part_that_no_loss_depends_on_has_no_effect() -> None:
    inputs = [torch.randn(shape) for shape in [(ROWS, H), (T, ROWS, H), (H,), (H,), (T + 1, ROWS)]]
    query, targets, key, value, prior = (each.requires_grad_() for each in inputs)
    known = torch.ones(T, ROWS, dtype=torch.bool)
    probs, _ = attend(query, targets, known, key, value, prior, 1)
    probs[0].sum().backward()
    assert value.grad is not None
    assert not value.grad.any()
