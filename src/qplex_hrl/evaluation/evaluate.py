"""Fixed-seed evaluation: whole episodes of a policy, summarised as the contract's JSON object."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camsim.scenario.schema import load_scenario
from qplex_hrl.evaluation.metrics import episode_metrics, finite_or_none, summary
from qplex_hrl.evaluation.players import (
    DEFAULT_OPPONENT,
    DEFAULT_SCENARIO,
    FULL_PLANNER,
    EpisodePlayer,
    EvaluationSetting,
    scripted_player,
)
from qplex_hrl.runtime.provenance import code_commit, package_versions

FORMAT_VERSION = 1


class EvaluationPlan(NamedTuple):
    """Who is to be evaluated, and where: everything is checked, nothing is played."""

    player: EpisodePlayer
    timestep: int | None  # training progress of the policy, None for scripted cameras
    provenance: Mapping[str, object]  # policy, scenario, opponent, regime, configuration hash
    surroundings: Callable[[], AbstractContextManager[object]] = nullcontext  # while it is played

    # Any: as below.
    def play(self, seeds: NDArray[np.uint64]) -> dict[str, Any]:
        """Return the evaluation on seeds [M]; see ``evaluate``."""
        with self.surroundings():
            return evaluate(self.player, seeds, timestep=self.timestep, provenance=self.provenance)


# Any: the evaluation is a JSON object of numbers, lists and text.
def evaluate(
    player: EpisodePlayer,
    seeds: NDArray[np.uint64],
    *,
    timestep: int | None,
    provenance: Mapping[str, object],
) -> dict[str, Any]:
    """Return the evaluation of one policy: a JSON object as the contract describes it.

    Args:
        player: the policy in its world.
        seeds: [M], one per episode.
        timestep: training progress of the policy, None for scripted cameras.
        provenance: what was played: policy, scenario, opponent, regime, configuration hash.
    """
    started = time.perf_counter()
    statistics = player.run_episodes(seeds)
    wall_time = time.perf_counter() - started
    metrics = episode_metrics(statistics)
    result: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "timestep": timestep,
        "n_episodes": len(seeds),
        "seeds": seeds.tolist(),
    }
    for name, values in metrics.items():
        result |= summary(name, values)
    result["episodes"] = [
        {"seed": int(seed)} | {name: finite_or_none(values[i]) for name, values in metrics.items()}
        for i, seed in enumerate(seeds)
    ]
    result["provenance"] = dict(provenance) | {
        "commit": code_commit(),
        "versions": package_versions(),
        "wall_time_seconds": round(wall_time, 3),
    }
    return result


def evaluate_scripted(
    camera_policy: str, setting: EvaluationSetting, seeds: NDArray[np.uint64], *, num_envs: int
) -> dict[str, Any]:
    """Return the evaluation of scripted or planning cameras.

    Args:
        camera_policy: name of the rule, a mixture as `greedy=0.5,random=0.5`, or a planner.
        setting: MATE-4v4-9 with greedy targets unless it says otherwise.
        seeds: [M], one per episode.
        num_envs: episodes that run in parallel.

    Raises:
        ValueError: a policy or the scenario does not exist, or a team would have no player.
    """
    return plan_scripted(camera_policy, setting, len(seeds), num_envs=num_envs).play(seeds)


def plan_scripted(
    camera_policy: str, setting: EvaluationSetting, n_episodes: int, *, num_envs: int
) -> EvaluationPlan:
    """Return the evaluation of scripted or planning cameras to come; see ``evaluate_scripted``."""
    player = scripted_player(camera_policy, setting, num_envs=num_envs, n_episodes=n_episodes)
    regime = "shared" if setting.shared_field_of_view else "own"
    scenario = setting.scenario or DEFAULT_SCENARIO
    provenance = {
        "policy": camera_policy,
        "scenario": scenario,
        "scenario_hash": load_scenario(scenario).fingerprint(),
        "opponent": setting.opponent or DEFAULT_OPPONENT,
        "regime": "full" if camera_policy == FULL_PLANNER else regime,
        "max_episode_steps": setting.max_episode_steps,
        "message_loss": setting.message_loss or 0.0,
        "config_hash": None,
    }
    return EvaluationPlan(player, None, provenance)
