"""One decision of all environments: frames under a held selection, then what the learner sees."""

from typing import NamedTuple

import numba

from camcontrol.control.action_set import Catalogue
from camcontrol.control.controller import execute
from camcontrol.features.track_features import write_features
from camcontrol.tracking import particle_filter as filters
from camcontrol.tracking import track
from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.compiled.jit import batch_kernel, device_fn, outlined_fn, row
from camsim.envs.episode import REWARD_SUM, SELECTED, VALID_SELECTED, clear_episode, count_frame
from camsim.kernels.boundary import BoundaryTables, trace_boundaries
from camsim.kernels.difference_reward import add_coverage_lost, add_stereo_lost
from camsim.kernels.observe import write_state
from camsim.kernels.reset import reset_one
from camsim.kernels.reward_terms import CAMERA_TERMS
from camsim.kernels.soft_coverage import mean_camera_score
from camsim.kernels.step import observe_one, step_one
from camsim.kernels.stereo_coverage import stereo_coverage
from camsim.layout import RAW
from camsim.scripted.spec import TargetRules
from camsim.scripted.targets.dispatch import TargetMemory, act_targets, reset_targets
from camsim.state import ObsBuffers, SimParams, StartBoxes, Tables
from camsim.tables import (
    T_TRACKED,
    W_AWAITING,
    W_COVERAGE,
    W_DONE,
    W_REAL_COVERAGE,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_STEP,
    W_TRANSPORT,
)

REVISIT_TIME_SCALE = 50.0
"""Revisit time, in frames, from which on covering a target again earns the full bonus."""


class Rules(NamedTuple):
    """Constants of a selection environment."""

    fast_interval: int  # frames under one selection
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
_STEREO = REWARD_TERMS.index("stereo_coverage_rate")

# Columns of `Outputs.scalars`.
X_REWARD, X_COVERAGE, X_INITIAL_COVERAGE, X_BONUS = 0, 1, 2, 3
X_TERMINATED, X_TRUNCATED, X_FRAMES = 4, 5, 6
OUTPUT_COLUMNS = 7

Opponent = tuple[TargetRules, TargetMemory]


@device_fn
def _boundaries(scratch: Scratch) -> BoundaryTables:
    """Return the boundary tables as one record: kernels take no record within a record."""
    return BoundaryTables(scratch.inner, scratch.outer, scratch.n_knots, scratch.knot_at_degree)


@device_fn
def _trace(
    i: int, params: SimParams, s: Tables, boundaries: BoundaryTables, scores: Floats
) -> None:
    """Trace the cameras' boundaries if soft coverage earns something."""
    if scores.ndim == 3:  # decided when compiling: without it the kernel is as if it did not exist
        trace_boundaries(i, params, s, boundaries)


@device_fn
def _soft_coverage(i: int, s: Tables, boundaries: BoundaryTables, scores: Floats) -> float:
    """Return the mean soft coverage score of the cameras, 0 if it earns nothing."""
    if scores.ndim == 3:  # decided when compiling
        return mean_camera_score(i, s, boundaries, scores)
    return 0.0


@device_fn
def _frame_reward(i: int, params: SimParams, s: Tables, scratch: Scratch, stereo: float) -> float:
    """Return the weighted reward terms of the frame, averaged over cameras."""
    world, coefficients = s.world, scratch.coefficients
    n_seen = 0.0
    for c in range(s.cameras.shape[1]):
        for t in range(s.targets.shape[1]):
            n_seen += s.camera_target[i, c, t]
    raw = -world[i, W_REWARD_DELAYED if params.sparse_reward else W_REWARD_DENSE]
    reward = coefficients[0] * raw
    reward += coefficients[1] * world[i, W_COVERAGE]
    reward += coefficients[2] * world[i, W_REAL_COVERAGE]
    reward += coefficients[3] * world[i, W_TRANSPORT]
    reward += coefficients[4] * _soft_coverage(i, s, _boundaries(scratch), scratch.scores)
    reward += coefficients[5] * n_seen / max(s.cameras.shape[1], 1)
    reward += coefficients[_STEREO] * stereo
    return float(reward + coefficients[6])


@device_fn
def _reacquisition_bonus(i: int, s: Tables, revisit_time: Floats) -> float:
    """Return the unweighted reacquisition bonus of the frame; count the revisit times on."""
    n_targets = s.targets.shape[1]
    bonus = 0.0
    for t in range(n_targets):
        if s.targets[i, t, T_TRACKED] > 0.0:
            bonus += min(float(revisit_time[i, t]), REVISIT_TIME_SCALE) / REVISIT_TIME_SCALE
            revisit_time[i, t] = 0.0
        else:
            revisit_time[i, t] += 1.0
    return float(bonus / n_targets)


@device_fn
def _count_selections(i: int, s: Tables, members: Ints, actions: Ints, episode: Floats) -> None:
    """Count selected targets, and those in the selecting camera's view after the frame (12.4)."""
    for c in range(s.cameras.shape[1]):
        u = actions[i, c]
        for m in range(members.shape[1]):
            t = members[u, m]
            if t >= 0:
                episode[i, SELECTED] += 1.0
                episode[i, VALID_SELECTED] += s.camera_target[i, c, t]


@device_fn
def _perceive(i: int, rules: Rules, s: Tables, camera_obs: Floats, agent_state: AgentState) -> None:
    """Let every camera take in its newest observation."""
    n_cameras = s.cameras.shape[1]
    size = len(camera_obs) // (len(s.rng) * n_cameras)
    pose, belief, particles = agent_state.pose, agent_state.belief, agent_state.particles
    n_computed = filters.n_knowing(particles, n_cameras)
    for c in range(n_cameras):
        k = (i * n_cameras + c) * size
        if c < n_computed:
            lacks = not filters.has_particles(particles)
            track.update_belief(camera_obs, k, pose, belief, (i, c), rules.memory_frames, lacks)
            filters.update_particles(
                camera_obs,
                k,
                pose,
                belief,
                particles,
                agent_state.origins,
                agent_state.stream,
                (i, c),
                shared=rules.mode != RAW,
            )
        else:
            track.read_pose(camera_obs, k, pose, i, c)
            track.adopt_belief(pose, belief, (i, c), 0)
        track.update_sector_ages(pose, agent_state.sector_ages, i, c)


@device_fn
def _frame(
    i: int,
    params: SimParams,
    rules: Rules,
    catalogue: Catalogue,
    s: Tables,
    agent_state: AgentState,
    opponent: Opponent,
    scratch: Scratch,
    buffers: ObsBuffers,
    actions: Ints,
) -> None:
    """Advance environment i by one frame under the selections in `actions`."""
    for c in range(s.cameras.shape[1]):
        u = actions[i, c]
        execute(
            rules.executor,
            catalogue,
            agent_state.pose,
            agent_state.belief,
            agent_state.particles,
            scratch.relative,
            (i, c),
            u,
            scratch.camera_action,
        )
    act_targets(i, opponent[0], params, s, opponent[1], scratch.target_action)
    step_one(i, params, s, scratch.camera_action, scratch.target_action, scratch.no_goal)
    observe_one(i, params, s, buffers, rules.mode, first=False)
    _perceive(i, rules, s, buffers.camera_obs, agent_state)


@outlined_fn
def begin_one(
    i: int,
    params: SimParams,
    rules: Rules,
    boxes: StartBoxes,
    s: Tables,
    agent_state: AgentState,
    opponent: Opponent,
    scratch: Scratch,
    buffers: ObsBuffers,
) -> None:
    """Start an episode: world, observations, and everybody's memory."""
    reset_one(i, params, boxes, s, scratch.order)
    _trace(i, params, s, _boundaries(scratch), scratch.scores)
    reset_targets(i, opponent[0], s, opponent[1])
    observe_one(i, params, s, buffers, rules.mode, first=True)
    for c in range(s.cameras.shape[1]):
        track.clear_belief(agent_state.belief, agent_state.sector_ages, i, c)
        filters.clear_particles(agent_state.particles, agent_state.stream, i, c)
    _perceive(i, rules, s, buffers.camera_obs, agent_state)
    for t in range(s.targets.shape[1]):
        agent_state.revisit_time[i, t] = 0.0 if s.targets[i, t, T_TRACKED] > 0.0 else 1.0
    clear_episode(i, agent_state.episode)


@outlined_fn
def show_one(
    i: int,
    params: SimParams,
    rules: Rules,
    catalogue: Catalogue,
    s: Tables,
    agent_state: AgentState,
    scratch: Scratch,
    buffers: ObsBuffers,
    out: Outputs,
) -> None:
    """Write what the learner sees of environment i: features, masks, rescaled global state."""
    n_cameras = s.cameras.shape[1]
    size = len(buffers.camera_obs) // (len(s.rng) * n_cameras)
    memory = (agent_state.pose, agent_state.belief, agent_state.sector_ages)
    for c in range(n_cameras):
        write_features(
            rules.executor,
            catalogue,
            buffers.camera_obs,
            (i * n_cameras + c) * size,
            memory,
            agent_state.particles,
            agent_state.origins,
            (scratch.relative, scratch.marks),
            (i, c),
            s.world[i, W_STEP],
            out.obs,
            out.avail_actions,
        )
    write_state(i, params, s, buffers.state)
    n_numbers = out.state.shape[1]
    for n in range(n_numbers):
        value = buffers.state[i * n_numbers + n] - scratch.state_shift[n]
        out.state[i, n] = value * scratch.state_scale[n]
    out.scalars[i, X_INITIAL_COVERAGE] = s.world[i, W_COVERAGE]


@device_fn
def _clear_sums(i: int, out: Outputs) -> None:
    """Set to zero what a decision adds up."""
    for n in range(OUTPUT_COLUMNS):
        out.scalars[i, n] = 0.0
    for c in range(out.difference_reward.shape[1]):
        out.difference_reward[i, c] = 0.0
        out.stereo_difference_reward[i, c] = 0.0


@device_fn
def _run_frames(
    i: int,
    params: SimParams,
    rules: Rules,
    catalogue: Catalogue,
    s: Tables,
    agent_state: AgentState,
    opponent: Opponent,
    scratch: Scratch,
    buffers: ObsBuffers,
    actions: Ints,
    out: Outputs,
) -> None:
    """Run the frames of one decision and add up what they earn."""
    scalars = out.scalars
    _clear_sums(i, out)
    discount = 1.0
    for _ in range(rules.fast_interval):
        _frame(i, params, rules, catalogue, s, agent_state, opponent, scratch, buffers, actions)
        stereo = stereo_coverage(i, params, s)
        reward = _frame_reward(i, params, s, scratch, stereo)
        scalars[i, X_REWARD] += discount * reward
        add_coverage_lost(i, s, discount, out.difference_reward)
        if scratch.coefficients[_STEREO] != 0.0:
            add_stereo_lost(i, params, s, discount, out.stereo_difference_reward)
        scalars[i, X_BONUS] += discount * _reacquisition_bonus(i, s, agent_state.revisit_time)
        scalars[i, X_FRAMES] += 1.0
        discount *= rules.gamma
        agent_state.episode[i, REWARD_SUM] += reward
        count_frame(i, s.world, stereo, params.sparse_reward, agent_state.episode)
        _count_selections(i, s, catalogue.members, actions, agent_state.episode)
        if s.world[i, W_DONE] > 0.0:
            break
    scalars[i, X_COVERAGE] = s.world[i, W_COVERAGE]


@device_fn
def _note_end(i: int, s: Tables, agent_state: AgentState, out: Outputs) -> None:
    """Say how the episode ended and hand over its statistics."""
    waiting = False
    for w in range(4):
        waiting = waiting or s.world[i, W_AWAITING + w] > 0.0
    out.scalars[i, X_TRUNCATED if waiting else X_TERMINATED] = 1.0
    for n in range(agent_state.episode.shape[1]):
        out.episode[i, n] = agent_state.episode[i, n]


@device_fn
def _run_one(
    i: int,
    job: int,
    params: SimParams,
    rules: Rules,
    catalogue: Catalogue,
    boxes: StartBoxes,
    s: Tables,
    agent_state: AgentState,
    opponent: Opponent,
    scratch: Scratch,
    buffers: ObsBuffers,
    actions: Ints,
    out: Outputs,
) -> None:
    if job == BEGIN:
        _clear_sums(i, out)
    elif job != FOLLOW:
        _run_frames(
            i,
            params,
            rules,
            catalogue,
            s,
            agent_state,
            opponent,
            scratch,
            buffers,
            actions,
            out,
        )
        if job == DECIDE and s.world[i, W_DONE] > 0.0:
            _note_end(i, s, agent_state, out)
    ended = out.scalars[i, X_TERMINATED] > 0.0 or out.scalars[i, X_TRUNCATED] > 0.0
    begins = job == BEGIN or (job == FOLLOW and ended)
    if begins:
        begin_one(i, params, rules, boxes, s, agent_state, opponent, scratch, buffers)
    if begins or job == DECIDE:
        show_one(i, params, rules, catalogue, s, agent_state, scratch, buffers, out)


BEGIN, DECIDE, FRAMES, FOLLOW = 0, 1, 2, 3
"""Jobs of `run_batch`: start episodes; run a decision; run its frames only; start the next episode
where the decision has ended one. A decision resets nothing, so that its last frame can be seen."""


@batch_kernel
def run_batch(
    job: int,
    params: SimParams,
    rules: Rules,
    catalogue: Catalogue,
    boxes: StartBoxes,
    s: Tables,
    agent_state: AgentState,
    target_rules: TargetRules,
    target_memory: TargetMemory,
    scratch: Scratch,
    buffers: ObsBuffers,
    actions: Ints,
    out: Outputs,
) -> None:
    """Do one job in every environment. One kernel for all: compiling takes a minute each."""
    for i in numba.prange(len(s.rng)):
        _run_one(
            row(i),
            job,
            params,
            rules,
            catalogue,
            boxes,
            s,
            agent_state,
            (target_rules, target_memory),
            scratch,
            buffers,
            actions,
            out,
        )
