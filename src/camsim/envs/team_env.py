"""TeamEnv: N worlds for callers who drive cameras, targets or both; rules drive the others."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

import numba
import numpy as np

from camsim import bounds
from camsim.arrays import Bools, Floats, Ints, SmallInts, UInt64s
from camsim.bounds import checked_rows, shortened
from camsim.envs import discrete_actions as grids
from camsim.envs import transforms as observations
from camsim.envs.information import (
    Information,
    camera_information,
    global_state,
    target_information,
    world_information,
)
from camsim.envs.rewards import Coefficients, TeamRewards
from camsim.envs.step_kernel import KEEP, LOOK, START, STEP, Teams, run_batch
from camsim.envs.transforms import AnyFloats, Bounds, transform_batch
from camsim.layout import MIN_BASELINE_DEG, OBSERVATION_MODES
from camsim.scenario.schema import Scenario
from camsim.scripted.cameras.dispatch import CameraMemory, allocate_camera_memory
from camsim.scripted.spec import (
    EXTERNAL,
    CameraRules,
    Link,
    TargetRules,
    camera_rules,
    target_rules,
)
from camsim.scripted.targets.dispatch import TargetMemory, allocate_target_memory
from camsim.sim import BatchSim, load_arrays
from camsim.state import ObsBuffers, allocate_obs

Policy = str | Mapping[str, float]
_NO_LIMITS = Link()
DTYPES = ("float64", "float32")
_REWARDS = ("camera_rewards", "target_rewards")
_FLAGS = (
    "relative",
    "rescaled",
    "target_done_at_destination",
    "auto_reset",
    "with_camera_obs",
    "with_target_obs",
    "with_state",
)


@dataclass(frozen=True)
class TeamOptions:
    """Who drives which team, what it observes and what it earns."""

    cameras: Policy | CameraRules = EXTERNAL  # external, a rule, a mixture, or full rules
    targets: Policy | TargetRules = "greedy"  # (camsim.scripted.spec)
    camera_view: str = "own"  # own, shared or enhanced (camsim.layout.OBSERVATION_MODES)
    target_view: str = "own"
    relative: bool = False  # places in observations relative to the observer
    rescaled: bool = False  # observations in [-1, 1] where they are bounded; after `relative`
    camera_action_levels: int | None = None  # discrete actions on a grid; None: continuous ones
    target_action_levels: int | None = None
    camera_rewards: Coefficients | None = None  # by term; None: the team's reward
    camera_reduction: str = "none"  # of the members' rewards: none, mean, sum, max or min
    target_rewards: Coefficients | None = None
    target_reduction: str = "none"
    target_done_at_destination: bool = False  # a target is done whenever it delivers
    camera_link: Link = _NO_LIMITS  # limits of a scripted team's communication
    target_link: Link = _NO_LIMITS
    auto_reset: bool = True  # the step after an episode's end starts the next one
    max_episode_steps: int | None = None  # None: the scenario's
    min_baseline_deg: float = MIN_BASELINE_DEG  # of the reward term stereo_coverage_rate
    dtype: str = "float64"  # of observations and state: float64 or float32
    with_camera_obs: bool = True  # what is not wanted comes with zero environments
    with_target_obs: bool = True
    with_state: bool = True

    def check(self) -> None:
        """Check the values that name a choice or a count.

        Raises:
            ValueError: one is unknown, out of range or of a wrong kind.
        """
        self._check_kinds()
        choices = {
            "camera_view": tuple(OBSERVATION_MODES),
            "target_view": tuple(OBSERVATION_MODES),
            "dtype": DTYPES,
        }
        for field in fields(self):
            value, known = getattr(self, field.name), choices.get(field.name)
            if known is not None and value not in known:
                raise ValueError(
                    f"{field.name} = {shortened(value)}; expected one of {', '.join(known)}"
                )
        for team, policy, levels in (
            ("camera", self.cameras, self.camera_action_levels),
            ("target", self.targets, self.target_action_levels),
        ):
            if levels is not None and policy != EXTERNAL:
                raise ValueError(f"{team}_action_levels = {levels}, but a rule drives the {team}s")
        for link, rules in (("camera_link", self.cameras), ("target_link", self.targets)):
            if isinstance(rules, CameraRules | TargetRules) and getattr(self, link) != _NO_LIMITS:
                raise ValueError(f"{link} was given beside full rules, which hold their own link")
        if self.max_episode_steps is not None:
            bounds.MAX_EPISODE_STEPS.check("max_episode_steps", self.max_episode_steps)
        bounds.MIN_BASELINE_DEG.check("min_baseline_deg", self.min_baseline_deg)
        for name in ("camera_action_levels", "target_action_levels"):
            levels = getattr(self, name)
            if levels is not None:
                bounds.ACTION_LEVELS.check(name, levels)
        bounds.check_flags((name, getattr(self, name)) for name in _FLAGS)

    def _check_kinds(self) -> None:
        """Refuse values whose mistake would show late or not at all, such as "no" for False."""
        kinds = (
            (("cameras",), (str, Mapping, CameraRules), "a rule's name, a mixture or CameraRules"),
            (("targets",), (str, Mapping, TargetRules), "a rule's name, a mixture or TargetRules"),
            (("camera_link", "target_link"), (Link,), "a Link"),
            (_REWARDS, (Mapping, type(None)), "weights of reward terms by name, or None"),
        )
        for names, allowed, words in kinds:
            for name in names:
                value = getattr(self, name)
                if not isinstance(value, allowed):
                    raise ValueError(f"{name} = {shortened(value)}; expected {words}")


class TeamOutput(NamedTuple):
    """Result of a reset or a step; views of reused buffers: copy what you keep."""

    camera_obs: AnyFloats  # [N, C, D]
    target_obs: AnyFloats  # [N, T, D']
    state: AnyFloats  # [N, S] global state, never relative or rescaled
    camera_reward: Floats  # [N, C]
    target_reward: Floats  # [N, T]
    camera_done: Bools  # [N, C]
    target_done: Bools  # [N, T]
    terminated: Bools  # [N] everything was delivered
    truncated: Bools  # [N] the time limit struck


class TeamEnv:
    """N worlds of one scenario, frame by frame, with any of the teams driven from outside.

    Row i depends on seed i and on actions in row i alone.
    """

    def __init__(self, scenario: Scenario, options: TeamOptions, num_envs: int) -> None:
        """Allocate the worlds; call `reset` before the first step.

        Raises:
            ValueError: an option is unknown or out of range.
        """
        options.check()
        self.scenario, self.options, self.num_envs = scenario, options, num_envs
        self.sim = BatchSim(
            scenario,
            num_envs,
            max_episode_steps=options.max_episode_steps,
            min_baseline_deg=options.min_baseline_deg,
        )
        self.n_cameras, self.n_targets = scenario.n_cameras, scenario.n_targets
        self.sizes = (self.n_cameras, self.n_targets, scenario.n_obstacles)
        self._modes = (
            OBSERVATION_MODES[options.camera_view],
            OBSERVATION_MODES[options.target_view],
        )
        cameras, targets = options.cameras, options.targets
        if not isinstance(cameras, CameraRules):
            cameras = camera_rules(cameras, link=options.camera_link)
        if not isinstance(targets, TargetRules):
            targets = target_rules(targets, link=options.target_link)
        cameras = cameras._replace(observes=self._modes[0])
        targets = targets._replace(observes=self._modes[1])
        self.teams: Teams = (
            cameras,
            targets,
            allocate_camera_memory(
                num_envs, self.n_cameras, self.n_targets, cameras, self.sim.params
            ),
            allocate_target_memory(num_envs, self.n_targets, targets),
        )
        self._started = False
        self.external = (len(cameras.cumulative) == 0, len(targets.cumulative) == 0)
        self._allocate()

    def _allocate(self) -> None:
        n, c, t = self.num_envs, self.n_cameras, self.n_targets
        options, sizes = self.options, self.sizes
        self.sim.obs = allocate_obs(
            n,
            self.sim.boxes,
            cameras=options.with_camera_obs,
            targets=options.with_target_obs,
            state=options.with_state,
        )
        self.sim.flat_obs = ObsBuffers(*(buffer.reshape(-1) for buffer in self.sim.obs))
        how = {"relative": options.relative, "rescaled": options.rescaled}
        self._transforms = (
            observations.camera_transform(sizes, **how),
            observations.target_transform(sizes, **how),
        )
        levels = (options.camera_action_levels, options.target_action_levels)
        self._grids = (
            None if levels[0] is None else grids.camera_grid(levels[0]),
            None if levels[1] is None else grids.target_grid(levels[1]),
        )
        self._actions = (np.zeros((n, c, 2)), np.zeros((n, t, 2)))
        self._rewards = TeamRewards(
            self.sim,
            (options.camera_rewards, options.target_rewards),
            (options.camera_reduction, options.target_reduction),
        )
        self._jobs: SmallInts = np.zeros(n, np.int8)
        self.episode_id: Ints = np.full(n, -1, np.int64)
        """Episodes started in each environment, less one [N]."""
        plain = options.dtype == "float64"
        same = plain and not (options.relative or options.rescaled)
        obs, dtype = self.sim.obs, np.dtype(options.dtype)
        self.output = TeamOutput(
            camera_obs=obs.camera_obs if same else np.zeros(obs.camera_obs.shape, dtype),
            target_obs=obs.target_obs if same else np.zeros(obs.target_obs.shape, dtype),
            state=obs.state if plain else np.zeros(obs.state.shape, dtype),
            camera_reward=np.zeros((n, c)),
            target_reward=np.zeros((n, t)),
            camera_done=np.zeros((n, c), np.bool_),
            target_done=np.zeros((n, t), np.bool_),
            terminated=np.zeros(n, np.bool_),
            truncated=np.zeros(n, np.bool_),
        )

    @property
    def camera_obs_bounds(self) -> Bounds:
        """Lowest and highest values [D] of a camera's observation, as the options make it."""
        bounds = observations.camera_obs_bounds(self.sizes)
        return observations.rescaled_bounds(bounds) if self.options.rescaled else bounds

    @property
    def target_obs_bounds(self) -> Bounds:
        """Lowest and highest values [D'] of a target's observation, as the options make it."""
        bounds = observations.target_obs_bounds(self.sizes)
        return observations.rescaled_bounds(bounds) if self.options.rescaled else bounds

    @property
    def state_bounds(self) -> Bounds:
        """Lowest and highest values [S] of the global state."""
        return observations.state_bounds(self.sizes)

    @property
    def camera_action_bounds(self) -> Floats:
        """Largest turn and zoom of a camera [2], in degrees."""
        return np.array([self.sim.params.rotation_step_deg, self.sim.params.zooming_step_deg])

    @property
    def target_action_bounds(self) -> Floats:
        """Largest displacement of a target along x and y [2]; heavy ones go half as far."""
        return np.full(2, self.sim.params.target_step)

    @property
    def message_edges(self) -> tuple[Ints, Ints]:
        """Messages of scripted teams that arrived in the last frame, from -> to.

        Among cameras [N, C, C] and among targets [N, T, T]; 0 in a team that the caller drives.
        Views of the teams' own memories: copy what you keep.
        """
        return self.teams[2].edges, self.teams[3].edges

    def reset(self, seeds: UInt64s) -> TeamOutput:
        """Start an episode in every environment from its own seed [N].

        Raises:
            ValueError: `seeds` is not one unsigned integer per environment.
        """
        return self.restart(np.ones(self.num_envs, np.bool_), seeds)

    def restart(self, which: Bools, seeds: UInt64s | None = None) -> TeamOutput:
        """Start a new episode in the marked environments [N], and only there.

        The others keep everything.

        Args:
            which: [N] flags.
            seeds: [N] of the rows' random streams, of which only marked rows are used; None: each
                row goes on with its own.

        Raises:
            ValueError: a shape or type is wrong.
        """
        which = checked_rows("which", which, self.num_envs)
        if seeds is not None:
            self.sim.seed(seeds, which)
        self._jobs[:] = np.where(which, START, KEEP)
        return self._run()

    def step(
        self, camera_action: Floats | Ints | None = None, target_action: Floats | Ints | None = None
    ) -> TeamOutput:
        """Advance every world by one frame.

        With `auto_reset` a world whose episode is over starts the next one instead: its actions
        are ignored and its rewards are 0.

        Args:
            camera_action: [N, C, 2] turn and zoom in degrees, or with action levels the discrete
                actions [N, C]; None if a rule drives the cameras.
            target_action: [N, T, 2] displacement, or [N, T]; None if a rule drives the targets.

        Raises:
            ValueError: an action is missing, superfluous, of a wrong shape, not finite or out of
                range, or no episode was started.
        """
        if not self._started:
            raise ValueError("step before the first episode; expected reset")
        cameras = self._continuous(0, camera_action)
        targets = self._continuous(1, target_action)
        for buffer, action in zip(self._actions, (cameras, targets), strict=True):
            if action is not None:
                buffer[...] = action
        self._jobs[:] = STEP
        if self.options.auto_reset:
            self._jobs[self.output.terminated | self.output.truncated] = START
        return self._run()

    def observe(self) -> TeamOutput:
        """Return the output of the tables as they stand, after they were written from outside.

        Who sees which target is left as it is: `sim.see()` recomputes it.
        """
        self._jobs[:] = LOOK
        return self._run()

    def _continuous(self, team: int, action: Floats | Ints | None) -> Floats | None:
        """Return the checked continuous action of a team: 0 cameras, 1 targets."""
        name, count = ("camera_action", "target_action")[team], self.sizes[team]
        if action is None or not self.external[team]:
            if action is not None:
                raise ValueError(f"{name} was given, but a rule drives this team; expected None")
            if self.external[team] and count > 0:
                raise ValueError(f"{name} is missing; the team is {EXTERNAL}")
            return None
        grid = self._grids[team]
        if grid is None:
            return self.sim._checked(np.asarray(action), name, count)
        levels = round(len(grid) ** 0.5)
        ids = grids.checked_ids(name, np.asarray(action), (self.num_envs, count), levels)
        if team == 0:
            return grids.camera_actions(ids, grid, self.camera_action_bounds)
        return grids.target_actions(ids, grid, self.sim.view.targets.step_size)

    def _run(self) -> TeamOutput:
        """Do what `_jobs` says and fill the output."""
        self._started = True
        threads = numba.get_num_threads()
        if threads > self.num_envs:  # waking threads that find no world costs more than the frame
            numba.set_num_threads(self.num_envs)
        try:
            self._run_jobs()
        finally:
            numba.set_num_threads(threads)
        return self.output

    def _run_jobs(self) -> None:
        sim = self.sim
        run_batch(
            self._jobs,
            sim.params,
            sim.boxes,
            sim.tables,
            *self.teams,
            *self._actions,
            sim.no_goal,
            sim.order,
            sim.flat_obs,
            self._modes,
        )
        self.episode_id += self._jobs == START
        self._finish()

    def _finish(self) -> None:
        """Write everything in `output` that follows from the tables and the raw vectors."""
        out, raw, world = self.output, self.sim.obs, self.sim.view.world
        for team, name in enumerate(("camera_obs", "target_obs")):
            mine, theirs = getattr(out, name), getattr(raw, name)
            if mine is not theirs and mine.size > 0:
                transform_batch(self._transforms[team], theirs, mine)
        if out.state is not raw.state:
            out.state[...] = raw.state
        done = world.done > 0.0
        waiting = (world.awaiting > 0.0).any(axis=1)
        np.logical_and(done, ~waiting, out=out.terminated)
        np.logical_and(done, waiting, out=out.truncated)
        out.camera_done[...] = done[:, None]
        out.target_done[...] = done[:, None]
        if self.options.target_done_at_destination:
            out.target_done[...] = self.sim.view.targets.delivered_now > 0.0
        self._rewards.write(self._jobs, self.episode_id, out.camera_reward, out.target_reward)

    def information(self) -> Information:
        """Return copies of what MATE's info dicts hold, batched, of the last frame.

        Keys: camsim.envs.information. Messages are those of scripted teams. Masks and states are
        the true ones, whatever the options say of observations.
        """
        info = world_information(self.sim)
        info |= camera_information(self.sim, self.message_edges[0])
        info |= target_information(self.sim, self.message_edges[1])
        self._rewards.add_information(info, self.episode_id)
        return info

    def normalized_state(self) -> Floats:
        """Return the global state [N, S] rescaled by its bounds (world 9.4)."""
        return observations.normalized_state(global_state(self.sim), self.sizes)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all arrays that an exact continuation needs, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> TeamOutput:
        """Restore what `state_dict` returned; return the output of the last step.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        load_arrays(self._arrays(), state)
        self._started = True
        self._rewards.refresh(np.full(self.num_envs, LOOK, np.int8))
        return self.output

    def _arrays(self) -> dict[str, np.ndarray]:
        parts = {
            "sim": self.sim._arrays(),
            "cameras": self._rows_of(self.teams[2]),
            "targets": self._rows_of(self.teams[3]),
            "out": self.output._asdict(),
            "env": {"episode_id": self.episode_id},
        }
        return {f"{part}.{name}": a for part, arrays in parts.items() for name, a in arrays.items()}

    def _rows_of(self, memory: CameraMemory | TargetMemory) -> dict[str, np.ndarray]:
        """Return the arrays of a memory, without tables that all environments share."""
        arrays: dict[str, np.ndarray] = memory._asdict()
        return {name: array for name, array in arrays.items() if len(array) == self.num_envs}
