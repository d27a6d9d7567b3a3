"""Starting episodes by the seeds that Gymnasium's and PettingZoo's `reset` take."""

from collections.abc import Sequence

import numpy as np

from camsim.envs.team import TeamEnv, TeamOutput
from camsim.kernels.rng import streams_from_seeds
from camsim.state import Bools

__all__ = ["start_episodes"]

_LIMIT = 2**64


def start_episodes(
    env: TeamEnv, seeds: Sequence[int | None], which: Bools | None = None
) -> TeamOutput:
    """Start a new episode in the marked environments; return all observations.

    A row with a seed plays what a row of that seed plays anywhere; one without continues its own
    random stream.

    Args:
        env: N environments.
        seeds: [N], None for a row that continues.
        which: [N] rows to start; None: all.

    Raises:
        ValueError: a seed is negative, no integer or above 64 bits.
    """
    which = np.ones(env.num_envs, np.bool_) if which is None else which
    given = {
        row: _checked(seed)
        for row, (seed, marked) in enumerate(zip(seeds, which, strict=True))
        if marked and seed is not None
    }
    if given:
        words = np.array(list(given.values()), np.uint64)
        env.sim.tables.rng[list(given)] = streams_from_seeds(words)
    return env.restart(which)


def _checked(seed: object) -> int:
    integer = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not integer or not 0 <= seed < _LIMIT:  # type: ignore[operator]
        raise ValueError(f"seed = {seed!r}; expected an integer from 0 to 2**64 - 1")
    return int(seed)  # type: ignore[call-overload, no-any-return]
