"""Pointing offset: a view wider than its targets need turns to where more targets are expected."""

import math

from camcontrol.tracking.motion_models import Q_X, Q_Y
from camcontrol.tracking.track import P_X, P_Y
from camsim.arrays import Floats, Ints
from camsim.compiled.geometry import DEG
from camsim.compiled.jit import outlined_fn


@outlined_fn
def pointing_offset(
    pose: Floats,
    particles: Floats,
    where: tuple[int, int],
    chosen: Ints,
    view: tuple[float, float, float],
    slack: float,
) -> float:
    """Return the turn, degrees, with which a view holds most particles of targets not chosen.

    It is one of five: none, half or all of `slack` to either side. None wins a tie.

    Args:
        pose: [N, C, POSE_COLUMNS] of the cameras.
        particles: [N, C, T, K, P] of the belief.
        where: (environment, camera).
        chosen: [M] targets that are in the view anyway, padded with -1.
        view: orientation and viewing angle in degrees, range in units.
        slack: largest turn, degrees.
    """
    i, c = where
    phi, theta, reach = view
    limit = math.cos(0.5 * theta * DEG)
    cos, sin = math.cos(phi * DEG), math.sin(phi * DEG)
    cos_half, sin_half = math.cos(0.5 * slack * DEG), math.sin(0.5 * slack * DEG)
    cos_all, sin_all = math.cos(slack * DEG), math.sin(slack * DEG)
    ahead, left, far_left, right, far_right = 0, 0, 0, 0, 0
    for t in range(particles.shape[2]):
        is_chosen = False
        for m in range(len(chosen)):
            is_chosen = is_chosen or chosen[m] == t
        if is_chosen:
            continue
        for p in range(particles.shape[4]):
            dx = particles[i, c, t, Q_X, p] - pose[i, c, P_X]
            dy = particles[i, c, t, Q_Y, p] - pose[i, c, P_Y]
            distance = math.sqrt(dx * dx + dy * dy)
            if distance <= reach:
                along, across = dx * cos + dy * sin, dy * cos - dx * sin
                least = limit * distance
                ahead += along >= least
                left += along * cos_half + across * sin_half >= least
                right += along * cos_half - across * sin_half >= least
                far_left += along * cos_all + across * sin_all >= least
                far_right += along * cos_all - across * sin_all >= least
    best, turn = ahead, 0.0
    if left > best:
        best, turn = left, 0.5 * slack
    if right > best:
        best, turn = right, -0.5 * slack
    if far_left > best:
        best, turn = far_left, slack
    if far_right > best:
        turn = -slack
    return turn
