"""SelectionEnv: N worlds whose cameras choose targets or moves and observe their own beliefs."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camcontrol import decision_arrays as arrays
from camcontrol import decision_kernel as kernels
from camcontrol.control.action_set import selection_bits
from camcontrol.features.layout import feature_layout
from camcontrol.features.plan_features import FeatureLookahead
from camcontrol.options import (
    baseline_of,
    catalogue_of,
    executor_of,
    n_particles_of,
)
from camcontrol.planning.planner import BeliefState
from camcontrol.selection_options import SelectionOptions, check_selection
from camcontrol.stored_numbers import check_numbers
from camcontrol.tracking.particle_filter import allocate_particles
from camcontrol.tracking.relative_particles import allocate_relative_particles
from camcontrol.tracking.track import allocate_belief
from camsim import bounds
from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.envs.episode import with_all_columns
from camsim.kernels.boundary import BoundaryTables, allocate_boundaries, trace_batch
from camsim.kernels.soft_coverage import allocate_scores
from camsim.layout import OBSERVATION_MODES, StateLayout
from camsim.scenario.schema import Scenario
from camsim.scripted.spec import target_rules
from camsim.scripted.targets.dispatch import allocate_target_memory
from camsim.sim import BatchSim, load_arrays
from camsim.stored_state import check_stored
from camsim.tables import EPISODE_COLUMNS

__all__ = ["EnvOutput", "FinalFrames", "React", "SelectionEnv", "SelectionOptions"]

React = Callable[[Float32s, Bools, int], NDArray[np.int64]]
"""Returns the actions [N, C] int64 that are played from a frame within a decision on.

It gets a glance [N, C, G], those features of an observation that cost little
(`FeatureLayout.glance_columns`), available actions [N, C, U] and the frame, counted from the
decision's first, 0. Both arrays are reused buffers; rows whose episode has ended are undefined."""


class EnvOutput(NamedTuple):
    """Result of a reset or a decision; views of reused buffers: copy what you keep."""

    obs: Float32s  # [N, C, D] features of each camera's belief (camcontrol.features.layout)
    state: Float32s  # [N, S] rescaled global state (for training only)
    avail_actions: Bools  # [N, C, U]
    reward: Floats  # [N] discounted sum over the decision's frames
    coverage: Floats  # [N] at the decision's last frame, before auto-reset
    initial_coverage: Floats  # [N] of the frame that `obs` belongs to
    bonus: Floats  # [N] unweighted reacquisition bonus
    terminated: Bools  # [N] everything was delivered in this decision
    truncated: Bools  # [N] the time limit struck in this decision
    frames: Ints  # [N] frames executed
    episode: Floats  # [N, K] statistics of the finished episode, where terminated or truncated
    difference_reward: Floats  # [N, C] discounted sum: share of targets in this view alone
    # [N, C] likewise: stereo covered targets that would not be so without this camera; 0 unless
    # stereo_coverage_rate has a coefficient.
    stereo_difference_reward: Floats
    # The last frame of an episode that ended, before the reset: what comes after a truncated
    # episode has the value of that frame. Valid where terminated or truncated. Elsewhere they are
    # those of the environment's last end, 0 before the first.
    final_obs: Float32s  # [N, C, D]
    final_state: Float32s  # [N, S]
    final_avail_actions: Bools  # [N, C, U]


class FinalFrames(NamedTuple):
    """What was observed of the last frame of each environment's last finished episode."""

    obs: Float32s  # [N, C, D]
    state: Float32s  # [N, S]
    avail_actions: Bools  # [N, C, U]


class SelectionEnv:
    """N worlds of one scenario with cameras that choose actions against scripted targets.

    Environment i depends on seed i and on the actions in row i alone. When an episode ends, the
    next one begins at once, drawn from the same random stream. `EnvOutput.final_obs`,
    `final_state` and `final_avail_actions` keep the last frame of the one that ended. Without
    `auto_reset`, `obs`, `state` and `avail_actions` are of that last frame, and the next episode
    begins with `restart`.
    """

    def __init__(self, scenario: Scenario, options: SelectionOptions, num_envs: int) -> None:
        """Allocate `num_envs` worlds of `scenario`; call `reset` before the first step.

        Raises:
            ValueError: an option is out of range, or the scenario has no cameras.
        """
        check_selection(options)
        if scenario.n_cameras == 0:
            raise ValueError(f"scenario {scenario.name!r} has no cameras; expected at least one")
        self.sim = BatchSim(
            scenario,
            num_envs,
            observation_mode=options.observation_mode,
            max_episode_steps=options.max_episode_steps,
            message_loss=options.message_loss,
            min_baseline_deg=options.min_baseline_deg,
        )
        self.options = options
        self.n_envs, self.n_agents, self.n_targets = (
            num_envs,
            scenario.n_cameras,
            scenario.n_targets,
        )
        self.catalogue = catalogue_of(options, self.n_targets)
        self.n_actions = len(self.catalogue.search)
        self.selection_bits = selection_bits(self.catalogue, self.n_targets)  # [U, T]
        self.feature_layout = feature_layout(
            self.n_targets,
            self.n_actions,
            n_search=int((self.catalogue.search >= 0).sum()),
            particles=options.belief == "particles",
            lookahead=options.lookahead,
            by_target=options.coverage_per_target,
        )
        self.obs_size = self.feature_layout.size
        sizes = (self.n_agents, self.n_targets, scenario.n_obstacles)
        self.state_size = StateLayout(*sizes).size
        self._rules = arrays.Rules(
            decision_frames=options.decision_frames,
            executor=executor_of(options),
            memory_frames=0 if options.belief == "none" else options.memory_frames,
            mode=self.sim.mode,
            gamma=options.gamma,
        )
        self.opponent = target_rules(  # rules of the targets
            options.opponent, view=OBSERVATION_MODES[options.opponent_view], key="opponent"
        )
        self._opponent_memory = allocate_target_memory(num_envs, self.n_targets, self.opponent)
        self._started = False
        self._allocate(sizes)

    def _allocate(self, sizes: tuple[int, int, int]) -> None:
        n, (c, t, o) = self.n_envs, sizes
        scale, shift = arrays.state_scaling(self.sim.params, sizes)
        weights = self.options.reward_coefficients
        self._scores_pairs = weights.get("soft_coverage_score", 0.0) != 0.0
        if self._scores_pairs:
            self._boundaries, scores = allocate_boundaries(n, c, o), allocate_scores(n, c, t)
        else:  # another number of axes: the kernel is compiled without the score
            nothing, no_index = np.zeros(0), np.zeros(0, np.int64)
            self._boundaries = BoundaryTables(nothing, nothing, no_index, no_index)
            scores = nothing
        n_particles = n_particles_of(self.options)
        n_sets = 1 if self._know_the_same() else c
        relative, marks = allocate_relative_particles(n, t, n_particles)
        self.agent_state = arrays.AgentState(
            *allocate_belief(n, c, t),
            *allocate_particles(n, n_sets, t, n_particles, self.options.random_walk_share),
            revisit_time=np.zeros((n, t)),
            episode=np.zeros((n, len(EPISODE_COLUMNS))),
        )
        self._scratch = arrays.Scratch(
            camera_action=np.zeros((n, c, 2)),
            target_action=np.zeros((n, t, 2)),
            order=self.sim.order,
            no_goal=self.sim.no_goal,
            coefficients=np.array([weights.get(term, 0.0) for term in arrays.REWARD_TERMS]),
            state_scale=scale,
            state_shift=shift,
            inner=self._boundaries.inner,
            outer=self._boundaries.outer,
            n_knots=self._boundaries.n_knots,
            knot_at_degree=self._boundaries.degree,
            scores=scores,
            relative=relative,
            marks=marks,
        )
        layout = self.feature_layout
        self._lookahead = None
        if self.options.lookahead:
            joint = self.options.observation_mode != "own"
            viewers = None
            if not self._know_the_same():
                viewers = np.argwhere(np.ones((n, c), np.bool_))
            self._lookahead = FeatureLookahead(
                self.catalogue,
                (n, c, t),
                layout,
                joint=joint,
                viewers=viewers,
                min_baseline_deg=baseline_of(self.options),
            )
            layout = self._lookahead.base_layout
        self._out = arrays.Outputs(
            obs=np.zeros((n, c, layout.size), np.float32),
            state=np.zeros((n, self.state_size), np.float32),
            avail_actions=np.zeros((n, c, self.n_actions), np.bool_),
            scalars=np.zeros((n, arrays.OUTPUT_COLUMNS)),
            episode=np.zeros((n, len(EPISODE_COLUMNS))),
            difference_reward=np.zeros((n, c)),
            stereo_difference_reward=np.zeros((n, c)),
            glance=np.zeros((n, c, len(layout.glance_columns)), np.float32),
        )
        # Views made once: in an environment of one world a microsecond per decision counts.
        self._columns = self._out.scalars.T  # [OUTPUT_COLUMNS, N]
        self._ends = self._columns[arrays.X_TERMINATED : arrays.X_TRUNCATED + 1]  # [2, N]
        self._no_actions = np.zeros((n, c), np.int64)
        self._rows = (np.arange(n * c) * self.n_actions).reshape(n, c)
        self._final = FinalFrames(
            obs=np.zeros((n, c, self.obs_size), np.float32),
            state=np.zeros_like(self._out.state),
            avail_actions=np.zeros_like(self._out.avail_actions),
        )

    def _know_the_same(self) -> bool:
        """Tell whether all cameras of a team observe the same, but for which one they are."""
        return self.options.observation_mode != "own" and self.options.message_loss == 0.0

    def reset(self, seeds: UInt64s) -> EnvOutput:
        """Start an episode in every environment from its own seed [N].

        Raises:
            ValueError: `seeds` is not one unsigned integer per environment.
        """
        self.sim.seed(seeds)
        self._started = True
        self._run(kernels.CLEAR | kernels.BEGIN, self._no_actions)
        return self._result()

    def restart(self, which: Bools, seeds: UInt64s | None = None) -> EnvOutput:
        """Start an episode in the marked environments [N], and only there.

        Marked rows of the output are those of a reset; the others keep all that they show.

        Args:
            which: [N] flags.
            seeds: [N] of the rows' random streams, of which only marked rows are used; None: each
                row goes on with its own.

        Raises:
            ValueError: a shape or type is wrong, or there was no reset.
        """
        self._check_started()
        which = bounds.checked_rows("which", which, self.n_envs)
        if seeds is not None:
            self.sim.seed(seeds, which)
        others = np.where(which, 0.0, self._ends)
        self._out.scalars[which] = 0.0
        self._out.difference_reward[which] = 0.0
        self._out.stereo_difference_reward[which] = 0.0
        self._ends[:] = which, np.zeros_like(which)  # the kernel follows what has ended
        self._call_kernel(kernels.FOLLOW, self._no_actions)
        self._ends[:] = others
        self._write_plan_features(which)
        return self._result()

    def step(self, actions: NDArray[np.int64], react: React | None = None) -> EnvOutput:
        """Run one decision: `actions` [N, C] int64, each in 0..U-1.

        Without `check_actions`, those that `avail_actions` masks are taken too, as MATE takes
        selections of targets out of view: the episode's statistics count them as invalid.

        With `react`, cameras may change their actions within it, every `options.fast_interval`
        frames, by a glance: no plans are made for that.

        Raises:
            ValueError: no episode was started, or one has ended without `auto_reset`; the shape is
                wrong, or an action is no integer, out of range or not available.
        """
        self._check_ready()
        actions = self._checked(actions)
        if self.options.check_actions:
            arrays.check_available(self._out.avail_actions, self._rows, actions)
        if react is None:
            self._run(kernels.DECIDE, actions)
            return self._result()
        length, interval = self.options.decision_frames, self.options.fast_interval
        job = kernels.CLEAR | kernels.RUN
        for frame in range(interval, length, interval):
            self._call_kernel(job | kernels.GLANCE, self._checked(actions), interval)
            actions = react(self._out.glance, self._out.avail_actions, frame)
            job = kernels.RUN
        self._run(job | kernels.CLOSE, self._checked(actions), interval)
        return self._result()

    def run_frames(self, actions: NDArray[np.int64], n_frames: int | None = None) -> None:
        """Run one decision's frames only, without features and auto-reset, for speed and videos.

        With `n_frames`, run so many of them. An episode that has ended is not stopped. A decision's
        frames one by one, then `observe`, lead to the same world and observations as `step`.
        """
        if n_frames is not None:
            bounds.FRAMES.check("n_frames", n_frames)
        self._call_kernel(kernels.CLEAR | kernels.RUN, self._checked(actions), n_frames)

    def glance(self) -> tuple[Float32s, Bools]:
        """Return what cameras react to after `run_frames`, as `React` gets it."""
        self._check_started()
        self._call_kernel(kernels.GLANCE, self._no_actions)
        return self._out.glance, self._out.avail_actions

    def observe(self) -> EnvOutput:
        """Return what the cameras know after `run_frames`; reward, bonus and frames are 0.

        Where the episode has ended, its end is reported and the next one has begun, as in `step`.
        """
        self._check_started()
        self._run(kernels.CLEAR | kernels.CLOSE, self._no_actions)
        return self._result()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all arrays that an exact continuation needs, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> EnvOutput:
        """Restore what `state_dict` returned; return the outputs of the last decision.

        A state from before `final.*` and stereo coverage existed gives 0 for the arrays it lacks,
        and NaN for the stereo coverage of the episodes that it stopped in.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        new = {f"final.{name}": np.zeros_like(a) for name, a in self._final._asdict().items()}
        new["out.stereo_difference_reward"] = np.zeros_like(self._out.stereo_difference_reward)
        episodes = {
            name: with_all_columns(state[name])
            for name in ("agents.episode", "out.episode")
            if isinstance(state.get(name), np.ndarray)
        }
        stored = new | state | episodes
        check_stored(self._arrays(), stored)
        check_numbers(stored)
        load_arrays(self._arrays(), stored)
        self._started = True
        if self._scores_pairs:  # derived from the layout, so not stored
            trace_batch(self.sim.params, self.sim.tables, self._boundaries)
        self._write_plan_features()
        return self._result()

    def _run(self, job: int, actions: Ints, n_frames: int | None = None) -> None:
        """Do a job in all environments, and follow ended episodes by the next ones if wanted."""
        self._call_kernel(job, actions, n_frames)
        self._write_plan_features()
        if np.count_nonzero(self._ends):
            ended: Bools = np.asarray((self._ends > 0.0).any(axis=0))  # [N]
            self._final.obs[ended] = self._obs()[ended]
            self._final.state[ended] = self._out.state[ended]
            self._final.avail_actions[ended] = self._out.avail_actions[ended]
            if self.options.auto_reset:
                self._call_kernel(kernels.FOLLOW, actions)
                self._write_plan_features(ended)

    def _call_kernel(self, job: int, actions: Ints, n_frames: int | None = None) -> None:
        rules = self._rules
        kernels.run_batch(
            job,
            self.sim.params,
            rules if n_frames is None else rules._replace(decision_frames=n_frames),
            self.catalogue,
            self.sim.boxes,
            self.sim.tables,
            self.agent_state,
            self.opponent,
            self._opponent_memory,
            self._scratch,
            self.sim.flat_obs,
            actions,
            self._out,
        )

    def _write_plan_features(self, rows: Bools | None = None) -> None:
        """Write the observations with plan features, which are computed in `rows` [N] only."""
        if self._lookahead is not None:
            m, obs, avail = self.agent_state, self._out.obs, self._out.avail_actions
            beliefs = BeliefState(m.pose, m.belief, m.particles, m.origins)
            self._lookahead.write(beliefs, self.sim.flat_obs.camera_obs, obs, avail, rows)

    def _obs(self) -> Float32s:
        """Return the observations [N, C, D], plan features included; reused."""
        return self._out.obs if self._lookahead is None else self._lookahead.obs

    def _arrays(self) -> dict[str, np.ndarray]:
        agents = {name: a for name, a in self.agent_state._asdict().items() if len(a)}
        parts = {"sim": self.sim._arrays(), "agents": agents}
        parts["opponent"] = self._opponent_memory._asdict()
        parts["out"] = self._out._asdict()
        del parts["out"]["glance"]  # not kept beyond a decision
        parts["final"] = self._final._asdict()
        return {f"{part}.{name}": a for part, group in parts.items() for name, a in group.items()}

    def _check_started(self) -> None:
        if not self._started:
            raise ValueError("step before the first episode; expected reset")

    def _check_ready(self) -> None:
        self._check_started()
        if not self.options.auto_reset and np.count_nonzero(self.sim.view.world.done):
            ended = np.flatnonzero(self.sim.view.world.done)[0]
            raise ValueError(f"the episode of environment {ended} has ended; expected restart")

    def _checked(self, actions: NDArray[np.int64]) -> Ints:
        self._check_started()
        actions = np.asarray(actions)
        expected = (self.n_envs, self.n_agents)
        if actions.shape != expected or actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions are {actions.dtype} of shape {actions.shape}; "
                f"expected {expected} integers"
            )
        if bool((actions < 0).any()) or bool((actions >= self.n_actions).any()):
            raise ValueError(
                f"actions range from {actions.min()} to {actions.max()};"
                f" expected 0 to {self.n_actions - 1}"
            )
        return np.ascontiguousarray(actions, np.int64)

    def _result(self) -> EnvOutput:
        columns = self._columns
        return EnvOutput(
            obs=self._obs(),
            state=self._out.state,
            avail_actions=self._out.avail_actions,
            reward=columns[arrays.X_REWARD],
            coverage=columns[arrays.X_COVERAGE],
            initial_coverage=columns[arrays.X_INITIAL_COVERAGE],
            bonus=columns[arrays.X_BONUS],
            terminated=columns[arrays.X_TERMINATED] > 0,
            truncated=columns[arrays.X_TRUNCATED] > 0,
            frames=columns[arrays.X_FRAMES].astype(np.int64),
            episode=self._out.episode,
            difference_reward=self._out.difference_reward,
            stereo_difference_reward=self._out.stereo_difference_reward,
            final_obs=self._final.obs,
            final_state=self._final.state,
            final_avail_actions=self._final.avail_actions,
        )
