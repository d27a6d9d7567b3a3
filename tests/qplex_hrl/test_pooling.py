"""Sum and maximum over the first axis, against PyTorch's, ties included."""

import torch

from qplex_hrl.pooling import pool


def test_it_equals_pytorchs_values_and_gradients() -> None:
    torch.manual_seed(0)
    values = torch.randn(4, 5, 6).relu_()  # many zeros: ties
    values[1] = values[0]
    factors = torch.randn(2, 5, 6)
    gradients = []
    for total, largest, leaf in (
        (*pool(one := values.clone().requires_grad_()), one),
        ((other := values.clone().requires_grad_()).sum(dim=0), other.amax(dim=0), other),
    ):
        torch.testing.assert_close(total, values.sum(dim=0))
        assert torch.equal(largest, values.amax(dim=0))
        ((total * factors[0]).sum() + (largest * factors[1]).sum()).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)
