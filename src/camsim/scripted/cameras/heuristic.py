"""Heuristic cameras: camera 0 picks a pose for everyone by a table of scores (world 11.7).

Every frame the others send camera 0 what they see, it decides, and answers. A camera without an
answer decides for itself alone. The decision itself: camsim.scripted.cameras.heuristic_choice.
"""

from camsim.arrays import Floats, Ints, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.scripted.cameras.greedy import aim, improvise, offset_between, post_sightings
from camsim.scripted.cameras.heuristic_choice import decide
from camsim.scripted.memory import (
    G_EXISTS,
    G_PHI,
    G_THETA,
    K_SLOTS,
    L_GOAL_PHI,
    L_GOAL_THETA,
    L_PHI,
    L_THETA,
    L_VISIBLE,
    L_X,
    L_Y,
    P_CAMERA,
    P_PHI,
    P_THETA,
    S_VISIBLE,
    S_X,
    S_Y,
    CameraMemory,
)
from camsim.scripted.messages import clear_post, count_messages, gets_through
from camsim.scripted.spec import CameraRules
from camsim.state import SimParams
from camsim.tables import C_PHI, C_THETA

MAIL = 1
"""Kind of every request and answer."""


@device_fn
def _know_own(i: int, c: int, seen: Floats, sighted: Floats) -> int:
    """Take the targets that camera c sees as the known ones; return how many they are."""
    n_known = 0
    for t in range(seen.shape[2]):
        if seen[i, c, t, S_VISIBLE] > 0.0:
            sighted[i, n_known, 0] = t
            sighted[i, n_known, 1] = seen[i, c, t, S_X]
            sighted[i, n_known, 2] = seen[i, c, t, S_Y]
            n_known += 1
    return n_known


@device_fn
def _know_more(i: int, c: int, slot: int, n_known: int, mail: Floats, sighted: Floats) -> int:
    """Add the targets in camera c's request that are not known yet; return how many are then."""
    n_before = n_known
    for t in range(sighted.shape[1]):
        known = mail[i, slot, c, t, L_VISIBLE] == 0.0
        for m in range(n_before):
            known = known or sighted[i, m, 0] == t
        if not known:
            sighted[i, n_known, 0] = t
            sighted[i, n_known, 1] = mail[i, slot, c, t, L_X]
            sighted[i, n_known, 2] = mail[i, slot, c, t, L_Y]
            n_known += 1
    return n_known


@device_fn
def _join(i: int, k: int, c: int, phi: float, theta: float, agenda: Floats) -> None:
    """Make camera c, in the pose (degrees) that is known of it, member k of the decision."""
    agenda[i, k, P_CAMERA] = c
    agenda[i, k, P_PHI] = phi
    agenda[i, k, P_THETA] = theta


@outlined_fn
def _request(
    i: int,
    now: int,
    rules: CameraRules,
    cameras: Floats,
    seen: Floats,
    post: Ints,
    mail: Floats,
    rng: UInt64s,
) -> None:
    """Let all cameras but the first send it their pose and what they see."""
    clear_post(i, K_SLOTS + now, K_SLOTS + now + 1, post)
    last = seen.shape[2]
    for c in range(1, cameras.shape[1]):
        if gets_through(i, rules.dropout, rules.reach, rng, offset_between(i, c, 0, cameras)):
            post[i, K_SLOTS + now, c, 0] = MAIL
            post_sightings(i, c, now, seen, mail)
            mail[i, now, c, last, L_PHI] = cameras[i, c, C_PHI]
            mail[i, now, c, last, L_THETA] = cameras[i, c, C_THETA]


@outlined_fn
def _gather(
    i: int,
    due: int,
    cameras: Floats,
    seen: Floats,
    post: Ints,
    mail: Floats,
    agenda: Floats,
    sighted: Floats,
) -> tuple[int, int]:
    """Collect camera 0 and all whose requests are due; return how many cameras and targets."""
    _join(i, 0, 0, cameras[i, 0, C_PHI], cameras[i, 0, C_THETA], agenda)
    agenda[i, 0, G_EXISTS] = 0.0
    n_known, n, last = _know_own(i, 0, seen, sighted), 1, seen.shape[2]
    for c in range(1, cameras.shape[1]):
        agenda[i, c, G_EXISTS] = 0.0
        if post[i, K_SLOTS + due, c, 0] > 0:
            phi, theta = mail[i, due, c, last, L_PHI], mail[i, due, c, last, L_THETA]
            _join(i, n, c, phi, theta, agenda)
            n_known = _know_more(i, c, due, n_known, mail, sighted)
            n += 1
    return n, n_known


@outlined_fn
def _answer(
    i: int,
    now: int,
    due: int,
    rules: CameraRules,
    cameras: Floats,
    post: Ints,
    mail: Floats,
    agenda: Floats,
    rng: UInt64s,
) -> None:
    """Send the goals that camera 0 chose; goals are afterwards what the others have received."""
    last = mail.shape[3] - 1
    for c in range(1, cameras.shape[1]):
        if agenda[i, c, G_EXISTS] > 0.0 and gets_through(
            i, rules.dropout, rules.reach, rng, offset_between(i, 0, c, cameras)
        ):
            post[i, K_SLOTS + now, 0, c] = MAIL
            mail[i, now, c, last, L_GOAL_PHI] = agenda[i, c, G_PHI]
            mail[i, now, c, last, L_GOAL_THETA] = agenda[i, c, G_THETA]
    for c in range(1, cameras.shape[1]):
        agenda[i, c, G_EXISTS] = 0.0
        if post[i, K_SLOTS + due, 0, c] > 0:
            agenda[i, c, G_EXISTS] = 1.0
            agenda[i, c, G_PHI] = mail[i, due, c, last, L_GOAL_PHI]
            agenda[i, c, G_THETA] = mail[i, due, c, last, L_GOAL_THETA]


@device_fn
def _decide(
    i: int,
    n: int,
    n_known: int,
    params: SimParams,
    cameras: Floats,
    memory: CameraMemory,
    rng: UInt64s,
) -> None:
    """Let the cameras in the agenda choose poses for the known targets, if there are any."""
    if n_known > 0:
        optics = (params.theta_min_deg, params.max_range)
        limits = (params.rotation_step_deg, params.zooming_step_deg)
        table = (memory.cells, memory.scores)
        work = (memory.agenda, memory.sighted, memory.options, memory.sums)
        decide(i, n, n_known, optics, limits, cameras, table, work, rng)


@outlined_fn
def pursue(
    i: int,
    step: int,
    rules: CameraRules,
    params: SimParams,
    cameras: Floats,
    memory: CameraMemory,
    rng: UInt64s,
) -> None:
    """Set the last action of every camera by the heuristic rule; `look` goes before."""
    now, due = step % (rules.delay + 1), (step + 1) % (rules.delay + 1)
    agenda, seen, post, mail = memory.agenda, memory.seen, memory.post, memory.mail
    if not rules.silent and cameras.shape[1] > 0:
        _request(i, now, rules, cameras, seen, post, mail, rng)
        n, n_known = _gather(i, due, cameras, seen, post, mail, agenda, memory.sighted)
        _decide(i, n, n_known, params, cameras, memory, rng)
        _answer(i, now, due, rules, cameras, post, mail, agenda, rng)
        count_messages(i, K_SLOTS + due, post, memory.edges, memory.traffic)
    limits = (params.rotation_step_deg, params.zooming_step_deg)
    for c in range(cameras.shape[1]):
        if rules.silent or (c > 0 and agenda[i, c, G_EXISTS] == 0.0):
            agenda[i, c, G_EXISTS] = 0.0
            n_known = _know_own(i, c, seen, memory.sighted)
            _join(i, 0, c, cameras[i, c, C_PHI], cameras[i, c, C_THETA], agenda)
            _decide(i, 1, n_known, params, cameras, memory, rng)
        if agenda[i, c, G_EXISTS] > 0.0:
            goal = (agenda[i, c, G_PHI], agenda[i, c, G_THETA])
            aim(i, c, goal, limits, cameras, memory.last_action)
        else:
            improvise(i, c, limits[0], limits[1], memory.last_action, rng)
