"""The GRU's arithmetic of one frame, compiled: what lies between its matrix products.

Every loop writes to one array of the row in hand, so that the compiler can use vector instructions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qplex_hrl.networks.row_kernels import row_kernel

Floats = NDArray[np.float32]

_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_LIMIT = np.float32(9)  # tanh is 1 from here on in float32
_P = tuple(np.float32(value) for value in (135135, 17325, 378))
_Q = tuple(np.float32(value) for value in (135135, 62370, 3150, 28))


@row_kernel("contract")
def _tanh(x: np.float32) -> np.float32:
    """Return tanh(x) within 3e-7, from Lambert's continued fraction of tanh(x / 2), 7 terms."""
    x = _LIMIT if x > _LIMIT else x  # not min and max: those may swallow NaN
    x = -_LIMIT if x < -_LIMIT else x
    half = x * _HALF
    square = half * half
    above = half * (_P[0] + square * (_P[1] + square * (_P[2] + square)))
    below = _Q[0] + square * (_Q[1] + square * (_Q[2] + square * _Q[3]))
    return _TWO * above * below / (below * below + above * above)


@row_kernel("contract")
def activate(parts: Floats, bias: Floats, hidden: Floats, output: Floats) -> None:
    """Finish a frame: replace products by c, r, z and U_c h + d_c, and write the new state.

    Args:
        parts: [n, 4H], in blocks of H: the products in c, without the state's, in r and in z; and
            U_c h.
        bias: [4H], to be added to them.
        hidden: [n, H] before the frame.
        output: [n, H] after it.
    """
    size = hidden.shape[1]
    for i in range(len(parts)):
        row, before, after = parts[i], hidden[i], output[i]
        new, gates, from_state = row[:size], row[size : 3 * size], row[3 * size :]
        reset, keep = gates[:size], gates[size:]
        for j in range(4 * size):
            row[j] += bias[j]
        for j in range(2 * size):
            gates[j] = _HALF + _HALF * _tanh(gates[j] * _HALF)
        for j in range(size):
            new[j] += reset[j] * from_state[j]
        for j in range(size):
            new[j] = _tanh(new[j])
        for j in range(size):
            after[j] = new[j] + keep[j] * (before[j] - new[j])


class Gradients(NamedTuple):
    """What ``differentiate`` works on."""

    state: Floats
    """[n, H], of the state, from later frames; becomes what goes straight to the state before."""

    parts: Floats
    """[n, 4H], of the sums in c, r and z and of U_c h + d_c."""

    bias: Floats
    """[4H], sums of ``parts`` over rows and frames."""


@row_kernel("contract")
def differentiate(grad_output: Floats, parts: Floats, hidden: Floats, gradients: Gradients) -> None:
    """Write a frame's gradients with respect to what its activations were made of.

    Args:
        grad_output: [n, H] gradient of the state from outside.
        parts: [n, 4H], c, r, z and U_c h + d_c.
        hidden: [n, H] before the frame.
        gradients: is written.
    """
    size = hidden.shape[1]
    bias = gradients.bias
    for i in range(len(parts)):
        row, before, given = parts[i], hidden[i], grad_output[i]
        new, reset = row[:size], row[size : 2 * size]
        keep, from_state = row[2 * size : 3 * size], row[3 * size :]
        total, grads = gradients.state[i], gradients.parts[i]
        of_new, of_reset = grads[:size], grads[size : 2 * size]
        of_keep, of_state = grads[2 * size : 3 * size], grads[3 * size :]
        for j in range(size):
            total[j] += given[j]
        for j in range(size):
            of_new[j] = total[j] * (_ONE - keep[j]) * (_ONE - new[j] * new[j])
        for j in range(size):
            total[j] *= keep[j]
        for j in range(size):
            of_keep[j] = total[j] * (before[j] - new[j]) * (_ONE - keep[j])
        for j in range(size):
            of_state[j] = of_new[j] * reset[j]
        for j in range(size):
            of_reset[j] = of_state[j] * from_state[j] * (_ONE - reset[j])
        for j in range(4 * size):
            bias[j] += grads[j]
