"""What scripted teams remember from frame to frame, and the mail that is under way."""

from typing import NamedTuple

import numpy as np

from camsim.policies.rules import CAMERA_POLICIES, TARGET_POLICIES, CameraRules, TargetRules, plays
from camsim.policies.scores import NO_SCORES, ScoreTable, score_table
from camsim.state import Floats, Ints, SimParams

# Columns of CameraMemory.seen: place, frames until forgotten, loaded when last seen, ever loaded.
S_X, S_Y, S_LEFT, S_LOADED, S_EVER_LOADED = 0, 1, 2, 3, 4
SEEN_COLUMNS = 5

# Columns of CameraMemory.contact: knows the teammate; first frame in which it may write to it.
K_KNOWN, K_NEXT = 0, 1
CONTACT_COLUMNS = 2

# Columns of CameraMemory.mail: a sighting [., t], and in row T what a request or an answer holds.
L_X, L_Y, L_LOADED, L_VISIBLE = 0, 1, 2, 3
L_PHI, L_THETA, L_GOAL_PHI, L_GOAL_THETA = 0, 1, 2, 3
MAIL_COLUMNS = 4

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


class CameraMemory(NamedTuple):
    """What scripted cameras remember. Arrays that the team's rules never use are empty."""

    rule: Ints  # [N] the episode's rule (rules.CAMERA_POLICIES), -1: driven from outside
    seen: Floats  # [N, C, T, SEEN_COLUMNS]
    last_action: Floats  # [N, C, 2] degrees
    edges: Ints  # [N, C, C] messages from -> to that arrived in this frame
    traffic: Ints  # [N, 2] messages that arrived: in this frame, in this episode
    contact: Ints  # [N, C, C, CONTACT_COLUMNS]
    posted: Ints  # [N, delay + 1, C, C] kind of message from -> to, 0 none, by frame of sending
    mail: Floats  # [N, delay + 1, C, T + 1, MAIL_COLUMNS] what its author saw in that frame
    goal: Floats  # [N, C, 3] heuristic rule: has a goal; its orientation and viewing angle, degrees
    poses: Floats  # [P, 2] poses to choose from: orientation and viewing angle, degrees
    score_start: Ints  # [cells + 1] where each cell's row of the next two begins
    score_pose: Ints  # [K] poses that see the cell
    score_value: Floats  # [K] how well
    party: Floats  # [N, C, 4] cameras in a decision: index, orientation, viewing angle, n entries
    sighted: Floats  # [N, T, 3] targets known to them: index, x, y
    entries: Ints  # [N, C, P, 2] poses worth considering: pose, bits of the targets it sees
    sums: Floats  # [N, C, P] their scores
    places: Ints  # [N, P] 1 + entry of a pose, 0 without: scratch
    choices: Ints  # [N, C, 33, 2] decisions made before: covered bits, entry; last row: how many
    orders: Ints  # [N, 2, C] order of the cameras: tried now, best so far


class TargetMemory(NamedTuple):
    """What scripted targets remember."""

    rule: Ints  # [N] the episode's rule (rules.TARGET_POLICIES), -1: driven from outside
    table: Floats  # [N, T, MEMORY_COLUMNS]
    edges: Ints  # [N, T, T] messages from -> to that arrived in this frame
    traffic: Ints  # [N, 2] messages that arrived: in this frame, in this episode
    posted: Ints  # [N, delay + 1, T, T] 16 + bits of the open warehouses, 0 none


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
    greedy = plays(rules, CAMERA_POLICIES["greedy"])
    heuristic = plays(rules, CAMERA_POLICIES["heuristic"])
    scores: ScoreTable = NO_SCORES
    if heuristic:
        if params is None:
            raise ValueError("heuristic cameras need the scenario's params")
        if n_targets > MAX_HEURISTIC_TARGETS:
            raise ValueError(
                f"heuristic cameras: {n_targets} targets; expected at most {MAX_HEURISTIC_TARGETS}"
            )
        scores = score_table(params.theta_min_deg, params.max_range)
    n, c, t = n_envs, n_cameras, n_targets
    slots = rules.delay + 1 if (greedy or heuristic) and not rules.silent else 0
    planned, n_poses = n * heuristic, len(scores.poses)
    return CameraMemory(
        rule=np.zeros(n, np.int64),
        seen=np.zeros((n * greedy, c, t, SEEN_COLUMNS)),
        last_action=np.zeros((n, c, 2)),
        edges=np.zeros((n, c, c), np.int64),
        traffic=np.zeros((n, 2), np.int64),
        contact=np.zeros((n * greedy, c, c, CONTACT_COLUMNS), np.int64),
        posted=np.zeros((n, slots, c, c), np.int64),
        mail=np.zeros((n, slots, c, t + 1, MAIL_COLUMNS)),
        goal=np.zeros((planned, c, 3)),
        poses=scores.poses,
        score_start=scores.start,
        score_pose=scores.pose,
        score_value=scores.value,
        party=np.zeros((planned, c, 4)),
        sighted=np.zeros((planned, t, 3)),
        entries=np.zeros((planned, c, n_poses, 2), np.int64),
        sums=np.zeros((planned, c, n_poses)),
        places=np.zeros((planned, n_poses), np.int64),
        choices=np.zeros((planned, c, N_ORDERS + 1, 2), np.int64),
        orders=np.zeros((planned, 2, c), np.int64),
    )


def allocate_target_memory(n_envs: int, n_targets: int, rules: TargetRules) -> TargetMemory:
    """Return zeroed memory for a team that follows `rules`."""
    telling = ("greedy", "heuristic")
    talks = any(plays(rules, TARGET_POLICIES[name]) for name in telling) and not rules.silent
    slots = rules.delay + 1 if talks else 0
    return TargetMemory(
        rule=np.zeros(n_envs, np.int64),
        table=np.zeros((n_envs, n_targets, MEMORY_COLUMNS)),
        edges=np.zeros((n_envs, n_targets, n_targets), np.int64),
        traffic=np.zeros((n_envs, 2), np.int64),
        posted=np.zeros((n_envs, slots, n_targets, n_targets), np.int64),
    )


_NOT_STATE = (
    *("poses", "score_start", "score_pose", "score_value"),
    *("goal", "party", "sighted", "entries", "sums", "places", "choices", "orders"),
)


def memory_state(memory: CameraMemory | TargetMemory) -> dict[str, np.ndarray]:
    """Return the arrays that an exact continuation needs, by name: no tables, no scratch."""
    return {name: array for name, array in memory._asdict().items() if name not in _NOT_STATE}
