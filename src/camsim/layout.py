"""Where each number stands in observations and the global state: the only indices."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRESERVED = 13  # counts (3), own index, four warehouse positions (8), warehouse half width
CAMERA_PUBLIC = 6  # x, y, radius, R cos(phi), R sin(phi), viewing angle in degrees
CAMERA_PRIVATE = 9  # + maximum sight range, rotation step, zooming step
TARGET_PUBLIC = 4  # x, y, sight range, is_loaded
TARGET_PRIVATE = 14  # + step size, capacity, four goal weights, four empty bits
OBSTACLE = 3  # x, y, radius
N_WAREHOUSES = 4

RAW, SHARED, ENHANCED = 0, 1, 2
OBSERVATION_MODES = {"own": RAW, "shared": SHARED, "enhanced": ENHANCED}
"""What a team's observations hold: each member's own view, the team's union, or everything.

World 7, 9.2, 9.1.
"""

TERRAIN = 1000.0
WAREHOUSE_HALF_WIDTH = 75.0
WAREHOUSES: NDArray[np.float64] = np.array(
    [[925.0, 925.0], [-925.0, 925.0], [-925.0, -925.0], [925.0, -925.0]]
)

MIN_BASELINE_DEG = 30.0
"""Default of the angle from which on two views of a target are stereo coverage."""


class CameraObsLayout(NamedTuple):
    """Offsets in one camera's observation, length D = 22 + 5T + 4O + 7C (world 7.2)."""

    n_cameras: int
    n_targets: int
    n_obstacles: int

    @property
    def own(self) -> int:
        """Start of the camera's own private state."""
        return PRESERVED

    @property
    def targets(self) -> int:
        """Start of the target entries, 5 numbers each, the last one the flag."""
        return PRESERVED + CAMERA_PRIVATE

    @property
    def obstacles(self) -> int:
        """Start of the obstacle entries, 4 numbers each, the last one the flag."""
        return self.targets + (TARGET_PUBLIC + 1) * self.n_targets

    @property
    def cameras(self) -> int:
        """Start of the camera entries, 7 numbers each, the last one the flag."""
        return self.obstacles + (OBSTACLE + 1) * self.n_obstacles

    @property
    def size(self) -> int:
        """Length D of the whole vector."""
        return self.cameras + (CAMERA_PUBLIC + 1) * self.n_cameras


class TargetObsLayout(NamedTuple):
    """Offsets in one target's observation, length 27 + 7C + 4O + 5T (world 7.3)."""

    n_cameras: int
    n_targets: int
    n_obstacles: int

    @property
    def own(self) -> int:
        """Start of the target's own private state."""
        return PRESERVED

    @property
    def cameras(self) -> int:
        """Start of the camera entries, 7 numbers each."""
        return PRESERVED + TARGET_PRIVATE

    @property
    def obstacles(self) -> int:
        """Start of the obstacle entries, 4 numbers each."""
        return self.cameras + (CAMERA_PUBLIC + 1) * self.n_cameras

    @property
    def targets(self) -> int:
        """Start of the target entries, 5 numbers each."""
        return self.obstacles + (OBSTACLE + 1) * self.n_obstacles

    @property
    def size(self) -> int:
        """Length of the whole vector."""
        return self.targets + (TARGET_PUBLIC + 1) * self.n_targets


class StateLayout(NamedTuple):
    """Offsets in the global state, length S = 13 + 9C + 16T + 3O + 16 (world 7.4)."""

    n_cameras: int
    n_targets: int
    n_obstacles: int

    @property
    def cameras(self) -> int:
        """Start of the camera private states, 9 numbers each."""
        return PRESERVED

    @property
    def targets(self) -> int:
        """Start of the target private states, 14 numbers each."""
        return self.cameras + CAMERA_PRIVATE * self.n_cameras

    @property
    def obstacles(self) -> int:
        """Start of the obstacle states, 3 numbers each."""
        return self.targets + TARGET_PRIVATE * self.n_targets

    @property
    def freights(self) -> int:
        """Start of the T freights; the T bounties follow."""
        return self.obstacles + OBSTACLE * self.n_obstacles

    @property
    def bounties(self) -> int:
        """Start of the T bounties."""
        return self.freights + self.n_targets

    @property
    def remaining(self) -> int:
        """Start of the 4 x 4 table of waiting cargo, row-major [from, to]."""
        return self.bounties + self.n_targets

    @property
    def size(self) -> int:
        """Length S of the whole vector."""
        return self.remaining + N_WAREHOUSES * N_WAREHOUSES
