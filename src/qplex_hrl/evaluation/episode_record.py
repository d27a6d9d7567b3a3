"""One episode of trained, planning or scripted cameras, frame by frame: for videos and replays."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from camcontrol.selection_env import SelectionEnv
from camsim.envs.team_env import TeamEnv, TeamOptions
from camsim.render.record import FrameRecord, record_frame
from camsim.scenario.schema import load_scenario
from camsim.scripted.spec import Link
from qplex_hrl.evaluation.players import (
    DEFAULT_SCENARIO,
    ActionSelector,
    EvaluationSetting,
    is_planner,
    planning_cameras,
    scripted_opponent,
)
from qplex_hrl.evaluation.trained import load_cameras
from qplex_hrl.runtime.seeding import episode_seeds

__all__ = ["record_agent", "record_checkpoint", "record_scripted", "render_episode"]


def record_checkpoint(
    path: Path, setting: EvaluationSetting, seed: int, device: torch.device
) -> Iterator[FrameRecord]:
    """Return the frames of the first episode that an evaluation with this seed plays.

    Every frame shows what its cameras have selected; the one after the reset shows nothing.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: the world does not exist.
    """
    cameras = load_cameras(path, setting, num_envs=1, device=device)
    return _frames_of_agent(cameras.env, cameras.agent, seed)


def record_agent(env: SelectionEnv, agent: ActionSelector, seed: int) -> Iterator[FrameRecord]:
    """Return the frames of the first episode that an evaluation with this seed plays.

    Args:
        env: one environment.
        agent: who chooses there.
        seed: of the evaluation.
    """
    return _frames_of_agent(env, agent, seed)


def record_scripted(
    camera_policy: str, setting: EvaluationSetting, seed: int
) -> Iterator[FrameRecord]:
    """Return the frames of the first episode that an evaluation with this seed plays.

    Every frame shows the messages that arrived in it, or what planning cameras have selected.

    Raises:
        ValueError: a policy or the scenario does not exist, a team would have no player, or a
            planner no camera.
    """
    if is_planner(camera_policy):
        return _frames_of_agent(*planning_cameras(camera_policy, setting, num_envs=1), seed)
    return _frames_of_script(_scripted_team(camera_policy, setting), seed)


def render_episode(
    frames: Iterator[FrameRecord],
    output: Path,
    *,
    size: int = 640,
    fps: float = 30.0,
    max_frames: int | None = None,
    title: str = "",
) -> int:
    """Write the video of an episode as .mp4 or .gif; return the number of frames.

    Args:
        frames: of the episode, as they come.
        output: the file.
        size: width in pixels, even.
        fps: frames per second.
        max_frames: stop after so many; None: the whole episode.
        title: written above the picture.

    Raises:
        ValueError: suffix, size, fps or max_frames is wrong, or the extra `viz` is missing.
        OSError: the file cannot be written.
    """
    from camsim.render import draw_frames, write_video

    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames = {max_frames}; expected at least 1")
    records = islice(frames, max_frames)
    return write_video(draw_frames(records, size=size, title=title), output, fps)


def _frames_of_agent(env: SelectionEnv, agent: ActionSelector, seed: int) -> Iterator[FrameRecord]:
    """Yield one episode. A decision spans several frames, which are run one at a time."""
    output = env.reset(episode_seeds(seed, 1))
    agent.reset_rows(np.ones(1, np.bool_))
    yield record_frame(env.sim, 0)
    while True:
        actions = agent.act(output.obs, output.avail_actions)
        for frame in range(env.options.decision_frames):
            if agent.reaction is not None and frame and frame % env.options.fast_interval == 0:
                actions = agent.reaction(*env.glance(), frame)
            env.run_frames(actions, 1)
            record = record_frame(env.sim, 0, selection=env.selection_bits[actions[0]])
            yield record
            if record.done:
                return
        output = env.observe()


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
    return TeamEnv(load_scenario(setting.scenario or DEFAULT_SCENARIO), options, 1)


def _frames_of_script(env: TeamEnv, seed: int) -> Iterator[FrameRecord]:
    """Yield one episode, with the messages of both teams."""
    env.reset(episode_seeds(seed, 1))
    record = record_frame(env.sim, 0)
    yield record
    while not record.done:
        env.step()
        cameras, targets = env.message_edges
        record = record_frame(env.sim, 0, camera_messages=cameras[0], target_messages=targets[0])
        yield record
