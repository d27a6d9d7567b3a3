"""Temporal cores of the Q-networks: with memory and without."""

import torch
from torch import Tensor, nn

from qplex_hrl.networks.gru import GRUWeights, gru

Restarts = tuple[tuple[int, Tensor], ...]
"""Frames in rising order, and which rows [n, 1] bool forget everything just before them."""


class Core(nn.Module):
    """What every temporal core offers: a subclass writes ``forward``."""

    def __init__(self, recurrent_size: int) -> None:
        """Take the length R of a camera's recurrent state; 0: no memory."""
        super().__init__()
        self.recurrent_size = recurrent_size

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [L, n, H] and the last state [n, R].

        Args:
            inputs: [L, n, X], time before rows.
            hidden_state: [n, R] before the first frame, zero at the start of an episode.
        """
        raise NotImplementedError


class FeedForwardCore(Core):
    """A layer without memory."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        """Create the layer."""
        super().__init__(recurrent_size=0)
        self.layer = nn.Linear(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Return [L, n, H] and the empty state [n, 0] for ``inputs`` [L, n, X]."""
        return torch.relu(self.layer(inputs)), hidden_state


class RecurrentCore(Core):
    """A GRU over time."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        """Create the GRU; its state has ``hidden_size`` entries."""
        super().__init__(recurrent_size=hidden_size)
        self.gru = nn.GRU(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [L, n, H] and the last state [n, H].

        Args:
            inputs: [L, n, X].
            hidden_state: [n, H] before the first frame.
        """
        if inputs.is_cuda:
            outputs, last = self.gru(inputs, hidden_state.unsqueeze(0))
            return outputs, last.squeeze(0)
        weights = GRUWeights(*self.gru.parameters())  # in the order of their registration
        if len(inputs) == 1 and not torch.is_grad_enabled():  # a decision
            outputs = torch.gru_cell(inputs[0], hidden_state, *weights).unsqueeze(0)
            return outputs, outputs[0]
        outputs = gru(inputs, hidden_state, weights)
        return outputs, outputs[-1]


def over_time(
    core: Core,
    inputs: Tensor,
    hidden_state: Tensor,
    restarts: Restarts = (),
) -> tuple[Tensor, Tensor]:
    """Return a core's outputs [L, n, H] and last state [n, R].

    Args:
        core: has a state of length R.
        inputs: [L, n, X].
        hidden_state: [n, R] before the first frame.
        restarts: where rows begin anew with the zero state.
    """
    if core.recurrent_size == 0 or not restarts:
        last: tuple[Tensor, Tensor] = core(inputs, hidden_state)
        return last
    outputs = []
    begins = [0, *(frame for frame, _ in restarts if frame > 0)]
    rows = dict(restarts)
    for begin, end in zip(begins, [*begins[1:], len(inputs)], strict=True):
        if begin in rows:
            hidden_state = torch.where(rows[begin], 0.0, hidden_state)
        output, hidden_state = core(inputs[begin:end], hidden_state)
        outputs.append(output)
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0], hidden_state
