"""The random streams: the published generator, one stream per row, uniform numbers."""

from __future__ import annotations

import numpy as np
from compiled import from_python
from scipy import stats

from camsim.compiled import rng as kernels
from camsim.compiled.rng import streams_from_seeds

below = from_python(kernels.below)
mix = from_python(kernels.mix)
uniform = from_python(kernels.uniform)
uniform_between = from_python(kernels.uniform_between)

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15


def splitmix64(state: int) -> int:
    """The output function of splitmix64 (Steele, Lea and Flood, 2014) on Python integers."""
    value = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def test_published_sequence() -> None:
    """The first outputs for seed 1234567, as in the authors' reference implementation."""
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    states = [(1234567 + (k + 1) * GAMMA) & MASK for k in range(3)]
    assert [splitmix64(state) for state in states] == wanted
    assert [int(mix(np.uint64(state))) for state in states] == wanted


def test_uniform_uses_the_top_53_bits() -> None:
    rng = np.array([1234567, 99], np.uint64)
    assert uniform(rng, 0) == (6457827717110365317 >> 11) / 2**53
    assert rng.tolist() == [(1234567 + GAMMA) & MASK, 99]  # only the own stream moved


def test_uniform_is_uniform() -> None:
    rng = streams_from_seeds(np.array([3], np.uint64))
    sample = np.array([uniform(rng, 0) for _ in range(20_000)])
    assert sample.min() >= 0.0
    assert sample.max() < 1.0
    assert stats.kstest(sample, "uniform").pvalue > 1e-4
    lagged = np.corrcoef(sample[:-1], sample[1:])[0, 1]
    assert abs(lagged) < 4 / np.sqrt(len(sample))


def test_uniform_between_stays_inside() -> None:
    rng = streams_from_seeds(np.array([4], np.uint64))
    sample = [uniform_between(rng, 0, -3.0, 5.0) for _ in range(2000)]
    assert min(sample) >= -3.0
    assert max(sample) < 5.0
    assert uniform_between(rng, 0, 2.0, 2.0) == 2.0


def test_below_is_uniform_over_the_integers() -> None:
    rng = streams_from_seeds(np.array([5], np.uint64))
    counts = np.bincount([below(rng, 0, 7) for _ in range(14_000)], minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-4
    assert below(rng, 0, 1) == 0


def test_neighbouring_seeds_give_unrelated_streams() -> None:
    rng = streams_from_seeds(np.arange(4000, dtype=np.uint64))
    assert len(set(rng.tolist())) == 4000
    first = np.array([uniform(rng, i) for i in range(4000)])
    assert stats.kstest(first, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 4 / np.sqrt(4000)
