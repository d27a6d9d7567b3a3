"""What scripted teams remember from frame to frame, and the mail that is under way."""

from typing import NamedTuple

import numpy as np

from camsim.arrays import Floats, Ints
from camsim.scripted.pose_scores import N_POSES, NO_SCORES, score_table
from camsim.scripted.spec import CAMERA_POLICIES, TARGET_POLICIES, CameraRules, TargetRules, plays
from camsim.state import SimParams

# Columns of CameraMemory.seen: place, frames until forgotten, loaded when last seen, ever loaded;
# in this frame's observation.
S_X, S_Y, S_LEFT, S_LOADED, S_EVER_LOADED, S_VISIBLE = 0, 1, 2, 3, 4, 5
SEEN_COLUMNS = 6

# Rows of CameraMemory.post before the slots: knows the teammate; first frame to write to it again.
K_KNOWN, K_NEXT, K_SLOTS = 0, 1, 2

# Columns of CameraMemory.mail: a sighting [., t], and in row T what a request or an answer holds.
L_X, L_Y, L_LOADED, L_VISIBLE = 0, 1, 2, 3
L_PHI, L_THETA, L_GOAL_PHI, L_GOAL_THETA = 0, 1, 2, 3
MAIL_COLUMNS = 4

# Columns of CameraMemory.last_action after turn and zoom: what a greedy camera aims at.
A_DISTANCE, A_AREA, A_PHI, A_THETA = 2, 3, 4, 5
ACTION_COLUMNS = 6

# Columns of CameraMemory.agenda: goals [., c], and members of a decision [., k].
G_EXISTS, G_PHI, G_THETA = 0, 1, 2
P_CAMERA, P_PHI, P_THETA, P_N_OPTIONS = 3, 4, 5, 6
AGENDA_COLUMNS = 7

# Columns of TargetMemory.table.
M_OPEN, M_GOAL = 0, 4  # four flags: believed to hold cargo; current destination, -1 none
M_X, M_Y = 5, 6  # place at the previous act
M_NOISE_X, M_NOISE_Y = 7, 8  # persistent noise; the held action of the random rule
M_NEWS = 9  # has something to tell in this frame
M_TURN = 10  # which way round the naive rule visits warehouses: +1 or -1
MEMORY_COLUMNS = 11

# Columns of `traffic`, counted when a message reaches its recipient.
MESSAGES_NOW, MESSAGES_EPISODE = 0, 1

MAX_HEURISTIC_TARGETS = 62
"""Sets of targets are the bits of an integer in the heuristic cameras' decision."""

N_ORDERS = 32
"""Orders of the cameras that the heuristic decision tries."""

# Columns of CameraMemory.options; rows: an option, then a choice made before, then one row more.
O_POSE, O_BITS, O_PLACE = 0, 1, 2  # pose, bits of the targets it sees; 1 + option of a pose
H_COVERED, H_OPTION = 0, 1  # rows from N_POSES on: covered bits, what was chosen
R_N_CHOICES, R_TRIED, R_BEST = 0, 1, 2  # last row: their number; orders of the cameras
OPTION_COLUMNS = 3


class CameraMemory(NamedTuple):
    """What scripted cameras remember. Arrays that the team's rules never use are empty.

    Few arrays, for each one costs compile time in every function it is passed to.
    """

    rule: Ints  # [N] the episode's rule (rules.CAMERA_POLICIES), -1: driven from outside
    seen: Floats  # [N, C, T, SEEN_COLUMNS]
    last_action: Floats  # [N, C, ACTION_COLUMNS] degrees
    edges: Ints  # [N, C, C] messages from -> to that arrived in this frame
    traffic: Ints  # [N, 2] messages that arrived: in this frame, in this episode
    post: Ints  # [N, K_SLOTS + delay + 1, C, C] from -> to; slots: kind of message, 0 none
    mail: Floats  # [N, delay + 1, C, T + 1, MAIL_COLUMNS] what its author saw in that frame
    cells: Ints  # [cells + 1] where each cell's row of `scores` begins
    scores: Floats  # [K, 2] poses that see the cell, and how well (`pose_scores`)
    agenda: Floats  # [N, C, AGENDA_COLUMNS] of the heuristic rule
    sighted: Floats  # [N, T, 3] targets known in a decision: index, x, y
    options: Ints  # [N, C, N_POSES + N_ORDERS + 1, OPTION_COLUMNS] of a decision
    sums: Floats  # [N, C, N_POSES] scores of the options


class TargetMemory(NamedTuple):
    """What scripted targets remember."""

    rule: Ints  # [N] the episode's rule (rules.TARGET_POLICIES), -1: driven from outside
    table: Floats  # [N, T, MEMORY_COLUMNS]
    edges: Ints  # [N, T, T] messages from -> to that arrived in this frame
    traffic: Ints  # [N, 2] messages that arrived: in this frame, in this episode
    post: Ints  # [N, delay + 1, T, T] 16 + bits of the open warehouses, 0 none


def allocate_camera_memory(
    n_envs: int,
    n_cameras: int,
    n_targets: int,
    rules: CameraRules,
    params: SimParams | None = None,
) -> CameraMemory:
    """Return zeroed memory for a team that follows `rules`.

    Args:
        n_envs: N.
        n_cameras: C.
        n_targets: T.
        rules: of the team.
        params: of the scenario; needed by the heuristic rule only.

    Raises:
        ValueError: the heuristic rule is asked for without `params`, or for too many targets.
    """
    heuristic = plays(rules, CAMERA_POLICIES["heuristic"])
    scores = NO_SCORES
    if heuristic:
        if params is None:
            raise ValueError("heuristic cameras need the scenario's params")
        if n_targets > MAX_HEURISTIC_TARGETS:
            raise ValueError(
                f"heuristic cameras: {n_targets} targets; expected at most {MAX_HEURISTIC_TARGETS}"
            )
        scores = score_table(params.theta_min_deg, params.max_range)
    n, c, t = n_envs, n_cameras, n_targets
    perceiving = n if heuristic or plays(rules, CAMERA_POLICIES["greedy"]) else 0
    slots = rules.delay + 1 if perceiving and not rules.silent else 0
    planned = n if heuristic else 0
    return CameraMemory(
        rule=np.zeros(n, np.int64),
        seen=np.zeros((perceiving, c, t, SEEN_COLUMNS)),
        last_action=np.zeros((n, c, ACTION_COLUMNS)),
        edges=np.zeros((n, c, c), np.int64),
        traffic=np.zeros((n, 2), np.int64),
        post=np.zeros((n, K_SLOTS + slots, c, c), np.int64),
        mail=np.zeros((n, slots, c, t + 1, MAIL_COLUMNS)),
        cells=scores.cells,
        scores=scores.rows,
        agenda=np.zeros((planned, c, AGENDA_COLUMNS)),
        sighted=np.zeros((planned, t, 3)),
        options=np.zeros((planned, c, N_POSES + N_ORDERS + 1, OPTION_COLUMNS), np.int64),
        sums=np.zeros((planned, c, N_POSES)),
    )


def allocate_target_memory(n_envs: int, n_targets: int, rules: TargetRules) -> TargetMemory:
    """Return zeroed memory for a team that follows `rules`."""
    telling = ("greedy", "heuristic", "evader")
    talks = any(plays(rules, TARGET_POLICIES[name]) for name in telling) and not rules.silent
    slots = rules.delay + 1 if talks else 0
    return TargetMemory(
        rule=np.zeros(n_envs, np.int64),
        table=np.zeros((n_envs, n_targets, MEMORY_COLUMNS)),
        edges=np.zeros((n_envs, n_targets, n_targets), np.int64),
        traffic=np.zeros((n_envs, 2), np.int64),
        post=np.zeros((n_envs, slots, n_targets, n_targets), np.int64),
    )
