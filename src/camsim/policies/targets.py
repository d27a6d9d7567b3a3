"""Scripted targets inside the compiled step: every rule behind two functions (spec 11)."""

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.rng import below, uniform, uniform_between
from camsim.layout import T_STEP, T_X, T_Y, W_STEP
from camsim.policies.draws import draw_rule
from camsim.policies.memory import (
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
from camsim.policies.messages import (
    clear_slot,
    close_frame,
    count_message,
    forget_messages,
    gets_through,
    slot_due,
    slot_now,
)
from camsim.policies.rules import TARGET_POLICIES, TargetRules
from camsim.policies.walking import drift, greedy_goal, knows_empty, naive_goal, noisy_walk
from camsim.state import Floats, SimParams, Tables

__all__ = [
    "GREEDY",
    "HEURISTIC",
    "NAIVE",
    "RANDOM",
    "TargetMemory",
    "act_targets",
    "allocate_target_memory",
    "reset_targets",
]

RANDOM, NAIVE, GREEDY, HEURISTIC = (
    TARGET_POLICIES[name] for name in ("random", "naive", "greedy", "heuristic")
)
NAIVE_NOISE = 0.5
_TOLD = 16  # added to the four bits of open warehouses: a message is never 0


@outlined_fn
def reset_targets(i: int, rules: TargetRules, s: Tables, minds: TargetMemory) -> None:
    """Forget the last episode; the first noise is half a draw from the action box."""
    memory = minds.table
    minds.rule[i] = draw_rule(i, rules.cumulative, s.rng)
    forget_messages(i, minds)
    for t in range(s.targets.shape[1]):
        step = s.targets[i, t, T_STEP]
        for w in range(4):
            memory[i, t, M_OPEN + w] = 1.0
        memory[i, t, M_GOAL] = -1.0
        memory[i, t, M_X] = s.targets[i, t, T_X]
        memory[i, t, M_Y] = s.targets[i, t, T_Y]
        memory[i, t, M_NOISE_X] = 0.5 * uniform_between(s.rng, i, -step, step)
        memory[i, t, M_NOISE_Y] = 0.5 * uniform_between(s.rng, i, -step, step)
        if minds.rule[i] == NAIVE:
            memory[i, t, M_GOAL] = below(s.rng, i, 4)
            memory[i, t, M_TURN] = 1.0 if uniform(s.rng, i) < 0.5 else -1.0


@device_fn
def _notice_empty(i: int, view: int, s: Tables, memory: Floats) -> bool:
    """Close warehouses seen to be empty (spec 11.3 observe); tell whether anybody has news."""
    anybody = False
    for t in range(s.targets.shape[1]):
        news = False
        for w in range(4):
            if memory[i, t, M_OPEN + w] > 0 and knows_empty(i, t, w, view, s):
                memory[i, t, M_OPEN + w] = 0.0
                news = True
        memory[i, t, M_NEWS] = 1.0 if news else 0.0
        anybody = anybody or news
    return anybody


@device_fn
def _broadcast(i: int, t: int, slot: int, rules: TargetRules, s: Tables, m: TargetMemory) -> None:
    """Send target t's open warehouses to everybody, itself included (spec 10)."""
    message = _TOLD
    for w in range(4):
        if m.table[i, t, M_OPEN + w] > 0:
            message += 1 << w
    for j in range(s.targets.shape[1]):
        dx = s.targets[i, j, T_X] - s.targets[i, t, T_X]
        dy = s.targets[i, j, T_Y] - s.targets[i, t, T_Y]
        if gets_through(i, rules, s.rng, dx, dy):
            m.posted[i, slot, t, j] = message


@outlined_fn
def _share_empty(i: int, rules: TargetRules, s: Tables, minds: TargetMemory) -> None:
    """Let targets notice empty warehouses and tell each other (spec 11.3 observe, messages)."""
    news = _notice_empty(i, rules.observes, s, minds.table)
    if rules.silent or (rules.delay == 0 and not news):
        return
    n_targets = s.targets.shape[1]
    step = int(s.world[i, W_STEP])
    now, due = slot_now(step, minds.posted), slot_due(step, minds.posted)
    clear_slot(i, now, minds.posted)
    for t in range(n_targets):
        if minds.table[i, t, M_NEWS] > 0:
            _broadcast(i, t, now, rules, s, minds)
    for t in range(n_targets):
        for j in range(n_targets):
            message = minds.posted[i, due, t, j]
            if message > 0:
                count_message(i, t, j, minds)
                for w in range(4):
                    if not message & (1 << w):
                        minds.table[i, j, M_OPEN + w] = 0.0


@device_fn
def _act_randomly(i: int, hold: int, s: Tables, memory: Floats, action: Floats) -> None:
    """Hold a draw from the action box for `hold` frames (spec 11.1)."""
    fresh = int(s.world[i, W_STEP]) % hold == 0
    for t in range(s.targets.shape[1]):
        if fresh:
            step = s.targets[i, t, T_STEP]
            memory[i, t, M_NOISE_X] = uniform_between(s.rng, i, -step, step)
            memory[i, t, M_NOISE_Y] = uniform_between(s.rng, i, -step, step)
        action[i, t, 0] = memory[i, t, M_NOISE_X]
        action[i, t, 1] = memory[i, t, M_NOISE_Y]


@outlined_fn
def _walk(
    i: int, rules: TargetRules, params: SimParams, s: Tables, minds: TargetMemory, action: Floats
) -> None:
    """Write the actions of naive, greedy and heuristic targets."""
    rule, memory, targets = minds.rule[i], minds.table, s.targets
    scale = NAIVE_NOISE if rule == NAIVE else rules.noise_scale
    for t in range(targets.shape[1]):
        if rule == NAIVE:
            goal = naive_goal(i, t, rules.observes, s, memory)
        else:
            goal = greedy_goal(i, t, targets, memory, s.rng)
        action[i, t, 0], action[i, t, 1] = noisy_walk(i, t, goal, scale, targets, memory, s.rng)
        if rule == HEURISTIC:
            drift(i, t, rules, params, s, action)


@device_fn
def act_targets(
    i: int, rules: TargetRules, params: SimParams, s: Tables, minds: TargetMemory, action: Floats
) -> None:
    """Write the target team's joint action [N, T, 2] of environment i.

    A team that is driven from outside keeps the action that stands there.
    """
    rule = minds.rule[i]
    if rule < 0:
        return
    close_frame(i, minds)
    if rule == RANDOM:
        _act_randomly(i, rules.random_hold, s, minds.table, action)
        return
    if rule != NAIVE:
        _share_empty(i, rules, s, minds)
    _walk(i, rules, params, s, minds, action)
