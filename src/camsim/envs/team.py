"""TeamEnv: N worlds for callers who drive cameras, targets or both; rules drive the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from camsim.envs.teams import Actions, Teams, play_frame, start_teams
from camsim.kernels._jit import batch_kernel, device_fn, row
from camsim.kernels.observe import write_camera_obs, write_state, write_target_obs
from camsim.kernels.rng import streams_from_seeds
from camsim.kernels.vision import see_cameras, see_from_targets
from camsim.layout import W_AWAITING, W_DONE, W_REWARD_DELAYED, W_REWARD_DENSE
from camsim.policies.cameras import CameraMemory, allocate_camera_memory
from camsim.policies.rules import CameraRules, Link, TargetRules, camera_rules, target_rules
from camsim.policies.targets import TargetMemory, allocate_target_memory
from camsim.scenario import Scenario
from camsim.sim import OBSERVATION_MODES, BatchSim, checked_seeds
from camsim.state import (
    Bools,
    Floats,
    Ints,
    ObsBuffers,
    SimParams,
    StartBoxes,
    Tables,
    Words,
    allocate_obs,
)

Policy = str | Mapping[str, float]


@dataclass(frozen=True)
class TeamOptions:
    """Who drives which team, and what it observes and earns."""

    cameras: Policy = "external"  # external, a rule or a mixture (camsim.policies.rules)
    targets: Policy = "greedy"
    camera_view: str = "own"  # own, shared or enhanced (camsim.sim.OBSERVATION_MODES)
    target_view: str = "own"
    camera_link: Link = Link()
    target_link: Link = Link()
    auto_reset: bool = True  # the step after an episode's end starts the next one
    max_episode_steps: int | None = None  # None: the scenario's


class TeamOutput(NamedTuple):
    """Result of a reset or a step; views of reused buffers: copy what you keep."""

    camera_obs: Floats  # [N, C, D]
    target_obs: Floats  # [N, T, D']
    state: Floats  # [N, S]
    camera_reward: Floats  # [N, C]
    target_reward: Floats  # [N, T]
    terminated: Bools  # [N] everything was delivered
    truncated: Bools  # [N] the time limit struck


class _Ends(NamedTuple):
    """How episodes stand after a step."""

    terminated: Bools  # [N]
    truncated: Bools  # [N]
    restarted: Bools  # [N] this step started a new episode


@device_fn
def _observe_all(
    i: int, params: SimParams, s: Tables, out: ObsBuffers, modes: tuple[int, int], first: bool
) -> None:
    """Recompute the masks that only observations need; write both teams' vectors and the state."""
    see_cameras(i, s)
    see_from_targets(i, params, s)
    if len(out.camera_obs) > 0:
        write_camera_obs(i, params, s, out.camera_obs, modes[0], first)
    if len(out.target_obs) > 0:
        write_target_obs(i, params, s, out.target_obs, modes[1])
    if len(out.state) > 0:
        write_state(i, params, s, out.state)


@device_fn
def _note_ends(i: int, s: Tables, ends: _Ends) -> None:
    """Say whether and how the episode ended."""
    waiting = False
    for w in range(4):
        waiting = waiting or s.world[i, W_AWAITING + w] > 0.0
    done = s.world[i, W_DONE] > 0.0
    ends.terminated[i] = done and not waiting
    ends.truncated[i] = done and waiting


@device_fn
def _run_one(
    i: int,
    fresh: bool,
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    teams: Teams,
    actions: Actions,
    order: Ints,
    out: ObsBuffers,
    modes: tuple[int, int],
    ends: _Ends,
) -> None:
    if fresh:
        start_teams(i, params, boxes, s, teams, order)
        s.world[i, W_REWARD_DENSE] = 0.0
        s.world[i, W_REWARD_DELAYED] = 0.0
    else:
        play_frame(i, params, s, teams, actions)
    ends.restarted[i] = fresh
    _note_ends(i, s, ends)
    _observe_all(i, params, s, out, modes, fresh)


@batch_kernel
def _run_batch(
    which: Bools,
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    camera_rules: CameraRules,
    target_rules: TargetRules,
    camera_memory: CameraMemory,
    target_memory: TargetMemory,
    camera_action: Floats,
    target_action: Floats,
    no_goal: Ints,
    order: Ints,
    out: ObsBuffers,
    modes: tuple[int, int],
    ends: _Ends,
) -> None:
    """Start an episode where `which` [N] says so; advance all other environments by one frame."""
    for i in numba.prange(len(s.rng)):
        teams = (camera_rules, target_rules, camera_memory, target_memory)
        actions = (camera_action, target_action, no_goal)
        _run_one(row(i), which[i], params, boxes, s, teams, actions, order, out, modes, ends)


class TeamEnv:
    """N worlds of one scenario, frame by frame, with any of the teams driven from outside.

    Row i depends on seed i and on actions in row i alone.
    """

    def __init__(self, scenario: Scenario, options: TeamOptions, num_envs: int) -> None:
        """Allocate the worlds; call `reset` before the first step.

        Raises:
            ValueError: an option is unknown or out of range.
        """
        for key in ("camera_view", "target_view"):
            if getattr(options, key) not in OBSERVATION_MODES:
                known = ", ".join(OBSERVATION_MODES)
                raise ValueError(f"{key} = {getattr(options, key)!r}; expected one of {known}")
        self.scenario, self.options, self.num_envs = scenario, options, num_envs
        self.sim = BatchSim(scenario, num_envs, max_episode_steps=options.max_episode_steps)
        self.sim.obs = allocate_obs(num_envs, self.sim.boxes, targets=True)
        self.sim.flat_obs = ObsBuffers(*(buffer.reshape(-1) for buffer in self.sim.obs))
        self.n_cameras, self.n_targets = scenario.n_cameras, scenario.n_targets
        self._modes = (
            OBSERVATION_MODES[options.camera_view],
            OBSERVATION_MODES[options.target_view],
        )
        sizes = (num_envs, self.n_cameras, self.n_targets)
        cameras = camera_rules(options.cameras, view=self._modes[0], link=options.camera_link)
        targets = target_rules(options.targets, view=self._modes[1], link=options.target_link)
        self.teams: Teams = (
            cameras,
            targets,
            allocate_camera_memory(*sizes, cameras),
            allocate_target_memory(num_envs, self.n_targets, targets),
        )
        self._camera_action = np.zeros((num_envs, self.n_cameras, 2))
        self._target_action = np.zeros((num_envs, self.n_targets, 2))
        self._ends = _Ends(*(np.zeros(num_envs, np.bool_) for _ in _Ends._fields))

    def reset(self, seeds: Words) -> TeamOutput:
        """Start an episode in every environment from its own seed [N]."""
        self.sim.tables.rng[:] = streams_from_seeds(checked_seeds(seeds, self.num_envs))
        return self.restart(np.ones(self.num_envs, np.bool_))

    def restart(self, which: Bools) -> TeamOutput:
        """Start a new episode in the marked environments [N], and only there.

        The others keep their state; an episode continues the row's own random stream.
        """
        raise NotImplementedError  # to be completed: must not step the unmarked rows

    def step(
        self, camera_action: Floats | None = None, target_action: Floats | None = None
    ) -> TeamOutput:
        """Advance every world by one frame.

        Args:
            camera_action: [N, C, 2] turn and zoom in degrees; None if a rule drives the cameras.
            target_action: [N, T, 2] displacement; None if a rule drives the targets.

        Raises:
            ValueError: an action is missing, superfluous, of a wrong shape or not finite.
        """
        raise NotImplementedError  # to be completed
