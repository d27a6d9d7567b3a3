"""Temporal cores of the Q-networks: with memory and without."""

import torch
from torch import Tensor, nn

from qplex_hrl.networks.gru import GRUWeights, gru


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
        outputs = gru(inputs, hidden_state, weights)
        return outputs, outputs[-1]
