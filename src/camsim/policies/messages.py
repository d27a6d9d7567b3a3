"""Mail inside a team: what a link lets through, when it arrives, and how it is counted (spec 10).

A message is posted in the slot of its frame and read `delay` frames later. There are delay + 1
slots, so that the slot that is due is the one to be written next.
"""

import math

from camsim.kernels._jit import device_fn
from camsim.kernels.rng import uniform
from camsim.policies.memory import (
    MESSAGES_EPISODE,
    MESSAGES_NOW,
    CameraMemory,
    TargetMemory,
)
from camsim.policies.rules import CameraRules, TargetRules
from camsim.state import Ints, Words


@device_fn
def gets_through(
    i: int, rules: CameraRules | TargetRules, rng: Words, dx: float, dy: float
) -> bool:
    """Tell whether the link passes a message over the distance (dx, dy) (spec 9.10)."""
    if rules.dropout > 0.0 and uniform(rng, i) < rules.dropout:
        return False
    return math.sqrt(dx * dx + dy * dy) <= rules.reach


@device_fn
def forget_messages(i: int, memory: CameraMemory | TargetMemory) -> None:
    """Start an episode: nothing is under way, nothing is counted."""
    close_frame(i, memory)
    memory.traffic[i, MESSAGES_EPISODE] = 0
    for slot in range(memory.posted.shape[1]):
        clear_slot(i, slot, memory.posted)


@device_fn
def close_frame(i: int, memory: CameraMemory | TargetMemory) -> None:
    """Clear the counts of the last frame; costs nothing if there were no messages."""
    if memory.traffic[i, MESSAGES_NOW] > 0:
        memory.traffic[i, MESSAGES_NOW] = 0
        for a in range(memory.edges.shape[1]):
            for b in range(memory.edges.shape[1]):
                memory.edges[i, a, b] = 0


@device_fn
def clear_slot(i: int, slot: int, posted: Ints) -> None:
    """Empty a slot before a frame's messages are posted."""
    for a in range(posted.shape[2]):
        for b in range(posted.shape[2]):
            posted[i, slot, a, b] = 0


@device_fn
def slot_now(step: int, posted: Ints) -> int:
    """Return the slot in which messages of frame `step` are posted."""
    return int(step % posted.shape[1])


@device_fn
def slot_due(step: int, posted: Ints) -> int:
    """Return the slot whose messages arrive in frame `step`."""
    return int((step + 1) % posted.shape[1])


@device_fn
def count_message(i: int, a: int, b: int, memory: CameraMemory | TargetMemory) -> None:
    """Count a message that arrived."""
    memory.edges[i, a, b] += 1
    memory.traffic[i, MESSAGES_NOW] += 1
    memory.traffic[i, MESSAGES_EPISODE] += 1
