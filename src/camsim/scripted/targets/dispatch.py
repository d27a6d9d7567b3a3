"""Scripted targets inside the compiled step: every rule behind two functions (world 11)."""

from camsim.arrays import Floats, Ints, UInt64s
from camsim.compiled.jit import device_fn, outlined_fn
from camsim.compiled.rng import below, uniform, uniform_between
from camsim.scripted.draws import draw_rule
from camsim.scripted.memory import (
    M_GOAL,
    M_NEWS,
    M_NOISE_X,
    M_NOISE_Y,
    M_OPEN,
    M_TURN,
    M_X,
    M_Y,
    TargetMemory,
    allocate_target_memory,
)
from camsim.scripted.messages import (
    clear_matrix,
    clear_post,
    close_frame,
    count_messages,
    gets_through,
)
from camsim.scripted.spec import TARGET_POLICIES, TargetRules
from camsim.scripted.targets.evader import evade
from camsim.scripted.targets.walking import drift, greedy_goal, knows_empty, naive_goal, noisy_walk
from camsim.state import SimParams, Tables
from camsim.tables import T_STEP, T_X, T_Y, W_STEP

__all__ = [
    "EVADER",
    "GREEDY",
    "HEURISTIC",
    "NAIVE",
    "RANDOM",
    "TargetMemory",
    "act_targets",
    "allocate_target_memory",
    "reset_targets",
]

RANDOM, NAIVE, GREEDY, HEURISTIC, EVADER = (
    TARGET_POLICIES[name] for name in ("random", "naive", "greedy", "heuristic", "evader")
)
NAIVE_NOISE = 0.5
_TOLD = 16  # added to the four bits of open warehouses: a message is never 0


@outlined_fn
def _forget(i: int, rule: int, targets: Floats, memory: Floats, rng: UInt64s) -> None:
    """Clear what targets remember; the first noise is half a draw from the action box."""
    for t in range(targets.shape[1]):
        step = targets[i, t, T_STEP]
        for w in range(4):
            memory[i, t, M_OPEN + w] = 1.0
        memory[i, t, M_GOAL] = -1.0
        memory[i, t, M_X] = targets[i, t, T_X]
        memory[i, t, M_Y] = targets[i, t, T_Y]
        memory[i, t, M_NOISE_X] = 0.5 * uniform_between(rng, i, -step, step)
        memory[i, t, M_NOISE_Y] = 0.5 * uniform_between(rng, i, -step, step)
        if rule == NAIVE:
            memory[i, t, M_GOAL] = below(rng, i, 4)
            memory[i, t, M_TURN] = 1.0 if uniform(rng, i) < 0.5 else -1.0


@outlined_fn
def _forget_messages(i: int, edges: Ints, traffic: Ints, post: Ints) -> None:
    clear_matrix(i, edges)
    traffic[i, 0] = 0
    traffic[i, 1] = 0
    clear_post(i, 0, post.shape[1], post)


@device_fn
def reset_targets(i: int, rules: TargetRules, s: Tables, team: TargetMemory) -> None:
    """Forget the last episode and draw the rule of the next one."""
    team.rule[i] = draw_rule(i, rules.cumulative, s.rng)
    _forget(i, team.rule[i], s.targets, team.table, s.rng)
    _forget_messages(i, team.edges, team.traffic, team.post)


@outlined_fn
def _notice_empty(i: int, observes: int, targets: Floats, world: Floats, memory: Floats) -> bool:
    """Close warehouses seen to be empty (world 11.3 observe); tell whether anybody has news."""
    anybody = False
    for t in range(targets.shape[1]):
        news = False
        for w in range(4):
            if memory[i, t, M_OPEN + w] > 0 and knows_empty(i, t, w, observes, targets, world):
                memory[i, t, M_OPEN + w] = 0.0
                news = True
        memory[i, t, M_NEWS] = 1.0 if news else 0.0
        anybody = anybody or news
    return anybody


@device_fn
def _broadcast(
    i: int,
    t: int,
    slot: int,
    rules: TargetRules,
    targets: Floats,
    memory: Floats,
    post: Ints,
    rng: UInt64s,
) -> None:
    """Send target t's open warehouses to everybody, itself included (world 10)."""
    message = _TOLD
    for w in range(4):
        if memory[i, t, M_OPEN + w] > 0:
            message += 1 << w
    for j in range(targets.shape[1]):
        dx = targets[i, j, T_X] - targets[i, t, T_X]
        dy = targets[i, j, T_Y] - targets[i, t, T_Y]
        if gets_through(i, rules.dropout, rules.reach, rng, (dx, dy)):
            post[i, slot, t, j] = message


@outlined_fn
def _exchange_news(
    i: int, step: int, rules: TargetRules, targets: Floats, memory: Floats, post: Ints, rng: UInt64s
) -> int:
    """Let targets tell each other and read what is due (world 11.3); return the slot read."""
    n_targets = targets.shape[1]
    now, due = step % (rules.delay + 1), (step + 1) % (rules.delay + 1)
    clear_post(i, now, now + 1, post)
    for t in range(n_targets):
        if memory[i, t, M_NEWS] > 0:
            _broadcast(i, t, now, rules, targets, memory, post, rng)
    for t in range(n_targets):
        for j in range(n_targets):
            message = post[i, due, t, j]
            if message > 0:
                for w in range(4):
                    if message & (1 << w) == 0:
                        memory[i, j, M_OPEN + w] = 0.0
    return due


@outlined_fn
def _act_randomly(i: int, fresh: bool, targets: Floats, memory: Floats, rng: UInt64s) -> None:
    """Draw actions from the action box if they are to be fresh (world 11.1)."""
    if fresh:
        for t in range(targets.shape[1]):
            step = targets[i, t, T_STEP]
            memory[i, t, M_NOISE_X] = uniform_between(rng, i, -step, step)
            memory[i, t, M_NOISE_Y] = uniform_between(rng, i, -step, step)


@outlined_fn
def _walk(
    i: int,
    rule: int,
    observes: int,
    scale: float,
    targets: Floats,
    world: Floats,
    memory: Floats,
    action: Floats,
    rng: UInt64s,
) -> None:
    """Write the actions of naive and greedy targets, on which the other rules build."""
    for t in range(targets.shape[1]):
        if rule == NAIVE:
            goal = naive_goal(i, t, observes, targets, world, memory)
        else:
            goal = greedy_goal(i, t, targets, memory, rng)
        ax, ay = noisy_walk(i, t, goal, scale, targets, memory, rng)
        action[i, t, 0] = ax
        action[i, t, 1] = ay


@device_fn
def act_targets(
    i: int, rules: TargetRules, params: SimParams, s: Tables, team: TargetMemory, action: Floats
) -> None:
    """Write the target team's joint action [N, T, 2] of environment i.

    A team that is driven from outside keeps the action that stands there.
    """
    rule, memory, observes = team.rule[i], team.table, rules.observes
    if rule < 0:
        return
    step = int(s.world[i, W_STEP])
    close_frame(i, team.edges, team.traffic)
    if rule == RANDOM:
        fresh = step % rules.random_hold == 0
        _act_randomly(i, fresh, s.targets, memory, s.rng)
        for t in range(s.targets.shape[1]):
            action[i, t, 0] = memory[i, t, M_NOISE_X]
            action[i, t, 1] = memory[i, t, M_NOISE_Y]
        return
    if rule != NAIVE:
        news = _notice_empty(i, observes, s.targets, s.world, memory)
        if not rules.silent and (news or rules.delay > 0):
            due = _exchange_news(i, step, rules, s.targets, memory, team.post, s.rng)
            count_messages(i, due, team.post, team.edges, team.traffic)
    scale = NAIVE_NOISE if rule == NAIVE else rules.noise_scale
    _walk(i, rule, observes, scale, s.targets, s.world, memory, action, s.rng)
    reach = params.target_range + params.camera_radius
    if rule == HEURISTIC:
        drift(i, observes, reach, scale, s.cameras, s.targets, action)
    elif rule == EVADER:
        evade(i, observes, reach, rules.evasion, s.cameras, s.targets, action)
