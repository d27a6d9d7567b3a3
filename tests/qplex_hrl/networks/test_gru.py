"""Our GRU against PyTorch's: values and gradients."""

import pytest
import torch

from qplex_hrl.networks.gru import GRUWeights, gru


@pytest.mark.parametrize(("length", "rows", "inputs", "size"), [(1, 1, 1, 1), (7, 5, 4, 6)])
def test_it_equals_pytorchs_gru_in_values_and_all_gradients(
    length: int, rows: int, inputs: int, size: int
) -> None:
    torch.manual_seed(0)
    layer = torch.nn.GRU(inputs, size).double()
    frames = torch.randn(length, rows, inputs, requires_grad=True)
    hidden = torch.randn(rows, size, requires_grad=True)
    single = torch.nn.GRU(inputs, size)
    weights = GRUWeights(
        single.weight_ih_l0, single.weight_hh_l0, single.bias_ih_l0, single.bias_hh_l0
    )
    layer.load_state_dict(single.state_dict())
    expected, _ = layer(frames.double(), hidden.double().unsqueeze(0))
    outputs = gru(frames, hidden, weights)
    torch.testing.assert_close(outputs, expected.float(), atol=1e-6, rtol=1e-5)
    factor = torch.randn_like(outputs)
    theirs = torch.autograd.grad(expected, [frames, hidden, *layer.parameters()], factor.double())
    ours = torch.autograd.grad(outputs, [frames, hidden, *weights], factor)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other.float(), atol=1e-5, rtol=1e-5)


def test_it_is_a_well_formed_operator() -> None:
    """PyTorch's own check: schema, shapes without data, gradients when compiled."""
    arguments = [
        torch.randn(*shape) for shape in ((3, 2, 4), (2, 5), (15, 4), (15, 5), (15,), (15,))
    ]
    torch.library.opcheck(
        torch.ops.qplex_hrl.gru.default,
        tuple(arguments),
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )
