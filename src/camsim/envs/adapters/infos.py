"""Info dictionaries of the adapters: world 6.7, on request world 9.3, and auxiliary rewards."""

import numpy as np
from numpy.typing import NDArray

from camsim.envs.information import Information
from camsim.envs.team_env import TeamEnv

__all__ = ["group_information"]

_TRUE_STATE = frozenset(
    {
        "state",
        "camera_states",
        "target_states",
        "obstacle_states",
        "camera_target_view_mask",
        "camera_obstacle_view_mask",
        "target_camera_view_mask",
        "target_obstacle_view_mask",
        "target_target_view_mask",
        "remaining_cargoes",
        "remaining_cargo_counts",
        "awaiting_cargo_counts",
        "num_tracked",
        "is_sensed",
        "goal",
        "warehouse_distances",
        "goal_distance",
        "individual_done",
        "is_tracked",
        "is_colliding",
    }
)
"""What world 9.3 adds."""

_OF_SCRIPTED_TEAMS = frozenset({"out_communication_edges", "in_communication_edges"})
"""Keys of `TeamEnv.information` that say nothing about a team that the caller drives."""


def group_information(env: TeamEnv, group: str, more: bool) -> tuple[Information, Information]:
    """Return copies of what the infos of one team say, batched.

    Args:
        env: the worlds.
        group: camera or target.
        more: with what world 9.3 adds.

    Returns:
        Values that belong to the world [N, ...], and values of each member [N, A, ...].
    """
    shared, own = _basic_information(env, group), dict[str, NDArray[np.generic]]()
    options = env.options
    coefficients = options.camera_rewards if group == "camera" else options.target_rewards
    if not more and coefficients is None:
        return shared, own  # the rest costs time
    for key, value in env.information().items():
        prefix, _, name = key.rpartition(".")
        unwanted = (not more and name in _TRUE_STATE) or name in _OF_SCRIPTED_TEAMS
        if unwanted or name in shared:
            continue
        if prefix == group:
            own[name] = value
        elif not prefix:
            shared[name] = value
    return shared, own


def _basic_information(env: TeamEnv, group: str) -> Information:
    """Return what every info holds: the team's reward and the rates, [N] each."""
    world, params = env.sim.view.world, env.sim.params
    reward = world.reward_delayed if params.sparse_reward else world.reward_dense
    raw = 0.0 - reward if group == "camera" else reward + 0.0
    largest = params.reward_scale * params.cargoes_per_target * env.n_targets
    return {
        "raw_reward": raw,
        "normalized_raw_reward": raw / largest,
        "coverage_rate": world.coverage_rate.copy(),
        "real_coverage_rate": world.real_coverage_rate.copy(),
        "mean_transport_rate": world.mean_transport_rate.copy(),
        "num_delivered_cargoes": world.delivered.astype(np.int64),
    }
