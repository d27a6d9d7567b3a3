"""An episode as arrays over frames and decisions: what the replay page holds."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camcontrol.selection_env import SelectionEnv
from camsim.layout import TERRAIN, WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.render.record import CameraRecord, FrameRecord
from qplex_hrl.evaluation.episode_record import Decision, Episode, RecordedFrame
from qplex_hrl.evaluation.search_aims import search_poses_deg
from qplex_hrl.runtime.provenance import package_versions

__all__ = ["Recording", "record_episode"]


# Any, in this module: JSON values, and arrays of several element types.
class Recording(NamedTuple):
    """One recorded episode.

    Sizes: F frames, the first one after the reset; K decisions; C cameras; T targets; O obstacles;
    U actions; P particles; M particle sets, C or 1 where all cameras know the same. Lengths are
    in terrain units, angles in degrees.

    `arrays` always has

    - of the world: `camera_xy` [C, 2], `camera_radius`, `camera_max_range`, `camera_min_angle_deg`
      [C], `obstacle_xy` [O, 2], `obstacle_radius` [O], `target_capacity` [T];
    - of each frame: `camera_pose` [F, C, 3] (orientation, viewing angle, sight range),
      `camera_obstacle` [F, C, O] bool, `target_xy` [F, T, 2], `target_goal` (-1: none),
      `target_load`, `target_bounty` [F, T], `camera_target` [F, C, T] bool, `coverage`,
      `real_coverage`, `transport`, `delivered`, `camera_return` [F], `action`, `slow_action`
      [F, C] (-1: none, as always of scripted cameras);
    - of each decision: its frame, `decision_frame` [K].

    Scripted teams have `camera_messages` [F, C, C] and `target_messages` [F, T, T], other cameras
    `search_deg` [F, C, 2] (direction and viewing angle that a search aimed at, else NaN),
    `track_xy` [F, C, T, 2], `track_age` (-1: never detected), `track_known` [F, C, T], and with a
    particle belief
    `particle_xy` [K, M, T, P, 2], `particle_goal` [K, M, T, P]; trained ones also `q_values`
    [K, C, U] (NaN: not available), `fast_probs`, `slow_probs` [K, C, T+1].
    """

    about: Mapping[str, Any]  # JSON values: who plays where, and what the actions mean
    arrays: Mapping[str, NDArray[Any]]


def record_episode(episode: Episode, max_frames: int | None = None) -> Recording:
    """Play an episode and return all of it, or its first `max_frames` frames.

    Raises:
        ValueError: `max_frames` is below 2.
    """
    if max_frames is not None and max_frames < 2:
        raise ValueError(f"max_frames = {max_frames}; expected at least 2")
    frames = [_lightened(frame) for frame in islice(episode.frames, max_frames)]
    arrays = _world(episode, frames[0].world) | _frames([frame.world for frame in frames])
    cameras = [frame.cameras for frame in frames if frame.cameras is not None]
    arrays |= _cameras(cameras) if cameras else _no_actions(len(frames), len(arrays["camera_xy"]))
    arrays |= _decisions(frames)
    return Recording(_about(episode, arrays, whole=frames[-1].world.done), arrays)


def _lightened(frame: RecordedFrame) -> RecordedFrame:
    """Return a frame whose particles are kept if it decides: they are most of an episode."""
    cameras = frame.cameras
    if cameras is None:
        return frame
    kept = slice(None) if frame.decides else slice(0)
    xy, goal = cameras.particle_xy[kept], cameras.particle_goal[kept]
    small = cameras._replace(particle_xy=xy.astype(np.float32), particle_goal=goal.astype(np.int8))
    return frame._replace(cameras=small)


def _about(episode: Episode, arrays: Mapping[str, NDArray[Any]], *, whole: bool) -> dict[str, Any]:
    """Return who plays where; `whole`: to the end of the episode."""
    env = episode.env
    return {
        "policy": episode.policy,
        "kind": episode.kind,
        "timestep": episode.timestep,
        "scenario": episode.scenario,
        "opponent": episode.opponent,
        "regime": episode.regime,
        "seed": episode.seed,
        "decision_frames": 1 if env is None else env.options.decision_frames,
        "fast_interval": _fast_interval(episode),
        "terrain": TERRAIN,
        "warehouses": WAREHOUSES.tolist(),
        "warehouse_half_width": WAREHOUSE_HALF_WIDTH,
        "transmittance": episode.sim.params.transmittance,
        "actions": [] if env is None else _actions(env),
        "mean_coverage": float(arrays["coverage"][1:].mean()),
        "whole": whole,
        "versions": {name: known for name, known in package_versions().items() if known},
    }


def _fast_interval(episode: Episode) -> int:
    """Return the frames between two reactions; those of a decision where cameras do not react."""
    if episode.env is None:
        return 1
    options = episode.env.options
    return options.fast_interval if episode.kind == "trained" else options.decision_frames


def _actions(env: SelectionEnv) -> list[dict[str, Any]]:
    """Return what each action means, one JSON object for each."""
    if env.options.action_mode == "discrete":
        return [{"move": move.tolist()} for move in env.catalogue.moves]
    actions: list[dict[str, Any]] = []
    for bits, (bearing, view) in zip(
        env.selection_bits, search_poses_deg(env.catalogue), strict=True
    ):
        if np.isfinite(bearing):
            actions.append({"search": {"bearing_deg": float(bearing), "view_deg": float(view)}})
        else:
            targets = np.flatnonzero(bits).tolist()
            actions.append({"targets": targets} if targets else {})
    return actions


def _world(episode: Episode, first: FrameRecord) -> dict[str, NDArray[Any]]:
    """Return what does not change in an episode."""
    params, n_cameras = episode.sim.params, len(first.camera_xy)
    return {
        "camera_xy": first.camera_xy,
        "camera_radius": first.camera_radius,
        "camera_max_range": np.full(n_cameras, params.max_range),
        "camera_min_angle_deg": np.full(n_cameras, params.theta_min_deg),
        "obstacle_xy": first.obstacle_xy,
        "obstacle_radius": first.obstacle_radius,
        "target_capacity": first.target_capacity,
    }


def _frames(frames: list[FrameRecord]) -> dict[str, NDArray[Any]]:
    """Return what the world was in every frame."""

    def of(name: str) -> NDArray[Any]:
        return np.array([getattr(frame, name) for frame in frames])

    poses = [of(name) for name in ("camera_phi_deg", "camera_theta_deg", "camera_range")]
    arrays = {
        "camera_pose": np.stack(poses, axis=-1),
        "camera_obstacle": of("camera_obstacle"),
        "target_xy": of("target_xy"),
        "target_goal": of("target_goal"),
        "target_load": of("target_load"),
        "target_bounty": of("target_bounty"),
        "camera_target": of("camera_target"),
        "coverage": of("coverage_rate"),
        "real_coverage": of("real_coverage_rate"),
        "transport": of("mean_transport_rate"),
        "delivered": of("delivered"),
        "camera_return": -of("target_reward"),
    }
    for name in ("camera_messages", "target_messages"):
        sent = [getattr(frame, name) for frame in frames]
        known = next((each for each in sent if each is not None), None)
        if known is not None:
            blank = np.zeros_like(known)
            arrays[name] = np.array([blank if each is None else each for each in sent])
    return arrays


def _cameras(frames: list[CameraRecord]) -> dict[str, NDArray[Any]]:
    """Return what the cameras did and where they expected targets in every frame."""
    names = ("action", "slow_action", "search_deg", "track_xy", "track_age", "track_known")
    return {name: np.array([getattr(frame, name) for frame in frames]) for name in names}


def _no_actions(n_frames: int, n_cameras: int) -> dict[str, NDArray[Any]]:
    nothing = np.full((n_frames, n_cameras), -1)
    return {"action": nothing, "slow_action": nothing}


def _decisions(frames: list[RecordedFrame]) -> dict[str, NDArray[Any]]:
    """Return what the cameras believed and valued at every decision."""
    at = [k for k, frame in enumerate(frames) if frame.decides]
    arrays = {"decision_frame": np.array(at, np.int64)}
    beliefs = [frames[k].cameras for k in at]
    if beliefs and beliefs[0] is not None and beliefs[0].particle_xy.size:
        for name in ("particle_xy", "particle_goal"):
            arrays[name] = np.array([getattr(belief, name) for belief in beliefs])
    said = [frame.decision for frame in frames if frame.decision is not None]
    if said:
        for name in Decision._fields:
            values = np.array([getattr(decision, name) for decision in said])
            if name == "q_values" or values.any():
                arrays[name] = values
    return arrays
