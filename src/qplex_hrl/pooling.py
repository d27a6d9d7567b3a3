"""Sum and maximum over a first axis, with a backward pass made for the CPU.

PyTorch's own gradient of a maximum compares into bool, ten times slower than into numbers.
"""

from typing import Any, cast

import torch
from torch import Tensor


class _Pool(torch.autograd.Function):
    """See ``pool``."""

    # Any: PyTorch does not say what type a context has.
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> tuple[Tensor, Tensor]:
        largest = values.amax(dim=0)
        ctx.save_for_backward(values, largest)
        return values.sum(dim=0), largest

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        grad_total, grad_largest = grads
        values, largest = ctx.saved_tensors
        at_largest = torch.empty_like(values)
        torch.eq(values, largest, out=at_largest)
        share = grad_largest / at_largest.sum(dim=0)
        return at_largest.mul_(share).add_(grad_total)


def pool(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum and the maximum over the first axis; equal maxima share their gradient.

    Args:
        values: [T, ...] float.
    """
    return cast("tuple[Tensor, Tensor]", _Pool.apply(values))  # type: ignore[no-untyped-call]
