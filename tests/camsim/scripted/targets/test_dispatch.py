"""Scripted targets inside the compiled step, against the oracle and by distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from random_worlds import scenario_with
from reference_policies import (
    GreedyTarget,
    Radio,
    drifted,
    evaded,
    next_naive_goal,
    tell_each_other,
)
from scipy import stats
from scripted_play import (
    arrows,
    close,
    pair,
    pairs,
    play,
    poses,
)

from camsim.envs.scripted_env import ScriptedEnv
from camsim.layout import ENHANCED, RAW, SHARED
from camsim.parity.teacher_forcing import read
from camsim.scripted import memory
from camsim.scripted.evader_weights import learned_evasion
from camsim.scripted.spec import Link, target_rules
from camsim.scripted.targets.evader import EVASION_INPUTS, EVASION_WEIGHTS

NOISE = slice(memory.M_NOISE_X, memory.M_NOISE_Y + 1)
OPEN = slice(memory.M_OPEN, memory.M_OPEN + 4)
EVASION = np.random.default_rng(7).normal(0.0, 0.3, (3, EVASION_INPUTS))
"""Weights of evaders in these tests: sideways, away, hold."""


def known_empty(env: ScriptedEnv, i: int, view: int) -> list[list[bool]]:
    """Per target, the warehouses that its observation calls empty."""
    own = read(env.sim, "target_empty_bits")[i].astype(bool)
    if view == SHARED:
        own = np.broadcast_to(own.any(0), own.shape)
    if view == ENHANCED:
        truth = read(env.sim, "remaining_cargoes")[i].sum(-1) == 0
        own = np.broadcast_to(truth, own.shape)
    return own.tolist()


def sensed_cameras(env: ScriptedEnv, i: int, view: int) -> np.ndarray:
    """Which target [T] observes which camera [C]."""
    offset = read(env.sim, "target_xy")[i][:, None] - read(env.sim, "camera_xy")[i]
    reach = env.sim.params.target_range + read(env.sim, "camera_radius")[i]
    seen = np.hypot(*np.moveaxis(offset, -1, 0)) <= reach
    if view == SHARED:
        seen = np.broadcast_to(seen.any(0), seen.shape)
    return seen | (view == ENHANCED)


class TargetsChecked:
    """One environment's greedy, heuristic or evading targets beside the oracle."""

    def __init__(self, env: ScriptedEnv, i: int, view: int, radio: Radio, policy: str) -> None:
        self.env, self.i, self.view, self.radio, self.policy = env, i, view, radio, policy
        self.targets = [GreedyTarget(xy) for xy in pairs(read(env.sim, "target_xy")[i])]
        self.draws: dict[bool, list[bool]] = {True: [], False: []}  # stuck or not -> new noise
        self.fresh_noise: list[float] = []
        self.n_messages = self.n_drifts = 0
        self._look()

    def _look(self) -> None:
        """Keep what the next frame's decisions depend on."""
        sim, i = self.env.sim, self.i
        self.places = pairs(read(sim, "target_xy")[i])
        self.steps = read(sim, "target_step_size")[i].tolist()
        self.destinations = read(sim, "target_goal")[i].astype(int).tolist()
        self.bits = known_empty(self.env, i, self.view)
        self.cameras = list(zip(pairs(read(sim, "camera_xy")[i]), poses(self.env, i), strict=True))
        self.sensed = sensed_cameras(self.env, i, self.view)
        self.noise = self.env.teams[3].table[i, :, NOISE].copy()

    def check(self, step: int) -> None:
        """Compare memory and action after a frame with what the rules allow."""
        table = self.env.teams[3].table[self.i]
        news = [target.notice(bits) for target, bits in zip(self.targets, self.bits, strict=True)]
        heard = tell_each_other(step, self.targets, news, self.places, self.radio)
        assert arrows(self.env.teams[3].edges[self.i]) == heard
        self.n_messages += len(heard)
        assert self.env.teams[3].traffic[self.i].tolist() == [len(heard), self.n_messages]
        for t, target in enumerate(self.targets):
            goal = int(table[t, memory.M_GOAL])
            assert goal in target.possible_goals(self.destinations[t])
            assert {w for w in range(4) if table[t, OPEN][w] > 0} == target.open
            target.goal = goal
            noise, step_size = table[t, NOISE], self.steps[t]
            changed = bool((noise != self.noise[t]).any())
            self.draws[target.is_stuck(self.places[t], step_size)].append(changed)
            if changed:
                self.fresh_noise += (noise / step_size).tolist()
            wanted = target.act(self.places[t], step_size, pair(noise))
            near = [self.cameras[c] for c in np.flatnonzero(self.sensed[t])]
            plain = wanted
            if self.policy == "heuristic":
                wanted = drifted(wanted, self.places[t], step_size, near)
            elif self.policy == "evader":
                loaded = self.destinations[t] >= 0
                wanted = evaded(wanted, self.places[t], step_size, loaded, near, EVASION.tolist())
            self.n_drifts += plain != wanted
            close(self.env.actions[1][self.i, t], wanted)
        self._look()


@pytest.mark.parametrize(
    ("policy", "view", "link"),
    [
        ("greedy", RAW, Link()),
        ("greedy", RAW, Link(silent=True)),
        ("greedy", RAW, Link(reach=900.0)),
        ("greedy", RAW, Link(delay=7)),
        ("greedy", SHARED, Link()),
        ("greedy", ENHANCED, Link(delay=3, reach=1500.0)),
        ("heuristic", RAW, Link()),
        ("heuristic", SHARED, Link()),
        ("heuristic", ENHANCED, Link()),
        ("evader", RAW, Link()),
        ("evader", SHARED, Link()),
        ("evader", ENHANCED, Link()),
    ],
)
def test_greedy_heuristic_and_evading_targets(policy: str, view: int, link: Link) -> None:
    """Whole episodes of few cargoes, so that warehouses run empty and messages matter."""
    scenario = scenario_with("MATE-2v4-9", num_cargoes_per_target=4)
    n_envs = 3
    rules = target_rules(policy, view=view, link=link)
    rules.evasion[:] = EVASION.ravel()
    env = play(scenario, n_envs, "random", rules)
    checked = [
        TargetsChecked(env, i, view, Radio(link.silent, link.reach, link.delay), policy)
        for i in range(n_envs)
    ]
    closed = 0
    for step in range(420):
        env.run_frames(1)
        for each in checked:
            each.check(step)
        closed = max(closed, int((env.teams[3].table[..., OPEN] == 0).sum()))
    assert closed >= 2 * n_envs
    n_messages = sum(each.n_messages for each in checked)
    assert (n_messages == 0) == link.silent
    if view == RAW and link == Link():
        assert n_messages > 4 * n_envs
    assert (sum(each.n_drifts for each in checked) > 100) == (policy != "greedy")
    for stuck, chance in ((True, 0.75), (False, 0.05)):
        draws = np.concatenate([each.draws[stuck] for each in checked])
        error = math.sqrt(chance * (1 - chance) / len(draws))
        assert abs(draws.mean() - chance) < 4.5 * error
    noise = np.concatenate([each.fresh_noise for each in checked])
    assert stats.kstest(noise, "uniform", (-0.5, 1.0)).pvalue > 1e-4


def test_an_evader_without_weights_is_a_greedy_target() -> None:
    greedy, evader = (
        ScriptedEnv(scenario_with("MATE-4v4-9"), 4, camera_policy="greedy", target_policy=rules)
        for rules in (target_rules(), target_rules("evader"))
    )
    evader.teams[1].evasion[:] = 0.0
    for env in (greedy, evader):
        env.reset(np.arange(4, dtype=np.uint64))
        env.run_frames(200)
    assert np.array_equal(greedy.sim.tables.targets, evader.sim.tables.targets)


@pytest.mark.jit
def test_the_shipped_evaders_are_seen_less_than_greedy_targets() -> None:
    assert learned_evasion().shape == (EVASION_WEIGHTS,)
    coverage = []
    for policy in ("greedy", "evader"):
        env = ScriptedEnv(
            scenario_with("MATE-4v4-9"),
            16,
            camera_policy="greedy",
            target_policy=policy,
            max_episode_steps=400,
        )
        statistics = env.run_episodes(np.arange(16, dtype=np.uint64))
        coverage.append((statistics[:, 1] / statistics[:, 0]).mean())
    assert coverage[1] < coverage[0] - 0.03


@pytest.mark.parametrize("dropout", [0.0, 0.4, 1.0])
def test_messages_of_targets_are_lost_one_by_one(dropout: float) -> None:
    """Every target knows of an empty warehouse: 16 messages an environment, some lost."""
    n_envs = 200
    env = play("MATE-2v4-9", n_envs, "random", target_rules(link=Link(dropout=dropout)))
    read(env.sim, "target_empty_bits")[:, :, 2] = True
    env.run_frames(1)
    arrived = env.teams[3].traffic[:, memory.MESSAGES_EPISODE]
    assert (arrived == env.teams[3].edges.sum((1, 2))).all()
    error = math.sqrt(dropout * (1 - dropout) / (16 * n_envs))
    assert abs(arrived.mean() / 16 - (1 - dropout)) <= 4 * error


@pytest.mark.jit
def test_greedy_target_takes_an_open_warehouse_at_random() -> None:
    """Unloaded, without goal: uniform over the warehouses believed open."""
    n_envs = 2000
    scenario = scenario_with("MATE-Navigation", targets_start_with_cargoes=False)
    env = play(scenario, n_envs, "random", "greedy")
    env.teams[3].table[:, :, memory.M_OPEN + 1] = 0.0
    free = read(env.sim, "target_goal")[:, 0] < 0
    env.run_frames(1)
    goals = env.teams[3].table[free, 0, memory.M_GOAL].astype(np.int64)
    counts = np.bincount(goals, minlength=4)
    assert counts[1] == 0
    assert counts.sum() > 1000
    assert stats.chisquare(counts[[0, 2, 3]]).pvalue > 1e-4


@pytest.mark.parametrize("view", [RAW, SHARED, ENHANCED])
def test_naive_targets(view: int) -> None:
    """Round and round, past warehouses known to be empty; goals and directions uniform."""
    scenario = scenario_with("MATE-2v4-9", num_cargoes_per_target=4)
    n_envs = 4
    env = play(scenario, n_envs, "random", target_rules("naive", view=view))
    read(env.sim, "remaining_cargoes")[:, 1] = 0.0
    read(env.sim, "target_empty_bits")[:, ::2, 1] = True
    table = env.teams[3].table
    turned = skipped = 0
    for _ in range(600):
        before, places = table.copy(), read(env.sim, "target_xy").copy()
        loaded = read(env.sim, "target_goal") >= 0
        steps = read(env.sim, "target_step_size").copy()
        bits = [known_empty(env, i, view) for i in range(n_envs)]
        env.run_frames(1)
        for i, t in np.ndindex(n_envs, 4):
            goal, turn = int(before[i, t, memory.M_GOAL]), int(before[i, t, memory.M_TURN])
            wanted = next_naive_goal(goal, turn, pair(places[i, t]), loaded[i, t], bits[i][t])
            assert table[i, t, memory.M_GOAL] == wanted
            turned += wanted != goal
            skipped += wanted not in (goal, (goal + turn) % 4)
            previous = pair(before[i, t, [memory.M_X, memory.M_Y]])
            target = GreedyTarget(previous, goal=wanted)
            noise = pair(table[i, t, NOISE])
            close(env.actions[1][i, t], target.act(pair(places[i, t]), steps[i, t], noise))
    assert turned > 20
    assert skipped > 0
    assert not env.teams[3].traffic.any()
    starts = play("MATE-4v8-0", 400, "random", "naive").teams[3].table
    goals = np.bincount(starts[..., memory.M_GOAL].astype(np.int64).ravel(), minlength=4)
    assert stats.chisquare(goals).pvalue > 1e-4
    assert set(np.unique(starts[..., memory.M_TURN])) == {-1.0, 1.0}
    assert abs(starts[..., memory.M_TURN].mean()) < 4 / math.sqrt(3200)
