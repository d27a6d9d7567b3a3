"""Info dictionaries of the adapters: spec 6.7, on request spec 9.3, and auxiliary rewards."""

from typing import Any

import numpy as np

from camsim.envs.team import TeamEnv

__all__ = ["member_infos", "team_information"]

Information = dict[str, np.ndarray]


def team_information(env: TeamEnv, side: str, more: bool) -> tuple[Information, Information]:
    """Return what the infos of one team say, batched and copied.

    Args:
        env: the worlds.
        side: camera or target.
        more: with what spec 9.3 adds.

    Returns:
        Values that the members share [N, ...], and values of each member [N, A, ...].
    """
    world, params = env.sim.view.world, env.sim.params
    reward = world.reward_delayed if params.sparse_reward else world.reward_dense
    raw = -reward if side == "camera" else reward.copy()
    largest = params.reward_scale * params.cargoes_per_target * env.n_targets
    shared = {
        "raw_reward": raw,
        "normalized_raw_reward": raw / largest,
        "coverage_rate": world.coverage_rate.copy(),
        "real_coverage_rate": world.real_coverage_rate.copy(),
        "mean_transport_rate": world.mean_transport_rate.copy(),
        "num_delivered_cargoes": world.delivered.astype(np.int64),
    }
    return shared, {}


def member_infos(env: TeamEnv, side: str, more: bool) -> list[dict[str, Any]]:
    """Return one info dictionary for each member of a team in environment 0.

    No two of them share an array. The values are numbers and arrays.
    """
    shared, own = team_information(env, side, more)
    count = env.n_cameras if side == "camera" else env.n_targets
    return [
        {key: _plain(value[0]) for key, value in shared.items()}
        | {key: _plain(value[0, k]) for key, value in own.items()}
        for k in range(count)
    ]


def _plain(value: Any) -> Any:  # what indexing an array gives: a number or an array
    """Return numbers as Python's own, arrays as copies."""
    return value.copy() if isinstance(value, np.ndarray) else value.item()
