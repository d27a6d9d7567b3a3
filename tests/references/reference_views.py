"""Oracle: observations, global state and MATE's observation wrappers, spelt out entry by entry.

Offsets follow the order of the specification's sections 2, 7 and 9; nothing is from `camsim`.
"""

from __future__ import annotations

import math

import numpy as np
from reference_sim import (
    MAX_VIEWING_ANGLE,
    TERRAIN_HALF_SIZE,
    WAREHOUSE_HALF_WIDTH,
    WAREHOUSES,
    camera_obstacle_mask,
)
from reference_world import BoolArray, FloatArray, State, World

Kinds = list[str]
"""One word per entry of a vector: which field of section 7.6 it is."""


def preserved(world: World, index: int) -> list[float]:
    """Counts, own index, warehouses: the first 13 entries (section 7.1)."""
    counts = [world.n_cameras, world.n_targets, world.n_obstacles, index]
    corners = [value for centre in WAREHOUSES for value in centre]
    return [*map(float, counts), *corners, WAREHOUSE_HALF_WIDTH]


def camera_state(world: World, state: State, c: int) -> list[float]:
    """A camera's private state (9); the first 6 entries are public (section 2.1)."""
    reach = float(state.camera_sight_range[c])
    phi = math.radians(float(state.camera_orientation[c]))
    return [
        float(world.camera_xy[c, 0]),
        float(world.camera_xy[c, 1]),
        float(world.camera_radius[c]),
        reach * math.cos(phi),
        reach * math.sin(phi),
        float(state.camera_viewing_angle[c]),
        float(world.camera_max_sight_range[c]),
        float(world.camera_rotation_step[c]),
        float(world.camera_zooming_step[c]),
    ]


def target_state(world: World, state: State, t: int) -> list[float]:
    """A target's private state (14); the first 4 entries are public (section 2.2)."""
    return [
        float(state.target_xy[t, 0]),
        float(state.target_xy[t, 1]),
        float(world.target_sight_range[t]),
        float(state.target_goal_bits[t].any()),
        float(world.target_step_size[t]),
        float(world.target_capacity[t]),
        *[float(weight) for weight in state.target_goal_bits[t]],
        *[float(bit) for bit in state.target_empty_bits[t]],
    ]


def obstacle_state(world: World, o: int) -> list[float]:
    """An obstacle's state (3), all public (section 2.3)."""
    x, y = world.obstacle_xy[o]
    return [float(x), float(y), float(world.obstacle_radius[o])]


def _masked(entries: list[list[float]], mask: BoolArray) -> list[float]:
    """Each entry followed by flag 1, or zeros for entry and flag where the mask is false."""
    out: list[float] = []
    for entry, visible in zip(entries, mask, strict=True):
        out += [*entry, 1.0] if visible else [0.0] * (len(entry) + 1)
    return out


def camera_observation(world: World, state: State, c: int, *, mode: str = "own") -> FloatArray:
    """Camera c's observation [22 + 5T + 4O + 7C] (section 7.2).

    `mode` is "own", "enhanced" (everything is shown, section 9.1) or "shared" (whatever any camera
    sees, and all teammates, section 9.2).
    """
    targets = [target_state(world, state, t)[:4] for t in range(world.n_targets)]
    obstacles = [obstacle_state(world, o) for o in range(world.n_obstacles)]
    cameras = [camera_state(world, state, j)[:6] for j in range(world.n_cameras)]
    target_mask = state.camera_target_mask[c]
    obstacle_mask = camera_obstacle_mask(world)[c]
    camera_mask = state.camera_camera_mask[c] | (mode != "own")
    if mode == "shared":
        target_mask = state.camera_target_mask.any(0)
        obstacle_mask = camera_obstacle_mask(world).any(0)
    return np.asarray(
        preserved(world, c)
        + camera_state(world, state, c)
        + _masked(targets, target_mask | (mode == "enhanced"))
        + _masked(obstacles, obstacle_mask | (mode == "enhanced"))
        + _masked(cameras, camera_mask)
    )


def target_observation(world: World, state: State, t: int) -> FloatArray:
    """Target t's observation [27 + 7C + 4O + 5T] (section 7.3)."""
    cameras = [camera_state(world, state, c)[:6] for c in range(world.n_cameras)]
    obstacles = [obstacle_state(world, o) for o in range(world.n_obstacles)]
    targets = [target_state(world, state, j)[:4] for j in range(world.n_targets)]
    return np.asarray(
        preserved(world, t)
        + target_state(world, state, t)
        + _masked(cameras, state.target_camera_mask[t])
        + _masked(obstacles, state.target_obstacle_mask[t])
        + _masked(targets, state.target_target_mask[t])
    )


def global_state(world: World, state: State) -> FloatArray:
    """The global state [13 + 9C + 16T + 3O + 16] (section 7.4)."""
    values = preserved(world, 0)
    for c in range(world.n_cameras):
        values += camera_state(world, state, c)
    for t in range(world.n_targets):
        values += target_state(world, state, t)
    for o in range(world.n_obstacles):
        values += obstacle_state(world, o)
    values += [float(v) for v in state.freights]
    values += [float(v) for v in state.bounties]
    values += [float(v) for v in state.remaining_cargoes.ravel()]
    return np.asarray(values)


# --- wrappers (section 9) -------------------------------------------------------------------------

_PRESERVED_KINDS: Kinds = ["count"] * 4 + ["coordinate"] * 8 + ["radius"]
_CAMERA_KINDS: Kinds = ["coordinate"] * 2 + ["radius"] + ["coordinate"] * 2 + ["angle"]
_CAMERA_PRIVATE_KINDS: Kinds = [*_CAMERA_KINDS, "length", "angle", "angle"]
_TARGET_KINDS: Kinds = ["coordinate"] * 2 + ["length", "flag"]
_OBSTACLE_KINDS: Kinds = ["coordinate"] * 2 + ["radius"]
_BOUNDS = {
    "coordinate": (-2 * TERRAIN_HALF_SIZE, 2 * TERRAIN_HALF_SIZE),
    "radius": (0.0, TERRAIN_HALF_SIZE),
    "length": (0.0, 2 * TERRAIN_HALF_SIZE),
    "angle": (0.0, MAX_VIEWING_ANGLE),
    "flag": (-1.0, 1.0),
}


def camera_observation_kinds(world: World) -> Kinds:
    """Field of every entry of a camera observation (sections 7.2 and 7.6)."""
    return (
        _PRESERVED_KINDS
        + _CAMERA_PRIVATE_KINDS
        + [*_TARGET_KINDS, "flag"] * world.n_targets
        + [*_OBSTACLE_KINDS, "flag"] * world.n_obstacles
        + [*_CAMERA_KINDS, "flag"] * world.n_cameras
    )


def rescaled(vector: FloatArray, kinds: Kinds) -> FloatArray:
    """The vector with every bounded field mapped to [-1, 1] (section 9.4)."""
    out = vector.copy()
    for i, kind in enumerate(kinds):
        if kind != "count":
            low, high = _BOUNDS[kind]
            out[i] = 2.0 * (vector[i] - low) / (high - low) - 1.0
    return out


def relative_camera_observation(world: World, obs: FloatArray) -> FloatArray:
    """The observation with positions of what is seen taken from the own one (section 9.5)."""
    out = obs.copy()
    own = obs[13:15]
    for w in range(4):
        out[4 + 2 * w : 6 + 2 * w] -= own
    first = 22
    for count, width in ((world.n_targets, 5), (world.n_obstacles, 4), (world.n_cameras, 7)):
        for k in range(count):
            entry = out[first + k * width : first + (k + 1) * width]
            if entry[-1] != 0.0:
                entry[:2] -= own
        first += count * width
    return out
