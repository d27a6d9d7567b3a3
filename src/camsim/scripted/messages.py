"""Mail inside a team: what a link lets through, when it arrives, and how it is counted (world 10).

A message is posted in the slot of its frame and read `delay` frames later. There are delay + 1
slots, so that the slot that is due is the one to be written next. A post [N, ., n, n] holds the
kind of message from -> to, 0 for none.
"""

import math

from camsim.arrays import Ints, UInt64s
from camsim.compiled.jit import device_fn
from camsim.compiled.rng import uniform
from camsim.scripted.memory import MESSAGES_EPISODE, MESSAGES_NOW


@device_fn
def gets_through(
    i: int, dropout: float, reach: float, rng: UInt64s, offset: tuple[float, float]
) -> bool:
    """Tell whether a link passes a message from one place to another (world 9.10)."""
    if dropout > 0.0 and uniform(rng, i) < dropout:
        return False
    return math.sqrt(offset[0] * offset[0] + offset[1] * offset[1]) <= reach


@device_fn
def clear_post(i: int, first: int, last: int, post: Ints) -> None:
    """Empty the rows of a post from `first` to before `last`."""
    n = post.shape[2]
    for slot in range(first, last):
        for a in range(n):
            for b in range(n):
                post[i, slot, a, b] = 0


@device_fn
def close_frame(i: int, edges: Ints, traffic: Ints) -> None:
    """Clear the counts of the last frame; costs nothing if there were no messages."""
    if traffic[i, MESSAGES_NOW] > 0:
        traffic[i, MESSAGES_NOW] = 0
        clear_matrix(i, edges)


@device_fn
def clear_matrix(i: int, edges: Ints) -> None:
    """Set the counts of environment i to zero."""
    n = edges.shape[1]
    for a in range(n):
        for b in range(n):
            edges[i, a, b] = 0


@device_fn
def count_messages(i: int, due: int, post: Ints, edges: Ints, traffic: Ints) -> None:
    """Count the messages that arrive in this frame."""
    n = edges.shape[1]
    n_messages = 0
    for a in range(n):
        for b in range(n):
            if post[i, due, a, b] > 0:
                edges[i, a, b] = 1
                n_messages += 1
    traffic[i, MESSAGES_NOW] += n_messages
    traffic[i, MESSAGES_EPISODE] += n_messages
