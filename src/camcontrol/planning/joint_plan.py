"""The best joint plan of several cameras, from tables of what each plan covers.

The value of a joint plan is the number of bits that at least one camera covers, over all frames.
"""

import numpy as np

from camcontrol.planning.rollouts import count_bits
from camsim.arrays import Float32s, Ints, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn

LOOKAHEAD_ACTION_FEATURES = 4
"""Number of plan features of an action; the coverage per target may follow."""

PLAN_ADVANTAGE = 2  # which of them is the advantage of the best plan that begins with the action

_ALL = np.uint64(2**64 - 1)
_SWEEPS = 6
_ORDERS = 4


@device_fn
def _fill_others_coverage(
    cover: UInt64s, span: tuple[int, int], choice: Ints, c: int, others_coverage: UInt64s
) -> None:
    """Fill `others_coverage` [F, W] with what all cameras of `span` but c cover."""
    for f in range(others_coverage.shape[0]):
        for w in range(others_coverage.shape[1]):
            word = np.uint64(0)
            for j in range(span[0], span[1]):
                if j != c and choice[j] >= 0:
                    word |= cover[j, choice[j], f, w]
            others_coverage[f, w] = word


@device_fn
def _value(others_coverage: UInt64s, plan: UInt64s) -> int:
    """Return the value of a camera's plan [F, W] together with the others' coverage."""
    total = 0
    for f in range(others_coverage.shape[0]):
        for w in range(others_coverage.shape[1]):
            total += count_bits(others_coverage[f, w] | plan[f, w])
    return total


@outlined_fn
def _best_response(
    cover: UInt64s,
    first: Ints,
    span: tuple[int, int],
    choice: Ints,
    c: int,
    others_coverage: UInt64s,
) -> int:
    """Set camera c's plan to its best response to the others'; return the joint plan's value.

    A plan of equal value does not replace the chosen one.
    """
    n_per_action = cover.shape[1] // first.shape[1]
    _fill_others_coverage(cover, span, choice, c, others_coverage)
    best, best_value = choice[c], -1
    if best >= 0:
        best_value = _value(others_coverage, cover[c, best])
    for a in range(first.shape[1]):
        if first[c, a] < 0:
            break
        for s in range(a * n_per_action, (a + 1) * n_per_action):
            value = _value(others_coverage, cover[c, s])
            if value > best_value:
                best, best_value = s, value
    choice[c] = best
    if best < 0:  # a camera without plans
        return _value(others_coverage, others_coverage)
    return best_value


@outlined_fn
def choose_jointly(
    cover: UInt64s,
    first: Ints,
    span: tuple[int, int],
    choice: Ints,
    trial: Ints,
    others_coverage: UInt64s,
) -> int:
    """Write into `choice` [C] a plan for each camera of `span`; return their joint value.

    Coordinate ascent: each camera in turn takes its best response, until the value stays. There are
    up to four starts, each with another camera first. No camera could then do better alone.

    Args:
        cover: [C, S, F, W] what each plan covers; S / A plans begin with each action.
        first: [C, A] actions, best first, -1 where there are no more.
        span: first camera, and the one after the last.
        choice: [C].
        trial: [C] scratch.
        others_coverage: [F, W] scratch.
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
                value = _best_response(cover, first, span, trial, c, others_coverage)
            if value == before:
                break
            before = value
        if value > best_value:
            best_value = value
            for j in range(span[0], span[1]):
                choice[j] = trial[j]
    return best_value


@outlined_fn
def _write_target_coverages(
    plan: UInt64s, n_trajectories: int, scale: float, out: Float32s
) -> None:
    """Write the coverage per target of a plan [F, W], times `scale`, to out [4 + T] from 4 on."""
    for t in range(len(out) - LOOKAHEAD_ACTION_FEATURES):
        total = 0
        for w in range(plan.shape[1]):
            low = max(t * n_trajectories - 64 * w, 0)
            high = min((t + 1) * n_trajectories - 64 * w, 64)
            if low >= high:
                continue
            mask = (_ALL >> np.uint64(64 - high + low)) << np.uint64(low)
            for f in range(plan.shape[0]):
                total += count_bits(plan[f, w] & mask)
        out[LOOKAHEAD_ACTION_FEATURES + t] = scale * total


@outlined_fn
def value_actions(
    cover: UInt64s,
    first: Ints,
    span: tuple[int, int],
    choice: Ints,
    others_coverage: UInt64s,
    n_trajectories: int,
    scale: float,
    out: Float32s,
) -> None:
    """Write the plan features of each action of the cameras of `span` to out.

    0. 1 if plans that begin with the action were tried.
    1. 1 if the joint plan begins with it.
    2. Plan advantage: the value of the best plan that begins with it, beside the plans chosen for
       the others, minus that of the joint plan. In targets, averaged over frames and trajectories;
       0 for the joint plan's action, else not positive.
    3. The value, in targets, of the best plan that begins with it, alone.
    4. From here on, if there is room: that plan's coverage per target, in [0, 1].

    The row of an action that was not tried is 0, 0, -1, 0, and 0 from there on.

    Args:
        cover: [C, S, F, W] as in `choose_jointly`, as the next three.
        first: [C, A].
        span: first camera, and the one after the last.
        choice: [C] as `choose_jointly` has left it.
        others_coverage: [F, W] scratch.
        n_trajectories: bits of a target in a frame.
        scale: of counted bits: 1 / (frames * trajectories).
        out: [C, U, 4] or [C, U, 4 + T].
    """
    n_per_action = cover.shape[1] // first.shape[1]
    for c in range(span[0], span[1]):
        for u in range(out.shape[1]):
            out[c, u, 0], out[c, u, 1], out[c, u, 2], out[c, u, 3] = 0.0, 0.0, -1.0, 0.0
            for m in range(LOOKAHEAD_ACTION_FEATURES, out.shape[2]):
                out[c, u, m] = 0.0
        if choice[c] < 0:
            continue
        _fill_others_coverage(cover, span, choice, c, others_coverage)
        joint = _value(others_coverage, cover[c, choice[c]])
        for a in range(first.shape[1]):
            u = first[c, a]
            if u < 0:
                break
            together, alone, best = 0, 0, a * n_per_action
            for s in range(a * n_per_action, (a + 1) * n_per_action):
                together = max(together, _value(others_coverage, cover[c, s]))
                by_itself = _value(cover[c, s], cover[c, s])
                if by_itself > alone:
                    alone, best = by_itself, s
            out[c, u, 0] = 1.0
            out[c, u, 1] = 1.0 if choice[c] // n_per_action == a else 0.0
            out[c, u, 2] = scale * (together - joint)
            out[c, u, 3] = scale * alone
            _write_target_coverages(cover[c, best], n_trajectories, scale, out[c, u])
