"""Both teams as compiled code meets them: their rules and what they remember."""

from camsim.kernels._jit import device_fn
from camsim.kernels.reset import reset_one
from camsim.kernels.step import step_one
from camsim.policies.cameras import CameraMemory, act_cameras, reset_cameras
from camsim.policies.rules import CameraRules, TargetRules
from camsim.policies.targets import TargetMemory, act_targets, reset_targets
from camsim.state import Floats, Ints, SimParams, StartBoxes, Tables

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
