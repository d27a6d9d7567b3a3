"""Planning for whole teams: sampled trajectories, each camera's plans, the best joint plan.

A plan has two stages: one action for a few frames, then the same or another one up to the horizon.
Trajectories of all targets are sampled from beliefs. The value of a joint plan is the number of
targets that it covers, or that are in stereo coverage.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from camcontrol.control.action_set import Catalogue
from camcontrol.planning.baselines import (
    Baselines,
    allocate_baselines,
    compare_views,
    keep_bearings,
)
from camcontrol.planning.joint_plan import (
    LOOKAHEAD_ACTION_FEATURES,
    Others,
    choose_jointly,
    value_actions,
)
from camcontrol.planning.plan_tables import (
    WORD_BITS,
    PlanLanes,
    Plans,
    allocate_plans,
    plan_lanes,
)
from camcontrol.planning.rollouts import count_available, enumerate_plans
from camcontrol.planning.sight import Sight, allocate_sight, predict_sight
from camcontrol.planning.trajectories import (
    Trajectories,
    allocate_trajectories,
    sample_trajectories,
)
from camsim.arrays import Bools, Float32s, Floats, Int32s, Ints, UInt32s
from camsim.compiled.jit import batch_kernel, device_fn, row


@dataclass(frozen=True)
class PlannerOptions:
    """Horizon and sizes of a planner's search; all at least 1."""

    horizon: int = 30  # frames
    first_stage: int = 6  # frames of the first action of a plan; less than the horizon
    n_trajectories: int = 4  # sampled for each target
    first_actions: int = 32  # of a camera in the first stage: the best ones if held to the end
    second_actions: int = 12  # in the second stage


class BeliefState(NamedTuple):
    """The cameras' belief states: a part of camcontrol.decision_arrays.AgentState."""

    pose: Floats  # [N, C, POSE_COLUMNS]
    belief: Floats  # [N, C, T, BELIEF_COLUMNS]
    particles: Floats  # [N, M, T, K, P], M = C or 1: camcontrol.tracking.motion_models
    origins: Floats  # [N, M, T, 2]


class PlanningScratch(NamedTuple):
    """Work arrays of the joint choice, of W workers."""

    choice: Ints  # [N, C] plan of each camera (`joint_plan`); of all environments
    trial: Ints  # [W, C]
    covered: UInt32s  # [W, X], this and the next as in `joint_plan.Others`
    counting: UInt32s  # [W, X]
    together: Int32s  # [W, P]
    nothing: UInt32s  # [X] zeros
    everything: UInt32s  # [X] ones
    best: UInt32s  # [W, X * A]
    n_covered: Int32s  # [W, A]


@device_fn
def _choose(
    i: int,
    span: tuple[int, int],
    plans: Plans,
    lanes: PlanLanes,
    baselines: Baselines,
    scratch: PlanningScratch,
    actions: Ints,
    features: Float32s,
    w: int,
) -> None:
    """Write actions and plan features of the cameras of `span`, which plan together."""
    low, high = span
    cover, value, first = lanes.cover, lanes.value, lanes.first
    n_first, n_trials = first.shape[1], plans.slots.shape[1] * plans.n_trajectories
    choice, trial = scratch.choice[i, low:high], scratch.trial[w, : high - low]
    together = scratch.together[w, : value.shape[1]]
    others = Others(scratch.covered[w], scratch.counting[w], baselines.apart[w])
    best = scratch.best[w, : cover.shape[1] * n_first].reshape(cover.shape[1], n_first)
    compare_views(plans, baselines, w)
    choose_jointly(cover, value, first, choice, trial, others, together)
    if len(features) > 0:
        value_actions(
            cover,
            value,
            first,
            choice,
            others,
            together,
            plans.target_bits,
            (best, scratch.n_covered[w, :n_first]),
            1.0 / n_trials,
            features[i, low:high],
        )
    for c in range(high - low):
        actions[i, low + c] = first[c, choice[c] % n_first] if choice[c] >= 0 else -1


@device_fn
def _plan_one(
    i: int,
    joint: bool,
    first_stage: int,
    catalogue: Catalogue,
    beliefs: BeliefState,
    obs: Floats,
    avail: Bools,
    trajectories: Trajectories,
    sight: Sight,
    plans: Plans,
    baselines: Baselines,
    scratch: PlanningScratch,
    actions: Ints,
    features: Float32s,
    w: int,
) -> None:
    """Write the actions of environment i's cameras: of their joint plan, or each of its own.

    Also the plan features of every action, where `features` has room for them.
    """
    n_cameras = beliefs.pose.shape[1]
    size = len(obs) // (len(actions) * n_cameras)
    n_trajectories = plans.n_trajectories
    for c in range(n_cameras):
        span = (0, n_cameras) if joint else (c, c + 1)
        lanes = plan_lanes(plans, count_available(avail, i, span[0], span[1]), w)
        n = (i * n_cameras + c) * size
        where = (i, c)
        if c == 0 or not joint:
            sample_trajectories(
                obs,
                n,
                beliefs.belief,
                beliefs.particles,
                beliefs.origins,
                where,
                joint,
                n_trajectories,
                trajectories,
                w,
            )
        predict_sight(
            obs,
            n,
            beliefs.pose,
            beliefs.belief,
            where,
            trajectories,
            n_trajectories,
            sight,
            w,
        )
        if baselines.bearing.shape[1] > 0:
            keep_bearings(sight, c, baselines, w)
        enumerate_plans(
            catalogue.members,
            catalogue.search,
            beliefs.pose,
            beliefs.belief,
            avail,
            where,
            first_stage,
            sight,
            c if joint else 0,
            scratch.nothing,
            scratch.everything,
            plans,
            lanes,
            w,
        )
        if c == n_cameras - 1 or not joint:
            _choose(i, span, plans, lanes, baselines, scratch, actions, features, w)


@batch_kernel
def plan_batch(
    which: Bools,
    joint: bool,
    first_stage: int,
    catalogue: Catalogue,
    beliefs: BeliefState,
    obs: Floats,
    avail: Bools,
    trajectories: Trajectories,
    sight: Sight,
    plans: Plans,
    baselines: Baselines,
    scratch: PlanningScratch,
    actions: Ints,
    features: Float32s,
) -> None:
    """Write the actions [N, C] of cameras where `which` [N], and features [N, C, U, .] if any.

    Worker w of W does every W-th environment.
    """
    n_workers = len(scratch.trial)
    for worker in numba.prange(n_workers):
        w = row(worker)
        for i in range(w, len(actions), n_workers):
            if which[i]:
                _plan_one(
                    i,
                    joint,
                    first_stage,
                    catalogue,
                    beliefs,
                    obs,
                    avail,
                    trajectories,
                    sight,
                    plans,
                    baselines,
                    scratch,
                    actions,
                    features,
                    w,
                )


class Lookahead:
    """Plans for the cameras of N environments; keeps no state between two calls.

    `trajectories`, `sight` and `plans` are those of each worker's last environment (and camera),
    `scratch.choice` those of the last call.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        sizes: tuple[int, int, int],
        options: PlannerOptions,
        *,
        joint: bool,
        by_target: bool = False,
        min_baseline_deg: float | None = None,
    ) -> None:
        """Allocate tables.

        Args:
            catalogue: the U actions of a camera.
            sizes: numbers of environments N, cameras C and targets T.
            options: horizon and sizes of the search.
            joint: all cameras know the same and plan together; else each plans as if it were alone.
            by_target: `features` include the coverage per target.
            min_baseline_deg: plans are for stereo coverage, with views that differ by so much, 0 to
                180; None: for coverage. Of no effect on a camera that plans as if it were alone.

        Raises:
            ValueError: an option is out of range.
        """
        check_options(options)
        n, c, t = sizes
        u = len(catalogue.search)
        self.joint = joint
        self._catalogue = catalogue
        self._first_stage = options.first_stage
        w, n_first = min(n, numba.get_num_threads()), min(options.first_actions, u)
        self.trajectories = allocate_trajectories(w, t, options.n_trajectories, options.horizon)
        self.sight = allocate_sight(w, self.trajectories.lanes.shape[2], options.horizon)
        self.plans = allocate_plans(
            (w, c if joint else 1, t, u),
            options.n_trajectories,
            options.horizon,
            (n_first, min(options.second_actions, u)),
        )
        n_words = len(self.plans.target_bits)
        stereo = joint and min_baseline_deg is not None
        n_lanes = self.trajectories.lanes.shape[2]
        self.baselines = allocate_baselines(
            w, (stereo * c, options.horizon, n_lanes, n_words), min_baseline_deg or 0.0
        )
        n_plans = (1 + self.plans.then.shape[1]) * n_first
        self.scratch = PlanningScratch(
            choice=np.zeros((n, c), np.int64),
            trial=np.zeros((w, c), np.int64),
            covered=np.zeros((w, n_words), np.uint32),
            counting=np.zeros((w, n_words), np.uint32),
            together=np.zeros((w, n_plans), np.int32),
            nothing=np.zeros(n_words, np.uint32),
            everything=np.full(n_words, 0xFFFFFFFF, np.uint32),
            best=np.zeros((w, n_words * n_first), np.uint32),
            n_covered=np.zeros((w, n_first), np.int32),
        )
        n_features = LOOKAHEAD_ACTION_FEATURES + by_target * t
        self._features = np.zeros((n, c, u, n_features), np.float32)
        self._no_features = np.zeros((0, c, u, n_features), np.float32)
        self._actions = np.zeros((n, c), np.int64)
        self._all = np.ones(n, np.bool_)

    def actions(
        self, beliefs: BeliefState, camera_obs: Floats, avail_actions: Bools
    ) -> NDArray[np.int64]:
        """Return the actions [N, C] int64 of the best plans.

        Args:
            beliefs: belief states of the cameras.
            camera_obs: flat buffer of their raw observations.
            avail_actions: [N, C, U] actions that a plan may begin with.
        """
        self._plan(beliefs, camera_obs, avail_actions, self._no_features, self._all)
        return self._actions.copy()

    def features(
        self,
        beliefs: BeliefState,
        camera_obs: Floats,
        avail_actions: Bools,
        rows: Bools | None = None,
    ) -> Float32s:
        """Return all actions' plan features [N, C, U, .] float32: see `value_actions`; reused.

        Only `rows` [N] are computed, the others are as they were before; None: all.
        """
        rows = self._all if rows is None else rows
        self._plan(beliefs, camera_obs, avail_actions, self._features, rows)
        return self._features

    def _plan(
        self, beliefs: BeliefState, obs: Floats, avail: Bools, features: Float32s, rows: Bools
    ) -> None:
        plan_batch(
            rows,
            self.joint,
            self._first_stage,
            self._catalogue,
            beliefs,
            obs,
            avail,
            self.trajectories,
            self.sight,
            self.plans,
            self.baselines,
            self.scratch,
            self._actions,
            features,
        )


def check_options(options: PlannerOptions) -> None:
    """Check that all options are in range.

    Raises:
        ValueError: one is not.
    """
    for field in fields(options):
        if getattr(options, field.name) < 1:
            raise ValueError(f"{field.name} = {getattr(options, field.name)}; expected at least 1")
    if options.n_trajectories > WORD_BITS:
        raise ValueError(f"n_trajectories = {options.n_trajectories}; expected at most {WORD_BITS}")
    if options.first_stage >= options.horizon:
        raise ValueError(
            f"first_stage = {options.first_stage}; expected less than the horizon,"
            f" {options.horizon} frames"
        )
