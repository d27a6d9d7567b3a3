"""What a decision of all environments works on: constants, memory, outputs and work arrays."""

from typing import NamedTuple

from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.kernels.reward_terms import CAMERA_TERMS


class Rules(NamedTuple):
    """Constants of a selection environment."""

    decision_frames: int  # frames under one selection, unless cameras react
    executor: int  # camcontrol.control.action_set.EXECUTORS, or GRID
    memory_frames: int  # how long an unseen target stays known
    mode: int  # camsim.layout.OBSERVATION_MODES
    gamma: float  # discount per frame inside a decision


class AgentState(NamedTuple):
    """What cameras keep from frame to frame, and the episode's statistics."""

    pose: Floats  # [N, C, POSE_COLUMNS]
    belief: Floats  # [N, C, T, BELIEF_COLUMNS]
    sector_ages: Floats  # [N, C, N_SECTORS]
    particles: Floats  # this and the next two: camcontrol.tracking.motion_models.ParticleSets
    origins: Floats
    stream: UInt64s
    revisit_time: Floats  # [N, T] frames since each target was last covered
    episode: Floats  # [N, K] running statistics, camsim.tables.EPISODE_COLUMNS


class Outputs(NamedTuple):
    """What a decision returns; see `camcontrol.selection_env.EnvOutput`."""

    obs: Float32s  # [N, C, D]
    state: Float32s  # [N, S]
    avail_actions: Bools  # [N, C, U]
    scalars: Floats  # [N, OUTPUT_COLUMNS]
    episode: Floats  # [N, K] of an episode that ended in this decision
    difference_reward: Floats  # [N, C]
    stereo_difference_reward: Floats  # [N, C] zeros if stereo coverage earns nothing
    glance: Float32s  # [N, C, G] what cameras react to within a decision


class Scratch(NamedTuple):
    """Preallocated work arrays and constant tables."""

    camera_action: Floats  # [N, C, 2]
    target_action: Floats  # [N, T, 2]
    order: Ints  # [N, .] permutations at a reset
    no_goal: Ints  # [0, T]
    coefficients: Floats  # [8] of the reward terms, in REWARD_TERMS order
    state_scale: Floats  # [S] factors of the rescaled global state
    state_shift: Floats  # [S] subtracted before
    inner: Floats  # this and the next three: fields of `BoundaryTables`
    outer: Floats
    n_knots: Ints
    knot_at_degree: Ints
    scores: Floats  # [N, C, T] soft coverage; these five have one axis only if it earns nothing
    relative: Floats  # this and the next: camcontrol.tracking.relative_particles
    marks: Ints


REWARD_TERMS = CAMERA_TERMS
"""MATE's auxiliary camera reward terms (world 9.8) and ours, reduced by mean over cameras."""
STEREO_TERM = REWARD_TERMS.index("stereo_coverage_rate")

# Columns of `Outputs.scalars`.
X_REWARD, X_COVERAGE, X_INITIAL_COVERAGE, X_BONUS = 0, 1, 2, 3
X_TERMINATED, X_TRUNCATED, X_FRAMES = 4, 5, 6
OUTPUT_COLUMNS = 7
