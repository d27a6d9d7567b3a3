"""Plans rolled out one after the other, in degrees and float64: the oracle of `rollouts`.

This is how plans were rolled out before they went side by side. Positions are those of one camera's
sampled trajectories, [F + 1 + LEAD_FRAMES, K, T, 2].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from camcontrol.control.controller import LEAD_FRAMES, search_pose, widest_view
from camcontrol.tracking.track import (
    B_KNOWN,
    B_SEEN,
    P_AREA,
    P_INWARD,
    P_MAX_RANGE,
    P_PHI,
    P_THETA,
    P_TURN,
    P_X,
    P_Y,
    P_ZOOM,
)
from camsim.arrays import Bools, Floats, Ints, UInt64s
from camsim.compiled.geometry import bearing_deg, ray_blocked, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn

M_BEARING, M_SQUARED_RANGE = 0, 1  # degrees; units squared, infinite if occluded or too far
M_AIM, M_WIDTH = 2, 3  # orientation and viewing angle of a camera that follows it, degrees
MEASUREMENT_COLUMNS = 4

_ONE = np.uint64(1)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_M1, _M2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_M4, _H1 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


@device_fn
def _occluded(obs: Floats, n: int, x: float, y: float, ux: float, uy: float, length: float) -> bool:
    """Tell whether a known obstacle occludes the point that lies (ux, uy) from (x, y)."""
    start = n + 22 + 5 * int(obs[n + 1])
    for o in range(int(obs[n + 2])):
        j = start + 4 * o
        known = obs[j + 3] > 0.0 and obs[j + 2] > 0.0
        if known and ray_blocked(ux, uy, length, obs[j] - x, obs[j + 1] - y, obs[j + 2]):
            return True
    return False


@outlined_fn
def _predict_visibility(
    obs: Floats,
    n: int,
    pose: Floats,
    positions: Floats,
    measurements: Floats,
    where: tuple[int, int],
    f: int,
    t: int,
) -> None:
    """Predict bearing and squared range of target t from camera c in frame f, and occlusion."""
    i, c = where
    x, y, max_range = pose[i, c, P_X], pose[i, c, P_Y], pose[i, c, P_MAX_RANGE]
    for k in range(positions.shape[1]):
        ux, uy = positions[f, k, t, 0] - x, positions[f, k, t, 1] - y
        length = math.sqrt(ux * ux + uy * uy)
        occluded = length > max_range
        if not occluded and length > 0.0:
            occluded = _occluded(obs, n, x, y, ux, uy, length)
        measurements[f, k, t, M_BEARING] = bearing_deg(ux, uy)
        measurements[f, k, t, M_SQUARED_RANGE] = math.inf if occluded else length * length


@outlined_fn
def _predict_aim(
    pose: Floats,
    positions: Floats,
    measurements: Floats,
    where: tuple[int, int],
    f: int,
    t: int,
    in_view: bool,
    random_walk: Floats,
) -> None:
    """Predict how camera c would aim at target t in frame f, as the executor `lead` does.

    A target in view is followed in each trajectory by itself. Another one is followed at the mean
    position of its goal-directed trajectories, or of all if there is none; `random_walk` [K] is 1
    for the others.
    """
    i, c = where
    x, y = pose[i, c, P_X], pose[i, c, P_Y]
    n_trajectories = positions.shape[1]
    n_random = np.sum(random_walk)
    skips = not in_view and n_random < n_trajectories
    for k in range(n_trajectories):
        low, high = (k, k + 1) if in_view else (0, n_trajectories)
        share = 1.0 / (high - low - n_random * skips)
        nx, ny, ax, ay = 0.0, 0.0, 0.0, 0.0  # now, and ahead
        for m in range(low, high):
            if skips and random_walk[m] > 0.0:
                continue
            nx += share * (positions[f, m, t, 0] - x)
            ny += share * (positions[f, m, t, 1] - y)
            ax += share * (positions[f + LEAD_FRAMES, m, t, 0] - x)
            ay += share * (positions[f + LEAD_FRAMES, m, t, 1] - y)
        farthest = math.sqrt(max(nx * nx + ny * ny, ax * ax + ay * ay))
        measurements[f, k, t, M_AIM] = bearing_deg(ax, ay)
        measurements[f, k, t, M_WIDTH] = widest_view(pose, i, c, farthest)


@outlined_fn
def predict_measurements(
    obs: Floats,
    n: int,
    pose: Floats,
    belief: Floats,
    positions: Floats,
    random_walk: Floats,
    measurements: Floats,
    where: tuple[int, int],
) -> None:
    """Fill `measurements` [F + 1, K, T, .] of camera c; `random_walk` [T, K]."""
    i, c = where
    for f in range(measurements.shape[0]):
        for t in range(measurements.shape[2]):
            _predict_visibility(obs, n, pose, positions, measurements, where, f, t)
            in_view = belief[i, c, t, B_SEEN] > 0.0
            walks = random_walk[t]
            _predict_aim(pose, positions, measurements, where, f, t, in_view, walks)


class ReferencePlans(NamedTuple):
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


def allocate_reference(
    sizes: tuple[int, int, int, int], n_trajectories: int, n_frames: int, best: tuple[int, int]
) -> ReferencePlans:
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
    return ReferencePlans(
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
    plans: ReferencePlans,
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
def enumerate_reference(
    members: Ints,
    search: Ints,
    pose: Floats,
    belief: Floats,
    measurements: Floats,
    avail: Bools,
    where: tuple[int, int],
    turning: int,
    plans: ReferencePlans,
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
