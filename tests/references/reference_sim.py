"""Oracle: a slow, obvious simulator of one environment, from the rules and not from the kernels.

The rules are MATE's; "section" numbers refer to the project's behavioural specification of MATE.
Everything is plain Python on float64, one entity at a time, without shortcuts. Angles are degrees,
lengths terrain units. C cameras, T targets, O obstacles; 4 warehouses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from reference_world import BoolArray, FloatArray, Rewards, State, World

Vector = tuple[float, float]
ChooseDestination = Callable[[int, list[int]], int]
"""`(target, destinations with waiting cargo) -> destination`: the random draw of section 6.3."""

TERRAIN_HALF_SIZE = 1000.0
WAREHOUSES: tuple[Vector, ...] = (
    (925.0, 925.0),
    (-925.0, 925.0),
    (-925.0, -925.0),
    (925.0, -925.0),
)
WAREHOUSE_HALF_WIDTH = 75.0
MAX_VIEWING_ANGLE = 180.0
COLLISION_TOLERANCE = 1e-6
OCCLUSION_SLACK = 1e-6


# --- geometry (section 1.1) -----------------------------------------------------------------------


def normalize_angle(angle_deg: float) -> float:
    """The same direction in [-180, 180)."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def direction_deg(x: float, y: float) -> float:
    """Direction of (x, y) in degrees, in (-180, 180]."""
    return math.degrees(math.atan2(y, x))


def clip(value: float, low: float, high: float) -> float:
    """`value` limited to [low, high]."""
    return min(max(value, low), high)


def fused_norm(x: float, y: float) -> float:
    """Length of (x, y) as upstream's BLAS rounds it: `sqrt(fma(y, y, x*x))` (section 1.1)."""
    return math.sqrt(float(Fraction(y) * Fraction(y) + Fraction(x * x)))


# --- motion (section 4) ---------------------------------------------------------------------------


def sight_range(viewing_angle: float, min_viewing_angle: float, max_sight_range: float) -> float:
    """Sight range at a viewing angle; the sector's area product stays constant (section 2.1)."""
    return math.sqrt(min_viewing_angle * max_sight_range**2 / viewing_angle)


def move_cameras(world: World, state: State, camera_action: FloatArray) -> None:
    """Turn and zoom all cameras (section 4.1).

    Args:
        world: the constants.
        state: changed in place.
        camera_action: [C, 2] (rotation, zoom) in degrees, clipped here component by component.
    """
    for c in range(world.n_cameras):
        turn_limit = float(world.camera_rotation_step[c])
        zoom_limit = float(world.camera_zooming_step[c])
        turn = clip(float(camera_action[c, 0]), -turn_limit, turn_limit)
        zoom = clip(float(camera_action[c, 1]), -zoom_limit, zoom_limit)
        smallest = float(world.camera_min_viewing_angle[c])
        angle = clip(float(state.camera_viewing_angle[c]) + zoom, smallest, MAX_VIEWING_ANGLE)
        state.camera_orientation[c] = normalize_angle(float(state.camera_orientation[c]) + turn)
        state.camera_viewing_angle[c] = angle
        state.camera_sight_range[c] = sight_range(
            angle, smallest, float(world.camera_max_sight_range[c])
        )


def limit_step(action: Vector, step_size: float) -> Vector:
    """The action shortened as a whole to the step size (section 4.2, item 1)."""
    length = math.hypot(*action)
    if length <= step_size:
        return action
    return action[0] * (step_size / length), action[1] * (step_size / length)


def starts_inside(start: Vector, centre: Vector, radius: float) -> bool:
    """Whether a move starts strictly inside a disc; at the very edge the last bit decides."""
    qx, qy = centre[0] - start[0], centre[1] - start[1]
    distance = math.hypot(qx, qy)
    if abs(distance - radius) < 1e-9:
        distance = fused_norm(qx, qy)
    return distance < radius


def obstruct(start: Vector, move: Vector, centre: Vector, radius: float) -> Vector:
    """The move that one solid disc leaves of a move (section 4.3)."""
    if radius <= 0.0:
        return move
    px, py = start
    vx, vy = move
    qx, qy = centre[0] - px, centre[1] - py
    n, d = math.hypot(vx, vy), math.hypot(qx, qy)
    if n == 0.0 or starts_inside(start, centre, radius):
        return -vx, -vy
    if d >= n + radius:
        return move
    inner = qx * vx + qy * vy
    if inner < 0.0:
        return move
    cosine = min(1.0, inner / (d * n))
    perpendicular = d * math.sqrt(1.0 - cosine**2)
    if not perpendicular < radius:
        return move
    half_chord = math.sqrt(radius**2 - perpendicular**2)
    entry = max(0.0, d * cosine - half_chord)
    if not entry < n:
        return move
    contact_x, contact_y = px + vx * (entry / n), py + vy * (entry / n)
    factor = (n - entry) * half_chord / radius**2
    return vx + (contact_x - centre[0]) * factor, vy + (contact_y - centre[1]) * factor


def move_target(
    start: Vector, action: Vector, step_size: float, discs: list[tuple[Vector, float]]
) -> tuple[Vector, bool]:
    """The end of one target's move and whether it collided (section 4.2).

    Args:
        start: position before the move.
        action: wanted displacement, of any length.
        step_size: the target's own step size.
        discs: (centre, radius) of every solid disc, in the order in which they act.
    """
    move = limit_step(action, step_size)
    desired = start[0] + move[0], start[1] + move[1]
    for centre, radius in discs:
        move = obstruct(start, move, centre, radius)
    end = (
        clip(start[0] + move[0], -TERRAIN_HALF_SIZE, TERRAIN_HALF_SIZE),
        clip(start[1] + move[1], -TERRAIN_HALF_SIZE, TERRAIN_HALF_SIZE),
    )
    colliding = (
        abs(end[0] - desired[0]) > COLLISION_TOLERANCE
        or abs(end[1] - desired[1]) > COLLISION_TOLERANCE
    )
    return end, colliding


def solid_discs(world: World) -> list[tuple[Vector, float]]:
    """Obstacles by index, then cameras by index: what stops targets."""
    centres = [*world.obstacle_xy.tolist(), *world.camera_xy.tolist()]
    radii = [*world.obstacle_radius.tolist(), *world.camera_radius.tolist()]
    return [((x, y), radius) for (x, y), radius in zip(centres, radii, strict=True)]


def move_targets(world: World, state: State, target_action: FloatArray) -> None:
    """Move all targets (section 4.2); targets do not interact.

    Args:
        world: the constants.
        state: changed in place.
        target_action: [T, 2] wanted displacements.
    """
    discs = solid_discs(world)
    for t in range(world.n_targets):
        x, y = (float(v) for v in state.target_xy[t])
        ax, ay = (float(v) for v in target_action[t])
        end, colliding = move_target((x, y), (ax, ay), float(world.target_step_size[t]), discs)
        if end != (x, y):
            state.target_orientation[t] = direction_deg(end[0] - x, end[1] - y)
        state.target_xy[t] = end
        state.target_is_colliding[t] = colliding


# --- perception (section 5) -----------------------------------------------------------------------


def distance_between(a: FloatArray, b: FloatArray) -> float:
    """Euclidean distance of two points [2]."""
    return math.hypot(float(b[0] - a[0]), float(b[1] - a[1]))


def camera_obstacle_mask(world: World) -> BoolArray:
    """Obstacles each camera knows [C, O]: strictly within maximum range + radius (section 5.1)."""
    mask = np.zeros((world.n_cameras, world.n_obstacles), dtype=np.bool_)
    for c in range(world.n_cameras):
        for o in range(world.n_obstacles):
            reach = world.camera_max_sight_range[c] + world.obstacle_radius[o]
            mask[c, o] = distance_between(world.camera_xy[c], world.obstacle_xy[o]) < reach
    return mask


def in_sector(world: World, state: State, camera: int, point: FloatArray) -> bool:
    """Whether a point lies in a camera's current range and angle, both inclusive (section 5.2)."""
    origin = world.camera_xy[camera]
    if distance_between(origin, point) > state.camera_sight_range[camera]:
        return False
    bearing = direction_deg(float(point[0] - origin[0]), float(point[1] - origin[1]))
    difference = abs(float(state.camera_orientation[camera]) - bearing)
    difference = min(difference, 360.0 - difference)
    return 2.0 * difference <= float(state.camera_viewing_angle[camera])


def disc_blocks(origin: FloatArray, point: FloatArray, centre: FloatArray, radius: float) -> bool:
    """Whether an opaque disc hides a point from an origin (section 5.5)."""
    ux, uy = float(point[0] - origin[0]), float(point[1] - origin[1])
    qx, qy = float(centre[0] - origin[0]), float(centre[1] - origin[1])
    length = math.hypot(ux, uy)
    if length == 0.0 or radius <= 0.0:
        return False
    along = (qx * ux + qy * uy) / length
    gap = radius**2 - (qx * uy - qy * ux) ** 2 / length**2
    if not (along > 0.0 and gap > 0.0):
        return False
    return length > (along - math.sqrt(gap)) * (1.0 + OCCLUSION_SLACK)


def is_occluded(world: World, camera: int, point: FloatArray) -> bool:
    """Whether an obstacle stands between a camera and a point (section 5.5)."""
    if world.transmittance >= 1.0:
        return False
    origin = world.camera_xy[camera]
    for o in range(world.n_obstacles):
        radius = float(world.obstacle_radius[o])
        known = distance_between(origin, world.obstacle_xy[o]) < (
            float(world.camera_max_sight_range[camera]) + radius
        )
        if known and disc_blocks(origin, point, world.obstacle_xy[o], radius):
            return True
    return False


def see(world: World, state: State, seen_through: BoolArray | None = None) -> None:
    """Recompute all view masks from the current poses (sections 5.2 to 5.4).

    Args:
        world: the constants.
        state: changed in place.
        seen_through: [C, T] outcomes of the transmittance draws; None means that none succeeds.
    """
    n_cameras, n_targets = world.n_cameras, world.n_targets
    state.camera_target_mask = np.zeros((n_cameras, n_targets), dtype=np.bool_)
    state.camera_camera_mask = np.eye(n_cameras, dtype=np.bool_)
    for c in range(n_cameras):
        for t in range(n_targets):
            point = state.target_xy[t]
            if in_sector(world, state, c, point):
                lucky = seen_through is not None and bool(seen_through[c, t])
                state.camera_target_mask[c, t] = lucky or not is_occluded(world, c, point)
        for other in range(n_cameras):
            if other != c:
                point = world.camera_xy[other]
                state.camera_camera_mask[c, other] = in_sector(
                    world, state, c, point
                ) and not is_occluded(world, c, point)
    zeros = np.zeros(n_targets)
    state.target_camera_mask = _within_range(world, state, world.camera_xy, world.camera_radius)
    state.target_obstacle_mask = _within_range(
        world, state, world.obstacle_xy, world.obstacle_radius
    )
    state.target_target_mask = _within_range(world, state, state.target_xy, zeros)
    np.fill_diagonal(state.target_target_mask, True)


def _within_range(world: World, state: State, centres: FloatArray, radii: FloatArray) -> BoolArray:
    """Discs [K] within each target's sight range [T, K], inclusive (section 5.4)."""
    mask = np.zeros((world.n_targets, len(centres)), dtype=np.bool_)
    for t in range(world.n_targets):
        for k in range(len(centres)):
            reach = world.target_sight_range[t] + radii[k]
            mask[t, k] = distance_between(state.target_xy[t], centres[k]) <= reach
    return mask


# --- cargo, rewards, termination (section 6) ------------------------------------------------------


def warehouse_at(point: FloatArray) -> int:
    """Index of the warehouse whose square holds the point, -1 if none (section 6.3)."""
    for w, (x, y) in enumerate(WAREHOUSES):
        if max(abs(float(point[0]) - x), abs(float(point[1]) - y)) <= WAREHOUSE_HALF_WIDTH:
            return w
    return -1


def _unload_and_load(
    world: World, state: State, target: int, warehouse: int, choose: ChooseDestination
) -> None:
    """Clear a target's trip and give it a new cargo if one waits (section 6.3, item 3)."""
    state.freights[target] = 0
    state.bounties[target] = 0
    state.target_goal[target] = -1
    state.target_goal_bits[target] = 0
    state.target_steps[target] = 0
    state.tracked_steps[target] = 0
    row = state.remaining_cargoes[warehouse]
    options = [d for d in range(4) if row[d] > 0]
    if not options:
        return
    destination = choose(target, options)
    weight = min(int(world.target_capacity[target]), int(row[destination]))
    row[destination] -= weight
    state.target_goal[target] = destination
    state.target_goal_bits[target, destination] = weight
    state.freights[target] = weight * world.freight_scale
    state.bounties[target] = weight * world.bounty_scale


def cargo(world: World, state: State, choose: ChooseDestination) -> Rewards:
    """Bounties, deliveries, pick-ups, rewards and termination of one frame (sections 6.2 to 6.5).

    Args:
        world: the constants.
        state: positions and `camera_target_mask` already those after the move; changed in place.
        choose: the draw of a new cargo's destination.
    """
    tracked = state.tracked_bits
    dense = 0.0
    delayed = 0.0
    for t in range(world.n_targets):
        if tracked[t] and state.bounties[t] > 0:
            dense -= 1.0
        state.bounties[t] = max(int(state.bounties[t]) - int(tracked[t]), 0)
    for t in range(world.n_targets):
        warehouse = warehouse_at(state.target_xy[t])
        goal = int(state.target_goal[t])
        state.target_dones[t] = False
        if warehouse >= 0 and goal in (-1, warehouse):
            if goal == warehouse:
                weight = int(state.target_goal_bits[t, warehouse])
                bounty = int(state.bounties[t])
                pay = float(int(state.freights[t]) + bounty)
                dense += pay
                delayed += pay - (weight * world.bounty_scale - bounty)
                state.num_delivered_cargoes += weight
                state.awaiting_cargo_counts[warehouse] -= weight
                state.target_dones[t] = True
            _unload_and_load(world, state, t, warehouse, choose)
        if warehouse >= 0:
            state.target_empty_bits[t, warehouse] = not state.remaining_cargoes[warehouse].any()
        state.target_steps[t] += 1
        state.tracked_steps[t] += int(tracked[t])
    state.target_team_episode_reward += dense
    state.delayed_target_team_episode_reward += delayed
    state.episode_step += 1
    in_time = state.episode_step <= world.max_episode_steps
    done = not (in_time and bool((state.awaiting_cargo_counts > 0).any()))
    return Rewards(dense, delayed, delayed if world.sparse_reward else dense, done)


def rates(world: World, state: State) -> tuple[float, float, float]:
    """Coverage, real coverage and mean transport rate (section 6.6)."""
    tracked = state.tracked_bits
    carrying = [t for t in range(world.n_targets) if state.bounties[t] > 0]
    coverage = sum(bool(b) for b in tracked) / world.n_targets
    real = sum(bool(tracked[t]) for t in carrying) / len(carrying) if carrying else 0.0
    if state.num_delivered_cargoes == 0:
        return coverage, real, 0.0
    full_pay = (world.freight_scale + world.bounty_scale) * state.num_delivered_cargoes
    return coverage, real, state.delayed_target_team_episode_reward / full_pay


def step(
    world: World,
    state: State,
    camera_action: FloatArray,
    target_action: FloatArray,
    choose: ChooseDestination,
    seen_through: BoolArray | None = None,
) -> Rewards:
    """One whole frame (section 4): cameras, targets, views, cargo; `state` changes in place."""
    move_cameras(world, state, camera_action)
    move_targets(world, state, target_action)
    see(world, state, seen_through)
    return cargo(world, state, choose)
