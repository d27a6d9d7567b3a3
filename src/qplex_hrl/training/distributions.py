"""What cameras choose, and the mixer's gate, as histograms: for trackers, once per row of metrics.

Nothing here draws random numbers or changes a weight.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from qplex_hrl.model import QPLEXHRLModel
from qplex_hrl.networks.mixers import AdaptiveMixer
from qplex_hrl.runtime.logger import Histogram

__all__ = ["evaluation_histograms", "gate_histograms", "selection_histograms"]

_MOST_BINS = 256  # W&B takes at most 512
_GATE_BINS = 50


def selection_histograms(
    group: str, counts: NDArray[np.int64], targets_per_action: NDArray[np.int64]
) -> dict[str, Histogram]:
    """Return histograms of actions and, where actions select targets, of the targets selected.

    Args:
        group: begins their names, such as ``train/``.
        counts: [U], how often each action was chosen.
        targets_per_action: [U], how many targets each selects.
    """
    histograms = {f"{group}actions": _of_counts(counts)}
    if targets_per_action.any():
        numbers = np.bincount(targets_per_action, weights=counts).astype(np.int64)
        histograms[f"{group}targets_per_action"] = _of_counts(numbers)
    return histograms


@torch.no_grad()
def gate_histograms(model: QPLEXHRLModel, states: NDArray[np.float16]) -> dict[str, Histogram]:
    """Return histograms of the adaptive mixer's gate and complexity; none of another mixer.

    Args:
        model: of the training.
        states: [M, S] global states.
    """
    if not isinstance(model.mixer, AdaptiveMixer):
        return {}
    device = next(model.parameters()).device
    embedded = model.state_encoder(torch.from_numpy(states).to(device, torch.float32))
    values = zip(("gates", "complexities"), model.mixer.gate(embedded), strict=True)
    return {
        f"mixer/{name}": Histogram.of(each.cpu().numpy(), 0.0, 1.0, _GATE_BINS)
        for name, each in values
    }


def evaluation_histograms(
    selections: Mapping[str, Sequence[int]], targets_per_action: NDArray[np.int64]
) -> dict[str, Histogram]:
    """Return histograms of what both levels chose in an evaluation.

    Args:
        selections: how often each of the U actions was chosen, by ``slow`` and ``fast`` level.
        targets_per_action: [U], how many targets each selects.
    """
    histograms: dict[str, Histogram] = {}
    for level, counts in selections.items():
        chosen = np.array(counts, np.int64)
        if chosen.any():
            histograms |= selection_histograms(f"eval/{level}_", chosen, targets_per_action)
    return histograms


def _of_counts(counts: NDArray[np.int64]) -> Histogram:
    """Return the histogram of whole numbers 0, 1, ..; neighbours share a bin where many are."""
    width = -(-len(counts) // _MOST_BINS)
    padded = np.pad(counts, (0, -len(counts) % width)).reshape(-1, width).sum(axis=1)
    edges: NDArray[np.float64] = np.arange(len(padded) + 1, dtype=np.float64) * width - 0.5
    return Histogram(padded, edges)
