"""All randomness of a run from one seed, in named streams that do not influence each other."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Generators", "episode_seeds", "make_generators"]

_EVALUATION = 0x6576616C  # "eval": sets evaluation apart from all streams of training


class Generators(NamedTuple):
    """One generator for each use; the streams are numbered in this order: add new ones last."""

    env: np.random.Generator  # seeds of training episodes
    explore: np.random.Generator  # random actions
    replay: np.random.Generator  # which windows are sampled
    init: np.random.Generator  # initial weights


def make_generators(seed: int) -> Generators:
    """Return the generators of a training run.

    Args:
        seed: not negative.

    Raises:
        ValueError: the seed is negative.
    """
    children = np.random.SeedSequence(seed).spawn(len(Generators._fields))
    return Generators(*(np.random.default_rng(child) for child in children))


def episode_seeds(seed: int, n: int) -> NDArray[np.uint64]:
    """Return the seeds [n] uint64 of evaluation episodes; a longer list starts with the shorter.

    They are below 2**53, which every reader of JSON keeps exactly.

    They come from a stream of their own: evaluating more or less often never changes training, and
    equal seeds of training and evaluation give different episodes.

    Args:
        seed: not negative.
        n: number of episodes.

    Raises:
        ValueError: the seed is negative.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(_EVALUATION,))
    return sequence.generate_state(n, np.uint64).astype(np.uint64) >> np.uint64(11)
