"""One decision of all environments: frames under a held selection, then what the learner sees."""

import numba

from camcontrol.control.action_set import Catalogue
from camcontrol.control.controller import execute
from camcontrol.decision_arrays import (
    OUTPUT_COLUMNS,
    STEREO_TERM,
    X_BONUS,
    X_COVERAGE,
    X_FRAMES,
    X_INITIAL_COVERAGE,
    X_REWARD,
    X_TERMINATED,
    X_TRUNCATED,
    AgentState,
    Outputs,
    Rules,
    Scratch,
)
from camcontrol.features.track_features import write_features, write_glance
from camcontrol.tracking import particle_filter as filters
from camcontrol.tracking import track
from camsim.arrays import Floats, Ints
from camsim.compiled.jit import batch_kernel, device_fn, outlined_fn, row
from camsim.envs.episode import REWARD_SUM, SELECTED, VALID_SELECTED, clear_episode, count_frame
from camsim.kernels.boundary import BoundaryTables, trace_boundaries
from camsim.kernels.difference_reward import add_coverage_lost, add_stereo_lost
from camsim.kernels.observe import write_state
from camsim.kernels.reset import reset_one
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
    reward += coefficients[STEREO_TERM] * stereo
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


@outlined_fn
def glance_one(
    i: int,
    rules: Rules,
    catalogue: Catalogue,
    s: Tables,
    agent_state: AgentState,
    scratch: Scratch,
    buffers: ObsBuffers,
    out: Outputs,
) -> None:
    """Write what the cameras of environment i react to, and masks."""
    n_cameras = s.cameras.shape[1]
    size = len(buffers.camera_obs) // (len(s.rng) * n_cameras)
    pose, belief, clock = agent_state.pose, agent_state.belief, s.world[i, W_STEP]
    for c in range(n_cameras):
        write_glance(
            rules.executor,
            catalogue,
            buffers.camera_obs,
            (i * n_cameras + c) * size,
            pose,
            belief,
            agent_state.particles,
            scratch.relative,
            (i, c),
            clock,
            out.glance,
            out.avail_actions,
        )


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
    """Run frames of a decision, after those that were run, and add up what they earn."""
    scalars = out.scalars
    discount = 1.0
    for _ in range(int(scalars[i, X_FRAMES])):
        discount *= rules.gamma
    for _ in range(rules.decision_frames):
        _frame(i, params, rules, catalogue, s, agent_state, opponent, scratch, buffers, actions)
        stereo = stereo_coverage(i, params, s)
        reward = _frame_reward(i, params, s, scratch, stereo)
        scalars[i, X_REWARD] += discount * reward
        add_coverage_lost(i, s, discount, out.difference_reward)
        if scratch.coefficients[STEREO_TERM] != 0.0:
            add_stereo_lost(i, params, s, discount, out.stereo_difference_reward)
        scalars[i, X_BONUS] += discount * _reacquisition_bonus(i, s, agent_state.revisit_time)
        scalars[i, X_FRAMES] += 1.0
        discount *= rules.gamma
        agent_state.episode[i, REWARD_SUM] += reward
        count_frame(i, s.world, stereo, params.sparse_reward, agent_state.episode)
        _count_selections(i, s, catalogue.members, actions, agent_state.episode)
        if s.world[i, W_DONE] > 0.0:
            break


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
    if job & CLEAR:
        _clear_sums(i, out)
    over = s.world[i, W_DONE] > 0.0 and not job & CLEAR  # since an earlier part of the decision
    if job & RUN and not over:
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
    if job & CLOSE:
        out.scalars[i, X_COVERAGE] = s.world[i, W_COVERAGE]
        if s.world[i, W_DONE] > 0.0:
            _note_end(i, s, agent_state, out)
    ended = out.scalars[i, X_TERMINATED] > 0.0 or out.scalars[i, X_TRUNCATED] > 0.0
    begins = job & BEGIN or (job & FOLLOW and ended)
    if begins:
        begin_one(i, params, rules, boxes, s, agent_state, opponent, scratch, buffers)
    if begins or job & CLOSE:
        show_one(i, params, rules, catalogue, s, agent_state, scratch, buffers, out)
    elif job & GLANCE and not over:
        glance_one(i, rules, catalogue, s, agent_state, scratch, buffers, out)


CLEAR, RUN, GLANCE, CLOSE, BEGIN, FOLLOW = 1, 2, 4, 8, 16, 32
"""Parts of a job of `run_batch`, in this order: forget what was earned; run frames; write a glance;
note the episode's end and write all that the learner sees; start an episode; start the next one
where the decision has ended one. A decision resets nothing, so that its last frame is seen."""

DECIDE = CLEAR | RUN | CLOSE


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
