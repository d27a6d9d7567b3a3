"""Selectors: probabilities, masks, entropy, priorities, holding."""

import math

import pytest
import torch

from qplex_hrl.networks.encoders import Encoding
from qplex_hrl.networks.selector import (
    HierarchicalSelector,
    Selection,
    TargetAttention,
    selection_entropy,
)

T, L, ROWS, H = 3, 4, 5, 8


def encoding(seed: int = 0) -> Encoding:
    torch.manual_seed(seed)
    known = torch.rand(T, L, ROWS) < 0.6
    return Encoding(torch.randn(L, ROWS, H), torch.randn(T, L, ROWS, H), known)


@pytest.mark.parametrize("n_heads", [1, 2, 4])
@torch.no_grad()
def test_attention_equals_its_formula(n_heads: int) -> None:
    seen = encoding()
    attention = TargetAttention(H, H, n_heads)
    attention.search_key.copy_(torch.randn(H))
    selection = attention(seen.context, seen.targets, seen.known)
    width = H // n_heads
    for t in range(L):
        for row in range(ROWS):
            query = attention.query(seen.context[t, row])
            keys = torch.cat([seen.targets[:, t, row], attention.search_key[None]])
            values = torch.cat([seen.targets[:, t, row], attention.search_value[None]])
            open_ = torch.cat([seen.known[:, t, row], torch.tensor([True])])
            probs, summary = torch.zeros(T + 1), []
            for k in range(n_heads):
                part = slice(k * width, (k + 1) * width)
                logits = keys[:, part] @ query[part] / math.sqrt(width)
                weights = torch.zeros(T + 1)
                weights[open_] = logits[open_].softmax(0)
                probs += weights / n_heads
                summary.append(weights @ values[:, part])
            torch.testing.assert_close(selection.probs[:, t, row], probs)
            torch.testing.assert_close(selection.summary[t, row], torch.cat(summary))


@torch.no_grad()
def test_a_camera_that_knows_no_target_searches() -> None:
    seen = encoding()._replace(known=torch.zeros(T, L, ROWS, dtype=torch.bool))
    selector = HierarchicalSelector(H, 2, recurrent=True)
    slow, _ = selector.select_slow(seen, torch.zeros(ROWS, H))
    fast = selector.select_fast(seen, slow)
    for selection in (slow, fast):
        assert (selection.probs[-1] == 1).all()
        assert (selection.probs[:-1] == 0).all()


@torch.no_grad()
def test_the_slow_selection_raises_the_fast_probability_of_its_target() -> None:
    seen = encoding()._replace(known=torch.ones(T, L, ROWS, dtype=torch.bool))
    selector = HierarchicalSelector(H, 1, recurrent=False)
    selector.fast_attention.query.weight[:, H:] = 0  # priorities alone connect the two
    wants_0, wants_1 = (torch.zeros(T + 1, L, ROWS) for _ in range(2))
    wants_0[0], wants_1[1] = 1.0, 1.0
    summary = torch.zeros(L, ROWS, H)
    probs_0 = selector.select_fast(seen, Selection(wants_0, summary)).probs
    probs_1 = selector.select_fast(seen, Selection(wants_1, summary)).probs
    assert (probs_0[0] > probs_1[0]).all()
    assert (probs_0[1] < probs_1[1]).all()


def test_entropy_in_nats_and_its_gradient_with_masked_entries() -> None:
    logits = torch.tensor([[1.0, 1.0, -torch.inf], [3.0, -torch.inf, -torch.inf]])
    logits.requires_grad_()
    entropy = selection_entropy(logits.softmax(dim=-1))
    torch.testing.assert_close(entropy, torch.tensor([math.log(2), 0.0]))
    entropy.sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="hidden_size = 8 is not a multiple of n_heads = 3"):
        TargetAttention(H, H, 3)
