"""Who plays an evaluation, and where: trained cameras, scripted ones or a planner."""

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.planning_cameras import Planner, planning_env
from camcontrol.selection_env import SelectionEnv
from camsim.envs.scripted_env import ScriptedEnv
from camsim.layout import OBSERVATION_MODES
from camsim.scenario.parsing import suggestion
from camsim.scenario.schema import load_scenario
from camsim.scripted.spec import CAMERA_POLICIES, EXTERNAL, Link, camera_rules
from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.agent import Agent
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.model import CameraNetwork, slow_interval

DEFAULT_SCENARIO, DEFAULT_OPPONENT = "MATE-4v4-9", "greedy"  # of cameras that do not learn
PLANNER, FULL_PLANNER = "planner", "planner-full"
"""Cameras that look ahead: on what they know, or seeing everything (`planning_cameras`)."""


class EvaluationSetting(NamedTuple):
    """Where a policy is evaluated; None leaves what it was trained in, or the default."""

    scenario: str | None = None  # preset, or file
    opponent: str | None = None  # policy of the targets
    shared_field_of_view: bool | None = None
    max_episode_steps: int | None = None  # frames after which an episode is cut off
    message_loss: float | None = None  # chance that a message between cameras is lost


class EpisodePlayer(Protocol):
    """A policy in its world: a trained agent, scripted cameras or a planner."""

    def run_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [M, K] (EPISODE_COLUMNS) of one whole episode for each seed [M]."""


class TrainedCameras(NamedTuple):
    """A checkpoint's cameras, acting greedily, and the worlds they act in."""

    config: RunConfig
    timestep: int
    env: SelectionEnv
    agent: Agent


class ActionSelector(Protocol):
    """Who chooses the cameras' actions in N environments: a trained agent or a planner."""

    def act(self, obs: NDArray[np.float32], avail_actions: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return actions [N, C] of the next decision from obs [N, C, D] and masks [N, C, U]."""

    def reset_rows(self, ended: NDArray[np.bool_]) -> None:
        """Forget everything in the environments where ``ended`` [N] is true: a new episode."""


class AgentPlayer:
    """A trained agent that plays greedily, without exploration, or a planner."""

    def __init__(self, env: SelectionEnv, agent: ActionSelector) -> None:
        """Take N environments and an agent for as many."""
        self._env = env
        self._agent = agent

    def run_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [M, K] of the first episode of each seed [M].

        N episodes run at a time until the longest has ended. Those that follow in the environments
        that finish early are not counted, so short episodes do not count more often than long ones.
        """
        n_envs = self._env.n_envs
        batches = [
            self._first_episodes(np.resize(seeds[i : i + n_envs], n_envs))
            for i in range(0, len(seeds), n_envs)
        ]
        return np.concatenate(batches)[: len(seeds)]

    def _first_episodes(self, seeds: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the statistics [N, K] of the first episode of seeds [N]."""
        n_envs = self._env.n_envs
        self._agent.reset_rows(np.ones(n_envs, np.bool_))
        output = self._env.reset(seeds)
        statistics = np.zeros((n_envs, len(EPISODE_COLUMNS)))
        playing = np.ones(n_envs, np.bool_)
        while playing.any():
            output = self._env.step(self._agent.act(output.obs, output.avail_actions))
            ended = output.terminated | output.truncated
            statistics[playing & ended] = output.episode[playing & ended]
            playing &= ~ended
            self._agent.reset_rows(ended)
        return statistics


def load_cameras(
    path: Path, setting: EvaluationSetting, *, num_envs: int, device: torch.device
) -> TrainedCameras:
    """Return the cameras of a checkpoint in `num_envs` environments of `setting`.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: the scenario does not exist, or has other sizes than the weights can play.
    """
    policy = load_policy(path)
    changes = {key: value for key, value in setting._asdict().items() if value is not None}
    env_config = policy.config.env.model_copy(update=changes)
    config = policy.config.model_copy(update={"env": env_config})
    env = build_env(config, num_envs)
    policy.check_team(path, env.n_agents)
    dims = model_dims(env)
    policy.check_sizes(path, dims)
    network = CameraNetwork(
        dims,
        torch.from_numpy(env.selection_bits.copy()),
        config.network.q_network,
        slow_interval(config.network.hrl),
    )
    network.load_state_dict(policy.weights)
    return TrainedCameras(config, policy.timestep, env, greedy_agent(network, env, device))


def is_planner(camera_policy: str) -> bool:
    """Tell whether the name is that of a planner.

    Raises:
        ValueError: it is no name of cameras at all.
    """
    known = (*CAMERA_POLICIES, PLANNER, FULL_PLANNER)
    if camera_policy not in (*known, EXTERNAL) and "=" not in camera_policy:
        raise ValueError(
            f"camera_policy = {camera_policy!r}; expected one of {', '.join(known)}"
            f"{suggestion(camera_policy, known)}"
        )
    return camera_policy in (PLANNER, FULL_PLANNER)


def planning_cameras(
    camera_policy: str, setting: EvaluationSetting, *, num_envs: int
) -> tuple[SelectionEnv, Planner]:
    """Return `num_envs` environments of `setting`, and who plays their cameras.

    Raises:
        ValueError: the scenario does not exist or has no cameras, or nobody plays the targets.
    """
    if setting.message_loss:
        raise ValueError(
            f"message_loss = {setting.message_loss}; expected 0: planners rely on knowing the same"
        )
    view = "shared" if setting.shared_field_of_view else "own"
    env = planning_env(
        load_scenario(setting.scenario or DEFAULT_SCENARIO),
        num_envs,
        view="full" if camera_policy == FULL_PLANNER else view,
        opponent=scripted_opponent(camera_policy, setting),
        max_episode_steps=setting.max_episode_steps,
    )
    return env, Planner(env)


def scripted_opponent(camera_policy: str, setting: EvaluationSetting) -> str:
    """Return the targets' policy in a world whose cameras are scripted.

    Raises:
        ValueError: a team would have no player.
    """
    opponent = setting.opponent or DEFAULT_OPPONENT
    if EXTERNAL in (camera_policy, opponent):
        raise ValueError(f"policy {EXTERNAL!r} leaves a team without a player")
    return opponent


def scripted_cameras(
    camera_policy: str, setting: EvaluationSetting, *, num_envs: int
) -> EpisodePlayer:
    """Return `num_envs` environments of `setting` with scripted or planning cameras.

    Raises:
        ValueError: a policy or the scenario does not exist, a team would have no player, or a
            planner no camera.
    """
    if is_planner(camera_policy):
        return AgentPlayer(*planning_cameras(camera_policy, setting, num_envs=num_envs))
    opponent = scripted_opponent(camera_policy, setting)
    view = OBSERVATION_MODES["shared" if setting.shared_field_of_view else "own"]
    return ScriptedEnv(
        load_scenario(setting.scenario or DEFAULT_SCENARIO),
        num_envs,
        camera_policy=camera_rules(
            camera_policy, view=view, link=Link(dropout=setting.message_loss or 0.0)
        ),
        target_policy=opponent,
        max_episode_steps=setting.max_episode_steps,
    )


def greedy_agent(network: CameraNetwork, env: SelectionEnv, device: torch.device) -> Agent:
    """Return an agent for ``env`` that is used without exploration."""
    unused = np.random.default_rng(0)  # draws nothing that matters at epsilon 0
    return Agent(network, n_envs=env.n_envs, n_agents=env.n_agents, rng=unused, device=device)
