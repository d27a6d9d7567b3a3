"""Environments of one run shared out among several owners: draws, states and chunks by rows.

What a part of the environments draws and remembers is what the same rows would among all, so a run
does not depend on how many owners share them, up to the rounding of networks on smaller batches.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Shard", "draw_shard", "join_states", "split_state"]


class Shard(NamedTuple):
    """The environments ``first .. first + n - 1`` of ``total``."""

    first: int
    n: int
    total: int

    @property
    def slice(self) -> slice:
        """The rows as an index."""
        return slice(self.first, self.first + self.n)


def draw_shard(
    rng: np.random.Generator, shape: tuple[int, int], shard: Shard
) -> NDArray[np.float64]:
    """Return ``rng.random((K, total, C))[:, shard.slice]``, [K, n, C], at the cost of the shard.

    The generator moves on as if all had been drawn.

    Args:
        rng: NumPy's default generator; it takes one step for each number.
        shape: (K, C).
        shard: which of the total.
    """
    n_draws, width = shape
    if shard.n == shard.total:
        return rng.random((n_draws, shard.total, width))
    bits = rng.bit_generator
    assert isinstance(bits, np.random.PCG64)
    drawn = np.empty((n_draws, shard.n, width))
    for part in drawn:
        bits.advance(shard.first * width)
        part[:] = rng.random((shard.n, width))
        bits.advance((shard.total - shard.first - shard.n) * width)
    return drawn


# Any: states are trees of arrays and tensors whose first axis is the environment.
def split_state(state: Mapping[str, Any], shard: Shard) -> dict[str, Any]:
    """Return the part of a state that belongs to ``shard``.

    Args:
        state: mappings of arrays and tensors [total, ..], or [0, ..] for what is not used.
        shard: which of the total.

    Raises:
        ValueError: the state is of another number of environments.
    """
    return {name: _split(value, shard) for name, value in state.items()}


def join_states(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of all environments, given those of consecutive rows."""
    return {name: _join([part[name] for part in parts]) for name in parts[0]}


def _split(value: Any, shard: Shard) -> Any:
    if isinstance(value, Mapping):
        return split_state(value, shard)
    if not isinstance(value, np.ndarray | torch.Tensor) or value.ndim == 0:
        raise ValueError(f"a stored state holds a {type(value).__name__}; expected arrays")
    if len(value) not in (0, shard.total):
        msg = f"saved for {len(value)} environments; this run has {shard.total}"
        raise ValueError(msg)
    return value[shard.slice] if len(value) else value


def _join(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return join_states(values)
    if isinstance(values[0], torch.Tensor):
        return torch.cat(list(values))
    return np.concatenate(values)
