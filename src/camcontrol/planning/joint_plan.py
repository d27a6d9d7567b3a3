"""The best joint plan of several cameras, from tables of what each plan covers.

A joint plan is worth the number of bits that at least one camera covers, summed over frames.
"""

import numpy as np

from camcontrol.planning.rollouts import count_bits
from camsim.arrays import Float32s, Ints, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn

LOOKAHEAD_OPTION_FEATURES = 4
"""What looking ahead adds to an action's features; one number per target may follow."""

PLAN_GAIN = 2  # which of them tells what the best plan that begins with an action gains

_ALL = np.uint64(2**64 - 1)
_SWEEPS = 6
_ORDERS = 4


@device_fn
def _others(cover: UInt64s, span: tuple[int, int], choice: Ints, c: int, rest: UInt64s) -> None:
    """Fill `rest` [F, W] with what the cameras of `span` but c cover."""
    for f in range(rest.shape[0]):
        for w in range(rest.shape[1]):
            word = np.uint64(0)
            for j in range(span[0], span[1]):
                if j != c and choice[j] >= 0:
                    word |= cover[j, choice[j], f, w]
            rest[f, w] = word


@device_fn
def _value(rest: UInt64s, plan: UInt64s) -> int:
    """Return what a camera's plan [F, W] and the rest are worth together."""
    total = 0
    for f in range(rest.shape[0]):
        for w in range(rest.shape[1]):
            total += count_bits(rest[f, w] | plan[f, w])
    return total


@outlined_fn
def _respond(
    cover: UInt64s,
    first: Ints,
    span: tuple[int, int],
    choice: Ints,
    c: int,
    rest: UInt64s,
) -> int:
    """Give camera c its best plan beside the others'; return the joint plan's worth.

    A plan that is as good as the chosen one does not replace it.
    """
    n_per_action = cover.shape[1] // first.shape[1]
    _others(cover, span, choice, c, rest)
    best, best_value = choice[c], -1
    if best >= 0:
        best_value = _value(rest, cover[c, best])
    for a in range(first.shape[1]):
        if first[c, a] < 0:
            break
        for s in range(a * n_per_action, (a + 1) * n_per_action):
            value = _value(rest, cover[c, s])
            if value > best_value:
                best, best_value = s, value
    choice[c] = best
    if best < 0:  # a camera without plans
        return _value(rest, rest)
    return best_value


@outlined_fn
def choose_jointly(
    cover: UInt64s,
    first: Ints,
    span: tuple[int, int],
    choice: Ints,
    trial: Ints,
    rest: UInt64s,
) -> int:
    """Write into `choice` [C] a plan for each camera of `span`; return what they are worth.

    Cameras answer each other's plans in turn until none changes, from up to four starts: another
    camera goes first in each. No camera could then do better alone.

    Args:
        cover: [C, S, F, W] what each plan covers; S / A plans begin with each action.
        first: [C, A] actions, best first, -1 where there are no more.
        span: first camera, and the one after the last.
        choice: [C].
        trial: [C] scratch.
        rest: [F, W] scratch.
    """
    n = span[1] - span[0]
    best_value = -1
    for order in range(min(n, _ORDERS)):
        for j in range(span[0], span[1]):
            trial[j] = -1
        value, before = 0, -1
        for _ in range(_SWEEPS):
            for j in range(n):
                c = span[0] + (order + j) % n
                value = _respond(cover, first, span, trial, c, rest)
            if value == before:
                break
            before = value
        if value > best_value:
            best_value = value
            for j in range(span[0], span[1]):
                choice[j] = trial[j]
    return best_value


@outlined_fn
def _shares(plan: UInt64s, n_futures: int, scale: float, out: Float32s) -> None:
    """Write to out [4 + T] from 4 on how often a plan [F, W] covers each target, times `scale`."""
    for t in range(len(out) - LOOKAHEAD_OPTION_FEATURES):
        total = 0
        for w in range(plan.shape[1]):
            low, high = max(t * n_futures - 64 * w, 0), min((t + 1) * n_futures - 64 * w, 64)
            if low >= high:
                continue
            mask = (_ALL >> np.uint64(64 - high + low)) << np.uint64(low)
            for f in range(plan.shape[0]):
                total += count_bits(plan[f, w] & mask)
        out[LOOKAHEAD_OPTION_FEATURES + t] = scale * total


@outlined_fn
def value_actions(
    cover: UInt64s,
    first: Ints,
    span: tuple[int, int],
    choice: Ints,
    rest: UInt64s,
    n_futures: int,
    scale: float,
    out: Float32s,
) -> None:
    """Write what each action of the cameras of `span` is worth to out [C, U, 4] or [C, U, 4 + T].

    1 if plans that begin with it were tried; 1 if it is the joint plan's; how many targets fewer
    would be covered, on average over frames and futures, with the best plan that begins with it
    beside the plans chosen for the others (0 for the joint plan's, else not positive); how many the
    best plan that begins with it would cover alone; then, if there is room, how much of each
    target that plan would cover, in [0, 1]. Rows of other actions: 0, 0, -1, 0, and 0 from there.

    Args:
        cover: [C, S, F, W] as in `choose_jointly`, as the next three.
        first: [C, A].
        span: first camera, and the one after the last.
        choice: [C] as `choose_jointly` has left it.
        rest: [F, W] scratch.
        n_futures: bits of a target in a frame.
        scale: of counted bits: 1 / (frames * futures).
        out: [C, U, 4] or [C, U, 4 + T].
    """
    n_per_action = cover.shape[1] // first.shape[1]
    for c in range(span[0], span[1]):
        for u in range(out.shape[1]):
            out[c, u, 0], out[c, u, 1], out[c, u, 2], out[c, u, 3] = 0.0, 0.0, -1.0, 0.0
            for m in range(LOOKAHEAD_OPTION_FEATURES, out.shape[2]):
                out[c, u, m] = 0.0
        if choice[c] < 0:
            continue
        _others(cover, span, choice, c, rest)
        joint = _value(rest, cover[c, choice[c]])
        for a in range(first.shape[1]):
            u = first[c, a]
            if u < 0:
                break
            beside, alone, best = 0, 0, a * n_per_action
            for s in range(a * n_per_action, (a + 1) * n_per_action):
                beside = max(beside, _value(rest, cover[c, s]))
                by_itself = _value(cover[c, s], cover[c, s])
                if by_itself > alone:
                    alone, best = by_itself, s
            out[c, u, 0] = 1.0
            out[c, u, 1] = 1.0 if choice[c] // n_per_action == a else 0.0
            out[c, u, 2] = scale * (beside - joint)
            out[c, u, 3] = scale * alone
            _shares(cover[c, best], n_futures, scale, out[c, u])
