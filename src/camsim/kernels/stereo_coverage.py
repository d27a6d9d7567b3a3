"""Stereo coverage: targets in two views whose directions differ enough to triangulate. Ours.

The angle of two views is that between the lines of sight from the target to the two cameras, in
[0, 180] degrees. It counts from `min_baseline_deg` on; cameras that face each other count, too.
"""

from camsim.compiled.jit import device_fn
from camsim.state import SimParams, Tables
from camsim.tables import C_X, C_Y, T_X, T_Y


@device_fn
def views_differ(i: int, t: int, a: int, b: int, params: SimParams, s: Tables) -> bool:
    """Tell whether the lines of sight from target t to cameras a and b differ enough.

    Signed squares are compared instead of cosines: no root, no trigonometry, no division.
    """
    x, y = s.targets[i, t, T_X], s.targets[i, t, T_Y]
    ax, ay = s.cameras[i, a, C_X] - x, s.cameras[i, a, C_Y] - y
    bx, by = s.cameras[i, b, C_X] - x, s.cameras[i, b, C_Y] - y
    dot = ax * bx + ay * by
    return bool(dot * abs(dot) <= params.baseline_limit * (ax * ax + ay * ay) * (bx * bx + by * by))


@device_fn
def _is_covered(i: int, t: int, params: SimParams, s: Tables) -> bool:
    """Tell whether two of the cameras that see target t do so from directions that differ."""
    n_seeing = 0
    for c in range(s.camera_target.shape[1]):
        n_seeing += s.camera_target[i, c, t]
    if n_seeing < 2:  # counted without a branch, which would be guessed wrong too often
        return False
    for a in range(1, s.camera_target.shape[1]):
        if s.camera_target[i, a, t]:
            for b in range(a):
                if s.camera_target[i, b, t] and views_differ(i, t, a, b, params, s):
                    return True
    return False


@device_fn
def stereo_coverage(i: int, params: SimParams, s: Tables) -> float:
    """Return the share of targets that are stereo covered, from the poses and masks as they are."""
    n_targets = s.targets.shape[1]
    n_covered = 0
    for t in range(n_targets):
        if _is_covered(i, t, params, s):
            n_covered += 1
    return float(n_covered / n_targets)


@device_fn
def needed_cameras(i: int, t: int, params: SimParams, s: Tables) -> tuple[int, int]:
    """Return the cameras without any one of which target t is not stereo covered; -1 for none.

    They belong to every pair of views that differ enough, so there are at most two.
    """
    first, second, n_pairs = -1, -1, 0
    for a in range(1, s.camera_target.shape[1]):
        if not s.camera_target[i, a, t]:
            continue
        for b in range(a):
            if not (s.camera_target[i, b, t] and views_differ(i, t, a, b, params, s)):
                continue
            n_pairs += 1
            if n_pairs == 1:
                first, second = a, b
                continue
            if first not in (a, b):
                first = -1
            if second not in (a, b):
                second = -1
            if first < 0 and second < 0:
                return -1, -1
    return first, second
