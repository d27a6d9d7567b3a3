"""Values of available actions in blocks of cameras, against those of all as tensor operations."""

import pytest
import torch
from small_model import world

from qplex_hrl.networks import action_values
from qplex_hrl.networks.heads import ActionHead, HeadInputs

L, ROWS, H = 3, 4, 8


@pytest.mark.parametrize("plans", [True, False])
@pytest.mark.parametrize("tells_coverages", [True, False])
@torch.no_grad()
def test_values_of_available_actions_are_the_values(
    tells_coverages: bool, plans: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven own features: seven and then four; observations of which they are a strided part."""
    monkeypatch.setattr(action_values, "_BLOCK", 160)  # five cameras, then five, then two
    _, bits = world()
    size = 11 + 3 * tells_coverages
    head = ActionHead(H, size, bits, prioritised=True, tells_coverages=tells_coverages)
    if plans:
        head.start_from_plans(1, 0.7)
        torch.nn.init.normal_(head.plan_layer.weight)
        torch.nn.init.normal_(head.output.weight)
    obs = torch.randn(L, ROWS, 5 + len(bits) * size)
    inputs = HeadInputs(
        memory=torch.randn(L, ROWS, H),
        context=torch.randn(L, ROWS, H),
        targets=torch.randn(3, L, ROWS, H),
        priorities=torch.rand(3, L, ROWS, 2),
        action_features=obs[..., 5:].unflatten(-1, (len(bits), size)),
    )
    terms = head.terms(inputs)
    available = torch.rand(L, ROWS, len(bits)) < 0.5
    expected = head.values(terms).masked_fill(~available, -torch.inf)
    torch.testing.assert_close(head.available_values(terms, available), expected)
