"""Planning: what a team's cameras expect of every action, by looking ahead on their beliefs.

Each camera has plans of two stages: one action for a few frames, then perhaps another one up to
the horizon. Futures of all targets are drawn from beliefs; joint plans are compared by how many of
the targets they cover.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from camcontrol.control.action_set import Catalogue
from camcontrol.planning.joint_plan import (
    LOOKAHEAD_OPTION_FEATURES,
    choose_jointly,
    value_actions,
)
from camcontrol.planning.rollouts import Plans, allocate_plans, tabulate
from camcontrol.planning.trajectories import Futures, allocate_futures, foresee, look_ahead
from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.compiled.jit import batch_kernel, device_fn, row


@dataclass(frozen=True)
class PlannerOptions:
    """How far and how finely a planner looks ahead; all at least 1."""

    horizon: int = 30  # frames
    first_stage: int = 6  # frames of the first action of a plan; less than the horizon
    futures: int = 4  # drawn of each target
    first_actions: int = 32  # of a camera in the first stage: the best ones, held to the end
    second_actions: int = 12  # in the second stage


class Memories(NamedTuple):
    """What planning needs of the cameras' memory (camcontrol.decision_kernel.Minds)."""

    pose: Floats  # [N, C, POSE_COLUMNS]
    belief: Floats  # [N, C, T, BELIEF_COLUMNS]
    particles: Floats  # [N, C, T, K, P]
    origins: Floats  # [N, C, T, 2]


class Scratch(NamedTuple):
    """Work arrays of the joint choice."""

    choice: Ints  # [N, C] plan of each camera
    trial: Ints  # [N, C]
    rest: UInt64s  # [N, F, W]


@device_fn
def _plan_one(
    i: int,
    joint: bool,
    first_stage: int,
    catalogue: Catalogue,
    minds: Memories,
    obs: Floats,
    avail: Bools,
    futures: Futures,
    plans: Plans,
    scratch: Scratch,
    actions: Ints,
    features: Float32s,
) -> None:
    """Write the actions of environment i's cameras: of their joint plan, or each of its own.

    Also what every action is worth, where `features` has room for it.
    """
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
            if len(features) > 0:
                span = (0 if joint else c, c + 1)
                value_actions(
                    plans.cover[i],
                    plans.first[i],
                    span,
                    scratch.choice[i],
                    scratch.rest[i],
                    futures.sights.shape[2],
                    1.0 / (plans.held.shape[2] * futures.sights.shape[2]),
                    features[i],
                )
    for c in range(n_cameras):
        chosen = scratch.choice[i, c]
        actions[i, c] = plans.first[i, c, chosen // per_action] if chosen >= 0 else -1


@batch_kernel
def plan_batch(
    joint: bool,
    first_stage: int,
    catalogue: Catalogue,
    minds: Memories,
    obs: Floats,
    avail: Bools,
    futures: Futures,
    plans: Plans,
    scratch: Scratch,
    actions: Ints,
    features: Float32s,
) -> None:
    """Write the actions [N, C] of all environments' cameras, and features [N, C, U, .] if any."""
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
            features,
        )


class Lookahead:
    """Plans for the cameras of N environments; remembers nothing between two calls.

    `futures`, `plans` and `scratch.choice` tell what it last looked at.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        sizes: tuple[int, int, int],
        options: PlannerOptions,
        *,
        joint: bool,
        by_target: bool = False,
    ) -> None:
        """Allocate tables.

        Args:
            catalogue: the U actions of a camera.
            sizes: numbers of environments N, cameras C and targets T.
            options: how far and how finely it looks ahead.
            joint: all cameras know the same and plan together; else each plans as if it were alone.
            by_target: `features` also tell what the best plans would cover of every target.

        Raises:
            ValueError: an option is out of range.
        """
        check_options(options)
        n, c, t = sizes
        u = len(catalogue.look)
        self.joint = joint
        self._catalogue = catalogue
        self._first_stage = options.first_stage
        self.futures = allocate_futures(n, t, options.futures, options.horizon)
        self.plans = allocate_plans(
            (n, c, t, u),
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
        n_features = LOOKAHEAD_OPTION_FEATURES + by_target * t
        self._features = np.zeros((n, c, u, n_features), np.float32)
        self._no_features = np.zeros((0, c, u, n_features), np.float32)
        self._actions = np.zeros((n, c), np.int64)

    def actions(
        self, minds: Memories, camera_obs: Floats, avail_actions: Bools
    ) -> NDArray[np.int64]:
        """Return the actions [N, C] int64 of the best plans.

        Args:
            minds: of the cameras.
            camera_obs: flat buffer of their raw observations.
            avail_actions: [N, C, U] actions that a plan may begin with.
        """
        self._plan(minds, camera_obs, avail_actions, self._no_features)
        return self._actions.copy()

    def features(self, minds: Memories, camera_obs: Floats, avail_actions: Bools) -> Float32s:
        """Return what every action is worth [N, C, U, .] float32: see `value_actions`; reused."""
        self._plan(minds, camera_obs, avail_actions, self._features)
        return self._features

    def _plan(self, minds: Memories, obs: Floats, avail: Bools, features: Float32s) -> None:
        plan_batch(
            self.joint,
            self._first_stage,
            self._catalogue,
            minds,
            obs,
            avail,
            self.futures,
            self.plans,
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
    if options.first_stage >= options.horizon:
        raise ValueError(
            f"first_stage = {options.first_stage}; expected less than the horizon,"
            f" {options.horizon} frames"
        )
