"""Observation and state vectors in MATE's exact layout (world section 7), raw, shared or enhanced.

Writers put numbers into a flat buffer from offset `k` on: no views are made inside a kernel.
"""

from camsim.arrays import Floats
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import uniform
from camsim.kernels.cargo import row_is_empty
from camsim.layout import ENHANCED, RAW, SHARED, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.state import ObsBuffers, SimParams, Tables
from camsim.tables import (
    C_COS,
    C_RADIUS,
    C_RANGE,
    C_SIN,
    C_THETA,
    C_X,
    C_Y,
    O_RADIUS,
    O_X,
    O_Y,
    T_BOUNTY,
    T_CAPACITY,
    T_EMPTY,
    T_FREIGHT,
    T_GOAL,
    T_LOAD,
    T_STEP,
    T_TRACKED,
    T_X,
    T_Y,
    W_REMAINING,
)


@device_fn
def _preserved(out: Floats, k: int, index: int, s: Tables) -> None:
    """Write the 13 preserved numbers (world 7.1)."""
    out[k] = s.cameras.shape[1]
    out[k + 1] = s.targets.shape[1]
    out[k + 2] = s.obstacles.shape[1]
    out[k + 3] = index
    for w in range(4):
        out[k + 4 + 2 * w] = WAREHOUSES[w, 0]
        out[k + 5 + 2 * w] = WAREHOUSES[w, 1]
    out[k + 12] = WAREHOUSE_HALF_WIDTH


@device_fn
def _camera_public(out: Floats, k: int, cameras: Floats, i: int, c: int) -> None:
    """Write camera c's six public numbers (world 2.1)."""
    sight_range = cameras[i, c, C_RANGE]
    out[k] = cameras[i, c, C_X]
    out[k + 1] = cameras[i, c, C_Y]
    out[k + 2] = cameras[i, c, C_RADIUS]
    out[k + 3] = sight_range * cameras[i, c, C_COS]
    out[k + 4] = sight_range * cameras[i, c, C_SIN]
    out[k + 5] = cameras[i, c, C_THETA]


@device_fn
def _camera_private(
    out: Floats, k: int, cameras: Floats, i: int, c: int, params: SimParams
) -> None:
    """Write camera c's nine private numbers."""
    _camera_public(out, k, cameras, i, c)
    out[k + 6] = params.max_range
    out[k + 7] = params.rotation_step_deg
    out[k + 8] = params.zooming_step_deg


@device_fn
def _target_public(
    out: Floats, k: int, targets: Floats, i: int, t: int, sight_range: float
) -> None:
    """Write target t's four public numbers (world 2.2)."""
    out[k] = targets[i, t, T_X]
    out[k + 1] = targets[i, t, T_Y]
    out[k + 2] = sight_range
    out[k + 3] = 1.0 if targets[i, t, T_LOAD] > 0 else 0.0


@device_fn
def _target_private(
    out: Floats, k: int, targets: Floats, i: int, t: int, sight_range: float
) -> None:
    """Write target t's fourteen private numbers."""
    _target_public(out, k, targets, i, t, sight_range)
    out[k + 4] = targets[i, t, T_STEP]
    out[k + 5] = targets[i, t, T_CAPACITY]
    for w in range(4):
        out[k + 6 + w] = targets[i, t, T_LOAD] if targets[i, t, T_GOAL] == w else 0
        out[k + 10 + w] = 1.0 if targets[i, t, T_EMPTY + w] else 0.0


@device_fn
def _obstacle(out: Floats, k: int, obstacles: Floats, i: int, o: int) -> None:
    """Write obstacle o's three numbers."""
    out[k] = obstacles[i, o, O_X]
    out[k + 1] = obstacles[i, o, O_Y]
    out[k + 2] = obstacles[i, o, O_RADIUS]


@device_fn
def _clear(out: Floats, k: int, length: int) -> None:
    for n in range(length):
        out[k + n] = 0.0


@device_fn
def _knows_obstacle(i: int, c: int, o: int, s: Tables, mode: int) -> bool:
    """Tell whether camera c is shown obstacle o."""
    if mode == ENHANCED or s.camera_obstacle[i, c, o]:
        return True
    if mode == SHARED:
        for j in range(s.cameras.shape[1]):
            if s.camera_obstacle[i, j, o]:
                return True
    return False


@outlined_fn
def _camera_fixed(
    i: int, c: int, k: int, params: SimParams, s: Tables, out: Floats, mode: int
) -> None:
    """Write what stays equal during an episode: preserved block, own place, known obstacles."""
    _preserved(out, k, c, s)
    _camera_private(out, k + 13, s.cameras, i, c, params)
    k += 22 + 5 * s.targets.shape[1]
    for o in range(s.obstacles.shape[1]):
        if _knows_obstacle(i, c, o, s, mode):
            _obstacle(out, k, s.obstacles, i, o)
            out[k + 3] = 1.0
        else:
            _clear(out, k, 4)
        k += 4


@device_fn
def _camera_moving(
    i: int, c: int, k: int, params: SimParams, s: Tables, out: Floats, mode: int
) -> None:
    """Write what changes from frame to frame: own pose, targets, teammates."""
    _camera_public(out, k + 13, s.cameras, i, c)
    k += 22
    for t in range(s.targets.shape[1]):
        seen = s.camera_target[i, c, t] or mode == ENHANCED
        if seen or (mode == SHARED and s.targets[i, t, T_TRACKED]):
            _target_public(out, k, s.targets, i, t, params.target_range)
            out[k + 4] = 1.0
        else:
            _clear(out, k, 5)
        k += 5
    k += 4 * s.obstacles.shape[1]
    for j in range(s.cameras.shape[1]):
        if mode != RAW or s.camera_camera[i, c, j]:
            _camera_public(out, k, s.cameras, i, j)
            out[k + 6] = 1.0
        else:
            _clear(out, k, 7)
        k += 7


@outlined_fn
def _add_messages(i: int, c: int, k: int, params: SimParams, s: Tables, out: Floats) -> None:
    """Add to camera c's observation what those teammates see whose messages of this frame arrive.

    A message holds its sender's pose and the targets and obstacles in its view. Each is lost by
    itself with probability `message_loss`, drawn from the environment's stream.
    """
    n_targets, n_obstacles = s.targets.shape[1], s.obstacles.shape[1]
    k_targets = k + 22
    k_obstacles = k_targets + 5 * n_targets
    k_cameras = k_obstacles + 4 * n_obstacles
    for j in range(s.cameras.shape[1]):
        if j == c or uniform(s.rng, i) < params.message_loss:
            continue
        _camera_public(out, k_cameras + 7 * j, s.cameras, i, j)
        out[k_cameras + 7 * j + 6] = 1.0
        for t in range(n_targets):
            if s.camera_target[i, j, t]:
                _target_public(out, k_targets + 5 * t, s.targets, i, t, params.target_range)
                out[k_targets + 5 * t + 4] = 1.0
        for o in range(n_obstacles):
            if s.camera_obstacle[i, j, o]:
                _obstacle(out, k_obstacles + 4 * o, s.obstacles, i, o)
                out[k_obstacles + 4 * o + 3] = 1.0


@device_fn
def write_camera_obs(
    i: int, params: SimParams, s: Tables, out: Floats, mode: int, first: bool
) -> None:
    """Write all cameras' observations of environment i into the flat buffer of [N, C, D].

    `first` also writes what an episode never changes; later frames leave it standing. Where
    messages are lost, a shared view is the camera's own and what the messages of this frame add.
    """
    lossy = mode == SHARED and params.message_loss > 0.0
    own = RAW if lossy else mode
    n_cameras, n_targets = s.cameras.shape[1], s.targets.shape[1]
    size = 22 + 5 * n_targets + 4 * s.obstacles.shape[1] + 7 * n_cameras
    for c in range(n_cameras):
        k = (i * n_cameras + c) * size
        if first or lossy:
            _camera_fixed(i, c, k, params, s, out, own)
        _camera_moving(i, c, k, params, s, out, own)
        if lossy:
            _add_messages(i, c, k, params, s, out)


@device_fn
def _target_knows_obstacle(i: int, t: int, o: int, s: Tables, mode: int) -> bool:
    """Tell whether target t is shown obstacle o."""
    if mode == ENHANCED or s.target_obstacle[i, t, o]:
        return True
    if mode == SHARED:
        for j in range(s.targets.shape[1]):
            if s.target_obstacle[i, j, o]:
                return True
    return False


@device_fn
def _target_knows_camera(i: int, t: int, c: int, s: Tables, mode: int) -> bool:
    """Tell whether target t is shown camera c."""
    if mode == ENHANCED or s.target_camera[i, t, c]:
        return True
    if mode == SHARED:
        for j in range(s.targets.shape[1]):
            if s.target_camera[i, j, c]:
                return True
    return False


@device_fn
def _target_empty_bits(i: int, k: int, s: Tables, out: Floats, mode: int) -> None:
    """Overwrite the empty bits by the true or the team's ones (world 9.1, 9.2)."""
    for w in range(4):
        if mode == ENHANCED:
            bit = row_is_empty(i, w, s.world)
        else:
            bit = False
            for j in range(s.targets.shape[1]):
                bit = bit or s.targets[i, j, T_EMPTY + w]
        out[k + w] = 1.0 if bit else 0.0


@outlined_fn
def _target_entities(
    i: int, t: int, k: int, params: SimParams, s: Tables, out: Floats, mode: int
) -> None:
    """Write what target t perceives of cameras, obstacles and targets from offset k on."""
    for c in range(s.cameras.shape[1]):
        if _target_knows_camera(i, t, c, s, mode):
            _camera_public(out, k, s.cameras, i, c)
            out[k + 6] = 1.0
        else:
            _clear(out, k, 7)
        k += 7
    for o in range(s.obstacles.shape[1]):
        if _target_knows_obstacle(i, t, o, s, mode):
            _obstacle(out, k, s.obstacles, i, o)
            out[k + 3] = 1.0
        else:
            _clear(out, k, 4)
        k += 4
    for j in range(s.targets.shape[1]):
        if mode != RAW or s.target_target[i, t, j]:
            _target_public(out, k, s.targets, i, j, params.target_range)
            out[k + 4] = 1.0
        else:
            _clear(out, k, 5)
        k += 5


@outlined_fn
def write_target_obs(i: int, params: SimParams, s: Tables, out: Floats, mode: int) -> None:
    """Write all targets' observations of environment i into the flat buffer of [N, T, D']."""
    n_cameras, n_targets = s.cameras.shape[1], s.targets.shape[1]
    size = 27 + 7 * n_cameras + 4 * s.obstacles.shape[1] + 5 * n_targets
    for t in range(n_targets):
        k = (i * n_targets + t) * size
        _preserved(out, k, t, s)
        _target_private(out, k + 13, s.targets, i, t, params.target_range)
        if mode != RAW:
            _target_empty_bits(i, k + 23, s, out, mode)
        _target_entities(i, t, k + 27, params, s, out, mode)


@device_fn
def write_state(i: int, params: SimParams, s: Tables, out: Floats) -> None:
    """Write the global state of environment i into the flat buffer of [N, S] (world 7.4)."""
    n_cameras, n_targets = s.cameras.shape[1], s.targets.shape[1]
    n_obstacles = s.obstacles.shape[1]
    k = i * (29 + 9 * n_cameras + 16 * n_targets + 3 * n_obstacles)
    _preserved(out, k, 0, s)
    k += 13
    for c in range(n_cameras):
        _camera_private(out, k, s.cameras, i, c, params)
        k += 9
    for t in range(n_targets):
        _target_private(out, k, s.targets, i, t, params.target_range)
        k += 14
    for o in range(n_obstacles):
        _obstacle(out, k, s.obstacles, i, o)
        k += 3
    for t in range(n_targets):
        out[k + t] = s.targets[i, t, T_FREIGHT]
        out[k + n_targets + t] = s.targets[i, t, T_BOUNTY]
    k += 2 * n_targets
    for w in range(4):
        for d in range(4):
            out[k + 4 * w + d] = s.world[i, W_REMAINING + 4 * w + d]


@device_fn
def write_obs(
    i: int, params: SimParams, s: Tables, out: ObsBuffers, mode: int, first: bool
) -> None:
    """Write camera observations and global state of environment i, as far as they are wanted.

    `mode` is the camera team's: RAW, SHARED or ENHANCED.
    """
    if len(out.camera_obs) > 0:
        write_camera_obs(i, params, s, out.camera_obs, mode, first)
    if len(out.state) > 0:
        write_state(i, params, s, out.state)
