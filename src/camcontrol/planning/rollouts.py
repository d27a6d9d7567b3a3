"""Which plans a camera compares, and which targets it would cover under each, frame by frame.

Plans are rolled out side by side, one in each lane of an array, so that the loops over lanes use
vector instructions. Angles are parts of a turn (`turns`).
"""

from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import search_pose
from camcontrol.planning.sight import Sight
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

_LANES = 16  # plans side by side: a multiple of this, for whole vector registers
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
    first actions, best first; those from A on are not used. All tables are of W workers.
    """

    wanted: Int32s  # [W, 2, F, K, U'] orientation and half view that an action wants, in parts
    pose: Int32s  # [W, 2, K, U'] of the camera while actions are rolled out
    held: UInt32s  # [W, X, U'] what one camera's actions cover, each held to the end
    score: Ints  # [W, U] bits in `held`, -1: not possible
    midway: Int32s  # [W, 2, K, U'] its pose after the first stage
    first: Ints  # [W, C, A] actions of the first stage, best first, -1: none
    then: Ints  # [W, B] actions of the second stage
    cover: UInt32s  # [W, C, 1 + B, X, A'] the lane's action is held, or followed by another
    value: Int32s  # [W, C, 1 + B, A'] bits in `cover`


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
    lanes_u, lanes_a = (-(-n // _LANES) * _LANES for n in (u, a))
    n_words = -(-n_frames * t // (WORD_BITS // n_trajectories))
    return Plans(
        wanted=np.zeros((w, 2, n_frames, n_trajectories, lanes_u), np.int32),
        pose=np.zeros((w, 2, n_trajectories, lanes_u), np.int32),
        held=np.zeros((w, n_words, lanes_u), np.uint32),
        score=np.zeros((w, u), np.int64),
        midway=np.zeros((w, 2, n_trajectories, lanes_u), np.int32),
        first=np.full((w, c, a), -1, np.int64),
        then=np.full((w, b), -1, np.int64),
        cover=np.zeros((w, c, 1 + b, n_words, lanes_a), np.uint32),
        value=np.zeros((w, c, 1 + b, lanes_a), np.int32),
    )


@device_fn
def count_bits(word: np.uint32) -> np.int32:
    """Return the number of ones."""
    word = np.uint32(word - ((word >> _S1) & _M1))
    word = np.uint32((word & _M2) + ((word >> _S2) & _M2))
    word = np.uint32((word + (word >> _S4)) & _M4)
    return np.int32(np.uint32(word * _H1) >> _S24)


@outlined_fn
def count_lanes(cover: UInt32s, others_coverage: UInt32s, value: Int32s) -> None:
    """Fill `value` [A'] with the bits in `cover` [X, A'] or in `others_coverage` [X]."""
    value[:] = 0
    for x in range(cover.shape[0]):
        others, words = others_coverage[x], cover[x]
        for a in range(len(value)):
            value[a] += count_bits(np.uint32(words[a] | others))


@outlined_fn
def _want_targets(members: Ints, sight: Sight, u: int, wanted: Int32s, w: int) -> None:
    """Fill wanted [2, F, K, U'] of action u: the bisector of its targets, the narrowest view."""
    for f in range(wanted.shape[1]):
        for k in range(wanted.shape[2]):
            first, low, high, half, n = np.int32(0), np.int32(0), np.int32(0), _WIDEST_HALF, 0
            for m in range(members.shape[1]):
                t = members[u, m]
                if t < 0:
                    continue
                aim = sight.aim[w, f, t, k]
                if n == 0:
                    first = aim
                else:
                    offset = np.int32(aim - first)
                    low, high = min(low, offset), max(high, offset)
                half = min(half, sight.aim_half[w, f, t, k])
                n += 1
            wanted[0, f, k, u] = np.int32(first + ((np.int64(low) + np.int64(high)) >> 1))
            wanted[1, f, k, u] = half


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
    """Fill `wanted`, and `score` with -1 for actions without targets or with unknown ones, else 0."""
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
                for k in range(wanted.shape[2]):
                    wanted[0, f, k, u], wanted[1, f, k, u] = phi, half
        elif known and not empty:
            _want_targets(members, sight, u, wanted, w)


@device_fn
def _limits(pose: Floats, where: tuple[int, int]) -> tuple[np.int32, np.int32, np.int32]:
    """Return largest turn, largest change of the half view, smallest half view; of a frame."""
    i, c = where
    max_range = pose[i, c, P_MAX_RANGE]
    narrowest = half_view_parts(pose[i, c, P_AREA] / (max_range * max_range))
    return to_parts(pose[i, c, P_TURN]), half_view_parts(pose[i, c, P_ZOOM]), narrowest


@device_fn
def _moved(
    phi: np.int32, half: np.int32, wanted: np.int32, wanted_half: np.int32,
    limits: tuple[np.int32, np.int32, np.int32],
) -> tuple[np.int32, np.int32]:
    """Return orientation and half view a frame later (world 4.1)."""
    turn = np.int32(wanted - phi)
    turn = min(max(turn, np.int32(-limits[0])), limits[0])
    zoom = np.int32(wanted_half - half)
    zoom = min(max(zoom, np.int32(-limits[1])), limits[1])
    half = min(max(np.int32(half + zoom), limits[2]), np.int32(_WIDEST_HALF))
    return np.int32(phi + turn), half


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


@device_fn
def _mark_frame(
    f: int, k: int, phi: Int32s, half: Int32s, narrowest: np.int32, sight: Sight, w: int,
    cover: UInt32s,
) -> None:
    """Mark in `cover` [X, lanes] which targets are in view after frame f, in trajectory k."""
    n_targets, n_trajectories = sight.aim.shape[2], sight.aim.shape[3]
    per_word = WORD_BITS // n_trajectories
    for t in range(n_targets):
        widest = sight.widest[w, f + 1, t, k]
        if widest >= narrowest:
            slot = f * n_targets + t
            shift = (slot % per_word) * n_trajectories + k
            _mark(phi, half, sight.bearing[w, f + 1, t, k], widest, shift, cover[slot // per_word])


@outlined_fn
def _hold_actions(
    pose: Floats, where: tuple[int, int], turning: int, sight: Sight, plans: Plans, w: int
) -> None:
    """Roll out all actions, held to the end, side by side; count what each covers."""
    i, c = where
    limits = _limits(pose, where)
    held, wanted = plans.held[w], plans.wanted[w]
    held[:] = 0
    plans.pose[w, 0] = to_parts(pose[i, c, P_PHI])
    plans.pose[w, 1] = half_view_parts(pose[i, c, P_THETA])
    for f in range(wanted.shape[1]):
        for k in range(wanted.shape[2]):
            phi, half = plans.pose[w, 0, k], plans.pose[w, 1, k]
            aim, aim_half = wanted[0, f, k], wanted[1, f, k]
            for u in range(len(phi)):
                phi[u], half[u] = _moved(phi[u], half[u], aim[u], aim_half[u], limits)
                if f == turning - 1:
                    plans.midway[w, 0, k, u], plans.midway[w, 1, k, u] = phi[u], half[u]
            _mark_frame(f, k, phi, half, limits[2], sight, w, held)
    for u in range(plans.score.shape[1]):
        if plans.score[w, u] == 0:
            total = 0
            for x in range(held.shape[0]):
                total += count_bits(held[x, u])
            plans.score[w, u] = total


@outlined_fn
def _select_best(score: Ints, allowed: Bools, everything: bool, chosen: Ints) -> None:
    """Fill `chosen` with the actions of the highest scores, best first, then with -1."""
    last_score, last = np.iinfo(np.int64).max, -1
    for n in range(len(chosen)):
        best = -1
        for u in range(len(score)):
            if score[u] < 0 or not (everything or allowed[u]):
                continue
            if score[u] > last_score or (score[u] == last_score and u <= last):
                continue
            if best < 0 or score[u] > score[best]:
                best = u
        chosen[n] = best
        if best < 0:
            for m in range(n + 1, len(chosen)):
                chosen[m] = -1
            return
        last_score, last = score[best], best


@outlined_fn
def _begin_plans(turning: int, n_targets: int, n_trajectories: int, row: int, plans: Plans, w: int) -> None:
    """Copy what the first stage covers, and all of the held plans, to `cover`, lane by lane."""
    cover, held = plans.cover[w, row], plans.held[w]
    slots = turning * n_targets
    per_word = WORD_BITS // n_trajectories
    whole, rest = slots // per_word, slots % per_word
    mask = np.uint32((np.int64(1) << (rest * n_trajectories)) - 1)
    for x in range(held.shape[0]):
        keep = np.uint32(0xFFFFFFFF) if x < whole else mask if x == whole else _ZERO
        for a in range(plans.first.shape[2]):
            u = plans.first[w, row, a]
            cover[0, x, a] = held[x, u] if u >= 0 else _ZERO
        for b in range(1, cover.shape[0]):
            for a in range(cover.shape[2]):
                cover[b, x, a] = np.uint32(cover[0, x, a] & keep)


@outlined_fn
def _change_actions(
    pose: Floats, where: tuple[int, int], turning: int, sight: Sight, row: int, plans: Plans, w: int
) -> None:
    """Roll out the second stage of all plans, side by side, for one second action after another."""
    limits = _limits(pose, where)
    wanted, cover = plans.wanted[w], plans.cover[w, row]
    n_lanes = cover.shape[2]
    n_frames, n_trajectories = wanted.shape[1], wanted.shape[2]
    for b in range(plans.then.shape[1]):
        u = plans.then[w, b]
        if u < 0:
            break
        for k in range(n_trajectories):
            phi, half = plans.pose[w, 0, k, :n_lanes], plans.pose[w, 1, k, :n_lanes]
            for a in range(plans.first.shape[2]):
                v = max(plans.first[w, row, a], 0)
                phi[a], half[a] = plans.midway[w, 0, k, v], plans.midway[w, 1, k, v]
            for f in range(turning, n_frames):
                aim, aim_half = wanted[0, f, k, u], wanted[1, f, k, u]
                for a in range(n_lanes):
                    phi[a], half[a] = _moved(phi[a], half[a], aim, aim_half, limits)
                _mark_frame(f, k, phi, half, limits[2], sight, w, cover[b + 1])
        for a in range(plans.first.shape[2]):
            if plans.first[w, row, a] == u:  # the same as held: no second copy
                _cut(turning, sight.aim.shape[2], n_trajectories, cover[b + 1], a)


@outlined_fn
def _cut(turning: int, n_targets: int, n_trajectories: int, cover: UInt32s, a: int) -> None:
    """Clear what lane a of `cover` [X, A'] covers after the first stage."""
    slots, per_word = turning * n_targets, WORD_BITS // n_trajectories
    whole, rest = slots // per_word, slots % per_word
    mask = np.uint32((np.int64(1) << (rest * n_trajectories)) - 1)
    for x in range(whole, cover.shape[0]):
        cover[x, a] = np.uint32(cover[x, a] & (mask if x == whole else _ZERO))


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
    _hold_actions(pose, where, turning, sight, plans, w)
    _select_best(plans.score[w], avail[i, c], everything=False, chosen=plans.first[w, row])
    _select_best(plans.score[w], avail[i, c], everything=True, chosen=plans.then[w])
    _begin_plans(turning, sight.aim.shape[2], sight.aim.shape[3], row, plans, w)
    _change_actions(pose, where, turning, sight, row, plans, w)
    for b in range(plans.cover.shape[2]):
        count_lanes(plans.cover[w, row, b], no_one, plans.value[w, row, b])
