"""The values of all available actions without gradients on the CPU, block of cameras by block.

The hidden layers of all actions are the largest tensors of an update, and only the best action is
wanted of them. Here those of a block of cameras stay in the cache, and only those of available
actions are computed.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qplex_hrl.networks.row_kernels import row_kernel, row_operator

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_BLOCK = 1 << 17
"""Numbers of hidden layers at a time: what a core's own cache holds."""

_ZERO = np.float32(0)


class Weights(NamedTuple):
    """Weights of the layers of an action."""

    features: Tensor  # [F, W] of its own features, to the hidden layer
    output: Tensor  # [W] of the hidden layer
    plan: Tensor  # [F] straight to the value, or [0]


class CameraTerms(NamedTuple):
    """What a camera's actions share, rows r."""

    targets: Tensor  # [T, r, W] what each target adds to the hidden layer
    state: Tensor  # [r, W] what the state adds
    value: Tensor  # [r] the camera's own value
    target_values: Tensor  # [r, T or 0] of what an action's plan covers of each target


def available_values(
    features: Tensor,
    avail_actions: Tensor,
    selection: Tensor,
    cameras: CameraTerms,
    weights: Weights,
) -> Tensor:
    """Return the values [r, U] float32 of actions, minus infinity where they are not available.

    Args:
        features: [r, U, F + T or F], the coverages per target last.
        avail_actions: [r, U] bool.
        selection: [U, T] bool, the targets that each action selects.
        cameras: of the r cameras.
        weights: of the head.
    """
    parts = [*cameras], [*weights]
    return _values(features, avail_actions, selection, *parts)


@row_operator("available_values")
def _values(
    features: Tensor,
    avail_actions: Tensor,
    selection: Tensor,
    cameras: list[Tensor],
    weights: list[Tensor],
) -> Tensor:
    (n, n_actions, n_features), (n_own, width) = features.shape, weights[0].shape
    values = np.full((n, n_actions), -np.inf, np.float32)
    n_rows = max(1, _BLOCK // (n_actions * width))
    own = features.new_empty(n_rows * n_actions, n_own)
    hidden = features.new_empty(n_rows * n_actions, width)
    packed, layers = own.numpy(), hidden.numpy()
    # Numba's loops are faster over whole memory than over strided views.
    step = features.stride(0)
    flat = features.as_strided(((n - 1) * step + n_actions * n_features,), (1,)).numpy()
    available, selected = avail_actions.numpy(), selection.numpy()
    targets, state, value, target_values = (array.numpy() for array in cameras)
    output, plan = weights[1].numpy(), weights[2].numpy()
    for first in range(0, n, n_rows):
        rows = slice(first, first + n_rows)
        actions = flat[first * step :], available[rows]
        count = _pack(*actions, step, n_features, packed)
        torch.mm(own[:count], weights[0], out=hidden[:count])
        _add_cameras(layers, available[rows], selected, targets, state, first)
        of_cameras, steps = (value[rows], target_values[rows]), (step, n_features)
        _finish(layers, actions, steps, (output, plan), of_cameras, values[rows])
    return torch.from_numpy(values)


@_values.operator.register_fake
def _shape(
    features: Tensor,
    avail_actions: Tensor,
    selection: Tensor,
    cameras: list[Tensor],
    weights: list[Tensor],
) -> Tensor:
    return features.new_empty(avail_actions.shape)


@row_kernel("contract", "reassoc")
def _pack(
    features: Floats, avail_actions: Bools, step: int, n_features: int, packed: Floats
) -> int:
    """Write own features of available actions as rows of ``packed`` [.., F]; return how many.

    Args:
        features: [..], action u of camera i from ``i * step + u * n_features`` on.
        avail_actions: [b, U] of a block of cameras.
        step: numbers from one camera to the next.
        n_features: numbers from one action to the next.
        packed: is written.
    """
    count, n_own = 0, packed.shape[1]
    for i in range(len(avail_actions)):
        for u in range(avail_actions.shape[1]):
            if avail_actions[i, u]:
                begin = i * step + u * n_features
                row, own = packed[count], features[begin : begin + n_own]
                for k in range(n_own):
                    row[k] = own[k]
                count += 1
    return count


@row_kernel("contract", "reassoc")
def _add_cameras(
    hidden: Floats,
    avail_actions: Bools,
    selection: Bools,
    targets: Floats,
    state: Floats,
    first: int,
) -> None:
    """Add to rows of hidden layers what state and selected targets of cameras from `first` add."""
    count, width = 0, hidden.shape[1]
    for i in range(len(avail_actions)):
        of_state = state[first + i]
        for u in range(len(selection)):
            if avail_actions[i, u]:
                row = hidden[count]
                for j in range(width):
                    row[j] += of_state[j]
                for t in range(len(targets)):
                    if selection[u, t]:
                        target = targets[t, first + i]
                        for j in range(width):
                            row[j] += target[j]
                count += 1


@row_kernel("contract", "reassoc")
def _finish(
    hidden: Floats,
    actions: tuple[Floats, Bools],
    steps: tuple[int, int],
    weights: tuple[Floats, Floats],
    cameras: tuple[Floats, Floats],
    values: Floats,
) -> None:
    """Write the values of available actions from rows of hidden layers before their ReLU."""
    (features, avail_actions), (output, plan) = actions, weights
    value, target_values = cameras
    count, (width, n_coverages) = 0, (hidden.shape[1], target_values.shape[1])
    for i in range(len(avail_actions)):
        for u in range(avail_actions.shape[1]):
            if avail_actions[i, u]:
                row, total = hidden[count], value[i]
                for j in range(width):
                    total += output[j] * max(row[j], _ZERO)
                begin = i * steps[0] + u * steps[1]
                own = features[begin : begin + len(plan)]
                for k in range(len(plan)):
                    total += plan[k] * own[k]
                begin += steps[1] - n_coverages
                coverages, values_of = features[begin : begin + n_coverages], target_values[i]
                for t in range(n_coverages):
                    total += values_of[t] * coverages[t]
                values[i, u] = total
                count += 1
