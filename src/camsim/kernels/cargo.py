"""Goals, freights, bounties, rewards, rates and the end of an episode (world section 6)."""

from camsim.arrays import Floats, Ints, UInt64s
from camsim.compiled.jit import device_fn
from camsim.compiled.rng import below
from camsim.layout import WAREHOUSE_HALF_WIDTH, WAREHOUSES
from camsim.state import SimParams
from camsim.tables import (
    T_BOUNTY,
    T_CAPACITY,
    T_DELIVERED,
    T_EMPTY,
    T_FREIGHT,
    T_GOAL,
    T_LOAD,
    T_STEPS,
    T_TRACKED,
    T_TRACKED_STEPS,
    T_X,
    T_Y,
    W_AWAITING,
    W_COVERAGE,
    W_DELIVERED,
    W_DONE,
    W_REAL_COVERAGE,
    W_REMAINING,
    W_REWARD_DELAYED,
    W_REWARD_DENSE,
    W_STEP,
    W_SUM_DELAYED,
    W_SUM_DENSE,
    W_TRANSPORT,
)


@device_fn
def warehouse_at(x: float, y: float) -> int:
    """Return the index of the warehouse whose square holds (x, y), or -1 (world 6.3)."""
    for w in range(4):
        if (
            abs(x - WAREHOUSES[w, 0]) <= WAREHOUSE_HALF_WIDTH
            and abs(y - WAREHOUSES[w, 1]) <= WAREHOUSE_HALF_WIDTH
        ):
            return w
    return -1


@device_fn
def draw_destination(i: int, w: int, world: Floats, rng: UInt64s) -> int:
    """Return a destination uniform among those with cargo waiting at warehouse w, or -1."""
    n_open = 0
    for d in range(4):
        if world[i, W_REMAINING + 4 * w + d] > 0:
            n_open += 1
    if n_open == 0:
        return -1
    pick = below(rng, i, n_open)
    for d in range(4):
        if world[i, W_REMAINING + 4 * w + d] > 0:
            if pick == 0:
                return d
            pick -= 1
    return -1


@device_fn
def load_cargo(
    i: int, t: int, w: int, d: int, params: SimParams, targets: Floats, world: Floats
) -> None:
    """Give target t as much of the cargo from w to d as it can carry."""
    weight = min(targets[i, t, T_CAPACITY], world[i, W_REMAINING + 4 * w + d])
    world[i, W_REMAINING + 4 * w + d] -= weight
    targets[i, t, T_GOAL] = d
    targets[i, t, T_LOAD] = weight
    targets[i, t, T_FREIGHT] = weight * params.freight_scale
    targets[i, t, T_BOUNTY] = weight * params.bounty_scale


@device_fn
def _deliver(i: int, t: int, params: SimParams, targets: Floats, world: Floats) -> None:
    """Pay target t for the cargo it carries (world 6.3 item 2)."""
    weight, bounty = targets[i, t, T_LOAD], targets[i, t, T_BOUNTY]
    pay = targets[i, t, T_FREIGHT] + bounty
    world[i, W_REWARD_DENSE] += pay
    world[i, W_REWARD_DELAYED] += pay - (weight * params.bounty_scale - bounty)
    world[i, W_DELIVERED] += weight
    world[i, W_AWAITING + int(targets[i, t, T_GOAL])] -= weight


@device_fn
def row_is_empty(i: int, w: int, world: Floats) -> bool:
    """Tell whether nothing is waiting at warehouse w."""
    waiting = 0.0
    for d in range(4):
        waiting += world[i, W_REMAINING + 4 * w + d]
    return waiting == 0.0


@device_fn
def assign_goals(
    i: int,
    params: SimParams,
    targets: Floats,
    world: Floats,
    rng: UInt64s,
    forced_goal: Ints,
) -> None:
    """Let each target in a warehouse deliver and pick up, in index order (world 6.3).

    `forced_goal` [N, T] replaces the draw of a destination where it is not negative (replays);
    an array of no environments draws all.
    """
    for t in range(targets.shape[1]):
        targets[i, t, T_DELIVERED] = False
        w = warehouse_at(targets[i, t, T_X], targets[i, t, T_Y])
        if w < 0:
            continue
        goal = int(targets[i, t, T_GOAL])
        if goal < 0 or goal == w:
            if goal == w:
                _deliver(i, t, params, targets, world)
                targets[i, t, T_DELIVERED] = True
            targets[i, t, T_GOAL] = -1
            targets[i, t, T_LOAD] = 0
            targets[i, t, T_FREIGHT] = 0
            targets[i, t, T_BOUNTY] = 0
            targets[i, t, T_STEPS] = 0
            targets[i, t, T_TRACKED_STEPS] = 0
            if len(forced_goal) > 0 and forced_goal[i, t] >= 0:
                d = forced_goal[i, t]
            else:
                d = draw_destination(i, w, world, rng)
            if d >= 0:
                load_cargo(i, t, w, d, params, targets, world)
        targets[i, t, T_EMPTY + w] = row_is_empty(i, w, world)


@device_fn
def settle(
    i: int, params: SimParams, targets: Floats, world: Floats, rng: UInt64s, forced_goal: Ints
) -> None:
    """Run one frame's accounts: penalties, deliveries, trip counters (world 6.2, 6.3, 6.8)."""
    world[i, W_REWARD_DENSE] = 0.0
    world[i, W_REWARD_DELAYED] = 0.0
    for t in range(targets.shape[1]):
        if targets[i, t, T_TRACKED] and targets[i, t, T_BOUNTY] > 0:
            world[i, W_REWARD_DENSE] -= 1.0
            targets[i, t, T_BOUNTY] -= 1
    assign_goals(i, params, targets, world, rng, forced_goal)
    for t in range(targets.shape[1]):
        targets[i, t, T_STEPS] += 1
        if targets[i, t, T_TRACKED]:
            targets[i, t, T_TRACKED_STEPS] += 1
    world[i, W_SUM_DENSE] += world[i, W_REWARD_DENSE]
    world[i, W_SUM_DELAYED] += world[i, W_REWARD_DELAYED]


@device_fn
def refresh_rates(i: int, params: SimParams, targets: Floats, world: Floats) -> None:
    """Recompute coverage and transport rates (world 6.6)."""
    n_targets = targets.shape[1]
    n_tracked, n_real, n_bounty = 0, 0, 0
    for t in range(n_targets):
        tracked = targets[i, t, T_TRACKED]
        n_tracked += tracked
        if targets[i, t, T_BOUNTY] > 0:
            n_bounty += 1
            n_real += tracked
    world[i, W_COVERAGE] = n_tracked / n_targets
    world[i, W_REAL_COVERAGE] = n_real / n_bounty if n_bounty > 0 else 0.0
    if world[i, W_DELIVERED] > 0:
        scale = params.freight_scale + params.bounty_scale
        world[i, W_TRANSPORT] = world[i, W_SUM_DELAYED] / (scale * world[i, W_DELIVERED])
    else:
        world[i, W_TRANSPORT] = 0.0


@device_fn
def advance_clock(i: int, params: SimParams, world: Floats) -> None:
    """Count the frame and decide whether the episode is over (world 6.5)."""
    world[i, W_STEP] += 1
    waiting = False
    for w in range(4):
        waiting = waiting or world[i, W_AWAITING + w] > 0
    world[i, W_DONE] = not (waiting and world[i, W_STEP] <= params.max_episode_steps)
