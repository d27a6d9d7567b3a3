"""Which rule a scripted team plays in an episode: drawn once, the same for the whole team."""

from camsim.arrays import Floats, UInt64s
from camsim.compiled.jit import device_fn
from camsim.compiled.rng import uniform


@device_fn
def draw_rule(i: int, cumulative: Floats, rng: UInt64s) -> int:
    """Return the rule drawn by its weight (world 11.8), -1 for a team driven from outside.

    A pure rule draws nothing from the random stream.
    """
    n_rules = len(cumulative)
    if n_rules == 0:
        return -1
    first = 0
    while cumulative[first] == 0.0:
        first += 1
    if cumulative[first] >= 1.0:
        return first
    value = uniform(rng, i)
    for k in range(first, n_rules):
        if value < cumulative[k]:
            return k
    return n_rules - 1
