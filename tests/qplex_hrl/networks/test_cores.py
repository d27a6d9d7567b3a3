"""Temporal cores: shapes, and what is remembered from frame to frame."""

import pytest
import torch

from qplex_hrl.networks.cores import Core, FeedForwardCore, RecurrentCore

CORES = [FeedForwardCore, RecurrentCore]


@torch.no_grad()
@pytest.mark.parametrize("kind", CORES)
def test_frames_one_by_one_equal_all_at_once(kind: type[Core]) -> None:
    torch.manual_seed(0)
    core = kind(3, 5)
    inputs, hidden = torch.randn(6, 4, 3), torch.randn(4, core.recurrent_size)
    outputs, last = core(inputs, hidden)
    assert (outputs.shape, last.shape) == ((6, 4, 5), hidden.shape)
    for frame in range(6):
        output, hidden = core(inputs[frame : frame + 1], hidden)
        torch.testing.assert_close(output[0], outputs[frame])
    torch.testing.assert_close(hidden, last)


@torch.no_grad()
def test_only_the_recurrent_one_remembers() -> None:
    torch.manual_seed(0)
    for kind, remembers in ((FeedForwardCore, False), (RecurrentCore, True)):
        core = kind(3, 5)
        inputs = torch.randn(2, 1, 3)
        other = torch.cat([inputs[:1] + 1, inputs[1:]])
        hidden = torch.zeros(1, core.recurrent_size)
        first, second = (core(x, hidden)[0][1] for x in (inputs, other))
        assert (not torch.equal(first, second)) == remembers
        assert (core.recurrent_size > 0) == remembers


def test_a_core_must_say_what_it_does() -> None:
    with pytest.raises(NotImplementedError):
        Core(0)(torch.zeros(1, 1, 1), torch.zeros(1, 0))
