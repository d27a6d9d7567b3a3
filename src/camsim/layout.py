"""Where each number stands in observations, state, features and tables: the only indices."""

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

TERRAIN = 1000.0
WAREHOUSE_HALF_WIDTH = 75.0
WAREHOUSES: NDArray[np.float64] = np.array(
    [[925.0, 925.0], [-925.0, 925.0], [-925.0, -925.0], [925.0, -925.0]]
)

# Columns of the simulator's tables (camsim/state.py): one row per entity, all float64.
C_X, C_Y, C_RADIUS = 0, 1, 2  # camera: place and body
C_PHI, C_THETA, C_RANGE = 3, 4, 5  # orientation and viewing angle in degrees, sight range
C_COS, C_SIN, C_COS_HALF = 6, 7, 8  # cos(phi), sin(phi), cos(theta/2): cached trigonometry
CAMERA_COLUMNS = 9

T_X, T_Y, T_STEP, T_CAPACITY = 0, 1, 2, 3  # target: place, step v0/k, capacity k
T_GOAL, T_LOAD, T_EMPTY = 4, 5, 6  # destination (-1 none), weight carried, four empty bits from 6
T_FREIGHT, T_BOUNTY, T_DELIVERED = 10, 11, 12  # delivered: in this frame (MATE's target_dones)
T_STEPS, T_TRACKED_STEPS, T_TRACKED = 13, 14, 15  # frames of this trip, tracked ones, tracked now
T_COLLIDING, T_ORIENTATION = 16, 17  # orientation: of the last displacement, degrees
TARGET_COLUMNS = 18

O_X, O_Y, O_RADIUS = 0, 1, 2
OBSTACLE_COLUMNS = 3

W_REMAINING, W_AWAITING, W_DELIVERED = 0, 16, 20  # world: waiting [from, to], undelivered, units
W_REWARD_DENSE, W_REWARD_DELAYED = 21, 22  # target team, this frame
W_SUM_DENSE, W_SUM_DELAYED = 23, 24  # the same, over the episode
W_COVERAGE, W_REAL_COVERAGE, W_TRANSPORT = 25, 26, 27  # rates
W_STEP, W_DONE = 28, 29  # frames since the reset; 1 = the episode is over
WORLD_COLUMNS = 30

EPISODE_COLUMNS = (
    "length",
    "coverage_sum",
    "real_coverage_sum",
    "mean_transport_rate",
    "camera_return",
    "reward_sum",
    "selected",
    "valid_selected",
)
"""Columns of the statistics of one finished episode."""


CONTEXT_FEATURES, TARGET_FEATURES, OPTION_FEATURES = 18, 32, 12
"""Lengths of the learner's feature rows (camsim/envs/features.py); feature 0 of a target: known."""

CLOUD_CONTEXT_FEATURES, CLOUD_TARGET_FEATURES, CLOUD_OPTION_FEATURES = 16, 18, 5
"""What the particle belief adds to each (camsim/envs/cloud_features.py)."""

LOOKAHEAD_OPTION_FEATURES = 4
"""What looking ahead adds to an action's, and perhaps one number per target behind them
(camsim.envs.joint_choice.value_actions)."""

PLAN_GAIN = 2  # which of them tells what the best plan that begins with an action gains


class FeatureLayout(NamedTuple):
    """Parts of the learner's flat observation: context | targets [T, .] | options [U, .]."""

    n_targets: int
    n_actions: int
    context_size: int = CONTEXT_FEATURES
    target_size: int = TARGET_FEATURES
    option_size: int = OPTION_FEATURES
    row_flag: int = 0
    """The feature of a target that is 1 if its row is not zero."""

    plan_gain: int = -1
    """The feature of an action that tells what its best plan gains, at most 0; -1: none does."""

    n_target_shares: int = 0
    """How many features at the end of an action's row tell what its best plan covers of a target:
    T, or 0."""

    @property
    def size(self) -> int:
        """Length D of the learner's observation."""
        rows = self.n_targets * self.target_size + self.n_actions * self.option_size
        return self.context_size + rows


def feature_layout(
    n_targets: int,
    n_actions: int,
    *,
    clouds: bool,
    lookahead: bool = False,
    by_target: bool = False,
) -> FeatureLayout:
    """Return the layout of the learner's observation.

    Args:
        n_targets: T.
        n_actions: U.
        clouds: with the rows' second parts, of the particle belief.
        lookahead: with the actions' third parts, which needs the second.
        by_target: these also tell of every target.
    """
    if not clouds:
        return FeatureLayout(n_targets, n_actions)
    n_base = OPTION_FEATURES + CLOUD_OPTION_FEATURES
    n_target_shares = n_targets if lookahead and by_target else 0
    return FeatureLayout(
        n_targets,
        n_actions,
        context_size=CONTEXT_FEATURES + CLOUD_CONTEXT_FEATURES,
        target_size=TARGET_FEATURES + CLOUD_TARGET_FEATURES,
        option_size=n_base + lookahead * LOOKAHEAD_OPTION_FEATURES + n_target_shares,
        row_flag=TARGET_FEATURES,
        plan_gain=n_base + PLAN_GAIN if lookahead else -1,
        n_target_shares=n_target_shares,
    )


class CameraObsLayout(NamedTuple):
    """Offsets in one camera's observation, length D = 22 + 5T + 4O + 7C (spec 7.2)."""

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
    """Offsets in one target's observation, length 27 + 7C + 4O + 5T (spec 7.3)."""

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
    """Offsets in the global state, length S = 13 + 9C + 16T + 3O + 16 (spec 7.4)."""

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
