"""Planner: cameras that look ahead on what they believe, and choose their actions together.

Each camera has plans of two stages: one action for a few frames, then perhaps another one up to
the horizon. Futures of all targets are drawn from beliefs; the joint plan that covers most of them
is played for one decision, then everything is planned anew.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from camsim.envs.actions import Catalogue
from camsim.envs.forecast import Futures, allocate_futures, foresee, look_ahead
from camsim.envs.joint_choice import choose_jointly
from camsim.envs.lookahead import Plans, allocate_plans, tabulate
from camsim.envs.selection import SelectionEnv, SelectionOptions
from camsim.kernels._jit import batch_kernel, device_fn, row
from camsim.scenario import Scenario
from camsim.state import Bools, Floats, Ints, Singles, Words

VIEWS = {"own": "own", "shared": "shared", "full": "enhanced"}
"""What planning cameras know: names, and what cameras observe then (SelectionOptions)."""

DECISION_FRAMES = 3
"""Frames between two plans of the environments that `planning_env` makes."""


@dataclass(frozen=True)
class PlannerOptions:
    """How far and how finely a planner looks ahead; all at least 1."""

    horizon: int = 30  # frames
    first_stage: int = 6  # frames of the first action of a plan; less than the horizon
    futures: int = 4  # drawn of each target
    first_actions: int = 32  # of a camera in the first stage: the best ones, held to the end
    second_actions: int = 12  # in the second stage


class Minds(NamedTuple):
    """What planning needs of the cameras' memory (camsim.envs.decision.Minds)."""

    pose: Floats  # [N, C, POSE_COLUMNS]
    belief: Floats  # [N, C, T, BELIEF_COLUMNS]
    particles: Floats  # [N, C, T, K, P]
    origins: Floats  # [N, C, T, 2]


class Scratch(NamedTuple):
    """Work arrays of the joint choice."""

    choice: Ints  # [N, C] plan of each camera
    trial: Ints  # [N, C]
    rest: Words  # [N, F, W]


@device_fn
def _plan_one(
    i: int,
    joint: bool,
    first_stage: int,
    catalogue: Catalogue,
    minds: Minds,
    obs: Floats,
    avail: Bools,
    futures: Futures,
    plans: Plans,
    scratch: Scratch,
    actions: Ints,
) -> None:
    """Write the actions of environment i's cameras: of their joint plan, or each of its own."""
    n_cameras = minds.pose.shape[1]
    size = len(obs) // (len(actions) * n_cameras)
    per_action = plans.cover.shape[2] // plans.first.shape[2]
    for c in range(n_cameras):
        n = (i * n_cameras + c) * size
        where = (i, c)
        if c == 0 or not joint:
            foresee(obs, n, minds.belief, minds.particles, minds.origins, where, joint, futures)
        look_ahead(obs, n, minds.pose, minds.belief, futures, where)
        tabulate(
            catalogue.members,
            catalogue.look,
            minds.pose,
            minds.belief,
            futures.sights[i],
            avail,
            where,
            first_stage,
            plans,
        )
        if c == n_cameras - 1 or not joint:
            choose_jointly(
                plans.cover[i],
                plans.first[i],
                (0 if joint else c, c + 1),
                scratch.choice[i],
                scratch.trial[i],
                scratch.rest[i],
            )
    for c in range(n_cameras):
        actions[i, c] = plans.first[i, c, scratch.choice[i, c] // per_action]


@batch_kernel
def plan_batch(
    joint: bool,
    first_stage: int,
    catalogue: Catalogue,
    minds: Minds,
    obs: Floats,
    avail: Bools,
    futures: Futures,
    plans: Plans,
    scratch: Scratch,
    actions: Ints,
) -> None:
    """Write the actions [N, C] of all environments' cameras."""
    for i in numba.prange(len(actions)):
        _plan_one(
            row(i),
            joint,
            first_stage,
            catalogue,
            minds,
            obs,
            avail,
            futures,
            plans,
            scratch,
            actions,
        )


class Planner:
    """Chooses the actions of all cameras of an environment from their beliefs, without learning.

    Where cameras share their views, all know the same and plan together; with views of their own,
    each plans alone, as if it were the only camera. It remembers nothing itself, and the same
    beliefs and observations give the same actions. `futures`, `plans` and `scratch.choice` tell
    what it last looked at.
    """

    def __init__(self, env: SelectionEnv, options: PlannerOptions | None = None) -> None:
        """Plan for the cameras of `env`.

        Raises:
            ValueError: the environment has no particle belief, no look actions or another executor
                than `lead`, or an option is out of range.
        """
        options = options or PlannerOptions()
        _check(env.options, options)
        n, c, u = env.n_envs, env.n_agents, env.n_actions
        self._env = env
        self._joint = env.options.observation_mode != "own"
        self._first_stage = options.first_stage
        self._minds = Minds(
            env.minds.pose, env.minds.belief, env.minds.particles, env.minds.origins
        )
        self.futures = allocate_futures(n, env.n_targets, options.futures, options.horizon)
        self.plans = allocate_plans(
            (n, c, env.n_targets, u),
            options.futures,
            options.horizon,
            (min(options.first_actions, u), min(options.second_actions, u)),
        )
        words = self.plans.cover.shape[-1]
        self.scratch = Scratch(
            choice=np.zeros((n, c), np.int64),
            trial=np.zeros((n, c), np.int64),
            rest=np.zeros((n, options.horizon, words), np.uint64),
        )

    def act(self, obs: Singles, avail_actions: Bools) -> NDArray[np.int64]:
        """Return the actions [N, C] int64 of the decision that comes next in the environment.

        Args:
            obs: [N, C, D], not used: the planner reads the beliefs that it is made from.
            avail_actions: [N, C, U] actions that a plan may begin with.
        """
        actions = np.zeros(avail_actions.shape[:2], np.int64)
        plan_batch(
            self._joint,
            self._first_stage,
            self._env.catalogue,
            self._minds,
            self._env.sim.flat_obs.camera_obs,
            avail_actions,
            self.futures,
            self.plans,
            self.scratch,
            actions,
        )
        return actions

    def reset_rows(self, ended: Bools) -> None:
        """Forget the episodes that have `ended` [N]: there is nothing to forget."""


def planning_env(
    scenario: Scenario,
    num_envs: int,
    *,
    view: str = "shared",
    opponent: str = "greedy",
    max_episode_steps: int | None = None,
) -> SelectionEnv:
    """Return environments whose cameras a planner can play.

    Args:
        scenario: the world.
        num_envs: N.
        view: own, shared, or full: every camera observes everything, which is not legal play.
        opponent: policy of the targets.
        max_episode_steps: None: the scenario's.

    Raises:
        ValueError: an argument is not valid, or the scenario has no cameras.
    """
    if view not in VIEWS:
        raise ValueError(f"view = {view!r}; expected one of {', '.join(VIEWS)}")
    options = SelectionOptions(
        fast_interval=DECISION_FRAMES,
        belief="particles",
        observation_mode=VIEWS[view],
        opponent=opponent,
        max_episode_steps=max_episode_steps,
    )
    return SelectionEnv(scenario, options, num_envs)


def _check(env: SelectionOptions, options: PlannerOptions) -> None:
    for key, value, needed in (
        ("action_mode", env.action_mode, "selection"),
        ("belief", env.belief, "particles"),
        ("executor", env.executor, "lead"),
    ):
        if value != needed:
            raise ValueError(f"{key} = {value!r}; a planner needs {needed!r}")
    if env.look_options < 1:
        raise ValueError("look_options = 0; a planner needs at least 1")
    for field in fields(options):
        if getattr(options, field.name) < 1:
            raise ValueError(f"{field.name} = {getattr(options, field.name)}; expected at least 1")
    if options.first_stage >= options.horizon:
        raise ValueError(
            f"first_stage = {options.first_stage}; expected less than the horizon,"
            f" {options.horizon} frames"
        )
