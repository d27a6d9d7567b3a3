"""What evading targets have learned: the weights of `camsim.scripted.targets.evader`."""

import numpy as np

from camsim.arrays import Floats

# Made by `qplex-hrl benchmark evader`, against greedy cameras alone.
_SIDEWAYS = (0.045, 0.115, 1.002, 1.122, 0.271)
_AWAY = (-0.678, -0.655, 0.435, -1.228, -0.145)
_HOLD = (0.439, 0.452, -0.288, 0.767, 0.559)


def learned_evasion() -> Floats:
    """Return a copy of the shipped weights [15] of evaders (`camsim.scripted.targets.evader`)."""
    return np.array([*_SIDEWAYS, *_AWAY, *_HOLD])
