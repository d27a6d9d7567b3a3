"""Cameras that learned: a checkpoint's, acting greedily, and their evaluation."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.selection_env import SelectionEnv
from camsim.scenario.schema import Scenario, load_scenario
from qplex_hrl.agent import Agent
from qplex_hrl.config import RunConfig, config_hash
from qplex_hrl.data.make_env import build_env, model_dims, observation_mode
from qplex_hrl.evaluation.evaluate import EvaluationPlan
from qplex_hrl.evaluation.players import (
    AgentPlayer,
    EvaluationSetting,
    ParallelPlayers,
    environment_shares,
)
from qplex_hrl.evaluation.policy_file import TrainedPolicy, load_policy
from qplex_hrl.model import CameraNetwork, camera_network
from qplex_hrl.runtime.devices import torch_threads


class TrainedCameras(NamedTuple):
    """A checkpoint's cameras, acting greedily, and the worlds they act in."""

    config: RunConfig
    timestep: int
    env: SelectionEnv
    agent: Agent
    scenario: Scenario


def evaluate_checkpoint(
    path: Path,
    setting: EvaluationSetting,
    seeds: NDArray[np.uint64],
    *,
    num_envs: int,
    device: torch.device,
) -> dict[str, Any]:
    """Return the evaluation of a checkpoint's cameras, acting greedily.

    Args:
        path: checkpoint of a training run.
        setting: what differs from the world of the training.
        seeds: [M], one per episode.
        num_envs: episodes that run in parallel.
        device: of the network.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: the world does not exist.
    """
    plan = plan_checkpoint(path, setting, len(seeds), num_envs=num_envs, device=device)
    return plan.play(seeds)


def plan_checkpoint(
    path: Path,
    setting: EvaluationSetting,
    n_episodes: int,
    *,
    num_envs: int,
    device: torch.device,
) -> EvaluationPlan:
    """Return the evaluation of a checkpoint's cameras to come; see ``evaluate_checkpoint``."""
    policy = load_policy(path)
    teams = [
        _team(path, policy, setting, n_envs, device)
        for n_envs in environment_shares(num_envs, n_episodes)
    ]
    player = ParallelPlayers([AgentPlayer(team.env, team.agent) for team in teams])
    provenance = provenance_of(teams[0].config, path.name, teams[0].scenario)
    # Batches are small: the environments make better use of the cores than PyTorch.
    return EvaluationPlan(player, policy.timestep, provenance, partial(torch_threads, 1))


def load_cameras(
    path: Path, setting: EvaluationSetting, *, num_envs: int, device: torch.device
) -> TrainedCameras:
    """Return the cameras of a checkpoint in `num_envs` environments of `setting`.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: the scenario does not exist, or has other sizes than the weights can play.
    """
    return _team(path, load_policy(path), setting, num_envs, device)


def _team(
    path: Path,
    policy: TrainedPolicy,
    setting: EvaluationSetting,
    num_envs: int,
    device: torch.device,
) -> TrainedCameras:
    """Return the cameras of a policy that was read from `path`."""
    changes = {key: value for key, value in setting._asdict().items() if value is not None}
    env_config = policy.config.env.model_copy(update=changes)
    config = policy.config.model_copy(update={"env": env_config})
    world = policy.world(path) if setting.scenario is None else load_scenario(setting.scenario)
    env = build_env(config, num_envs, world)
    policy.check_team(path, env.n_agents)
    dims = model_dims(env)
    policy.check_sizes(path, dims)
    bits = torch.from_numpy(env.selection_bits.copy())
    network = camera_network(dims, bits, config.network)
    policy.load_into(network, path)
    agent = greedy_agent(network, env, device)
    return TrainedCameras(config, policy.timestep, env, agent, world)


def greedy_agent(network: CameraNetwork, env: SelectionEnv, device: torch.device) -> Agent:
    """Return an agent for ``env`` that is used without exploration."""
    unused = np.random.default_rng(0)  # draws nothing that matters at epsilon 0
    return Agent(
        network,
        n_envs=env.n_envs,
        n_agents=env.n_agents,
        rng=unused,
        device=device,
        decision_frames=env.options.decision_frames,
    )


def provenance_of(config: RunConfig, policy: str, scenario: Scenario) -> dict[str, object]:
    """Return what was played, for the evaluation of trained cameras.

    Args:
        config: of the cameras and their world.
        policy: their name.
        scenario: that was played, which the configuration only names.
    """
    return {
        "policy": policy,
        "scenario": config.env.scenario,
        "scenario_hash": scenario.fingerprint(),
        "opponent": config.env.opponent,
        "regime": observation_mode(config.env),
        "max_episode_steps": config.env.max_episode_steps,
        "message_loss": config.env.message_loss,
        "config_hash": config_hash(config),
    }
