"""Compiled part of TeamEnv: per environment start an episode, play a frame, or leave it alone."""

import numba

from camsim.envs.teams import Actions, Teams, play_frame, start_teams
from camsim.kernels._jit import batch_kernel, device_fn, row
from camsim.kernels.observe import write_camera_obs, write_state, write_target_obs
from camsim.kernels.vision import see_cameras, see_from_targets
from camsim.policies.cameras import CameraMemory
from camsim.policies.rules import CameraRules, TargetRules
from camsim.policies.targets import TargetMemory
from camsim.state import Floats, Ints, ObsBuffers, SimParams, SmallInts, StartBoxes, Tables

KEEP, STEP, START, LOOK = 0, 1, 2, 3
"""What happens to an environment: nothing, one frame, a new episode, or observing only."""


@device_fn
def _observe_all(
    i: int, params: SimParams, s: Tables, out: ObsBuffers, modes: tuple[int, int], first: bool
) -> None:
    """Recompute the masks that only observations need; write the wanted vectors."""
    see_cameras(i, s)
    see_from_targets(i, params, s)
    if len(out.camera_obs) > 0:
        write_camera_obs(i, params, s, out.camera_obs, modes[0], first)
    if len(out.target_obs) > 0:
        write_target_obs(i, params, s, out.target_obs, modes[1])
    if len(out.state) > 0:
        write_state(i, params, s, out.state)


@device_fn
def _run_one(
    i: int,
    job: int,
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    teams: Teams,
    actions: Actions,
    order: Ints,
    out: ObsBuffers,
    modes: tuple[int, int],
) -> None:
    if job == START:
        start_teams(i, params, boxes, s, teams, order)
    elif job == STEP:
        play_frame(i, params, s, teams, actions)
    _observe_all(i, params, s, out, modes, job != STEP)


@batch_kernel
def run_batch(
    jobs: SmallInts,
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
) -> None:
    """Do in every environment what `jobs` [N] says, and write its vectors."""
    for i in numba.prange(len(s.rng)):
        if jobs[i] != KEEP:
            teams = (camera_rules, target_rules, camera_memory, target_memory)
            actions = (camera_action, target_action, no_goal)
            _run_one(row(i), jobs[i], params, boxes, s, teams, actions, order, out, modes)
