"""The values of all available actions without gradients on the CPU, camera by camera.

The hidden layers of all actions are the largest tensors of an update, and only the best action is
wanted of them. Here a camera's hidden layers stay in the cache, its features are read where they
lie in the observation, and actions that are not available are left out.
"""

from typing import Any, NamedTuple, cast

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc"},  # sums in vectors; the order is that of the compiler
    "_nrt": False,  # no reference counts, as in the simulator's kernels
}
_ZERO = np.float32(0)
_NOT_AVAILABLE = np.float32(-np.inf)


class Weights(NamedTuple):
    """Weights of the layers of an action."""

    features: Floats  # [F, W] of its own features, to the hidden layer
    output: Floats  # [W] of the hidden layer
    plan: Floats  # [F] straight to the value, or [0]


class Cameras(NamedTuple):
    """What the actions of each camera share, rows r."""

    targets: Floats  # [T, r, W] what each target adds to the hidden layer
    state: Floats  # [r, W] what the state adds
    value: Floats  # [r] the camera's own value
    target_values: Floats  # [r, T or 0] of what an action's plan covers of each target


def available_values(
    features: Tensor,
    avail_actions: Tensor,
    selection: Tensor,
    cameras: list[Tensor],
    weights: list[Tensor],
) -> Tensor:
    """Return the values [r, U] float32 of actions, minus infinity where they are not available.

    Args:
        features: [r, U, F + T or F], the coverages per target last.
        avail_actions: [r, U] bool.
        selection: [U, T] bool, the targets that each action selects.
        cameras: as ``Cameras``.
        weights: as ``Weights``.
    """
    return cast("Tensor", _values(features, avail_actions, selection, cameras, weights))


# An operator of its own, so that torch.compile does not look inside.
@torch.library.custom_op("qplex_hrl::available_values", mutates_args=())
def _values(
    features: Tensor,
    avail_actions: Tensor,
    selection: Tensor,
    cameras: list[Tensor],
    weights: list[Tensor],
) -> Tensor:
    values = features.new_empty(avail_actions.shape)
    n_actions, n_features = features.shape[1:]
    scratch = _Scratch(
        np.empty(n_actions, np.int64),
        np.empty((n_actions, n_features), np.float32),
        np.empty((n_actions, weights[1].numel()), np.float32),
    )
    _fill(
        features.numpy(),
        avail_actions.numpy(),
        selection.numpy(),
        Cameras(*(rows.numpy() for rows in cameras)),
        Weights(*(weight.contiguous().numpy() for weight in weights)),
        scratch,
        values.numpy(),
    )
    return values


@_values.register_fake
def _shape(
    features: Tensor,
    avail_actions: Tensor,
    selection: Tensor,
    cameras: list[Tensor],
    weights: list[Tensor],
) -> Tensor:
    return features.new_empty(avail_actions.shape)


class _Scratch(NamedTuple):
    """A camera's available actions, packed."""

    actions: NDArray[np.int64]  # [U] which they are
    features: Floats  # [U, F + T]
    hidden: Floats  # [U, W]


@numba.njit(**_OPTIONS)  # type: ignore[untyped-decorator]
def _fill(
    features: Floats,
    avail_actions: Bools,
    selection: Bools,
    cameras: Cameras,
    weights: Weights,
    scratch: _Scratch,
    values: Floats,
) -> None:
    """Write ``values``."""
    n_targets, (n_own, width) = cameras.targets.shape[0], weights.features.shape
    n_coverages = cameras.target_values.shape[1]
    output = weights.output
    for i in range(len(features)):
        count = 0
        state = cameras.state[i]
        for u in range(len(selection)):
            values[i, u] = _NOT_AVAILABLE
            if avail_actions[i, u]:
                scratch.actions[count] = u
                x, hidden = scratch.features[count], scratch.hidden[count]
                for k in range(n_own + n_coverages):
                    x[k] = features[i, u, k]
                for j in range(width):
                    hidden[j] = state[j]
                for t in range(n_targets):
                    if selection[u, t]:
                        target = cameras.targets[t, i]
                        for j in range(width):
                            hidden[j] += target[j]
                count += 1
        _add_products(scratch.features[:count], weights.features, scratch.hidden[:count])
        for a in range(count):
            x, hidden = scratch.features[a], scratch.hidden[a]
            value = cameras.value[i]
            for k in range(len(weights.plan)):
                value += x[k] * weights.plan[k]
            for t in range(n_coverages):
                value += x[n_own + t] * cameras.target_values[i, t]
            of_hidden = _ZERO
            for j in range(width):
                of_hidden += output[j] * max(hidden[j], _ZERO)
            values[i, scratch.actions[a]] = value + of_hidden


@numba.njit(**_OPTIONS)  # type: ignore[untyped-decorator]
def _add_products(features: Floats, weight: Floats, sums: Floats) -> None:
    """Add the products of ``features`` [a, F or more] with ``weight`` [F, W] to ``sums`` [a, W]."""
    n_own, width = weight.shape
    first = 0
    while first + 7 <= n_own:  # seven at a time: the sums are read and written less often
        w = weight[first : first + 7]
        w0, w1, w2, w3, w4, w5, w6 = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
        for a in range(len(features)):
            x, row = features[a, first : first + 7], sums[a]
            x0, x1, x2, x3, x4, x5, x6 = x[0], x[1], x[2], x[3], x[4], x[5], x[6]
            for j in range(width):
                row[j] += (x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]) + (
                    x4 * w4[j] + x5 * w5[j] + x6 * w6[j]
                )
        first += 7
    for k in range(first, n_own):
        w0 = weight[k]
        for a in range(len(features)):
            x0, row = features[a, k], sums[a]
            for j in range(width):
                row[j] += x0 * w0[j]
