"""Where a planner keeps a camera's actions and plans while it compares them.

Actions and plans are rolled out side by side, one in each lane of an array. A table is allocated
for as many as there can ever be, but used as if it had been allocated for those of the moment: most
actions are impossible most of the time, and lanes that stand for nothing cost as much as others.

Views of tables are borrowed. A compiled function that holds them must not count references, as none
does that `camsim.compiled.jit` serves to its callers.
"""

from typing import NamedTuple

import numpy as np

from camsim.arrays import Int32s, Ints, UInt32s
from camsim.compiled.jit import device_fn

WORD_BITS = 32
"""Most trajectories of a target."""

_LANES = 8  # those of actions come in multiples of this, so that vector registers are full


class Plans(NamedTuple):
    """Tables of W workers. Those that are flat get their axes by `action_lanes` and `plan_lanes`.

    What a plan covers has a bit for every frame f, target t and trajectory k. The K bits of a frame
    and a target make a slot, number f * T + t; a word holds as many whole slots as fit.
    """

    wanted: Int32s  # [W, ..], this and the next three as in `ActionLanes`
    pose: Int32s
    held: UInt32s
    midway: Int32s
    lane: Ints  # [W, U] of each action, -1: none
    score: Ints  # [W, U] bits in `ActionLanes.held`, -1: not possible
    order: Ints  # [W, U] actions, best first, -1 where there are no more
    then: Ints  # [W, B] actions of the second stage
    first: Ints  # [W, ..], this and the next four as in `PlanLanes`
    second_wanted: Int32s
    second_pose: Int32s
    cover: UInt32s
    value: Int32s
    slots: Ints  # [2, F, T] word of each slot, and its first bit there
    target_bits: UInt32s  # [X, T] bits of each target in the words of a plan
    n_cameras: int  # C that plan together
    n_trajectories: int  # K of each target


class ActionLanes(NamedTuple):
    """A worker's tables of one camera's possible actions, U' of them: `Plans.lane`."""

    wanted: Int32s  # [2, F, K * U'] orientation and half view that an action wants, in parts
    pose: Int32s  # [2, K * U'] of the camera while actions are rolled out
    held: UInt32s  # [X, U'] what one camera's actions cover, each held to the end
    midway: Int32s  # [2, K * U'] its pose after the first stage


class PlanLanes(NamedTuple):
    """A worker's tables of plans, P of them: an action at first, then perhaps another one.

    Lane b * A + a holds first action a (b = 0) or lets second action b - 1 follow.
    """

    first: Ints  # [C, A] actions of the first stage, best first, -1: none
    wanted: Int32s  # [2, B * A] as of actions, in one frame of one trajectory
    pose: Int32s  # [2, K, B * A] as of actions, in the second stage
    cover: UInt32s  # [C, X, P] what each plan covers
    value: Int32s  # [C, P] bits in `cover`


def allocate_plans(
    sizes: tuple[int, int, int, int], n_trajectories: int, n_frames: int, best: tuple[int, int]
) -> Plans:
    """Return zeroed tables.

    Args:
        sizes: numbers of workers W, cameras C that plan together, targets T and actions U.
        n_trajectories: K, at most `WORD_BITS`.
        n_frames: F.
        best: numbers of actions that are tried in the first stage A and in the second B.
    """
    w, c, t, u = sizes
    a, b = best
    k, lanes_u = n_trajectories, -(-u // _LANES) * _LANES
    per_word = WORD_BITS // k
    n_words = -(-n_frames * t // per_word)
    slots = np.stack(np.divmod(np.arange(n_frames * t), per_word)).reshape(2, n_frames, t)
    slots[1] *= k
    target_bits = np.zeros((n_words, t), np.uint32)
    for f in range(n_frames):
        for target, (word, shift) in enumerate(slots[:, f].T):
            target_bits[word, target] |= np.uint32((2**k - 1) << int(shift))
    return Plans(
        wanted=np.zeros((w, 2 * n_frames * k * lanes_u), np.int32),
        pose=np.zeros((w, 2 * k * lanes_u), np.int32),
        held=np.zeros((w, n_words * lanes_u), np.uint32),
        midway=np.zeros((w, 2 * k * lanes_u), np.int32),
        lane=np.full((w, u), -1, np.int64),
        score=np.zeros((w, u), np.int64),
        order=np.full((w, u), -1, np.int64),
        then=np.full((w, b), -1, np.int64),
        first=np.full((w, c * a), -1, np.int64),
        second_wanted=np.zeros((w, 2 * b * a), np.int32),
        second_pose=np.zeros((w, 2 * k * b * a), np.int32),
        cover=np.zeros((w, c * n_words * (1 + b) * a), np.uint32),
        value=np.zeros((w, c * (1 + b) * a), np.int32),
        slots=slots,
        target_bits=target_bits,
        n_cameras=c,
        n_trajectories=k,
    )


@device_fn
def action_lanes(plans: Plans, n_actions: int, w: int) -> ActionLanes:
    """Return worker w's tables with lanes for `n_actions`."""
    n_words, n_frames, k = len(plans.target_bits), plans.slots.shape[1], plans.n_trajectories
    n = max(-(-n_actions // _LANES), 1) * _LANES
    return ActionLanes(
        plans.wanted[w, : 2 * n_frames * k * n].reshape(2, n_frames, k * n),
        plans.pose[w, : 2 * k * n].reshape(2, k * n),
        plans.held[w, : n_words * n].reshape(n_words, n),
        plans.midway[w, : 2 * k * n].reshape(2, k * n),
    )


@device_fn
def plan_lanes(plans: Plans, n_first: int, w: int) -> PlanLanes:
    """Return worker w's tables with lanes for plans that begin with A actions, `n_first` or fewer.

    A is at least 1, and at most what there is room for.
    """
    n_words, c, k = len(plans.target_bits), plans.n_cameras, plans.n_trajectories
    n_first = min(max(n_first, 1), plans.first.shape[1] // c)
    n_second = plans.then.shape[1] * n_first
    n = n_second + n_first
    return PlanLanes(
        plans.first[w, : c * n_first].reshape(c, n_first),
        plans.second_wanted[w, : 2 * n_second].reshape(2, n_second),
        plans.second_pose[w, : 2 * k * n_second].reshape(2, k, n_second),
        plans.cover[w, : c * n_words * n].reshape(c, n_words, n),
        plans.value[w, : c * n].reshape(c, n),
    )
