"""What a decision of all environments works on: constants, memory, outputs and work arrays."""

from typing import NamedTuple

import numpy as np

from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.kernels.reward_terms import CAMERA_TERMS
from camsim.layout import StateLayout
from camsim.state import SimParams


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


def state_scaling(params: SimParams, sizes: tuple[int, int, int]) -> tuple[Floats, Floats]:
    """Return factors [S] and shifts [S] that bring the global state to about [-1, 1].

    The rule of world 9.4 with the bounds of 7.6. Entries without bounds are divided by values that
    they reach: freights and bounties by those at the start, waiting cargo by the units per target.
    """
    layout = StateLayout(*sizes)
    scale, shift = np.ones(layout.size), np.zeros(layout.size)
    scale[:13], scale[4:12] = 0.1, 1.0 / 2000.0
    for c in range(sizes[0]):
        row = slice(layout.cameras + 9 * c, layout.cameras + 9 * c + 9)
        shift[row] = [0, 0, 500, 0, 0, 90, 1000, 90, 90]
        scale[row] = [5e-4, 5e-4, 2e-3, 5e-4, 5e-4, 1 / 90, 1e-3, 1 / 90, 1 / 90]
    for t in range(sizes[1]):
        row = slice(layout.targets + 14 * t, layout.targets + 14 * t + 14)
        shift[row] = [0, 0, 1000, 0, 1000, 1.5, 0, 0, 0, 0, 0, 0, 0, 0]
        scale[row] = [5e-4, 5e-4, 1e-3, 1, 1e-3, 2, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1]
    for o in range(sizes[2]):
        row = slice(layout.obstacles + 3 * o, layout.obstacles + 3 * o + 3)
        shift[row] = [0, 0, 500]
        scale[row] = [5e-4, 5e-4, 2e-3]
    scale[layout.freights : layout.bounties] = 1.0 / (2 * params.freight_scale)
    scale[layout.bounties : layout.remaining] = 1.0 / (2 * max(params.bounty_scale, 1))
    scale[layout.remaining :] = 1.0 / params.cargoes_per_target
    return scale, shift


def check_available(avail_actions: Bools, rows: Ints, actions: Ints) -> None:
    """Check that no action is masked.

    Args:
        avail_actions: [N, C, U].
        rows: [N, C] where each camera's masks begin in the flat array.
        actions: [N, C], each in 0..U-1.

    Raises:
        ValueError: one is.
    """
    chosen = avail_actions.reshape(-1)[rows + actions]
    if not chosen.all():
        env, camera = (int(k) for k in np.argwhere(~chosen)[0])
        expected = np.flatnonzero(avail_actions[env, camera]).tolist()
        raise ValueError(
            f"action {actions[env, camera]} of camera {camera} in environment {env} is not"
            f" available; expected one of {expected}"
        )
