"""Columns of the simulator's tables: one row per entity, all float64 (camsim/state.py)."""

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
    "stereo_coverage_sum",
)
"""Columns of the statistics of one finished episode."""
