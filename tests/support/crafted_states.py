"""Restores crafted states of real environments; a process of its own, which may die of one."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from selection_worlds import REGIMES, make

FILLS = (1e9, -1e9, 1e300, np.nan, np.inf, 7.0)


def other_numbers(array: np.ndarray) -> Iterator[np.ndarray]:
    """Give the array with odd numbers, everywhere and in one place."""
    places = (slice(None), 5 % array.size) if array.size else ()
    for fill in FILLS:
        for place in places:
            crafted = array.copy()
            if array.dtype.kind == "b":
                crafted.view(np.uint8).reshape(-1)[place] = 7
            elif array.dtype.kind in "iu":
                limits = np.iinfo(array.dtype)
                crafted.reshape(-1)[place] = limits.max if fill > 0 else limits.min
            else:
                with np.errstate(over="ignore"):
                    crafted.reshape(-1)[place] = np.float64(fill).astype(array.dtype)
            yield crafted


def other_types(array: np.ndarray) -> Iterator[object]:
    """Give what is no such array."""
    with np.errstate(over="ignore"):
        odd = np.float64 if array.dtype == np.float32 else np.float32
        yield array.astype(odd)
    yield array[None]
    yield np.zeros(0, array.dtype)
    yield from ("text", None, 3, [1.0], array.astype(object))


def main(regime: str) -> None:
    """Try all; write what was neither refused in a line nor harmless, and how many there were."""
    env = make(replace(REGIMES[regime], max_episode_steps=21), 2)
    actions = np.ones((2, env.n_agents), np.int64)
    env.step(actions)
    state = env.state_dict()
    n_refused, n_tried = 0, 0
    for name, array in state.items():
        for crafted in (*other_numbers(array), *other_types(array)):
            n_tried += 1
            try:
                env.load_state_dict(state | {name: crafted})  # type: ignore[dict-item]
            except ValueError as error:
                n_refused += 1
                if "\n" in str(error):
                    sys.stdout.write(f"{name} told in more than a line: {error}\n")
                continue
            for _ in range(4):
                output = env.step(actions)
                if not np.isfinite(output.reward).all() or not np.isfinite(output.obs).all():
                    sys.stdout.write(f"{name} gives numbers that are not finite\n")
    sys.stdout.write(f"{n_tried} tried, {n_refused} refused\n")


if __name__ == "__main__":
    main(sys.argv[1])
