"""What MATE's info dicts hold, batched (world 6.7 and 9.3): for training, logging and debugging.

Keys with `camera.` or `target.` in front hold one row per member of that team; all others belong to
the whole environment.
"""

import numpy as np
from numpy.typing import NDArray

from camsim.arrays import Floats, Ints
from camsim.layout import N_WAREHOUSES, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.sim import BatchSim
from camsim.tables import C_COS, C_SIN

Information = dict[str, NDArray[np.generic]]

NO_GOAL_DISTANCE = 1000.0
"""MATE's `goal_distance` of a target without goal."""


def warehouse_distances(target_xy: Floats) -> Floats:
    """Return the distances [..., T, 4] of targets [..., T, 2] to the warehouses, 0 at 75 units."""
    offset = target_xy[..., None, :] - WAREHOUSES
    distances: Floats = np.maximum(np.hypot(offset[..., 0], offset[..., 1]), WAREHOUSE_HALF_WIDTH)
    return distances - WAREHOUSE_HALF_WIDTH


def camera_states(sim: BatchSim) -> Floats:
    """Return the cameras' private states [N, C, 9] (world 2.1)."""
    cameras, params = sim.view.cameras, sim.params
    own = (params.max_range, params.rotation_step_deg, params.zooming_step_deg)
    columns = [
        cameras.xy[..., 0],
        cameras.xy[..., 1],
        cameras.radius,
        cameras.sight_range * sim.tables.cameras[..., C_COS],
        cameras.sight_range * sim.tables.cameras[..., C_SIN],
        cameras.theta_deg,
        *(np.full(cameras.radius.shape, value) for value in own),
    ]
    return np.stack(columns, axis=-1)


def target_states(sim: BatchSim) -> Floats:
    """Return the targets' private states [N, T, 14] (world 2.2)."""
    targets = sim.view.targets
    weights = targets.load[..., None] * (targets.goal[..., None] == np.arange(N_WAREHOUSES))
    columns = [
        targets.xy[..., 0],
        targets.xy[..., 1],
        np.full(targets.load.shape, sim.params.target_range),
        (targets.load > 0.0).astype(np.float64),
        targets.step_size,
        targets.capacity,
    ]
    return np.concatenate([np.stack(columns, axis=-1), weights, targets.empty_bits], axis=-1)


def obstacle_states(sim: BatchSim) -> Floats:
    """Return the obstacles' states [N, O, 3]."""
    view = sim.view
    return np.concatenate([view.obstacle_xy, view.obstacle_radius[..., None]], axis=-1)


def global_state(sim: BatchSim) -> Floats:
    """Return the global state [N, S] (world 7.4), whether or not it is written in each step."""
    n, view = sim.num_envs, sim.view
    counts = [len(box) for box in sim.boxes]
    preserved = np.concatenate([counts, [0], WAREHOUSES.reshape(-1), [WAREHOUSE_HALF_WIDTH]])
    parts = [
        np.broadcast_to(preserved, (n, len(preserved))),
        camera_states(sim).reshape(n, -1),
        target_states(sim).reshape(n, -1),
        obstacle_states(sim).reshape(n, -1),
        view.targets.freight,
        view.targets.bounty,
        view.world.remaining.reshape(n, -1),
    ]
    return np.concatenate(parts, axis=1)


def _counted(values: Floats) -> Ints:
    return values.astype(np.int64)


def world_information(sim: BatchSim) -> Information:
    """Return what belongs to an environment: rates, states, masks, accounts; [N, ...]."""
    world, tables = sim.view.world, sim.tables
    remaining = _counted(world.remaining)
    return {
        "coverage_rate": world.coverage_rate.copy(),
        "real_coverage_rate": world.real_coverage_rate.copy(),
        "mean_transport_rate": world.mean_transport_rate.copy(),
        "num_delivered_cargoes": _counted(world.delivered),
        "state": global_state(sim),
        "camera_states": camera_states(sim),
        "target_states": target_states(sim),
        "obstacle_states": obstacle_states(sim),
        "camera_target_view_mask": tables.camera_target.copy(),
        "camera_obstacle_view_mask": tables.camera_obstacle.copy(),
        "target_camera_view_mask": tables.target_camera.copy(),
        "target_obstacle_view_mask": tables.target_obstacle.copy(),
        "target_target_view_mask": tables.target_target.copy(),
        "remaining_cargoes": remaining,
        "remaining_cargo_counts": remaining.sum(axis=2),
        "awaiting_cargo_counts": _counted(world.awaiting),
    }


def _raw_rewards(sim: BatchSim) -> tuple[Floats, float]:
    """Return the target team's reward [N] and the largest one of an episode (world 6.1)."""
    world, params = sim.view.world, sim.params
    reward = world.reward_delayed if params.sparse_reward else world.reward_dense
    units = params.cargoes_per_target * len(sim.boxes.targets)
    return reward, float(params.reward_scale * units)


def camera_information(sim: BatchSim, edges: Ints) -> Information:
    """Return what belongs to each camera [N, C]; `edges` [N, C, C] are messages from -> to."""
    tables = sim.tables
    shape = tables.cameras.shape[:2]
    reward, largest = _raw_rewards(sim)
    raw = np.broadcast_to(0.0 - reward[:, None], shape)
    return {
        "camera.raw_reward": raw.copy(),
        "camera.normalized_raw_reward": raw / largest,
        "camera.out_communication_edges": edges.sum(axis=2),
        "camera.in_communication_edges": edges.sum(axis=1),
        "camera.num_tracked": tables.camera_target.sum(axis=2),
        "camera.is_sensed": tables.target_camera.any(axis=1),
    }


def target_information(sim: BatchSim, edges: Ints) -> Information:
    """Return what belongs to each target [N, T]; `edges` [N, T, T] are messages from -> to."""
    targets = sim.view.targets
    reward, largest = _raw_rewards(sim)
    raw = np.broadcast_to(reward[:, None] + 0.0, targets.goal.shape)
    goal, distances = _counted(targets.goal), warehouse_distances(targets.xy)
    to_goal = np.take_along_axis(distances, np.maximum(goal, 0)[..., None], axis=2)[..., 0]
    return {
        "target.raw_reward": raw.copy(),
        "target.normalized_raw_reward": raw / largest,
        "target.out_communication_edges": edges.sum(axis=2),
        "target.in_communication_edges": edges.sum(axis=1),
        "target.goal": goal,
        "target.warehouse_distances": distances,
        "target.goal_distance": np.where(goal >= 0, to_goal, NO_GOAL_DISTANCE),
        "target.individual_done": targets.delivered_now > 0.0,
        "target.is_tracked": targets.tracked > 0.0,
        "target.is_colliding": targets.colliding > 0.0,
    }
