"""Bridge between the simulator's batch and the oracle: the one place that knows both names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reference_world import State, World

from camsim.sim import BatchSim

Array = NDArray[Any]  # dtypes differ from field to field

LAYOUT_FIELDS = (
    "camera_xy",
    "camera_radius",
    "obstacle_xy",
    "obstacle_radius",
    "target_step_size",
    "target_capacity",
)
POSE_FIELDS = ("camera_orientation", "camera_viewing_angle", "target_xy", "target_is_colliding")
ACCOUNT_FIELDS = (
    "target_goal",
    "target_goal_bits",
    "target_empty_bits",
    "target_dones",
    "target_steps",
    "tracked_steps",
    "freights",
    "bounties",
    "remaining_cargoes",
    "awaiting_cargo_counts",
    "num_delivered_cargoes",
    "target_team_episode_reward",
    "delayed_target_team_episode_reward",
    "episode_step",
)
VIEW_FIELDS = (
    "camera_target_mask",
    "camera_camera_mask",
    "target_camera_mask",
    "target_target_mask",
    "target_obstacle_mask",
    "tracked_bits",
)
RATE_FIELDS = ("coverage_rate", "real_coverage_rate", "mean_transport_rate")


def fields(sim: BatchSim) -> dict[str, Array]:
    """The simulator's own arrays [N, ...], writable, under the names of the recordings."""
    tables, view = sim.tables, sim.view
    cameras, targets, world = view.cameras, view.targets, view.world
    return {
        "camera_xy": cameras.xy,
        "camera_radius": cameras.radius,
        "camera_orientation": cameras.phi_deg,
        "camera_viewing_angle": cameras.theta_deg,
        "camera_sight_range": cameras.sight_range,
        "obstacle_xy": view.obstacle_xy,
        "obstacle_radius": view.obstacle_radius,
        "target_xy": targets.xy,
        "target_step_size": targets.step_size,
        "target_capacity": targets.capacity,
        "target_is_colliding": targets.colliding,
        "target_goal": targets.goal,
        "target_empty_bits": targets.empty_bits,
        "target_dones": targets.delivered_now,
        "target_steps": targets.steps,
        "tracked_steps": targets.tracked_steps,
        "freights": targets.freight,
        "bounties": targets.bounty,
        "remaining_cargoes": world.remaining,
        "awaiting_cargo_counts": world.awaiting,
        "num_delivered_cargoes": world.delivered,
        "target_team_episode_reward": world.sum_dense,
        "delayed_target_team_episode_reward": world.sum_delayed,
        "episode_step": world.step,
        "camera_obstacle_mask": tables.camera_obstacle,
        "camera_target_mask": tables.camera_target,
        "camera_camera_mask": tables.camera_camera,
        "target_camera_mask": tables.target_camera,
        "target_target_mask": tables.target_target,
        "target_obstacle_mask": tables.target_obstacle,
        "tracked_bits": targets.tracked,
        "coverage_rate": world.coverage_rate,
        "real_coverage_rate": world.real_coverage_rate,
        "mean_transport_rate": world.mean_transport_rate,
    }


def read(sim: BatchSim, name: str) -> Array:
    """What the simulator holds under a recorded name [N, ...]."""
    if name == "target_goal_bits":  # the simulator keeps destination and weight instead
        targets = sim.view.targets
        bits: Array = targets.load[..., None] * (targets.goal[..., None] == np.arange(4))
        return bits
    return fields(sim)[name]


def world_of(sim: BatchSim, row: int) -> World:
    """The constants of one environment of the batch, as the oracle takes them."""
    params, arrays = sim.params, fields(sim)
    n_cameras, n_targets = len(arrays["camera_xy"][row]), len(arrays["target_xy"][row])
    return World(
        camera_xy=arrays["camera_xy"][row].copy(),
        camera_radius=np.full(n_cameras, params.camera_radius),
        camera_max_sight_range=np.full(n_cameras, params.max_range),
        camera_min_viewing_angle=np.full(n_cameras, params.theta_min_deg),
        camera_rotation_step=np.full(n_cameras, params.rotation_step_deg),
        camera_zooming_step=np.full(n_cameras, params.zooming_step_deg),
        target_step_size=arrays["target_step_size"][row].copy(),
        target_capacity=arrays["target_capacity"][row].astype(np.int64),
        target_sight_range=np.full(n_targets, params.target_range),
        obstacle_xy=arrays["obstacle_xy"][row].copy(),
        obstacle_radius=arrays["obstacle_radius"][row].copy(),
        transmittance=params.transmittance,
        freight_scale=math.ceil(2000.0 / params.target_step),
        bounty_scale=params.bounty_scale,
        max_episode_steps=params.max_episode_steps,
        sparse_reward=params.sparse_reward,
    )


def state_of(sim: BatchSim, row: int) -> State:
    """A copy of one environment's state, as the oracle takes it."""

    def of(name: str, dtype: type) -> Array:
        array: Array = read(sim, name)[row].astype(dtype)
        return array

    floats = ("camera_orientation", "camera_viewing_angle", "camera_sight_range", "target_xy")
    flags = ("target_is_colliding", "target_empty_bits", "target_dones", *VIEW_FIELDS[:-1])
    integers = (
        "target_goal",
        "target_goal_bits",
        "target_steps",
        "tracked_steps",
        "freights",
        "bounties",
        "remaining_cargoes",
        "awaiting_cargo_counts",
    )
    return State(
        **{name: of(name, np.float64) for name in floats},
        **{name: of(name, np.bool_) for name in flags},
        **{name: of(name, np.int64) for name in integers},
        target_orientation=sim.view.targets.orientation_deg[row].copy(),
        num_delivered_cargoes=int(read(sim, "num_delivered_cargoes")[row]),
        target_team_episode_reward=float(read(sim, "target_team_episode_reward")[row]),
        delayed_target_team_episode_reward=float(
            read(sim, "delayed_target_team_episode_reward")[row]
        ),
        episode_step=int(read(sim, "episode_step")[row]),
    )
