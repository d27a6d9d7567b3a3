"""One random stream per environment: a splitmix64 counter in `rng[i]`, advanced in place."""

import numpy as np
from numpy.typing import NDArray

from camsim.compiled.jit import device_fn

GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27 = np.uint64(27)
_S30 = np.uint64(30)
_S31 = np.uint64(31)
_S11 = np.uint64(11)
TO_UNIT = 1.0 / 9007199254740992.0  # 2**-53


@device_fn
def mix(value: np.uint64) -> np.uint64:
    """Return the splitmix64 finaliser of a 64-bit word (Steele, Lea and Flood, 2014)."""
    value = (value ^ (value >> _S30)) * _MIX_1
    value = (value ^ (value >> _S27)) * _MIX_2
    return value ^ (value >> _S31)


@device_fn
def uniform(rng: NDArray[np.uint64], i: int) -> float:
    """Return the next number of stream `i`, uniform in [0, 1)."""
    rng[i] = rng[i] + GAMMA
    return np.float64(mix(rng[i]) >> _S11) * TO_UNIT


@device_fn
def uniform_between(rng: NDArray[np.uint64], i: int, low: float, high: float) -> float:
    """Return the next number of stream `i`, uniform in [low, high)."""
    return low + (high - low) * uniform(rng, i)


@device_fn
def below(rng: NDArray[np.uint64], i: int, n: int) -> int:
    """Return an integer uniform in {0, ..., n-1}."""
    return min(int(uniform(rng, i) * n), n - 1)


def streams_from_seeds(seeds: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the start states [N] of the streams of `seeds`; neighbouring seeds are unrelated."""

    def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
        words = (words ^ (words >> _S30)) * _MIX_1
        words = (words ^ (words >> _S27)) * _MIX_2
        return words ^ (words >> _S31)

    return mixed(mixed(seeds + GAMMA) ^ GAMMA)
