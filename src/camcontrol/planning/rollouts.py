"""Which plans a camera compares, and which targets it would cover under each, frame by frame.

Plans are rolled out side by side, one in each lane of an array, so that the loops over lanes use
vector instructions. Angles are parts of a turn (`turns`).
"""

from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import search_pose
from camcontrol.planning.sight import Sight
from camcontrol.planning.trajectories import n_lanes
from camcontrol.planning.turns import half_view_parts, to_parts
from camcontrol.tracking.track import (
    B_KNOWN,
    P_AREA,
    P_INWARD,
    P_MAX_RANGE,
    P_PHI,
    P_THETA,
    P_TURN,
    P_ZOOM,
)
from camsim.arrays import Bools, Floats, Int32s, Ints, UInt32s
from camsim.compiled.geometry import wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn

WORD_BITS = 32
"""Most trajectories of a target."""

_WIDEST_HALF = 2**30  # 90 degrees
_ALMOST_HALF = 2**31 - 64  # of a turn, in parts
_ONE, _ZERO = np.uint32(1), np.uint32(0)
_S1, _S2, _S4, _S24 = np.uint32(1), np.uint32(2), np.uint32(4), np.uint32(24)
_M1, _M2 = np.uint32(0x55555555), np.uint32(0x33333333)
_M4, _H1 = np.uint32(0x0F0F0F0F), np.uint32(0x01010101)


class Plans(NamedTuple):
    """Tables of cameras' plans: an action for the first frames, then perhaps another one.

    What a plan covers has a bit for every frame f, target t and trajectory k. The K bits of a frame
    and a target make a slot, number f * T + t; a word holds as many whole slots as fit. Lanes are
    actions, U' of them with those that fill vector registers, or whole plans: lane b * A + a of P
    holds first action a (b = 0) or lets second action b - 1 follow. Tables are of W workers.
    """

    wanted: Int32s  # [W, 2, F, K * U'] orientation and half view that an action wants, in parts
    pose: Int32s  # [W, 2, K * U'] of the camera while actions are rolled out
    held: UInt32s  # [W, X, U'] what one camera's actions cover, each held to the end
    score: Ints  # [W, U] bits in `held`, -1: not possible
    order: Ints  # [W, U] actions, best first, -1 where there are no more
    midway: Int32s  # [W, 2, K * U'] its pose after the first stage
    first: Ints  # [W, C, A] actions of the first stage, best first, -1: none
    then: Ints  # [W, B] actions of the second stage
    second_wanted: Int32s  # [W, 2, B * A] as `wanted`, in one frame of one trajectory
    second_pose: Int32s  # [W, 2, K, B * A] as `pose`, in the second stage
    cover: UInt32s  # [W, C, X, P] what each plan covers
    value: Int32s  # [W, C, P] bits in `cover`
    slots: Ints  # [2, F, T] word of each slot, and its first bit there
    target_bits: UInt32s  # [X, T] bits of each target in the words of a plan


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
    k, lanes_u = n_trajectories, n_lanes(u)
    per_word = WORD_BITS // k
    n_words = -(-n_frames * t // per_word)
    slots = np.stack(np.divmod(np.arange(n_frames * t), per_word)).reshape(2, n_frames, t)
    slots[1] *= k
    target_bits = np.zeros((n_words, t), np.uint32)
    for f in range(n_frames):
        for target, (word, shift) in enumerate(slots[:, f].T):
            target_bits[word, target] |= np.uint32((2**k - 1) << int(shift))
    return Plans(
        wanted=np.zeros((w, 2, n_frames, k * lanes_u), np.int32),
        pose=np.zeros((w, 2, k * lanes_u), np.int32),
        held=np.zeros((w, n_words, lanes_u), np.uint32),
        score=np.zeros((w, u), np.int64),
        order=np.full((w, u), -1, np.int64),
        midway=np.zeros((w, 2, k * lanes_u), np.int32),
        first=np.full((w, c, a), -1, np.int64),
        then=np.full((w, b), -1, np.int64),
        second_wanted=np.zeros((w, 2, b * a), np.int32),
        second_pose=np.zeros((w, 2, k, b * a), np.int32),
        cover=np.zeros((w, c, n_words, (1 + b) * a), np.uint32),
        value=np.zeros((w, c, (1 + b) * a), np.int32),
        slots=slots,
        target_bits=target_bits,
    )


@device_fn
def count_bits(word: np.uint32) -> np.int32:
    """Return the number of ones."""
    word = np.uint32(word - ((word >> _S1) & _M1))
    word = np.uint32((word & _M2) + ((word >> _S2) & _M2))
    word = np.uint32((word + (word >> _S4)) & _M4)
    return np.int32(np.uint32(word * _H1) >> _S24)


@outlined_fn
def count_plans(cover: UInt32s, others_coverage: UInt32s, value: Int32s) -> None:
    """Fill `value` [P] with the bits in `cover` [X, P] or in `others_coverage` [X]."""
    value[:] = 0
    for x in range(cover.shape[0]):
        others, words = others_coverage[x], cover[x]
        for p in range(len(value)):
            value[p] += count_bits(np.uint32(words[p] | others))


@outlined_fn
def _want_targets(
    members: Ints, sight: Sight, u: int, n_trajectories: int, wanted: Int32s, w: int
) -> None:
    """Fill wanted [2, F, K * U'] of action u: the bisector of its targets, the narrowest view."""
    n_lanes_u = wanted.shape[2] // n_trajectories
    for f in range(wanted.shape[1]):
        for k in range(n_trajectories):
            first, low, high, n = np.int32(0), np.int32(0), np.int32(0), 0
            half = np.int32(_WIDEST_HALF)
            for m in range(members.shape[1]):
                t = members[u, m]
                if t < 0:
                    continue
                aim = sight.aim[w, f, t * n_trajectories + k]
                if n == 0:
                    first = aim
                else:
                    offset = np.int32(aim - first)
                    low, high = min(low, offset), max(high, offset)
                half = min(half, sight.aim_half[w, f, t * n_trajectories + k])
                n += 1
            n = k * n_lanes_u + u
            wanted[0, f, n] = np.int32(first + ((np.int64(low) + np.int64(high)) >> 1))
            wanted[1, f, n] = half


@device_fn
def _want_search(pose: Floats, where: tuple[int, int], search: int) -> tuple[np.int32, np.int32]:
    """Return orientation and half view of a search action.

    Half a turn may go either way. It goes the way that the executor will turn.
    """
    i, c = where
    bearing, view = search_pose(pose[i, c, P_INWARD], search)
    turn = wrap_deg(wrap_deg(bearing) - pose[i, c, P_PHI])
    phi, half = to_parts(wrap_deg(bearing)), half_view_parts(view)
    if abs(turn) > 179.9999:
        now = to_parts(pose[i, c, P_PHI])
        phi = np.int32(now + (_ALMOST_HALF if turn > 0.0 else -_ALMOST_HALF))
    return phi, half


@outlined_fn
def _want(
    members: Ints,
    search: Ints,
    pose: Floats,
    belief: Floats,
    where: tuple[int, int],
    sight: Sight,
    plans: Plans,
    w: int,
) -> None:
    """Fill `wanted`; and `score`: -1 for actions without targets or with unknown ones, else 0."""
    i, c = where
    wanted = plans.wanted[w]
    for u in range(len(search)):
        known, empty = True, search[u] < 0
        for m in range(members.shape[1]):
            t = members[u, m]
            if t >= 0:
                empty = False
                known = known and belief[i, c, t, B_KNOWN] > 0.0
        plans.score[w, u] = 0 if known and not empty else -1
        if search[u] >= 0:
            phi, half = _want_search(pose, where, search[u])
            for f in range(wanted.shape[1]):
                for n in range(u, wanted.shape[2], plans.held.shape[2]):
                    wanted[0, f, n], wanted[1, f, n] = phi, half
        elif known and not empty:
            _want_targets(members, sight, u, plans.second_pose.shape[2], wanted, w)


@device_fn
def _limits(pose: Floats, where: tuple[int, int]) -> tuple[np.int32, np.int32, np.int32]:
    """Return largest turn, largest change of the half view, smallest half view; of a frame."""
    i, c = where
    max_range = pose[i, c, P_MAX_RANGE]
    narrowest = half_view_parts(pose[i, c, P_AREA] / (max_range * max_range))
    return to_parts(pose[i, c, P_TURN]), half_view_parts(pose[i, c, P_ZOOM]), narrowest


@outlined_fn
def _move(
    phi: Int32s,
    half: Int32s,
    wanted: Int32s,
    wanted_half: Int32s,
    limits: tuple[np.int32, np.int32, np.int32],
) -> None:
    """Move orientations and half views by one frame towards those wanted (world 4.1)."""
    turn_limit, zoom_limit, narrowest = limits
    for a in range(len(phi)):
        turn = np.int32(wanted[a] - phi[a])
        phi[a] = np.int32(phi[a] + min(max(turn, np.int32(-turn_limit)), turn_limit))
        zoom = np.int32(wanted_half[a] - half[a])
        h = np.int32(half[a] + min(max(zoom, np.int32(-zoom_limit)), zoom_limit))
        half[a] = min(max(h, narrowest), np.int32(_WIDEST_HALF))


@outlined_fn
def _mark(
    phi: Int32s, half: Int32s, bearing: np.int32, widest: np.int32, shift: int, word: UInt32s
) -> None:
    """Set bit `shift` of the words of those lanes whose views hold a point."""
    bit = np.uint32(_ONE << np.uint32(shift))
    for a in range(len(word)):
        offset, h = np.int32(bearing - phi[a]), half[a]
        inside = (offset <= h) & (offset >= np.int32(-h)) & (h <= widest)
        word[a] = np.uint32(word[a] | (bit if inside else _ZERO))


@outlined_fn
def _hold_actions(
    pose: Floats,
    where: tuple[int, int],
    turning: int,
    sight: Sight,
    sizes: tuple[int, int],
    plans: Plans,
    w: int,
) -> None:
    """Roll out all actions, held to the end, side by side; count what each covers."""
    i, c = where
    limits = _limits(pose, where)
    held, wanted = plans.held[w], plans.wanted[w]
    held[:] = 0
    plans.pose[w, 0] = to_parts(pose[i, c, P_PHI])
    plans.pose[w, 1] = half_view_parts(pose[i, c, P_THETA])
    phi, half, n_lanes_u = plans.pose[w, 0], plans.pose[w, 1], held.shape[1]
    for f in range(wanted.shape[1]):
        _move(phi, half, wanted[0, f], wanted[1, f], limits)
        for t in range(sizes[0]):
            word, shift = held[plans.slots[0, f, t]], plans.slots[1, f, t]
            for k in range(sizes[1]):
                n = t * sizes[1] + k
                widest = sight.widest[w, f + 1, n]
                if widest >= limits[2]:
                    low, high = k * n_lanes_u, (k + 1) * n_lanes_u
                    bearing = sight.bearing[w, f + 1, n]
                    _mark(phi[low:high], half[low:high], bearing, widest, shift + k, word)
        if f == turning - 1:
            midway, midway_half = plans.midway[w, 0], plans.midway[w, 1]
            for n in range(len(phi)):
                midway[n], midway_half[n] = phi[n], half[n]
    for u in range(plans.score.shape[1]):
        if plans.score[w, u] == 0:
            total = 0
            for x in range(held.shape[0]):
                total += int(count_bits(held[x, u]))
            plans.score[w, u] = total


@outlined_fn
def _sort(score: Ints, order: Ints) -> None:
    """Fill `order` with the actions of scores from 0 on: highest first, of equals the first."""
    n = 0
    for u in range(len(score)):
        if score[u] < 0:
            continue
        m = n
        while m > 0 and score[order[m - 1]] < score[u]:
            order[m] = order[m - 1]
            m -= 1
        order[m] = u
        n += 1
    order[n:] = -1


@outlined_fn
def _select_best(order: Ints, allowed: Bools, everything: bool, chosen: Ints) -> None:
    """Fill `chosen` with the first actions of `order` that are allowed, then with -1."""
    n = 0
    for u in order:
        if u < 0 or n == len(chosen):
            break
        if everything or allowed[u]:
            chosen[n] = u
            n += 1
    chosen[n:] = -1


@device_fn
def _first_words(turning: int, sizes: tuple[int, int]) -> tuple[int, np.uint32]:
    """Return how many words the first stage fills, and the bits that it has in the next one."""
    n_targets, n_trajectories = sizes
    per_word = WORD_BITS // n_trajectories
    whole, rest = turning * n_targets // per_word, turning * n_targets % per_word
    return whole, np.uint32((np.int64(1) << (rest * n_trajectories)) - 1)


@outlined_fn
def _begin_plans(
    turning: int, sizes: tuple[int, int], first: Ints, held: UInt32s, cover: UInt32s
) -> None:
    """Copy the held plans to `cover` [X, P], and what the first stage covers to all others."""
    whole, rest = _first_words(turning, sizes)
    for x in range(len(held)):
        words = cover[x]
        keep = np.uint32(0xFFFFFFFF) if x < whole else rest if x == whole else _ZERO
        for a in range(len(first)):
            words[a] = held[x, max(first[a], 0)]
        for low in range(len(first), len(words), len(first)):
            of_option = words[low : low + len(first)]
            for a in range(len(first)):
                of_option[a] = np.uint32(words[a] & keep)


@outlined_fn
def _turn_plans(first: Ints, plans: Plans, w: int) -> None:
    """Give all plans their poses after the first stage, and what they want at first."""
    then, n_trajectories, n_lanes_u = plans.then[w], plans.second_pose.shape[2], plans.held.shape[2]
    for b in range(len(then)):
        low, high, u = b * len(first), (b + 1) * len(first), max(then[b], 0)
        plans.second_wanted[w, 0, low:high] = plans.wanted[w, 0, 0, u]
        plans.second_wanted[w, 1, low:high] = plans.wanted[w, 1, 0, u]
        for k in range(n_trajectories):
            phi, half = plans.second_pose[w, 0, k, low:high], plans.second_pose[w, 1, k, low:high]
            for a in range(len(first)):
                n = k * n_lanes_u + max(first[a], 0)
                phi[a], half[a] = plans.midway[w, 0, n], plans.midway[w, 1, n]


@device_fn
def _aim_plans(search: Ints, n_first: int, f: int, k: int, plans: Plans, w: int) -> None:
    """Tell all plans that follow targets what they want in frame f of trajectory k."""
    aims, aim_halves = plans.second_wanted[w, 0], plans.second_wanted[w, 1]
    for b in range(plans.then.shape[1]):
        u, low = max(plans.then[w, b], 0), b * n_first
        if search[u] < 0:
            n = k * plans.held.shape[2] + u
            aim, aim_half = plans.wanted[w, 0, f, n], plans.wanted[w, 1, f, n]
            if aims[low] != aim or aim_halves[low] != aim_half:  # often the same: out of view
                aims[low : low + n_first] = aim
                aim_halves[low : low + n_first] = aim_half


@outlined_fn
def _change_actions(
    search: Ints,
    pose: Floats,
    where: tuple[int, int],
    turning: int,
    sight: Sight,
    sizes: tuple[int, int],
    row: int,
    plans: Plans,
    w: int,
) -> None:
    """Roll out the second stage of all plans, side by side."""
    limits = _limits(pose, where)
    first, then, cover = plans.first[w, row], plans.then[w], plans.cover[w, row]
    aims, aim_halves = plans.second_wanted[w, 0], plans.second_wanted[w, 1]
    _turn_plans(first, plans, w)
    for f in range(turning, plans.wanted.shape[2]):
        for k in range(sizes[1]):
            _aim_plans(search, len(first), f, k, plans, w)
            phi, half = plans.second_pose[w, 0, k], plans.second_pose[w, 1, k]
            _move(phi, half, aims, aim_halves, limits)
            for t in range(sizes[0]):
                n = t * sizes[1] + k
                widest = sight.widest[w, f + 1, n]
                if widest >= limits[2]:
                    word = cover[plans.slots[0, f, t], len(first) :]
                    shift = plans.slots[1, f, t] + k
                    _mark(phi, half, sight.bearing[w, f + 1, n], widest, shift, word)
    for b in range(len(then)):
        for a in range(len(first)):
            if then[b] < 0 or then[b] == first[a]:  # the same as held: no second copy
                _cut(turning, sizes, cover, (b + 1) * len(first) + a)


@outlined_fn
def _cut(turning: int, sizes: tuple[int, int], cover: UInt32s, p: int) -> None:
    """Clear what plan p covers after the first stage."""
    whole, rest = _first_words(turning, sizes)
    for x in range(whole, len(cover)):
        cover[x, p] = np.uint32(cover[x, p] & (rest if x == whole else _ZERO))


@outlined_fn
def enumerate_plans(
    members: Ints,
    search: Ints,
    pose: Floats,
    belief: Floats,
    avail: Bools,
    where: tuple[int, int],
    turning: int,
    sight: Sight,
    row: int,
    no_one: UInt32s,
    plans: Plans,
    w: int,
) -> None:
    """Enumerate camera c's plans: the best actions, held, or followed by one from `turning` on.

    Args:
        members: of the catalogue, as `search`.
        search: the same.
        pose: [N, C, POSE_COLUMNS].
        belief: [N, C, T, BELIEF_COLUMNS].
        avail: [N, C, U] actions that a plan may begin with.
        where: (environment, camera).
        turning: frames of the first stage.
        sight: worker w's tables are those of camera c.
        row: of `plans` where they are written.
        no_one: [X] zeros.
        plans: worker w's tables are written.
        w: worker.
    """
    i, c = where
    _want(members, search, pose, belief, where, sight, plans, w)
    sizes = (belief.shape[2], plans.second_pose.shape[2])
    _hold_actions(pose, where, turning, sight, sizes, plans, w)
    first, order = plans.first[w, row], plans.order[w]
    _sort(plans.score[w], order)
    _select_best(order, avail[i, c], everything=False, chosen=first)
    _select_best(order, avail[i, c], everything=True, chosen=plans.then[w])
    _begin_plans(turning, sizes, first, plans.held[w], plans.cover[w, row])
    _change_actions(search, pose, where, turning, sight, sizes, row, plans, w)
    count_plans(plans.cover[w, row], no_one, plans.value[w, row])
