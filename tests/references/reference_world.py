"""Oracle: the records of one environment that the reference simulator reads and changes.

Fields are named as in the recorded traces, so a trace loads without translation. Angles are
degrees, lengths terrain units. C cameras, T targets, O obstacles; 4 warehouses.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """What stays fixed during an episode (sections 2 and 6.1)."""

    camera_xy: FloatArray  # [C, 2]
    camera_radius: FloatArray  # [C]
    camera_max_sight_range: FloatArray  # [C]
    camera_min_viewing_angle: FloatArray  # [C] degrees
    camera_rotation_step: FloatArray  # [C] degrees per frame
    camera_zooming_step: FloatArray  # [C] degrees per frame
    target_step_size: FloatArray  # [T] nominal step / capacity
    target_capacity: IntArray  # [T] 1 or 2
    target_sight_range: FloatArray  # [T]
    obstacle_xy: FloatArray  # [O, 2]
    obstacle_radius: FloatArray  # [O]
    transmittance: float
    freight_scale: int
    bounty_scale: int
    max_episode_steps: int
    sparse_reward: bool

    @property
    def n_cameras(self) -> int:
        """Number of cameras C."""
        return len(self.camera_xy)

    @property
    def n_targets(self) -> int:
        """Number of targets T."""
        return len(self.target_step_size)

    @property
    def n_obstacles(self) -> int:
        """Number of obstacles O."""
        return len(self.obstacle_xy)


def _empty_mask() -> BoolArray:
    return np.zeros((0, 0), dtype=np.bool_)


@dataclass
class State:
    """What changes from frame to frame; masks and rates are those of the latest frame."""

    camera_orientation: FloatArray  # [C] degrees in [-180, 180)
    camera_viewing_angle: FloatArray  # [C] degrees
    camera_sight_range: FloatArray  # [C]
    target_xy: FloatArray  # [T, 2]
    target_orientation: FloatArray  # [T] degrees, direction of the last displacement
    target_is_colliding: BoolArray  # [T]
    target_goal: IntArray  # [T] warehouse, -1 none
    target_goal_bits: IntArray  # [T, 4] weight carried at its destination
    target_empty_bits: BoolArray  # [T, 4] the target's own belief
    target_dones: BoolArray  # [T] delivered in this frame
    target_steps: IntArray  # [T] frames of the current trip
    tracked_steps: IntArray  # [T] of these, tracked
    freights: IntArray  # [T]
    bounties: IntArray  # [T]
    remaining_cargoes: IntArray  # [4, 4] from, to
    awaiting_cargo_counts: IntArray  # [4] by destination
    num_delivered_cargoes: int
    target_team_episode_reward: float  # dense, cumulative
    delayed_target_team_episode_reward: float
    episode_step: int
    camera_target_mask: BoolArray = field(default_factory=_empty_mask)  # [C, T]
    camera_camera_mask: BoolArray = field(default_factory=_empty_mask)  # [C, C]
    target_camera_mask: BoolArray = field(default_factory=_empty_mask)  # [T, C]
    target_target_mask: BoolArray = field(default_factory=_empty_mask)  # [T, T]
    target_obstacle_mask: BoolArray = field(default_factory=_empty_mask)  # [T, O]

    @property
    def tracked_bits(self) -> BoolArray:
        """Targets seen by at least one camera [T] (section 5.4)."""
        return np.asarray([bool(column.any()) for column in self.camera_target_mask.T], np.bool_)

    def copy(self) -> State:
        """An independent copy."""
        return copy.deepcopy(self)


@dataclass(frozen=True)
class Rewards:
    """What one frame paid (sections 6.2 to 6.5); the camera team gets minus `target_team`."""

    dense: float
    delayed: float
    target_team: float
    done: bool


def empty_state(n_cameras: int, n_targets: int) -> State:
    """A state of zeros: unloaded targets at the origin, no cargo anywhere."""
    return State(
        camera_orientation=np.zeros(n_cameras),
        camera_viewing_angle=np.zeros(n_cameras),
        camera_sight_range=np.zeros(n_cameras),
        target_xy=np.zeros((n_targets, 2)),
        target_orientation=np.zeros(n_targets),
        target_is_colliding=np.zeros(n_targets, np.bool_),
        target_goal=np.full(n_targets, -1, np.int64),
        target_goal_bits=np.zeros((n_targets, 4), np.int64),
        target_empty_bits=np.zeros((n_targets, 4), np.bool_),
        target_dones=np.zeros(n_targets, np.bool_),
        target_steps=np.zeros(n_targets, np.int64),
        tracked_steps=np.zeros(n_targets, np.int64),
        freights=np.zeros(n_targets, np.int64),
        bounties=np.zeros(n_targets, np.int64),
        remaining_cargoes=np.zeros((4, 4), np.int64),
        awaiting_cargo_counts=np.zeros(4, np.int64),
        num_delivered_cargoes=0,
        target_team_episode_reward=0.0,
        delayed_target_team_episode_reward=0.0,
        episode_step=0,
    )
