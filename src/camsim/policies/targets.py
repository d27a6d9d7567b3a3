"""Scripted targets, run inside the compiled step: greedy and random (spec 11.1, 11.3)."""

import math
from typing import NamedTuple

import numpy as np

from camsim.kernels._jit import device_fn, outlined_fn
from camsim.kernels.rng import below, uniform, uniform_between
from camsim.layout import T_EMPTY, T_GOAL, T_STEP, T_X, T_Y, W_STEP, WAREHOUSES
from camsim.policies.draws import draw_rule
from camsim.policies.rules import TARGET_POLICIES, TargetRules
from camsim.state import Floats, Ints, SimParams, Tables, Words

RANDOM, GREEDY = (TARGET_POLICIES[name] for name in ("random", "greedy"))

# Columns of a target's memory.
M_OPEN, M_GOAL = 0, 4  # four flags: believed to hold cargo; current destination, -1 none
M_X, M_Y = 5, 6  # place at the previous act
M_NOISE_X, M_NOISE_Y = 7, 8  # persistent noise; the held action of the random rule
M_NEWS = 9  # has something to tell in this frame
MEMORY_COLUMNS = 10


class TargetMemory(NamedTuple):
    """What scripted targets remember."""

    rule: Ints  # [N] the episode's rule (rules.TARGET_POLICIES), -1: driven from outside
    table: Floats  # [N, T, MEMORY_COLUMNS]
    edges: Ints  # [N, T, T] messages from -> to in this frame


def allocate_target_memory(n_envs: int, n_targets: int, rules: TargetRules) -> TargetMemory:
    """Return zeroed memory for a team that follows `rules`."""
    return TargetMemory(
        rule=np.zeros(n_envs, np.int64),
        table=np.zeros((n_envs, n_targets, MEMORY_COLUMNS)),
        edges=np.zeros((n_envs, n_targets, n_targets), np.int64),
    )


@outlined_fn
def reset_targets(i: int, rules: TargetRules, s: Tables, minds: TargetMemory) -> None:
    """Forget the last episode; the first noise is half a draw from the action box."""
    memory = minds.table
    minds.rule[i] = draw_rule(i, rules.cumulative, s.rng)
    for t in range(s.targets.shape[1]):
        step = s.targets[i, t, T_STEP]
        for w in range(4):
            memory[i, t, M_OPEN + w] = 1.0
        memory[i, t, M_GOAL] = -1.0
        memory[i, t, M_X] = s.targets[i, t, T_X]
        memory[i, t, M_Y] = s.targets[i, t, T_Y]
        memory[i, t, M_NOISE_X] = 0.5 * uniform_between(s.rng, i, -step, step)
        memory[i, t, M_NOISE_Y] = 0.5 * uniform_between(s.rng, i, -step, step)


@device_fn
def _share_empty(i: int, targets: Floats, memory: Floats) -> None:
    """Let targets notice empty warehouses and tell each other (spec 11.3 observe, messages).

    A message is the sender's set of open warehouses after it observed; all receivers keep the
    intersection, so the union of all told gaps closes for everybody.
    """
    for t in range(targets.shape[1]):
        news = False
        for w in range(4):
            if targets[i, t, T_EMPTY + w] > 0 and memory[i, t, M_OPEN + w] > 0:
                memory[i, t, M_OPEN + w] = 0.0
                news = True
        memory[i, t, M_NEWS] = 1.0 if news else 0.0
    for w in range(4):
        closed = False
        for t in range(targets.shape[1]):
            told = memory[i, t, M_NEWS] > 0 and memory[i, t, M_OPEN + w] == 0
            closed = closed or told
        if closed:
            for t in range(targets.shape[1]):
                memory[i, t, M_OPEN + w] = 0.0


@device_fn
def _random_open(i: int, t: int, memory: Floats, rng: Words) -> int:
    """Return a warehouse uniform among those believed open, or -1."""
    n_open = 0
    for w in range(4):
        if memory[i, t, M_OPEN + w] > 0:
            n_open += 1
    if n_open == 0:
        return -1
    pick = below(rng, i, n_open)
    for w in range(4):
        if memory[i, t, M_OPEN + w] > 0:
            if pick == 0:
                return w
            pick -= 1
    return -1


@device_fn
def _choose_goal(i: int, t: int, targets: Floats, memory: Floats, rng: Words) -> int:
    """Return where target t goes: its cargo's destination, else an open warehouse, else -1."""
    goal = int(targets[i, t, T_GOAL])
    if goal < 0:
        goal = int(memory[i, t, M_GOAL])
        if goal < 0 or memory[i, t, M_OPEN + goal] == 0:
            goal = _random_open(i, t, memory, rng)
    memory[i, t, M_GOAL] = goal
    return goal


@device_fn
def _noisy_walk(
    i: int, t: int, goal: int, scale: float, targets: Floats, memory: Floats, rng: Words
) -> tuple[float, float]:
    """Return the step towards warehouse `goal` with persistent noise (spec 11.3)."""
    step, x, y = targets[i, t, T_STEP], targets[i, t, T_X], targets[i, t, T_Y]
    dx, dy = 0.0, 0.0
    if goal >= 0:
        dx, dy = WAREHOUSES[goal, 0] - x, WAREHOUSES[goal, 1] - y
        distance = math.sqrt(dx * dx + dy * dy)
        if distance > step:
            dx, dy = dx * (step / distance), dy * (step / distance)
    moved_x, moved_y = x - memory[i, t, M_X], y - memory[i, t, M_Y]
    stuck = math.sqrt(moved_x * moved_x + moved_y * moved_y) <= 0.2 * step
    if uniform(rng, i) < (0.75 if stuck else 0.05):
        memory[i, t, M_NOISE_X] = scale * uniform_between(rng, i, -step, step)
        memory[i, t, M_NOISE_Y] = scale * uniform_between(rng, i, -step, step)
    memory[i, t, M_X] = x
    memory[i, t, M_Y] = y
    ax = min(max(dx + memory[i, t, M_NOISE_X], -step), step)
    ay = min(max(dy + memory[i, t, M_NOISE_Y], -step), step)
    return ax, ay


@device_fn
def act_targets(
    i: int, rules: TargetRules, params: SimParams, s: Tables, minds: TargetMemory, action: Floats
) -> None:
    """Write the target team's joint action [N, T, 2] of environment i.

    A team that is driven from outside keeps the action that stands there.
    """
    rule, targets, memory = minds.rule[i], s.targets, minds.table
    if rule < 0:
        return
    if rule == GREEDY:
        _share_empty(i, targets, memory)
        for t in range(targets.shape[1]):
            goal = _choose_goal(i, t, targets, memory, s.rng)
            action[i, t, 0], action[i, t, 1] = _noisy_walk(
                i, t, goal, rules.noise_scale, targets, memory, s.rng
            )
    else:
        fresh = int(s.world[i, W_STEP]) % rules.random_hold == 0
        for t in range(targets.shape[1]):
            if fresh:
                step = targets[i, t, T_STEP]
                memory[i, t, M_NOISE_X] = uniform_between(s.rng, i, -step, step)
                memory[i, t, M_NOISE_Y] = uniform_between(s.rng, i, -step, step)
            action[i, t, 0] = memory[i, t, M_NOISE_X]
            action[i, t, 1] = memory[i, t, M_NOISE_Y]
