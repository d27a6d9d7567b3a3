"""One frame of one environment as a list of phases, and the batched kernels around it.

`see` computes masks, `write` puts vectors into buffers, `observe` does both: the masks that only
observations need, then the vectors. `.._one` is of one environment, `.._batch` of all.
"""

import numba

from camsim.arrays import Bools, Floats, Ints
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.kernels.cargo import advance_clock, refresh_rates, settle
from camsim.kernels.motion import move_cameras, move_targets, refresh_pose
from camsim.kernels.observe import write_obs, write_target_obs
from camsim.kernels.reset import reset_one
from camsim.kernels.vision import see_cameras, see_fixed, see_from_targets, see_targets
from camsim.layout import RAW
from camsim.state import ObsBuffers, SimParams, StartBoxes, Tables


@device_fn
def move_one(
    i: int, params: SimParams, s: Tables, camera_action: Floats, target_action: Floats
) -> None:
    """Phase 1: all cameras move, then all targets (world 4)."""
    move_cameras(i, params, s.cameras, camera_action)
    move_targets(i, s.cameras, s.targets, s.obstacles, target_action)


@device_fn
def see_one(i: int, params: SimParams, s: Tables) -> None:
    """Every mask: of phase 2, and those that only observations need (world 5)."""
    see_targets(i, params, s)
    see_cameras(i, s)
    see_from_targets(i, params, s)


@device_fn
def settle_one(i: int, params: SimParams, s: Tables, forced_goal: Ints) -> None:
    """Phase 3: cargo, rewards, rates, clock (world 6)."""
    settle(i, params, s.targets, s.world, s.rng, forced_goal)
    refresh_rates(i, params, s.targets, s.world)
    advance_clock(i, params, s.world)


@device_fn
def observe_one(
    i: int, params: SimParams, s: Tables, out: ObsBuffers, mode: int, first: bool
) -> None:
    """Phase 4: the mask that only observations need, then the wanted vectors (world 7)."""
    if len(out.camera_obs) > 0:
        see_cameras(i, s)
    write_obs(i, params, s, out, mode, first)


@device_fn
def observe_targets_one(i: int, params: SimParams, s: Tables, out: ObsBuffers) -> None:
    """What targets perceive, and their observations if wanted."""
    see_from_targets(i, params, s)
    if len(out.target_obs) > 0:
        write_target_obs(i, params, s, out.target_obs, RAW)


@device_fn
def step_one(
    i: int,
    params: SimParams,
    s: Tables,
    camera_action: Floats,
    target_action: Floats,
    no_goal: Ints,
) -> None:
    """Advance environment i by one frame, without observations.

    Phase 2 is who tracks whom (world 5.2): all that rewards depend on.
    """
    move_one(i, params, s, camera_action, target_action)
    see_targets(i, params, s)
    settle_one(i, params, s, no_goal)


@device_fn
def reset_marked(
    i: int,
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    out: ObsBuffers,
    mode: int,
    which: Bools,
    order: Ints,
) -> None:
    """Start a new episode of environment i if it is marked."""
    if which[i]:
        reset_one(i, params, boxes, s, order)
        observe_one(i, params, s, out, mode, first=True)
        observe_targets_one(i, params, s, out)


@batch_kernel
def move_batch(params: SimParams, s: Tables, camera_action: Floats, target_action: Floats) -> None:
    """Run phase 1 in all environments."""
    for i in numba.prange(len(s.rng)):
        move_one(row(i), params, s, camera_action, target_action)


@batch_kernel
def see_batch(params: SimParams, s: Tables) -> None:
    """Recompute every mask in all environments."""
    for i in numba.prange(len(s.rng)):
        see_one(row(i), params, s)


@batch_kernel
def settle_batch(params: SimParams, s: Tables, forced_goal: Ints) -> None:
    """Run phase 3 in all environments."""
    for i in numba.prange(len(s.rng)):
        settle_one(row(i), params, s, forced_goal)


@device_fn
def write_one(i: int, params: SimParams, s: Tables, out: ObsBuffers, mode: int) -> None:
    """Write all wanted vectors from the masks as they stand (world 7)."""
    write_obs(i, params, s, out, mode, first=True)
    if len(out.target_obs) > 0:
        write_target_obs(i, params, s, out.target_obs, RAW)


@batch_kernel
def write_batch(params: SimParams, s: Tables, out: ObsBuffers, mode: int) -> None:
    """Write the wanted vectors of all environments from the masks as they stand."""
    for i in numba.prange(len(s.rng)):
        write_one(row(i), params, s, out, mode)


@batch_kernel
def refresh_batch(params: SimParams, s: Tables) -> None:
    """Recompute what is derived from poses and layout, after a state was written from outside."""
    for i in numba.prange(len(s.rng)):
        refresh_pose(row(i), params, s.cameras)
        see_fixed(row(i), params, s)


@batch_kernel
def reset_batch(
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    out: ObsBuffers,
    mode: int,
    which: Bools,
    order: Ints,
) -> None:
    """Start a new episode in the environments marked in `which` [N], from their own streams."""
    for i in numba.prange(len(s.rng)):
        reset_marked(row(i), params, boxes, s, out, mode, which, order)


@batch_kernel
def step_batch(
    params: SimParams,
    s: Tables,
    out: ObsBuffers,
    mode: int,
    camera_action: Floats,
    target_action: Floats,
    no_goal: Ints,
) -> None:
    """Advance all environments by one frame and write the wanted vectors."""
    for i in numba.prange(len(s.rng)):
        step_one(row(i), params, s, camera_action, target_action, no_goal)
        observe_one(row(i), params, s, out, mode, first=False)
        observe_targets_one(row(i), params, s, out)
