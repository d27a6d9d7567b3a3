"""Exponential moving average of a network's weights (Polyak and Juditsky 1992)."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class WeightEMA(Generic[Network]):
    """A copy of a network whose parameters follow it: ``average = d average + (1 - d) weights``.

    d is ``decay``, but at most n / (n + 4) after n updates, so that the initial weights are soon
    forgotten.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """Begin with a copy of ``network``; ``decay`` in [0, 1)."""
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, n_updates: int) -> None:
        """Move the average towards ``network``, after its ``n_updates``-th update."""
        decay = min(self._decay, n_updates / (n_updates + 4))
        follow(self.network, network, share=1.0 - decay)


@torch.no_grad()
def follow(follower: nn.Module, leader: nn.Module, share: float) -> None:
    """Move the parameters of ``follower`` by ``share`` of the way to those of ``leader``."""
    followed: list[Tensor] = list(follower.parameters())
    torch._foreach_lerp_(followed, list(leader.parameters()), share)
