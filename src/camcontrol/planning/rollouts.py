"""Which plans a camera compares, and which targets it would cover under each, frame by frame."""

from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import search_pose
from camcontrol.planning.trajectories import M_AIM, M_BEARING, M_SQUARED_RANGE, M_WIDTH
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
from camsim.arrays import Bools, Floats, Ints, UInt64s
from camsim.compiled.geometry import wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn

_ONE = np.uint64(1)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_M1, _M2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_M4, _H1 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


class Plans(NamedTuple):
    """Tables of cameras' plans: an action for the first frames, then perhaps another one.

    Bit t * K + k of the W words of a frame is 1 where the plan covers trajectory k of target t.
    """

    wanted: Floats  # [N, U, K, F, 2] orientation and viewing angle that an action wants, degrees
    held: UInt64s  # [N, U, F, W] one camera's actions, each held to the end
    midway: Floats  # [N, U, K, 2] its orientation and viewing angle after the first stage, degrees
    score: Ints  # [N, U] bits in `held`, -1: not possible
    first: Ints  # [N, C, A] actions of the first stage, best first, -1: none
    then: Ints  # [N, B] actions of the second stage
    cover: UInt64s  # [N, C, A * (B + 1), F, W] per plan: action a is held, or followed by another


def allocate_plans(
    sizes: tuple[int, int, int, int], n_trajectories: int, n_frames: int, best: tuple[int, int]
) -> Plans:
    """Return zeroed tables.

    Args:
        sizes: numbers of environments N, cameras C, targets T and actions U.
        n_trajectories: K.
        n_frames: F.
        best: numbers of actions that are tried in the first stage A and in the second B.
    """
    n, c, t, u = sizes
    a, b = best
    words = (t * n_trajectories + 63) // 64
    return Plans(
        wanted=np.zeros((n, u, n_trajectories, n_frames, 2)),
        held=np.zeros((n, u, n_frames, words), np.uint64),
        midway=np.zeros((n, u, n_trajectories, 2)),
        score=np.zeros((n, u), np.int64),
        first=np.full((n, c, a), -1, np.int64),
        then=np.full((n, b), -1, np.int64),
        cover=np.zeros((n, c, a * (b + 1), n_frames, words), np.uint64),
    )


@device_fn
def count_bits(word: np.uint64) -> int:
    """Return the number of ones."""
    word = word - ((word >> _S1) & _M1)
    word = (word & _M2) + ((word >> _S2) & _M2)
    word = (word + (word >> _S4)) & _M4
    return np.int64((word * _H1) >> _S56)  # type: ignore[return-value]


@device_fn
def _wanted(
    members: Ints, search: Ints, forward: float, measurements: Floats, u: int, f: int, k: int
) -> tuple[float, float]:
    """Return the pose that action u wants in frame f of trajectory k: two angles, degrees."""
    if search[u] >= 0:
        bearing, view = search_pose(forward, search[u])
        return wrap_deg(bearing), view
    first, low, high, width, n = 0.0, 0.0, 0.0, 180.0, 0
    for m in range(members.shape[1]):
        t = members[u, m]
        if t >= 0:
            if n == 0:
                first = measurements[f, k, t, M_AIM]
            else:
                offset = wrap_deg(measurements[f, k, t, M_AIM] - first)
                low, high = min(low, offset), max(high, offset)
            width = min(width, measurements[f, k, t, M_WIDTH])
            n += 1
    return wrap_deg(first + 0.5 * (low + high)), width


@outlined_fn
def _roll_out(
    pose: Floats,
    measurements: Floats,
    where: tuple[int, int],
    wanted: Floats,
    span: tuple[int, int],
    start: tuple[float, float],
    k: int,
    cover: UInt64s,
) -> tuple[float, float]:
    """Roll out the poses in `wanted` [F, 2] over the frames of `span`; return the pose after them.

    Marks in `cover` [F, W] the targets that are covered in trajectory k. Poses are orientation and
    viewing angle, degrees.
    """
    i, c = where
    phi, theta = start
    area, max_range = pose[i, c, P_AREA], pose[i, c, P_MAX_RANGE]
    theta_min = area / (max_range * max_range)
    turn_limit, zoom_limit = pose[i, c, P_TURN], pose[i, c, P_ZOOM]
    n_trajectories, n_targets = measurements.shape[1], measurements.shape[2]
    for f in range(span[0], span[1]):
        turn = wrap_deg(wanted[f, 0] - phi)
        phi = wrap_deg(phi + min(max(turn, -turn_limit), turn_limit))
        theta += min(max(wanted[f, 1] - theta, -zoom_limit), zoom_limit)
        theta = min(max(theta, theta_min), 180.0)
        for t in range(n_targets):
            in_range = measurements[f + 1, k, t, M_SQUARED_RANGE] * theta <= area
            if (
                in_range
                and 2.0 * abs(wrap_deg(measurements[f + 1, k, t, M_BEARING] - phi)) <= theta
            ):
                bit = t * n_trajectories + k
                cover[f, bit >> 6] |= _ONE << np.uint64(bit & 63)
    return phi, theta


@device_fn
def _clear(cover: UInt64s) -> None:
    for f in range(cover.shape[0]):
        for w in range(cover.shape[1]):
            cover[f, w] = np.uint64(0)


@outlined_fn
def _hold_actions(
    members: Ints,
    search: Ints,
    pose: Floats,
    belief: Floats,
    measurements: Floats,
    where: tuple[int, int],
    turning: int,
    plans: Plans,
) -> None:
    """Roll out every action without unknown targets, held to the end."""
    i, c = where
    n_frames = plans.held.shape[2]
    for u in range(len(search)):
        known, empty = True, search[u] < 0
        for m in range(members.shape[1]):
            t = members[u, m]
            if t >= 0:
                empty = False
                known = known and belief[i, c, t, B_KNOWN] > 0.0
        plans.score[i, u] = -1
        if known and not empty:
            cover = plans.held[i, u]
            _clear(cover)
            for k in range(measurements.shape[1]):
                wanted = plans.wanted[i, u, k]
                for f in range(n_frames):
                    aim, width = _wanted(
                        members, search, pose[i, c, P_INWARD], measurements, u, f, k
                    )
                    wanted[f, 0], wanted[f, 1] = aim, width
                start = (pose[i, c, P_PHI], pose[i, c, P_THETA])
                middle = _roll_out(pose, measurements, where, wanted, (0, turning), start, k, cover)
                plans.midway[i, u, k, 0], plans.midway[i, u, k, 1] = middle
                _roll_out(pose, measurements, where, wanted, (turning, n_frames), middle, k, cover)
            total = 0
            for f in range(n_frames):
                for w in range(cover.shape[1]):
                    total += count_bits(cover[f, w])
            plans.score[i, u] = total


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
def enumerate_plans(
    members: Ints,
    search: Ints,
    pose: Floats,
    belief: Floats,
    measurements: Floats,
    avail: Bools,
    where: tuple[int, int],
    turning: int,
    plans: Plans,
) -> None:
    """Enumerate camera c's plans: the best actions, held, or followed by one from `turning` on."""
    i, c = where
    _hold_actions(members, search, pose, belief, measurements, where, turning, plans)
    _select_best(plans.score[i], avail[i, c], everything=False, chosen=plans.first[i, c])
    _select_best(plans.score[i], avail[i, c], everything=True, chosen=plans.then[i])
    n_frames, n_then = plans.held.shape[2], plans.then.shape[1]
    for a in range(plans.first.shape[2]):
        u = plans.first[i, c, a]
        if u < 0:
            break
        held = plans.held[i, u]
        for b in range(n_then + 1):
            cover = plans.cover[i, c, a * (n_then + 1) + b]
            n_same = n_frames if b == 0 else turning
            for f in range(n_frames):
                for w in range(cover.shape[1]):
                    cover[f, w] = held[f, w] if f < n_same else np.uint64(0)
            then = -1 if b == 0 else plans.then[i, b - 1]
            if then >= 0 and then != u:
                for k in range(measurements.shape[1]):
                    middle = (plans.midway[i, u, k, 0], plans.midway[i, u, k, 1])
                    wanted = plans.wanted[i, then, k]
                    _roll_out(
                        pose, measurements, where, wanted, (turning, n_frames), middle, k, cover
                    )
