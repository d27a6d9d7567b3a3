"""One episode of trained, planning or scripted cameras, frame by frame: for videos and replays."""

from collections.abc import Iterator
from itertools import islice, tee
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.selection_env import SelectionEnv
from camcontrol.tracking.motion_models import Q_GOAL, Q_RANDOM_WALK, Q_X, Q_Y
from camcontrol.tracking.track import B_AGE, B_KNOWN, B_X, B_Y
from camsim.arrays import Floats, Ints
from camsim.envs.team_env import TeamEnv, TeamOptions
from camsim.render.record import RANDOM_WALK, CameraRecord, FrameRecord, record_frame
from camsim.scenario.schema import Scenario, load_scenario
from camsim.scripted.spec import Link
from camsim.sim import BatchSim
from qplex_hrl.agent import Agent
from qplex_hrl.data.make_env import observation_mode, opponent_view
from qplex_hrl.evaluation.players import (
    DEFAULT_OPPONENT,
    DEFAULT_SCENARIO,
    FULL_PLANNER,
    ActionSelector,
    EvaluationSetting,
    is_planner,
    planning_cameras,
    scripted_opponent,
)
from qplex_hrl.evaluation.search_aims import search_aims_deg
from qplex_hrl.evaluation.trained import TrainedCameras, load_cameras
from qplex_hrl.runtime.seeding import episode_seeds

__all__ = [
    "Decision",
    "Episode",
    "RecordedFrame",
    "record_cameras",
    "record_checkpoint",
    "record_scripted",
    "render_episode",
]

_VIEWS = {"own": "own views", "shared": "shared view", "enhanced": "full view", "full": "full view"}
_NEVER = 1e5  # frames; ages above stand for targets that were never detected


class Decision(NamedTuple):
    """What the network of each camera said at a decision."""

    q_values: NDArray[np.float32]  # [C, U], NaN where the action is not available
    fast_probs: NDArray[np.float32]  # [C, T+1] second attention, the last entry is "search"
    slow_probs: NDArray[np.float32]  # [C, T+1] first attention; both zero without selectors


class RecordedFrame(NamedTuple):
    """One frame of an episode."""

    world: FrameRecord
    cameras: CameraRecord | None = None  # None: scripted cameras
    decides: bool = False  # a decision was made in this frame, for the ones that follow
    decision: Decision | None = None  # what the network said then


class Episode(NamedTuple):
    """Who plays where, and the frames as they come; the first one is that after the reset."""

    policy: str  # name of the checkpoint's file, or of the rule
    timestep: int | None  # frames of training; None: cameras that do not learn
    scenario: str
    opponent: str
    regime: str  # own, shared or full: what a camera sees
    seed: int  # of the evaluation whose first episode this is
    sim: BatchSim
    env: SelectionEnv | None  # None: scripted cameras
    frames: Iterator[RecordedFrame]
    opponent_view: str = "own"  # what targets observe: own or enhanced
    checkpoint: Path | None = None  # where trained cameras are from

    @property
    def title(self) -> str:
        """Return in one line who plays where against whom."""
        opponent, view = f"{self.opponent} targets", _VIEWS[self.regime]
        return f"{self.policy}  |  {self.scenario}  |  {opponent}  |  {view}  |  seed {self.seed}"

    @property
    def kind(self) -> str:
        """Return trained, planner or scripted."""
        if self.timestep is not None:
            return "trained"
        return "scripted" if self.env is None else "planner"


def record_checkpoint(
    path: Path, setting: EvaluationSetting, seed: int, device: torch.device
) -> Episode:
    """Return the first episode that an evaluation with this seed plays.

    Every frame shows what its cameras have selected; the one after the reset shows nothing.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: the world does not exist.
    """
    cameras = load_cameras(path, setting, num_envs=1, device=device)
    return record_cameras(cameras, path.name, seed)._replace(checkpoint=path)


def record_cameras(cameras: TrainedCameras, policy: str, seed: int) -> Episode:
    """Return the first episode that an evaluation with this seed plays.

    Args:
        cameras: in one environment.
        policy: their name.
        seed: of the evaluation.
    """
    world = cameras.config.env
    return Episode(
        policy=policy,
        timestep=cameras.timestep,
        scenario=world.scenario,
        opponent=world.opponent,
        regime=observation_mode(world),
        seed=seed,
        sim=cameras.env.sim,
        env=cameras.env,
        frames=_frames_of_agent(cameras.env, cameras.agent, seed),
        opponent_view=opponent_view(world),
    )


def record_scripted(camera_policy: str, setting: EvaluationSetting, seed: int) -> Episode:
    """Return the first episode that an evaluation with this seed plays.

    Every frame shows the messages that arrived in it, or what planning cameras have selected.

    Raises:
        ValueError: a policy or the scenario does not exist, a team would have no player, or a
            planner no camera.
    """
    env = None
    if is_planner(camera_policy):
        env, planner = planning_cameras(camera_policy, setting, num_envs=1)
        sim, frames = env.sim, _frames_of_agent(env, planner, seed)
    else:
        team = _scripted_team(camera_policy, setting)
        sim, frames = team.sim, _frames_of_script(team, seed)
    regime = "shared" if setting.shared_field_of_view else "own"
    return Episode(
        policy=camera_policy,
        timestep=None,
        scenario=setting.scenario or DEFAULT_SCENARIO,
        opponent=setting.opponent or DEFAULT_OPPONENT,
        regime="full" if camera_policy == FULL_PLANNER else regime,
        seed=seed,
        sim=sim,
        env=env,
        frames=frames,
    )


def render_episode(
    episode: Episode,
    output: Path,
    *,
    size: int = 960,
    fps: float = 30.0,
    max_frames: int | None = None,
    beliefs: bool = False,
) -> int:
    """Write the video of an episode as .mp4 or .gif; return the number of frames.

    Args:
        episode: who plays, and the frames as they come.
        output: the file.
        size: width in pixels, even.
        fps: frames per second.
        max_frames: stop after so many; None: the whole episode.
        beliefs: draw where cameras expect the targets that none of them sees.

    Raises:
        ValueError: suffix, size, fps or max_frames is wrong, or the extra `viz` is missing.
        OSError: the file cannot be written.
    """
    from camsim.render import draw_frames, write_video

    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames = {max_frames}; expected at least 1")
    for_world, for_cameras = tee(islice(episode.frames, max_frames))
    pictures = draw_frames(
        (frame.world for frame in for_world),
        size=size,
        title=episode.title,
        cameras=(frame.cameras for frame in for_cameras),
        beliefs=beliefs,
    )
    return write_video(pictures, output, fps)


def _frames_of_agent(
    env: SelectionEnv, agent: ActionSelector, seed: int
) -> Iterator[RecordedFrame]:
    """Yield one episode. A decision spans several frames, which are run one at a time."""
    output = env.reset(episode_seeds(seed, 1))
    agent.reset_rows(np.ones(1, np.bool_))
    nothing, no_search = np.full(env.n_agents, -1), np.full((env.n_agents, 2), np.nan)
    world, cameras = record_frame(env.sim, 0), _record_cameras(env, nothing, nothing, no_search)
    while True:
        actions = decided = agent.act(output.obs, output.avail_actions)
        decision = _decision(agent, output.avail_actions[0])
        for frame in range(env.options.decision_frames):
            yield RecordedFrame(world, cameras, *((True, decision) if frame == 0 else ()))
            if agent.reaction is not None and frame and frame % env.options.fast_interval == 0:
                actions = agent.reaction(*env.glance(), frame)
            search = search_aims_deg(env, actions[0])
            env.run_frames(actions, 1)
            world = record_frame(env.sim, 0, selection=env.selection_bits[actions[0]])
            cameras = _record_cameras(env, actions[0], decided[0], search)
            if world.done:
                yield RecordedFrame(world, cameras)
                return
        output = env.observe()


def _decision(agent: ActionSelector, avail_actions: NDArray[np.bool_]) -> Decision | None:
    """Return what the agent's network said last, for environment 0; None: it has none."""
    if not isinstance(agent, Agent):
        return None
    said = agent.last_output
    q_values = said.q_values[0].cpu().numpy()
    return Decision(
        np.where(avail_actions, q_values, np.float32(np.nan)),
        said.fast_probs[0].cpu().numpy(),
        said.slow_probs[0].cpu().numpy(),
    )


def _record_cameras(
    env: SelectionEnv, actions: Ints, decided: Ints, search_deg: Floats
) -> CameraRecord:
    """Return what environment 0's cameras believe, with their actions [C], -1 for none.

    `search_deg` [C, 2]: what those that search have aimed at.
    """
    belief, particles = env.agent_state.belief[0], env.agent_state.particles
    # Without a particle belief the array is empty and has one axis.
    sets = particles[0] if particles.ndim == 5 else np.zeros((0, env.n_targets, Q_GOAL + 5, 0))
    goal = np.where(sets[:, :, Q_RANDOM_WALK] > 0.0, RANDOM_WALK, sets[:, :, Q_GOAL])
    age = belief[..., B_AGE]
    return CameraRecord(
        action=actions.copy(),
        slow_action=decided.copy(),
        slow_selection=env.selection_bits[decided] & (decided >= 0)[:, None],
        search_deg=search_deg,
        track_xy=belief[..., B_X : B_Y + 1].copy(),
        track_age=np.where(age < _NEVER, age, -1).astype(np.int64),
        track_known=belief[..., B_KNOWN] > 0.0,
        particle_xy=sets[:, :, Q_X : Q_Y + 1].swapaxes(2, 3).copy(),
        particle_goal=np.where(sets[:, :, Q_GOAL] < 0.0, -1, goal).astype(np.int64),
    )


def _scripted_team(camera_policy: str, setting: EvaluationSetting) -> TeamEnv:
    """Return one environment, in which nothing starts the next episode by itself."""
    options = TeamOptions(
        cameras=camera_policy,
        targets=scripted_opponent(camera_policy, setting),
        camera_view="shared" if setting.shared_field_of_view else "own",
        camera_link=Link(dropout=setting.message_loss or 0.0),
        max_episode_steps=setting.max_episode_steps,
        auto_reset=False,
        with_camera_obs=False,
        with_target_obs=False,
        with_state=False,
    )
    return TeamEnv(_scenario(setting), options, 1)


def _scenario(setting: EvaluationSetting) -> Scenario:
    return load_scenario(setting.scenario or DEFAULT_SCENARIO)


def _frames_of_script(env: TeamEnv, seed: int) -> Iterator[RecordedFrame]:
    """Yield one episode, with the messages of both teams."""
    env.reset(episode_seeds(seed, 1))
    record = record_frame(env.sim, 0)
    yield RecordedFrame(record)
    while not record.done:
        env.step()
        cameras, targets = env.message_edges
        record = record_frame(env.sim, 0, camera_messages=cameras[0], target_messages=targets[0])
        yield RecordedFrame(record)
