"""Compiled part of TeamEnv: per environment start an episode, play a frame, or leave it alone."""

import numba

from camsim.arrays import Floats, Ints, SmallInts
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.kernels.observe import write_camera_obs, write_state, write_target_obs
from camsim.kernels.reset import reset_one
from camsim.kernels.step import step_one
from camsim.kernels.vision import see_cameras, see_from_targets
from camsim.scripted.cameras.dispatch import CameraMemory, act_cameras, reset_cameras
from camsim.scripted.spec import CameraRules, TargetRules
from camsim.scripted.targets.dispatch import TargetMemory, act_targets, reset_targets
from camsim.state import ObsBuffers, SimParams, StartBoxes, Tables

Teams = tuple[CameraRules, TargetRules, CameraMemory, TargetMemory]
Actions = tuple[Floats, Floats, Ints]
"""Joint actions [N, C, 2] and [N, T, 2], and the empty array that forces no destination."""


@device_fn
def start_teams(
    i: int, params: SimParams, boxes: StartBoxes, s: Tables, teams: Teams, order: Ints
) -> None:
    """Start an episode of environment i and let both teams forget the last one.

    A team that is driven from outside draws nothing: worlds are as if there were no rules.
    """
    reset_one(i, params, boxes, s, order)
    reset_cameras(i, teams[0], s, teams[2])
    if len(teams[1].cumulative) > 0:
        reset_targets(i, teams[1], s, teams[3])
    else:
        teams[3].rule[i] = -1


@device_fn
def play_frame(i: int, params: SimParams, s: Tables, teams: Teams, actions: Actions) -> None:
    """Let scripted teams act and advance environment i by one frame."""
    act_cameras(i, teams[0], params, s, teams[2], actions[0])
    act_targets(i, teams[1], params, s, teams[3], actions[1])
    step_one(i, params, s, actions[0], actions[1], actions[2])


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
    _observe_all(i, params, s, out, modes, first=job != STEP)


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
