"""The best joint plan of several cameras, from tables of what each plan covers.

The value of a joint plan is the number of bits that at least one camera covers or, for stereo
coverage, that two cameras cover whose views differ enough there. A camera has its plans in the
lanes of `rollouts.Plans`.
"""

from typing import NamedTuple

import numpy as np

from camcontrol.planning.rollouts import count_bits, count_plans
from camsim.arrays import Float32s, Int32s, Ints, UInt32s
from camsim.compiled.jit import device_fn, outlined_fn

LOOKAHEAD_ACTION_FEATURES = 4
"""Number of plan features of an action; the coverage per target may follow."""

PLAN_ADVANTAGE = 2  # which of them is the advantage of the best plan that begins with the action

_SWEEPS = 6
_ORDERS = 4


class Others(NamedTuple):
    """What the others' plans make of one camera's: scratch, but for `apart`."""

    covered: UInt32s  # [X] bits that count without the camera
    counting: UInt32s  # [X] bits that count if the camera covers them
    apart: UInt32s  # [C, C, X] of `Baselines`; no cameras: every bit counts that is covered


@device_fn
def _fill_others(cover: UInt32s, choice: Ints, c: int, others: Others) -> bool:
    """Fill `others` from the plans of all cameras but c; tell whether any has one."""
    covered, counting, apart = others.covered, others.counting, others.apart
    stereo = len(apart) > 0
    covered[:] = 0
    counting[:] = 0 if stereo else np.uint32(0xFFFFFFFF)
    any_plan = False
    for j in range(cover.shape[0]):
        if j == c or choice[j] < 0:
            continue
        any_plan = True
        if not stereo:
            for x in range(len(covered)):
                covered[x] |= cover[j, x, choice[j]]
            continue
        for x in range(len(covered)):
            counting[x] |= cover[j, x, choice[j]] & apart[c, j, x]
        for m in range(j):
            if m != c and choice[m] >= 0:
                for x in range(len(covered)):
                    both = cover[j, x, choice[j]] & cover[m, x, choice[m]]
                    covered[x] |= both & apart[j, m, x]
    return any_plan


@outlined_fn
def _best_response(first: Ints, value: Int32s, chosen: int) -> tuple[int, int]:
    """Return the plan of highest value [P], and that value; of equals that of the best action.

    A plan of equal value does not replace the one that is `chosen`, -1: none. `first` [A] is -1
    where there are no more actions.
    """
    best, best_value = chosen, np.int32(-1)
    if chosen >= 0:
        best_value = value[chosen]
    for a in range(len(first)):
        if first[a] < 0:
            break
        for p in range(a, len(value), len(first)):
            if value[p] > best_value:
                best, best_value = p, value[p]
    return best, int(best_value)


@outlined_fn
def _ascend(
    cover: UInt32s,
    alone: Int32s,
    first: Ints,
    order: int,
    trial: Ints,
    others: Others,
    together: Int32s,
) -> int:
    """Write into `trial` the joint plan that best responses lead to; return its value.

    Camera `order` is the first to respond; then one after the other, until none has changed its
    plan.
    """
    n = cover.shape[0]
    trial[:] = -1
    joint, n_unchanged = 0, 0
    for response in range(_SWEEPS * n):
        c = (order + response) % n
        if not _fill_others(cover, trial, c, others):
            chosen, value = _best_response(first[c], alone[c], trial[c])
        elif first[c, 0] < 0:  # a camera without plans
            chosen, value = -1, joint
        else:
            count_plans(cover[c], others.covered, others.counting, together)
            chosen, value = _best_response(first[c], together, trial[c])
        n_unchanged = n_unchanged + 1 if chosen == trial[c] and value == joint else 0
        trial[c], joint = chosen, max(value, 0)
        if n_unchanged == n:
            break
    return joint


@outlined_fn
def choose_jointly(
    cover: UInt32s,
    alone: Int32s,
    first: Ints,
    choice: Ints,
    trial: Ints,
    others: Others,
    together: Int32s,
) -> int:
    """Write into `choice` [C] a plan for each camera; return their joint value.

    Coordinate ascent: each camera in turn takes its best response, until none changes its plan.
    There are up to four starts, each with another camera first. No camera could then do better
    alone. A camera without plans has -1.

    Args:
        cover: [C, X, P] what each plan covers.
        alone: [C, P] bits in it.
        first: [C, A] actions, best first, -1 where there are no more.
        choice: [C].
        trial: [C] scratch.
        others: scratch.
        together: [P] scratch.
    """
    if len(choice) == 1:
        choice[0], best_value = _best_response(first[0], alone[0], -1)
        return max(best_value, 0)
    best_value = -1
    for order in range(min(len(choice), _ORDERS)):
        value = _ascend(cover, alone, first, order, trial, others, together)
        if value > best_value:
            best_value = value
            for c in range(len(choice)):
                choice[c] = trial[c]
    return best_value


@outlined_fn
def _write_target_coverages(
    cover: UInt32s,
    alone: Int32s,
    first: Ints,
    target_bits: UInt32s,
    work: tuple[UInt32s, Int32s],
    scale: float,
    out: Float32s,
) -> None:
    """Write the coverage per target of each lane's best plan, times `scale`, to out [U, 4 + T]."""
    best, count = work
    for a in range(len(first)):
        most, plan = np.int32(0), a
        for p in range(a, len(alone), len(first)):
            if alone[p] > most:
                most, plan = alone[p], p
        for x in range(len(cover)):
            best[x, a] = cover[x, plan]
    for t in range(target_bits.shape[1]):
        count[:] = 0
        for x in range(len(cover)):
            words, bits = best[x], target_bits[x, t]
            for a in range(len(count)):
                count[a] += count_bits(np.uint32(words[a] & bits))
        for a in range(len(first)):
            if first[a] < 0:
                break
            out[first[a], LOOKAHEAD_ACTION_FEATURES + t] = scale * count[a]


@outlined_fn
def value_actions(
    cover: UInt32s,
    alone: Int32s,
    first: Ints,
    choice: Ints,
    others: Others,
    together: Int32s,
    target_bits: UInt32s,
    work: tuple[UInt32s, Int32s],
    scale: float,
    out: Float32s,
) -> None:
    """Write the plan features of each action of the cameras to out.

    0. 1 if plans that begin with the action were tried.
    1. 1 if the joint plan begins with it.
    2. Plan advantage: the value of the best plan that begins with it, beside the plans chosen for
       the others, minus that of the joint plan. In targets, averaged over frames and trajectories;
       0 for the joint plan's action, else not positive.
    3. The value, in targets, of the best plan that begins with it, alone.
    4. From here on, if there is room: that plan's coverage per target, in [0, 1].

    The row of an action that was not tried is 0, 0, -1, 0, and 0 from there on.

    Args:
        cover: [C, X, P] as in `choose_jointly`, as the next two.
        alone: [C, P].
        first: [C, A].
        choice: [C] as `choose_jointly` has left it.
        others: scratch.
        together: [P] scratch.
        target_bits: [X, T] of `rollouts.Plans`.
        work: scratch [X, A] and [A].
        scale: of counted bits: 1 / (frames * trajectories).
        out: [C, U, 4] or [C, U, 4 + T].
    """
    for c in range(len(choice)):
        for u in range(out.shape[1]):
            out[c, u, 0], out[c, u, 1], out[c, u, 2], out[c, u, 3] = 0.0, 0.0, -1.0, 0.0
            for m in range(LOOKAHEAD_ACTION_FEATURES, out.shape[2]):
                out[c, u, m] = 0.0
        if choice[c] < 0:
            continue
        of_plans = alone[c]
        if _fill_others(cover, choice, c, others):
            count_plans(cover[c], others.covered, others.counting, together)
            of_plans = together
        joint = of_plans[choice[c]]
        for a in range(first.shape[1]):
            u = first[c, a]
            if u < 0:
                break
            most, by_itself = np.int32(0), np.int32(0)
            for p in range(a, len(of_plans), first.shape[1]):
                most, by_itself = max(most, of_plans[p]), max(by_itself, alone[c, p])
            out[c, u, 0] = 1.0
            out[c, u, 1] = 1.0 if choice[c] % first.shape[1] == a else 0.0
            out[c, u, 2] = scale * (most - joint)
            out[c, u, 3] = scale * by_itself
        if out.shape[2] > LOOKAHEAD_ACTION_FEATURES:
            _write_target_coverages(cover[c], alone[c], first[c], target_bits, work, scale, out[c])
