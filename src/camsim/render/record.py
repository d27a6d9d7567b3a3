"""Records of frames and episodes: all that pictures, videos and replays are made from."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camsim.archives import ArchiveError, read_arrays
from camsim.arrays import Bools, Floats, Ints
from camsim.files import atomic_writer
from camsim.sim import BatchSim

__all__ = ["RANDOM_WALK", "CameraRecord", "EpisodeRecord", "FrameRecord", "record_frame"]

FORMAT_VERSION = 1
MOST_FRAMES = 100_000
"""Of a file: ten times MATE's longest episode. A frame in memory is far larger than in a file."""

_FOREIGN = (KeyError, IndexError, TypeError, ValueError)

RANDOM_WALK = 4
"""In `particle_goal`: the particle walks at random; 0 to 3 are warehouses, -1 is weight 0."""


class FrameRecord(NamedTuple):
    """One frame of one environment; the arrays are read-only copies. Angles in degrees."""

    camera_xy: Floats  # [C, 2]
    camera_radius: Floats  # [C] of the bodies
    camera_phi_deg: Floats  # [C] orientation
    camera_theta_deg: Floats  # [C] viewing angle
    camera_range: Floats  # [C] sight range
    obstacle_xy: Floats  # [O, 2]
    obstacle_radius: Floats  # [O]
    camera_obstacle: Bools  # [C, O] obstacles that a camera knows, which cut its view
    target_xy: Floats  # [T, 2]
    target_capacity: Ints  # [T] 1 or 2
    target_goal: Ints  # [T] warehouse the cargo goes to, -1 = none
    target_load: Ints  # [T] units carried
    target_bounty: Floats  # [T]
    target_tracked: Bools  # [T]
    target_colliding: Bools  # [T]
    target_empty_bits: Bools  # [T, 4] warehouses that the target has seen empty
    camera_target: Bools  # [C, T] who sees whom
    remaining: Ints  # [4, 4] units waiting, from -> to
    awaiting: Ints  # [4] units not yet delivered, by destination
    transmittance: float  # chance to see through an obstacle
    step: int  # frames since the reset
    done: bool  # the episode has ended
    coverage_rate: float
    real_coverage_rate: float
    mean_transport_rate: float
    delivered: int  # units
    target_reward: float  # sum over the episode, of the scenario's reward type
    selection: Bools | None = None  # [C, T] what each camera has selected
    camera_messages: Ints | None = None  # [C, C] messages sent in this frame, from -> to
    target_messages: Ints | None = None  # [T, T]


class CameraRecord(NamedTuple):
    """What one environment's cameras decided and believed in one frame.

    M is the number of cameras, or 1 where all know the same. Sizes are 0 where cameras keep no such
    belief.
    """

    action: Ints  # [C] index of the action in force, -1 before the first decision
    slow_action: Ints  # [C] what was decided; `action` differs where the camera replaced it since
    slow_selection: Bools  # [C, T] targets that `slow_action` selects
    search_deg: Floats  # [C, 2] direction and viewing angle that a search aimed at, else NaN
    track_xy: Floats  # [C, T, 2] where each camera expects each target
    # [C, T] frames since the camera has detected the target, or in a shared view any camera that
    # it hears of; -1: never. In a full view 0.
    track_age: Ints
    track_known: Bools  # [C, T] whether it has a track, so that it may select the target
    particle_xy: Floats  # [M, T, P, 2]
    particle_goal: Ints  # [M, T, P] warehouse it walks to, RANDOM_WALK, or -1: weight 0


def record_frame(
    sim: BatchSim,
    row: int,
    *,
    selection: ArrayLike | None = None,
    camera_messages: ArrayLike | None = None,
    target_messages: ArrayLike | None = None,
) -> FrameRecord:
    """Return what environment `row` of `sim` looks like now.

    Args:
        sim: the worlds.
        row: one of them, 0 to N-1.
        selection: [C, T] bool, targets that each camera has selected.
        camera_messages: [C, C] numbers of messages sent between cameras in this frame, from -> to.
        target_messages: [T, T] the same between targets.

    Raises:
        ValueError: there is no such row, or an overlay has the wrong shape.
    """
    if not 0 <= row < sim.num_envs:
        raise ValueError(f"row = {row}; expected 0 to {sim.num_envs - 1}")
    tables, params = sim.tables, sim.params
    cameras, targets, obstacle_xy, obstacle_radius, world = sim.view
    n_cameras, n_targets = tables.camera_target.shape[1:]
    reward_sum = world.sum_delayed if params.sparse_reward else world.sum_dense
    return FrameRecord(
        camera_xy=_frozen(cameras.xy[row]),
        camera_radius=_frozen(cameras.radius[row]),
        camera_phi_deg=_frozen(cameras.phi_deg[row]),
        camera_theta_deg=_frozen(cameras.theta_deg[row]),
        camera_range=_frozen(cameras.sight_range[row]),
        obstacle_xy=_frozen(obstacle_xy[row]),
        obstacle_radius=_frozen(obstacle_radius[row]),
        camera_obstacle=_frozen(tables.camera_obstacle[row], np.bool_),
        target_xy=_frozen(targets.xy[row]),
        target_capacity=_frozen(targets.capacity[row], np.int64),
        target_goal=_frozen(targets.goal[row], np.int64),
        target_load=_frozen(targets.load[row], np.int64),
        target_bounty=_frozen(targets.bounty[row]),
        target_tracked=_frozen(targets.tracked[row], np.bool_),
        target_colliding=_frozen(targets.colliding[row], np.bool_),
        target_empty_bits=_frozen(targets.empty_bits[row], np.bool_),
        camera_target=_frozen(tables.camera_target[row], np.bool_),
        remaining=_frozen(world.remaining[row], np.int64),
        awaiting=_frozen(world.awaiting[row], np.int64),
        transmittance=params.transmittance,
        step=int(world.step[row]),
        done=bool(world.done[row]),
        coverage_rate=float(world.coverage_rate[row]),
        real_coverage_rate=float(world.real_coverage_rate[row]),
        mean_transport_rate=float(world.mean_transport_rate[row]),
        delivered=int(world.delivered[row]),
        target_reward=float(reward_sum[row]),
        selection=_overlay("selection", selection, (n_cameras, n_targets), np.bool_),
        camera_messages=_overlay(
            "camera_messages", camera_messages, (n_cameras, n_cameras), np.int64
        ),
        target_messages=_overlay(
            "target_messages", target_messages, (n_targets, n_targets), np.int64
        ),
    )


_OVERLAYS = ("selection", "camera_messages", "target_messages")


class EpisodeRecord(NamedTuple):
    """The frames of one episode, the one after the reset first."""

    scenario: str
    frames: tuple[FrameRecord, ...]

    def save(self, path: str | Path) -> None:
        """Write the episode as a .npz file: every field stacked over frames, no pickle.

        Raises:
            ValueError: it has more frames than `load` takes.
            OSError: the file cannot be written.
        """
        if len(self.frames) > MOST_FRAMES:
            raise ValueError(f"{len(self.frames)} frames; expected at most {MOST_FRAMES}")
        arrays: dict[str, np.ndarray] = {
            "format_version": np.array(FORMAT_VERSION),
            "scenario": np.array(self.scenario),
        }
        for name in FrameRecord._fields:
            values = [getattr(frame, name) for frame in self.frames]
            if name in _OVERLAYS:
                present = [value is not None for value in values]
                blank = np.zeros_like(values[present.index(True)]) if any(present) else np.zeros(0)
                values = [blank if value is None else value for value in values]
                arrays[f"{name}_present"] = np.array(present, np.bool_)
            arrays[name] = np.array(values)
        with atomic_writer(path) as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "EpisodeRecord":
        """Return the episode that `save` wrote.

        Raises:
            ValueError: the file is no such record, or of another format version; one line.
            OSError: the file cannot be read.
        """
        try:
            arrays = read_arrays(path, compressed=True)  # as records before 0.2 are
            version = int(arrays["format_version"])
        except ArchiveError as error:
            raise ValueError(f"{path}: not the record of an episode: {error}") from error
        except _FOREIGN as error:
            raise ValueError(f"{path}: not the record of an episode") from error
        if version != FORMAT_VERSION:
            raise ValueError(f"{path}: format version {version}; expected {FORMAT_VERSION}")
        try:
            frames = tuple(_frame(arrays, k) for k in range(_number_of_frames(arrays)))
            return cls(str(arrays["scenario"]), frames)
        except _FOREIGN as error:
            raise ValueError(f"{path}: the record of an episode is incomplete") from error


def _number_of_frames(arrays: dict[str, np.ndarray]) -> int:
    """Return how many frames are stacked.

    Raises:
        KeyError: a field is missing.
        TypeError: a field is a single number.
        ValueError: fields differ in their number, or there are more than `save` writes.
    """
    numbers = {len(arrays[name]) for name in FrameRecord._fields}
    if len(numbers) > 1 or max(numbers) > MOST_FRAMES:
        raise ValueError(f"{numbers} frames; expected one number up to {MOST_FRAMES}")
    return numbers.pop()


# Any: a field is an array or a number, as FrameRecord says.
def _frame(arrays: dict[str, np.ndarray], k: int) -> FrameRecord:
    """Return frame k of the stacked arrays."""
    fields: dict[str, Any] = {}
    for name in FrameRecord._fields:
        value = arrays[name][k]
        if name in _OVERLAYS and not arrays[f"{name}_present"][k]:
            fields[name] = None
        else:
            fields[name] = _frozen(value, value.dtype) if value.ndim else value.item()
    return FrameRecord(**fields)


# Any: the element type is the caller's choice.
def _frozen(values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """Return a read-only copy."""
    copy = np.array(values, dtype)
    copy.flags.writeable = False
    return copy


def _overlay(
    name: str, values: ArrayLike | None, shape: tuple[int, int], dtype: Any
) -> NDArray[Any] | None:
    if values is None:
        return None
    array = _frozen(values, dtype)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    return array
