"""Greedy cameras: follow the nearest remembered target, tell teammates of it (world 11.6)."""

import math

from camsim.arrays import Bools, Floats, Ints, UInt64s
from camsim.compiled.geometry import (
    ZOOM_ITERATIONS,
    bearing_deg,
    better_zoom_deg,
    wrap_deg,
    zoom_at_once_deg,
)
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import below, uniform, uniform_between
from camsim.layout import ENHANCED, RAW
from camsim.scripted.memory import (
    A_AREA,
    A_DISTANCE,
    A_PHI,
    A_THETA,
    K_KNOWN,
    K_NEXT,
    K_SLOTS,
    L_LOADED,
    L_VISIBLE,
    L_X,
    L_Y,
    S_EVER_LOADED,
    S_LEFT,
    S_LOADED,
    S_VISIBLE,
    S_X,
    S_Y,
)
from camsim.scripted.messages import clear_post, count_messages, gets_through
from camsim.scripted.spec import CameraRules
from camsim.tables import C_PHI, C_RANGE, C_THETA, C_X, C_Y, T_LOAD, T_TRACKED, T_X, T_Y

NEAR = 1.1
"""Targets farther away than this many largest sight ranges do not matter to a camera."""

HELLO, SIGHTINGS = 1, 2
"""What a message holds, as bits: the sender's own state; the targets that it sees."""


@outlined_fn
def look(
    i: int, observes: int, period: int, targets: Floats, camera_target: Bools, seen: Floats
) -> None:
    """Let every camera take in its observation, under the team's view; what it misses fades."""
    for t in range(seen.shape[2]):
        x, y = targets[i, t, T_X], targets[i, t, T_Y]
        loaded = 1.0 if targets[i, t, T_LOAD] > 0.0 else 0.0
        shown = observes == ENHANCED or (observes != RAW and targets[i, t, T_TRACKED] > 0.0)
        for c in range(seen.shape[1]):
            if shown or camera_target[i, c, t]:
                seen[i, c, t, S_VISIBLE] = 1.0
                _remember(i, c, t, (x, y, loaded), period, seen)
            else:
                seen[i, c, t, S_VISIBLE] = 0.0
                seen[i, c, t, S_LEFT] = max(seen[i, c, t, S_LEFT] - 1.0, 0.0)


@device_fn
def _remember(
    i: int, c: int, t: int, sighting: tuple[float, float, float], period: int, seen: Floats
) -> None:
    seen[i, c, t, S_X] = sighting[0]
    seen[i, c, t, S_Y] = sighting[1]
    seen[i, c, t, S_LEFT] = period
    seen[i, c, t, S_LOADED] = sighting[2]
    seen[i, c, t, S_EVER_LOADED] = max(seen[i, c, t, S_EVER_LOADED], sighting[2])


@device_fn
def improvise(i: int, c: int, turn: float, zoom: float, last_action: Floats, rng: UInt64s) -> None:
    """Draw camera c's action from its action box, seldom; else keep the last one."""
    if uniform(rng, i) < 0.1:
        last_action[i, c, 0] = uniform_between(rng, i, -turn, turn)
        last_action[i, c, 1] = uniform_between(rng, i, -zoom, zoom)


@device_fn
def aim(
    i: int,
    c: int,
    goal: tuple[float, float],
    limits: tuple[float, float],
    cameras: Floats,
    last_action: Floats,
) -> None:
    """Bring camera c nearer to a pose (orientation, viewing angle) within the limits per frame."""
    turn = wrap_deg(goal[0] - cameras[i, c, C_PHI])
    zoom = goal[1] - cameras[i, c, C_THETA]
    last_action[i, c, 0] = min(max(turn, -limits[0]), limits[0])
    last_action[i, c, 1] = min(max(zoom, -limits[1]), limits[1])


@device_fn
def offset_between(i: int, a: int, b: int, cameras: Floats) -> tuple[float, float]:
    """Return the vector from camera a to camera b."""
    dx = cameras[i, b, C_X] - cameras[i, a, C_X]
    return dx, cameras[i, b, C_Y] - cameras[i, a, C_Y]


@device_fn
def _has_news_for(i: int, c: int, j: int, near: float, cameras: Floats, seen: Floats) -> bool:
    """Tell whether camera c sees a target near camera j."""
    x, y = cameras[i, j, C_X], cameras[i, j, C_Y]
    news = False
    for t in range(seen.shape[2]):
        if seen[i, c, t, S_VISIBLE] > 0.0:
            dx, dy = seen[i, c, t, S_X] - x, seen[i, c, t, S_Y] - y
            news = news or math.sqrt(dx * dx + dy * dy) < near
    return news


@device_fn
def post_sightings(i: int, c: int, slot: int, seen: Floats, mail: Floats) -> None:
    """Put down what camera c sees; recipients pick what they need."""
    for t in range(seen.shape[2]):
        mail[i, slot, c, t, L_X] = seen[i, c, t, S_X]
        mail[i, slot, c, t, L_Y] = seen[i, c, t, S_Y]
        mail[i, slot, c, t, L_LOADED] = seen[i, c, t, S_LOADED]
        mail[i, slot, c, t, L_VISIBLE] = seen[i, c, t, S_VISIBLE]


@device_fn
def _write(
    i: int,
    c: int,
    step: int,
    rules: CameraRules,
    near: float,
    cameras: Floats,
    seen: Floats,
    post: Ints,
    rng: UInt64s,
) -> bool:
    """Post what camera c has to tell to teammates that it may write to again; tell if any."""
    slot = K_SLOTS + step % (rules.delay + 1)
    shortest = rules.memory_period // 4
    told = False
    for j in range(cameras.shape[1]):
        if j == c or step < post[i, K_NEXT, c, j]:
            continue
        kind = HELLO if step == 0 else 0
        shares = rules.only_in_range and post[i, K_KNOWN, c, j] > 0
        if shares and _has_news_for(i, c, j, near, cameras, seen):
            kind += SIGHTINGS
        if kind > 0:
            pause = shortest + below(rng, i, 2 * rules.memory_period - shortest)
            post[i, K_NEXT, c, j] = step + pause
            offset = offset_between(i, c, j, cameras)
            if gets_through(i, rules.dropout, rules.reach, rng, offset):
                post[i, slot, c, j] = kind
                told = True
    return told


@device_fn
def _read(
    i: int,
    a: int,
    j: int,
    slot: int,
    near: float,
    period: int,
    cameras: Floats,
    seen: Floats,
    mail: Floats,
) -> None:
    """Let camera j note the targets in camera a's message that are near it."""
    for t in range(seen.shape[2]):
        if mail[i, slot, a, t, L_VISIBLE] > 0.0:
            x, y = mail[i, slot, a, t, L_X], mail[i, slot, a, t, L_Y]
            dx, dy = x - cameras[i, j, C_X], y - cameras[i, j, C_Y]
            if math.sqrt(dx * dx + dy * dy) < near:
                _remember(i, j, t, (x, y, mail[i, slot, a, t, L_LOADED]), period, seen)


@outlined_fn
def exchange_sightings(
    i: int,
    step: int,
    rules: CameraRules,
    near: float,
    cameras: Floats,
    seen: Floats,
    post: Ints,
    mail: Floats,
    edges: Ints,
    traffic: Ints,
    rng: UInt64s,
) -> None:
    """Let greedy cameras write to each other and read what is due in this frame."""
    n_cameras = cameras.shape[1]
    now, due = step % (rules.delay + 1), (step + 1) % (rules.delay + 1)
    clear_post(i, K_SLOTS + now, K_SLOTS + now + 1, post)
    told = False
    for c in range(n_cameras):
        if _write(i, c, step, rules, near, cameras, seen, post, rng):
            post_sightings(i, c, now, seen, mail)
            told = True
    if rules.delay == 0 and not told:
        return
    count_messages(i, K_SLOTS + due, post, edges, traffic)
    for a in range(n_cameras):
        for j in range(n_cameras):
            kind = post[i, K_SLOTS + due, a, j]
            if kind & HELLO:
                post[i, K_KNOWN, j, a] = 1
            if kind & SIGHTINGS:
                _read(i, a, j, due, near, rules.memory_period, cameras, seen, mail)


@device_fn
def _nearest(
    i: int, c: int, near: float, only_loaded: bool, cameras: Floats, seen: Floats
) -> tuple[int, float]:
    """Return the nearest target that camera c remembers and cares for, or -1; its distance."""
    x, y = cameras[i, c, C_X], cameras[i, c, C_Y]
    best, best_distance = -1, near
    for t in range(seen.shape[2]):
        if seen[i, c, t, S_LEFT] > 0.0:
            idle = seen[i, c, t, S_LOADED] == 0.0 and seen[i, c, t, S_EVER_LOADED] > 0.0
            dx, dy = seen[i, c, t, S_X] - x, seen[i, c, t, S_Y] - y
            distance = math.sqrt(dx * dx + dy * dy)
            if distance < best_distance and not (only_loaded and idle):
                best, best_distance = t, distance
    return best, best_distance


@outlined_fn
def follow(
    i: int,
    only_loaded: bool,
    optics: tuple[float, float],
    limits: tuple[float, float],
    cameras: Floats,
    seen: Floats,
    last_action: Floats,
    rng: UInt64s,
) -> None:
    """Turn every camera to its nearest remembered target and zoom to fit it.

    A camera without one improvises. `optics`: smallest viewing angle, largest sight range;
    `limits`: turn and zoom per frame; angles in degrees.
    """
    for c in range(cameras.shape[1]):
        t, distance = _nearest(i, c, NEAR * optics[1], only_loaded, cameras, seen)
        last_action[i, c, A_DISTANCE] = distance if t >= 0 else -1.0
        if t < 0:
            improvise(i, c, limits[0], limits[1], last_action, rng)
            continue
        dx, dy = seen[i, c, t, S_X] - cameras[i, c, C_X], seen[i, c, t, S_Y] - cameras[i, c, C_Y]
        last_action[i, c, A_PHI] = bearing_deg(dx, dy)
    _fit_views(i, optics, cameras, last_action)
    for c in range(cameras.shape[1]):
        if last_action[i, c, A_DISTANCE] >= 0.0:
            goal = (last_action[i, c, A_PHI], last_action[i, c, A_THETA])
            aim(i, c, goal, limits, cameras, last_action)


@device_fn
def _fit_views(i: int, optics: tuple[float, float], cameras: Floats, aims: Floats) -> None:
    """Write the viewing angles that fit the cameras' distances, as ``zoom_for_distance_deg``.

    An iteration waits for the one before it, so those of all cameras are done side by side.
    """
    theta_min, max_range = optics
    for c in range(cameras.shape[1]):
        area = cameras[i, c, C_THETA] * cameras[i, c, C_RANGE] * cameras[i, c, C_RANGE]
        theta = zoom_at_once_deg(aims[i, c, A_DISTANCE], theta_min, max_range, area)
        aims[i, c, A_THETA] = theta if theta > 0.0 else 180.0
        aims[i, c, A_AREA] = area if theta == 0.0 else -1.0
    for _ in range(ZOOM_ITERATIONS):
        for c in range(cameras.shape[1]):
            area = aims[i, c, A_AREA]
            if area > 0.0:
                aims[i, c, A_THETA] = better_zoom_deg(
                    aims[i, c, A_THETA], aims[i, c, A_DISTANCE], area
                )
    for c in range(cameras.shape[1]):
        aims[i, c, A_THETA] = min(max(aims[i, c, A_THETA], theta_min), 180.0)
