"""The loss, compiled by torch.compile where a run asks for it; the same numbers up to rounding."""

from collections.abc import Callable

import torch
from torch import Tensor

from qplex_hrl.types import SequenceBatch

Loss = Callable[[SequenceBatch], tuple[Tensor, dict[str, Tensor]]]
"""From windows to the loss and its metrics."""


class CompilationFailed(ValueError):
    """PyTorch cannot compile the update on this machine."""


def compiled_loss(loss: Loss) -> Loss:
    """Return ``loss`` compiled for batches of one shape; its first call compiles.

    The function returned raises ``CompilationFailed`` if that is not possible.
    """
    compiled = torch.compile(loss, dynamic=False)

    def run(batch: SequenceBatch) -> tuple[Tensor, dict[str, Tensor]]:
        from torch._dynamo.exc import TorchDynamoException  # slow to import, wanted by few

        try:
            return compiled(batch)
        except (TorchDynamoException, OSError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CompilationFailed(
                f"training.compile = true, but PyTorch cannot compile here ({reason[0]}); "
                "install a C++ compiler or set training.compile: false"
            ) from error

    return run
