"""How an episode starts: order, capacities, placement, cargo (world section 3)."""

import math

from camsim.arrays import Floats, Ints, UInt64s
from camsim.compiled.geometry import bearing_deg, wrap_deg
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import below, uniform, uniform_between
from camsim.kernels.cargo import (
    assign_goals,
    draw_destination,
    load_cargo,
    refresh_rates,
    row_is_empty,
)
from camsim.kernels.motion import refresh_pose
from camsim.kernels.vision import see_fixed, see_targets
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.state import SimParams, StartBoxes, Tables
from camsim.tables import (
    C_PHI,
    C_RADIUS,
    C_RANGE,
    C_THETA,
    C_X,
    C_Y,
    O_RADIUS,
    O_X,
    O_Y,
    T_BOUNTY,
    T_CAPACITY,
    T_COLLIDING,
    T_DELIVERED,
    T_EMPTY,
    T_FREIGHT,
    T_GOAL,
    T_LOAD,
    T_ORIENTATION,
    T_STEP,
    T_STEPS,
    T_TRACKED_STEPS,
    T_X,
    T_Y,
    W_AWAITING,
    W_DELIVERED,
    W_DONE,
    W_REMAINING,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_STEP,
    W_SUM_DELAYED,
    W_SUM_DENSE,
)

MAX_TRIES = 500
_KEEP_OUT = 0.75 * WAREHOUSE_HALF_WIDTH  # radius of the discs around warehouses


@device_fn
def _draw_xy(i: int, box: int, boxes: Floats, radius: float, rng: UInt64s) -> tuple[float, float]:
    """Return a position uniform in a box, then clipped by 1.2 radii (world 3.1)."""
    limit = TERRAIN - 1.2 * radius
    x = uniform_between(rng, i, boxes[box, 0], boxes[box, 1])
    y = uniform_between(rng, i, boxes[box, 2], boxes[box, 3])
    return min(max(x, -limit), limit), min(max(y, -limit), limit)


@device_fn
def _too_close(x: float, y: float, other_x: float, other_y: float, reach: float) -> bool:
    dx, dy = x - other_x, y - other_y
    return math.sqrt(dx * dx + dy * dy) * (1.0 + 1e-6) < reach


@device_fn
def _overlaps(i: int, x: float, y: float, reach: float, s: Tables, placed: tuple[int, int]) -> bool:
    """Tell whether a disc of radius `reach` (margin included) meets a keep-out disc or an entity.

    `placed` = (cameras, obstacles): how many of each stand already.
    """
    for w in range(4):
        if _too_close(x, y, WAREHOUSES[w, 0], WAREHOUSES[w, 1], reach + _KEEP_OUT):
            return True
    n_cameras, n_obstacles = placed
    for c in range(n_cameras):
        gap = reach + s.cameras[i, c, C_RADIUS]
        if _too_close(x, y, s.cameras[i, c, C_X], s.cameras[i, c, C_Y], gap):
            return True
    for o in range(n_obstacles):
        gap = reach + s.obstacles[i, o, O_RADIUS]
        if _too_close(x, y, s.obstacles[i, o, O_X], s.obstacles[i, o, O_Y], gap):
            return True
    return False


@device_fn
def _camera_crowded(i: int, c: int, cameras: Floats) -> bool:
    """Tell whether camera c stands nearer than a tenth of a sight range to an earlier one (3.3)."""
    for j in range(c):
        nearest = 0.1 * min(cameras[i, c, C_RANGE], cameras[i, j, C_RANGE])
        dx = cameras[i, c, C_X] - cameras[i, j, C_X]
        dy = cameras[i, c, C_Y] - cameras[i, j, C_Y]
        if math.sqrt(dx * dx + dy * dy) < nearest:
            return True
    return False


@device_fn
def _shuffled(i: int, k: int, order: Ints, n: int, shuffle: bool, rng: UInt64s) -> int:
    """Return the config index of entity k: a Fisher-Yates draw from order[i, k:n]."""
    if shuffle and k < n - 1:
        other = k + below(rng, i, n - k)
        order[i, k], order[i, other] = order[i, other], order[i, k]
    return int(order[i, k])


@outlined_fn
def _place_cameras(i: int, params: SimParams, s: Tables, boxes: Floats, order: Ints) -> None:
    cameras = s.cameras
    n_cameras = cameras.shape[1]
    n_poses = int(360.0 / params.rotation_step_deg)
    for c in range(n_cameras):
        order[i, c] = c
    for c in range(n_cameras):
        box = _shuffled(i, c, order, n_cameras, params.shuffle, s.rng)
        cameras[i, c, C_RADIUS] = params.camera_radius
        for _ in range(MAX_TRIES):
            x, y = _draw_xy(i, box, boxes, params.camera_radius, s.rng)
            cameras[i, c, C_X], cameras[i, c, C_Y] = x, y
            cameras[i, c, C_PHI] = wrap_deg(params.rotation_step_deg * below(s.rng, i, n_poses))
            theta_deg = uniform_between(s.rng, i, params.theta_min_deg, 180.0)
            cameras[i, c, C_THETA] = theta_deg
            cameras[i, c, C_RANGE] = math.sqrt(params.area / theta_deg)
            reach = params.camera_radius + params.target_step
            if not (_overlaps(i, x, y, reach, s, (c, 0)) or _camera_crowded(i, c, cameras)):
                break
    refresh_pose(i, params, cameras)


@outlined_fn
def _place_obstacles(i: int, params: SimParams, s: Tables, boxes: Floats, order: Ints) -> None:
    obstacles = s.obstacles
    n_obstacles = obstacles.shape[1]
    for o in range(n_obstacles):
        order[i, o] = o
    for o in range(n_obstacles):
        box = _shuffled(i, o, order, n_obstacles, params.shuffle, s.rng)
        free = False
        for _ in range(MAX_TRIES):
            low, high = params.obstacle_radius_low, params.obstacle_radius_high
            radius = uniform_between(s.rng, i, low, high)
            x, y = _draw_xy(i, box, boxes, radius, s.rng)
            obstacles[i, o, O_RADIUS] = radius
            obstacles[i, o, O_X], obstacles[i, o, O_Y] = x, y
            reach = radius + params.target_step
            free = not _overlaps(i, x, y, reach, s, (s.cameras.shape[1], o))
            if free:
                break
        if not free:  # the last draw stays where it is, with no body (world 3.2)
            obstacles[i, o, O_RADIUS] = 0.0


@outlined_fn
def _place_targets(i: int, params: SimParams, s: Tables, boxes: Floats, order: Ints) -> None:
    n_targets = s.targets.shape[1]
    placed = (s.cameras.shape[1], s.obstacles.shape[1])
    for t in range(n_targets):
        order[i, t] = t
    for t in range(n_targets):
        box = _shuffled(i, t, order, n_targets, params.shuffle, s.rng)
        for _ in range(MAX_TRIES):
            x, y = _draw_xy(i, box, boxes, 0.0, s.rng)
            s.targets[i, t, T_X], s.targets[i, t, T_Y] = x, y
            if not _overlaps(i, x, y, 0.0, s, placed):
                break


@outlined_fn
def _start_targets(i: int, params: SimParams, targets: Floats, order: Ints, rng: UInt64s) -> None:
    """Draw capacities (world 3 item 2) and clear everything else but positions."""
    n_targets = targets.shape[1]
    for t in range(n_targets):
        order[i, t] = t
    for k in range(n_targets):
        t = _shuffled(i, k, order, n_targets, params.shuffle, rng)
        targets[i, t, T_CAPACITY] = 2.0 if k < params.n_heavy else 1.0
        targets[i, t, T_STEP] = params.target_step / targets[i, t, T_CAPACITY]
        targets[i, t, T_GOAL] = -1.0
        targets[i, t, T_LOAD] = 0.0
        targets[i, t, T_FREIGHT] = 0.0
        targets[i, t, T_BOUNTY] = 0.0
        targets[i, t, T_STEPS] = 0.0
        targets[i, t, T_TRACKED_STEPS] = 0.0
        targets[i, t, T_COLLIDING] = 0.0
        for w in range(4):
            targets[i, t, T_EMPTY + w] = 0.0


@outlined_fn
def _fill_warehouses(
    i: int, params: SimParams, n_targets: int, world: Floats, rng: UInt64s
) -> None:
    """Fill the table of waiting cargo (world 3.4): batches until no warehouse is empty."""
    for k in range(16):
        world[i, W_REMAINING + k] = 0.0
    empty = True
    while empty:
        for _ in range(params.cargoes_per_target * n_targets):
            w = below(rng, i, 4)
            d = (w + 1 + below(rng, i, 3)) % 4
            world[i, W_REMAINING + 4 * w + d] += 1.0
        empty = False
        for w in range(4):
            empty = empty or row_is_empty(i, w, world)
    for d in range(4):
        world[i, W_AWAITING + d] = 0.0
        for w in range(4):
            world[i, W_AWAITING + d] += world[i, W_REMAINING + 4 * w + d]


@outlined_fn
def _start_cargo(i: int, params: SimParams, s: Tables, order: Ints) -> None:
    """Load every target that has no goal yet, wherever it stands (world 3.5)."""
    for t in range(s.targets.shape[1]):
        if s.targets[i, t, T_GOAL] >= 0:
            continue
        for w in range(4):
            order[i, w] = w
        for k in range(4):
            w = _shuffled(i, k, order, 4, shuffle=True, rng=s.rng)
            d = draw_destination(i, w, s.world, s.rng)
            if d >= 0:
                load_cargo(i, t, w, d, params, s.targets, s.world)
                break


@device_fn
def _start_orientations(i: int, targets: Floats, rng: UInt64s) -> None:
    """Point each target at its goal, or anywhere without one (world 6.8; drawing only)."""
    for t in range(targets.shape[1]):
        goal = int(targets[i, t, T_GOAL])
        if goal >= 0:
            dx = WAREHOUSES[goal, 0] - targets[i, t, T_X]
            dy = WAREHOUSES[goal, 1] - targets[i, t, T_Y]
            targets[i, t, T_ORIENTATION] = bearing_deg(dx, dy)
        else:
            targets[i, t, T_ORIENTATION] = 360.0 * uniform(rng, i) - 180.0


@device_fn
def _clear_accounts(i: int, targets: Floats, world: Floats) -> None:
    """Zero rewards, deliveries and the clock."""
    world[i, W_DELIVERED] = 0.0
    world[i, W_REWARD_DENSE] = 0.0
    world[i, W_REWARD_DELAYED] = 0.0
    world[i, W_SUM_DENSE] = 0.0
    world[i, W_SUM_DELAYED] = 0.0
    world[i, W_STEP] = 0.0
    world[i, W_DONE] = 0.0
    for t in range(targets.shape[1]):
        targets[i, t, T_DELIVERED] = 0.0


@outlined_fn
def reset_one(i: int, params: SimParams, boxes: StartBoxes, s: Tables, order: Ints) -> None:
    """Start a new episode of environment i, drawing from its own stream.

    `order` [N, max(C, T, O, 4)] is scratch for permutations.
    """
    _start_targets(i, params, s.targets, order, s.rng)
    _place_cameras(i, params, s, boxes.cameras, order)
    _place_obstacles(i, params, s, boxes.obstacles, order)
    _place_targets(i, params, s, boxes.targets, order)
    see_fixed(i, params, s)
    see_targets(i, params, s)
    _fill_warehouses(i, params, s.targets.shape[1], s.world, s.rng)
    assign_goals(i, params, s.targets, s.world, s.rng, order[:0])
    _clear_accounts(i, s.targets, s.world)
    if params.start_with_cargoes:
        _start_cargo(i, params, s, order)
    _start_orientations(i, s.targets, s.rng)
    refresh_rates(i, params, s.targets, s.world)
