"""Bridge between the simulator's batch and the oracle: the one place that knows both names."""

from __future__ import annotations

import math

import numpy as np
from reference_world import State, World

from camsim.parity.teacher_forcing import VIEW_FIELDS, fields, read
from camsim.parity.trace import Array
from camsim.sim import BatchSim


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
