"""Which plans a camera compares, and which targets it would cover under each, frame by frame.

Plans are rolled out side by side, one in each lane of an array, so that the loops over lanes use
vector instructions. Angles are parts of a turn (`turns`).
"""

import numpy as np

from camcontrol.control.controller import search_pose
from camcontrol.planning.plan_tables import (
    WORD_BITS,
    ActionLanes,
    PlanLanes,
    Plans,
    action_lanes,
)
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

_WIDEST_HALF = 2**30  # 90 degrees
_ALMOST_HALF = 2**31 - 64  # of a turn, in parts
_ONE, _ZERO = np.uint32(1), np.uint32(0)
_S1, _S2, _S4, _S24 = np.uint32(1), np.uint32(2), np.uint32(4), np.uint32(24)
_M1, _M2 = np.uint32(0x55555555), np.uint32(0x33333333)
_M4, _H1 = np.uint32(0x0F0F0F0F), np.uint32(0x01010101)


@device_fn
def count_bits(word: np.uint32) -> np.int32:
    """Return the number of ones."""
    word = np.uint32(word - ((word >> _S1) & _M1))
    word = np.uint32((word & _M2) + ((word >> _S2) & _M2))
    word = np.uint32((word + (word >> _S4)) & _M4)
    return np.int32(np.uint32(word * _H1) >> _S24)


@outlined_fn
def count_plans(cover: UInt32s, covered: UInt32s, counting: UInt32s, value: Int32s) -> None:
    """Fill `value` [P] with the bits both in `cover` [X, P] and `counting` [X], or in `covered`."""
    value[:] = 0
    for x in range(cover.shape[0]):
        others, mask, words = covered[x], counting[x], cover[x]
        for p in range(len(value)):
            value[p] += count_bits(np.uint32((words[p] & mask) | others))


@outlined_fn
def _want_targets(
    members: Ints, sight: Sight, u: int, n_trajectories: int, lane: int, wanted: Int32s, w: int
) -> None:
    """Fill a lane of wanted [2, F, K * U']: the bisector of u's targets, the narrowest view."""
    n_lanes = wanted.shape[2] // n_trajectories
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
            n = k * n_lanes + lane
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
def _find_possible(
    members: Ints, search: Ints, belief: Floats, where: tuple[int, int], plans: Plans, w: int
) -> int:
    """Give a lane to each possible action, one that searches or has known targets only.

    Return how many there are. Also fill `score`: 0 for these, -1 for all others.
    """
    i, c = where
    n_possible = 0
    for u in range(len(search)):
        known, empty = True, search[u] < 0
        for m in range(members.shape[1]):
            t = members[u, m]
            if t >= 0:
                empty = False
                known = known and belief[i, c, t, B_KNOWN] > 0.0
        possible = known and not empty
        plans.score[w, u] = 0 if possible else -1
        plans.lane[w, u] = n_possible if possible else -1
        n_possible += possible
    return n_possible


@outlined_fn
def _want(
    members: Ints,
    search: Ints,
    pose: Floats,
    where: tuple[int, int],
    sight: Sight,
    plans: Plans,
    wanted: Int32s,
    w: int,
) -> None:
    """Fill `wanted` [2, F, K * U'] of all possible actions."""
    n_lanes = wanted.shape[2] // plans.n_trajectories
    for u in range(len(search)):
        if plans.lane[w, u] >= 0 and search[u] >= 0:
            phi, half = _want_search(pose, where, search[u])
            for n in range(plans.lane[w, u], wanted.shape[2], n_lanes):
                wanted[0, 0, n], wanted[1, 0, n] = phi, half
    for part in range(2):
        now = wanted[part, 0]
        for f in range(1, wanted.shape[1]):
            later = wanted[part, f]
            for n in range(len(now)):
                later[n] = now[n]
    for u in range(len(search)):
        if plans.lane[w, u] >= 0 and search[u] < 0:
            _want_targets(members, sight, u, plans.n_trajectories, plans.lane[w, u], wanted, w)


@device_fn
def _limits(pose: Floats, where: tuple[int, int]) -> tuple[np.int32, np.int32, np.int32]:
    """Return largest turn, largest change of the half view, smallest half view; of a frame."""
    i, c = where
    max_range = pose[i, c, P_MAX_RANGE]
    narrowest = half_view_parts(pose[i, c, P_AREA] / (max_range * max_range))
    return to_parts(pose[i, c, P_TURN]), half_view_parts(pose[i, c, P_ZOOM]), narrowest


@device_fn
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


@device_fn
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
    n_targets: int,
    plans: Plans,
    lanes: ActionLanes,
    w: int,
) -> None:
    """Roll out all possible actions, held to the end, side by side; count what each covers."""
    i, c = where
    limits = _limits(pose, where)
    held, wanted, n_trajectories = lanes.held, lanes.wanted, plans.n_trajectories
    held[:] = 0
    lanes.pose[0] = to_parts(pose[i, c, P_PHI])
    lanes.pose[1] = half_view_parts(pose[i, c, P_THETA])
    phi, half, n_lanes = lanes.pose[0], lanes.pose[1], held.shape[1]
    for f in range(wanted.shape[1]):
        _move(phi, half, wanted[0, f], wanted[1, f], limits)
        for t in range(n_targets):
            word, shift = held[plans.slots[0, f, t]], plans.slots[1, f, t]
            for k in range(n_trajectories):
                n = t * n_trajectories + k
                widest = sight.widest[w, f + 1, n]
                if widest >= limits[2]:
                    low, high = k * n_lanes, (k + 1) * n_lanes
                    bearing = sight.bearing[w, f + 1, n]
                    _mark(phi[low:high], half[low:high], bearing, widest, shift + k, word)
        if f == turning - 1:
            midway, midway_half = lanes.midway[0], lanes.midway[1]
            for n in range(len(phi)):
                midway[n], midway_half[n] = phi[n], half[n]
    for u in range(plans.score.shape[1]):
        lane = plans.lane[w, u]
        if lane >= 0:
            total = 0
            for x in range(held.shape[0]):
                total += int(count_bits(held[x, lane]))
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
    turning: int, sizes: tuple[int, int], first: Ints, lane: Ints, held: UInt32s, cover: UInt32s
) -> None:
    """Copy the held plans to `cover` [X, P], and what the first stage covers to all others.

    `lane`: of each action in `held`.
    """
    whole, rest = _first_words(turning, sizes)
    for x in range(len(held)):
        words = cover[x]
        keep = np.uint32(0xFFFFFFFF) if x < whole else rest if x == whole else _ZERO
        for a in range(len(first)):
            words[a] = held[x, lane[first[a]] if first[a] >= 0 else 0]
        for low in range(len(first), len(words), len(first)):
            of_option = words[low : low + len(first)]
            for a in range(len(first)):
                of_option[a] = np.uint32(words[a] & keep)


@outlined_fn
def _turn_plans(first: Ints, plans: Plans, actions: ActionLanes, lanes: PlanLanes, w: int) -> None:
    """Give all plans their poses after the first stage, and what they want at first."""
    then, n_lanes = plans.then[w], actions.held.shape[1]
    for b in range(len(then)):
        low, high = b * len(first), (b + 1) * len(first)
        lane = plans.lane[w, then[b]] if then[b] >= 0 else 0
        lanes.wanted[0, low:high] = actions.wanted[0, 0, lane]
        lanes.wanted[1, low:high] = actions.wanted[1, 0, lane]
        for k in range(plans.n_trajectories):
            phi, half = lanes.pose[0, k, low:high], lanes.pose[1, k, low:high]
            for a in range(len(first)):
                n = k * n_lanes + (plans.lane[w, first[a]] if first[a] >= 0 else 0)
                phi[a], half[a] = actions.midway[0, n], actions.midway[1, n]


@device_fn
def _aim_plans(
    search: Ints,
    n_first: int,
    f: int,
    k: int,
    plans: Plans,
    actions: ActionLanes,
    lanes: PlanLanes,
    w: int,
) -> None:
    """Tell all plans that follow targets what they want in frame f of trajectory k."""
    aims, aim_halves = lanes.wanted[0], lanes.wanted[1]
    for b in range(plans.then.shape[1]):
        u, low = max(plans.then[w, b], 0), b * n_first
        if search[u] < 0 and plans.lane[w, u] >= 0:
            n = k * actions.held.shape[1] + plans.lane[w, u]
            aim, aim_half = actions.wanted[0, f, n], actions.wanted[1, f, n]
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
    n_targets: int,
    row: int,
    plans: Plans,
    actions: ActionLanes,
    lanes: PlanLanes,
    w: int,
) -> None:
    """Roll out the second stage of all plans, side by side."""
    limits = _limits(pose, where)
    first, then, cover = lanes.first[row], plans.then[w], lanes.cover[row]
    aims, aim_halves, n_trajectories = lanes.wanted[0], lanes.wanted[1], plans.n_trajectories
    _turn_plans(first, plans, actions, lanes, w)
    for f in range(turning, actions.wanted.shape[1]):
        for k in range(n_trajectories):
            _aim_plans(search, len(first), f, k, plans, actions, lanes, w)
            phi, half = lanes.pose[0, k], lanes.pose[1, k]
            _move(phi, half, aims, aim_halves, limits)
            for t in range(n_targets):
                n = t * n_trajectories + k
                widest = sight.widest[w, f + 1, n]
                if widest >= limits[2]:
                    word = cover[plans.slots[0, f, t], len(first) :]
                    shift = plans.slots[1, f, t] + k
                    _mark(phi, half, sight.bearing[w, f + 1, n], widest, shift, word)
    for b in range(len(then)):
        for a in range(len(first)):
            if then[b] < 0 or then[b] == first[a]:  # the same as held: no second copy
                _cut(turning, (n_targets, n_trajectories), cover, (b + 1) * len(first) + a)


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
    covered: UInt32s,
    counting: UInt32s,
    plans: Plans,
    lanes: PlanLanes,
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
        row: of `lanes` where they are written.
        covered: [X] zeros: what the others cover.
        counting: [X] ones: what counts.
        plans: worker w's tables are written.
        lanes: of worker w's tables, at least for as many first actions as are available.
        w: worker.
    """
    i, c = where
    n_targets = belief.shape[2]
    sizes = (n_targets, plans.n_trajectories)
    actions = action_lanes(plans, _find_possible(members, search, belief, where, plans, w), w)
    _want(members, search, pose, where, sight, plans, actions.wanted, w)
    _hold_actions(pose, where, turning, sight, n_targets, plans, actions, w)
    first, order = lanes.first[row], plans.order[w]
    _sort(plans.score[w], order)
    _select_best(order, avail[i, c], everything=False, chosen=first)
    _select_best(order, avail[i, c], everything=True, chosen=plans.then[w])
    _begin_plans(turning, sizes, first, plans.lane[w], actions.held, lanes.cover[row])
    _change_actions(search, pose, where, turning, sight, n_targets, row, plans, actions, lanes, w)
    count_plans(lanes.cover[row], covered, counting, lanes.value[row])


@device_fn
def count_available(avail: Bools, i: int, low: int, high: int) -> int:
    """Return the largest number of available actions of cameras `low` to `high` - 1."""
    most = 0
    for c in range(low, high):
        n = 0
        for u in range(avail.shape[2]):
            n += avail[i, c, u]
        most = max(most, n)
    return most
