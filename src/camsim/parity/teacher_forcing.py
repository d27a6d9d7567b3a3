"""Puts recorded states into a `BatchSim`: one environment per recorded time of a trace.

The simulator's phases (move, see, settle, observe) then run one at a time, each from recorded
input: no error accumulates, and a wrong rule shows in its own phase and nowhere else.
"""

import math

import numpy as np

from camsim.parity.trace import Array, Trace
from camsim.scenario.schema import Scenario
from camsim.sim import BatchSim

__all__ = [
    "ACCOUNT_FIELDS",
    "LAYOUT_FIELDS",
    "POSE_FIELDS",
    "RATE_FIELDS",
    "VIEW_FIELDS",
    "fields",
    "read",
    "scales_of",
    "scenario_of",
    "simulator_at",
    "write",
]

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
    """Return the simulator's own arrays [N, ...], writable, under the names of the recordings."""
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
        "target_orientation": targets.orientation_deg,
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
    """Return what the simulator holds under a recorded name [N, ...]."""
    if name == "target_goal_bits":  # the simulator keeps destination and weight instead
        targets = sim.view.targets
        bits: Array = targets.load[..., None] * (targets.goal[..., None] == np.arange(4))
        return bits
    return fields(sim)[name]


def write(sim: BatchSim, trace: Trace, times: Array, names: tuple[str, ...]) -> None:
    """Write the recorded arrays `names` of time `times[i]` into row i, for every i."""
    arrays = fields(sim)
    for name in names:
        if name in LAYOUT_FIELDS:
            arrays[name][...] = trace.arrays[name]
        elif name == "target_goal_bits":
            sim.view.targets.load[...] = trace.at(name, times).sum(-1)
        else:
            arrays[name][...] = trace.at(name, times)
    sim.refresh()


def scales_of(trace: Trace) -> tuple[int, int]:
    """Return freight and bounty of one unit, from the base step size and `meta` (world 6.1)."""
    step = float(trace.arrays["target_step_size"][0] * trace.arrays["target_capacity"][0])
    freight = math.ceil(2000.0 / step)
    if "bounty_factor" in trace.meta:
        return freight, math.ceil(freight * trace.meta["bounty_factor"])
    return freight, int(trace.meta["bounty_scale"])


def scenario_of(trace: Trace) -> Scenario:
    """Return a scenario with the trace's entities at fixed places, from the file alone.

    Raises:
        ScenarioError: a constant of the trace is not possible in MATE.
    """
    arrays, meta = trace.arrays, trace.meta
    freight, bounty = scales_of(trace)
    mapping = {
        "max_episode_steps": int(meta["max_episode_steps"]),
        "reward_type": meta["reward_type"],
        "num_cargoes_per_target": max(4, int(meta.get("num_cargoes_per_target", 4))),
        "bounty_factor": float(meta.get("bounty_factor", bounty / freight)),
        "shuffle_entities": False,
        "target": {
            "location": arrays["target_xy"][0].tolist(),
            "step_size": float(arrays["target_step_size"][0] * arrays["target_capacity"][0]),
            "sight_range": float(arrays["target_sight_range"][0]),
        },
    }
    if trace.n_cameras:
        constants = {
            "radius": "camera_radius",
            "min_viewing_angle": "camera_min_viewing_angle",
            "max_sight_range": "camera_max_sight_range",
            "rotation_step": "camera_rotation_step",
            "zooming_step": "camera_zooming_step",
        }
        mapping["camera"] = {key: float(arrays[name][0]) for key, name in constants.items()}
        mapping["camera"]["location"] = arrays["camera_xy"].tolist()
    if trace.n_obstacles:
        radii = arrays["obstacle_radius"]
        mapping["obstacle"] = {
            "location": arrays["obstacle_xy"].tolist(),
            "radius_random_range": [float(radii.min()), float(radii.max())],
            "transmittance": trace.transmittance,
        }
    return Scenario.from_mapping(mapping, source=trace.name)


def simulator_at(trace: Trace, times: Array, observation_mode: str = "own") -> BatchSim:
    """Return a simulator with one environment per recorded time [M], in the state of that time."""
    sim = BatchSim(
        scenario_of(trace), len(times), observation_mode=observation_mode, target_obs=True
    )
    freight, bounty = scales_of(trace)
    sim.params = sim.params._replace(freight_scale=freight, bounty_scale=bounty)
    names: tuple[str, ...] = LAYOUT_FIELDS + POSE_FIELDS + ACCOUNT_FIELDS + VIEW_FIELDS
    if "target_orientation" in trace.arrays:
        names += ("target_orientation",)
    write(sim, trace, times, names)
    return sim
