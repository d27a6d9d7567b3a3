"""Scripted teams inside the compiled step, against the oracle and by distribution."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from random_worlds import scenario_with
from reference_bridge import read
from reference_policies import (
    GreedyCamera,
    GreedyTarget,
    GreedyTeam,
    Optics,
    Pose,
    Radio,
    Sighting,
    approach,
    drifted,
    joint_decision,
    next_naive_goal,
    tell_each_other,
)
from reference_sim import Vector
from scipy import stats

from camsim.envs.scripted import ScriptedEnv
from camsim.kernels.observe import ENHANCED, RAW, SHARED
from camsim.policies import cameras, memory, targets
from camsim.policies.rules import (
    CAMERA_POLICIES,
    CameraRules,
    Link,
    TargetRules,
    camera_rules,
    target_rules,
)
from camsim.scenario import Scenario, load_scenario

TOLERANCE = 1e-9
NOISE = slice(memory.M_NOISE_X, memory.M_NOISE_Y + 1)
OPEN = slice(memory.M_OPEN, memory.M_OPEN + 4)
OPTICS = Optics(30.0, 1500.0, 5.0, 2.5)  # of the presets with 2 and 4 cameras


def seeds(n: int) -> np.ndarray:
    """Seeds 0, 1, ... [n]."""
    return np.arange(n, dtype=np.uint64)


def play(
    scenario: str | Scenario,
    n_envs: int,
    cameras: str | CameraRules = "random",
    targets: str | TargetRules = "random",
) -> ScriptedEnv:
    """Two teams after a reset."""
    if isinstance(scenario, str):
        scenario = load_scenario(scenario)
    env = ScriptedEnv(scenario, n_envs, camera_policy=cameras, target_policy=targets)
    env.reset(seeds(n_envs))
    return env


def pair(values: np.ndarray) -> Vector:
    """A point or vector [2] as a tuple."""
    return float(values[0]), float(values[1])


def pairs(values: np.ndarray) -> list[Vector]:
    """Points [n, 2] as tuples."""
    return [pair(value) for value in values]


def poses(env: ScriptedEnv, i: int) -> list[Pose]:
    """Where the cameras of environment i look."""
    columns = ("camera_orientation", "camera_viewing_angle", "camera_sight_range")
    return [Pose(*row) for row in np.stack([read(env.sim, k)[i] for k in columns], 1).tolist()]


def arrows(edges: np.ndarray) -> set[tuple[int, int]]:
    """Who heard whom, from counts of messages [n, n]; every count is 0 or 1."""
    assert edges.max(initial=0) <= 1
    return {(int(a), int(b)) for a, b in np.argwhere(edges)}


def close(actual: np.ndarray, wanted: Vector) -> None:
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=TOLERANCE)


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
    """One environment's greedy or heuristic targets beside the oracle."""

    def __init__(self, env: ScriptedEnv, i: int, view: int, radio: Radio, drifting: bool) -> None:
        self.env, self.i, self.view, self.radio, self.drifting = env, i, view, radio, drifting
        self.minds = [GreedyTarget(xy) for xy in pairs(read(env.sim, "target_xy")[i])]
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
        news = [mind.notice(bits) for mind, bits in zip(self.minds, self.bits, strict=True)]
        heard = tell_each_other(step, self.minds, news, self.places, self.radio)
        assert arrows(self.env.teams[3].edges[self.i]) == heard
        self.n_messages += len(heard)
        assert self.env.teams[3].traffic[self.i].tolist() == [len(heard), self.n_messages]
        for t, mind in enumerate(self.minds):
            goal = int(table[t, memory.M_GOAL])
            assert goal in mind.possible_goals(self.destinations[t])
            assert {w for w in range(4) if table[t, OPEN][w] > 0} == mind.open
            mind.goal = goal
            noise, step_size = table[t, NOISE], self.steps[t]
            changed = bool((noise != self.noise[t]).any())
            self.draws[mind.is_stuck(self.places[t], step_size)].append(changed)
            if changed:
                self.fresh_noise += (noise / step_size).tolist()
            wanted = mind.act(self.places[t], step_size, pair(noise))
            if self.drifting:
                near = [self.cameras[c] for c in np.flatnonzero(self.sensed[t])]
                plain, wanted = wanted, drifted(wanted, self.places[t], step_size, near)
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
    ],
)
def test_greedy_and_heuristic_targets(policy: str, view: int, link: Link) -> None:
    """Whole episodes of few cargoes, so that warehouses run empty and messages matter."""
    scenario = scenario_with("MATE-2v4-9", num_cargoes_per_target=4)
    n_envs = 3
    env = play(scenario, n_envs, "random", target_rules(policy, view=view, link=link))
    checked = [
        TargetsChecked(
            env, i, view, Radio(link.silent, link.reach, link.delay), policy == "heuristic"
        )
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
    assert (sum(each.n_drifts for each in checked) > 100) == (policy == "heuristic")
    for stuck, chance in ((True, 0.75), (False, 0.05)):
        draws = np.concatenate([each.draws[stuck] for each in checked])
        error = math.sqrt(chance * (1 - chance) / len(draws))
        assert abs(draws.mean() - chance) < 4.5 * error
    noise = np.concatenate([each.fresh_noise for each in checked])
    assert stats.kstest(noise, "uniform", (-0.5, 1.0)).pvalue > 1e-4


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
            mind = GreedyTarget(previous, goal=wanted)
            noise = pair(table[i, t, NOISE])
            close(env.actions[1][i, t], mind.act(pair(places[i, t]), steps[i, t], noise))
    assert turned > 20
    assert skipped > 0
    assert not env.teams[3].traffic.any()
    starts = play("MATE-4v8-0", 400, "random", "naive").teams[3].table
    goals = np.bincount(starts[..., memory.M_GOAL].astype(np.int64).ravel(), minlength=4)
    assert stats.chisquare(goals).pvalue > 1e-4
    assert set(np.unique(starts[..., memory.M_TURN])) == {-1.0, 1.0}
    assert abs(starts[..., memory.M_TURN].mean()) < 4 / math.sqrt(3200)


def test_random_teams_hold_a_uniform_action() -> None:
    n_envs = 200
    env = play("MATE-4v4-9", n_envs, "random", "random")
    frames: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for _ in range(41):
        steps = read(env.sim, "target_step_size").copy()
        env.run_frames(1)
        frames[0].append(env.actions[0] / [5.0, 2.5])
        frames[1].append(env.actions[1] / steps[..., None])
    for history in frames:
        changed = [bool((a != b).any()) for a, b in pairwise(history)]
        assert np.flatnonzero(changed).tolist() == [19, 39]  # frames 20 and 40 draw anew
        sample = np.concatenate([history[k].reshape(-1, 2) for k in (0, 20, 40)])
        for component in sample.T:
            assert stats.kstest(component, "uniform", (-1.0, 2.0)).pvalue > 1e-4


def test_naive_cameras_turn_and_widen_by_one_random_share() -> None:
    env = play("MATE-4v4-9", 500, "naive")
    env.run_frames(1)
    share = env.actions[0] / [5.0, 2.5]
    np.testing.assert_allclose(share[..., 0], share[..., 1], rtol=0, atol=1e-15)
    assert stats.kstest(share[..., 0].ravel(), "uniform", (0.0, 0.4)).pvalue > 1e-4


def views_of_cameras(env: ScriptedEnv, i: int, view: int) -> list[dict[int, Sighting]]:
    """Per camera, the targets in its observation."""
    mask = read(env.sim, "camera_target_mask")[i].astype(bool)
    if view == SHARED:
        mask = np.broadcast_to(mask.any(0), mask.shape)
    places = pairs(read(env.sim, "target_xy")[i])
    loaded = (read(env.sim, "target_goal")[i] >= 0).tolist()
    return [
        {
            t: Sighting(places[t], loaded[t])
            for t in range(len(places))
            if row[t] or view == ENHANCED
        }
        for row in mask
    ]


class CamerasChecked:
    """One environment's greedy cameras beside the oracle."""

    def __init__(self, env: ScriptedEnv, i: int, rules: CameraRules) -> None:
        self.env, self.i, self.rules = env, i, rules
        p = env.sim.params
        limits = p.rotation_step_deg, p.zooming_step_deg
        optics = Optics(p.theta_min_deg, p.max_range, *limits)
        minds = [GreedyCamera(xy, optics) for xy in pairs(read(env.sim, "camera_xy")[i])]
        self.team = GreedyTeam(minds, Radio(rules.silent, rules.reach, rules.delay))
        self.pauses: list[int] = []
        self.n_followed = self.n_idle = self.n_repeated = self.n_unseen = self.n_messages = 0
        self._look()

    def _look(self) -> None:
        self.views = views_of_cameras(self.env, self.i, self.rules.observes)
        self.poses = poses(self.env, self.i)
        self.previous = self.env.teams[2].last_action[self.i].copy()

    def check(self, step: int) -> None:
        """Compare messages and actions after a frame with the oracle."""
        minds, remembered = self.team.minds, self.env.teams[2]
        for mind, view in zip(minds, self.views, strict=True):
            mind.look(view)
        if not self.rules.silent:
            wrote, heard = self.team.talk(step, self.views)
            for c, j in wrote:
                pause = int(remembered.post[self.i, memory.K_NEXT, c, j]) - step
                self.pauses.append(pause)
                minds[c].delay[j] = pause
            assert arrows(remembered.edges[self.i]) == heard
            self.n_messages += len(heard)
            assert remembered.traffic[self.i].tolist() == [len(heard), self.n_messages]
        for c, mind in enumerate(minds):
            wanted = mind.act(self.poses[c], self.rules.only_loaded)
            action = self.env.actions[0][self.i, c]
            if wanted is None:
                self.n_idle += 1
                self.n_repeated += bool((action == self.previous[c]).all())
            else:
                self.n_followed += 1
                self.n_unseen += not self.views[c]
                close(action, wanted)
        self._look()


@pytest.mark.parametrize(
    ("scenario", "rules"),
    [
        ("MATE-4v4-9", camera_rules("greedy")),
        ("MATE-4v4-9", camera_rules("greedy", link=Link(silent=True))),
        ("MATE-4v4-9", camera_rules("greedy", link=Link(reach=1250.0))),
        ("MATE-8v8-9", camera_rules("greedy", link=Link(delay=5), only_loaded=True)),
        ("MATE-4v4-9", camera_rules("greedy", link=Link(delay=60), only_loaded=True)),
        ("MATE-4v4-9", camera_rules("greedy", view=SHARED)),
        ("MATE-4v4-9", camera_rules("greedy", view=ENHANCED)),
    ],
)
def test_greedy_cameras(scenario: str, rules: CameraRules) -> None:
    """Targets are found, followed, told of, remembered for 24 frames, forgotten."""
    n_envs, n_frames = 3, 260
    env = play(scenario, n_envs, rules, "greedy")
    checked = [CamerasChecked(env, i, rules) for i in range(n_envs)]
    for step in range(n_frames):
        env.run_frames(1)
        for each in checked:
            each.check(step)
    assert sum(each.n_followed for each in checked) > 800
    pauses = np.array([pause for each in checked for pause in each.pauses])
    if rules.silent:
        assert not env.teams[2].traffic.any()
        return
    assert len(pauses) > 60
    assert pauses.min() >= 6
    assert pauses.max() <= 49
    counts = np.bincount(pauses - 6, minlength=44).reshape(4, 11).sum(1)
    assert stats.chisquare(counts).pvalue > 1e-4
    assert sum(each.n_messages for each in checked) > 30
    if rules.observes == RAW:
        assert sum(each.n_unseen for each in checked) > 20
        n_idle = sum(each.n_idle for each in checked)
        n_repeated = sum(each.n_repeated for each in checked)
        assert n_idle > 20
        assert abs(n_repeated / n_idle - 0.9) < 4 * math.sqrt(0.09 / n_idle)


def test_sightings_are_not_shared_beyond_range_when_the_filter_is_off() -> None:
    """MATE's switch works the other way: without the filter no sighting is ever told."""
    env = play("MATE-4v4-9", 4, camera_rules("greedy", only_in_range=False), "greedy")
    env.run_frames(300)
    assert (env.teams[2].traffic[:, memory.MESSAGES_EPISODE] == 12).all()


@pytest.mark.parametrize("dropout", [0.4, 1.0])
@pytest.mark.parametrize("policy", ["greedy", "heuristic"])
def test_messages_of_cameras_are_lost_one_by_one(policy: str, dropout: float) -> None:
    """First frame: 12 greetings of greedy cameras; 3 requests of heuristic ones, then answers."""
    n_envs = 300
    env = play("MATE-4v4-9", n_envs, camera_rules(policy, link=Link(dropout=dropout)))
    env.run_frames(1)
    edges = env.teams[2].edges
    sent = edges if policy == "greedy" else edges[:, 1:, :1]
    n_sent = 12 if policy == "greedy" else 3
    error = math.sqrt(dropout * (1 - dropout) / (n_sent * n_envs))
    assert abs(sent.sum((1, 2)).mean() / n_sent - (1 - dropout)) <= 4 * error
    env.run_frames(50)
    assert (env.teams[2].traffic[:, memory.MESSAGES_EPISODE] > 0).all() == (dropout < 1.0)


class HeuristicCamerasChecked:
    """One environment's two heuristic cameras beside the oracle: requests, answers, goals."""

    def __init__(self, env: ScriptedEnv, i: int, rules: CameraRules) -> None:
        self.env, self.i, self.rules = env, i, rules
        self.places = pairs(read(env.sim, "camera_xy")[i])
        self.radio = Radio(rules.silent, rules.reach, rules.delay)
        self.late: list[tuple[int, tuple[float, float]]] = []  # answers under way
        self.n_joint = self.n_alone = self.n_idle = 0
        self._look()

    def _look(self) -> None:
        self.views = views_of_cameras(self.env, self.i, self.rules.observes)
        self.poses = poses(self.env, self.i)

    def check(self, step: int) -> None:
        """Compare messages and actions after a frame with the oracle."""
        radio, places = self.radio, self.places
        radio.send(step, 1, 0, places, (self.poses[1], self.views[1]))
        requests = [content for _, to, content in radio.receive(step) if to == 0]
        members, known = [(places[0], self.poses[0])], dict(self.views[0])
        for pose, view in requests:  # type: ignore[misc]
            members.append((places[1], pose))
            known = dict(view) | known
        goals = joint_decision(members, {t: s.place for t, s in known.items()}, OPTICS)[0]
        if len(goals) > 1 and goals[1] is not None and math.dist(*places) <= self.rules.reach:
            self.late.append((step + self.rules.delay, goals[1]))
        answers = [goal for due, goal in self.late if due == step]
        heard = {(1, 0)} if requests else set()
        if answers:
            heard.add((0, 1))
        assert arrows(self.env.teams[2].edges[self.i]) == heard
        self.n_joint += len(answers)
        wanted = [goals[0], answers[0] if answers else self._alone(1)]
        for c, goal in enumerate(wanted):
            if goal is None:
                self.n_idle += 1
            else:
                close(self.env.actions[0][self.i, c], approach(self.poses[c], goal, OPTICS))
        self._look()

    def _alone(self, c: int) -> tuple[float, float] | None:
        self.n_alone += bool(self.views[c])
        own = {t: s.place for t, s in self.views[c].items()}
        return joint_decision([(self.places[c], self.poses[c])], own, OPTICS)[0][0]


@pytest.mark.parametrize(
    "rules",
    [
        camera_rules("heuristic"),
        camera_rules("heuristic", link=Link(silent=True)),
        camera_rules("heuristic", link=Link(delay=3)),
        camera_rules("heuristic", link=Link(reach=1.0)),
        camera_rules("heuristic", view=SHARED),
        camera_rules("heuristic", view=ENHANCED, link=Link(reach=1200.0)),
    ],
)
def test_two_heuristic_cameras(rules: CameraRules) -> None:
    """Both orders of two cameras are always tried, so that the decision is certain."""
    n_envs, n_frames = 2, 18
    env = play("MATE-2v4-9", n_envs, rules, "greedy")
    checked = [HeuristicCamerasChecked(env, i, rules) for i in range(n_envs)]
    for step in range(n_frames):
        env.run_frames(1)
        for each in checked:
            each.check(step)
    n_joint, n_alone = sum(c.n_joint for c in checked), sum(c.n_alone for c in checked)
    assert (n_joint > 0) == (not rules.silent and rules.reach > 1.0)
    assert n_joint + n_alone > 5


def test_four_heuristic_cameras_take_the_best_order_they_try() -> None:
    """32 draws miss the best of 24 orders in a quarter of the frames; then another is taken."""
    n_frames, n_best = 8, 0
    env = play("MATE-4v4-9", 1, "heuristic", "greedy")
    env.run_frames(40)
    for _ in range(n_frames):
        places, looks = pairs(read(env.sim, "camera_xy")[0]), poses(env, 0)
        known = {t: s.place for view in views_of_cameras(env, 0, RAW) for t, s in view.items()}
        outcomes = joint_decision(list(zip(places, looks, strict=True)), known, OPTICS)
        env.run_frames(1)
        agenda = env.teams[2].agenda[0]
        goals = [
            (float(row[memory.G_PHI]), float(row[memory.G_THETA])) if row[memory.G_EXISTS] else None
            for row in agenda
        ]
        assert goals in outcomes
        n_best += goals == outcomes[0]
        for c, goal in enumerate(goals):
            if goal is not None:
                close(env.actions[0][0, c], approach(looks[c], goal, OPTICS))
    assert n_best >= n_frames // 2


def test_large_heuristic_team() -> None:
    """8 cameras, 8 targets; more targets than fit into the bits of a set are refused."""
    env = play("MATE-8v8-9", 2, "heuristic", "heuristic")
    env.run_frames(60)
    assert np.isfinite(env.actions[0]).all()
    assert read(env.sim, "coverage_rate").mean() > 0.3
    with pytest.raises(ValueError, match="63 targets; expected at most 62"):
        memory.allocate_camera_memory(1, 2, 63, camera_rules("heuristic"), env.sim.params)
    with pytest.raises(ValueError, match="params"):
        memory.allocate_camera_memory(1, 2, 3, camera_rules("heuristic"))


def test_mixtures_are_drawn_per_episode_for_the_whole_team() -> None:
    n_envs = 3000
    env = ScriptedEnv(
        load_scenario("MATE-2v2-0"),
        n_envs,
        camera_policy="greedy=1,random=2,naive=1,heuristic=0",
        target_policy={"heuristic": 3.0, "random": 1.0},
        max_episode_steps=1,
    )
    env.reset(seeds(n_envs))
    assert len(env.teams[2].scores) == 0  # no table for a weight of 0
    for team, shares in ((2, [2, 1, 1, 0]), (3, [1, 0, 0, 3])):
        env.reset(seeds(n_envs))
        first = env.teams[team].rule.copy()
        env.run_frames(2)  # every episode ends: the next one draws anew
        second = env.teams[team].rule
        drawn = np.array(shares) > 0
        for rule in (first, second):
            counts = np.bincount(rule, minlength=4)
            assert (counts[~drawn] == 0).all()
            wanted = n_envs * np.array(shares)[drawn] / 4
            assert stats.chisquare(counts[drawn], wanted).pvalue > 1e-4
        same = math.fsum((k / 4) ** 2 for k in shares)
        assert abs((first == second).mean() - same) < 4 * math.sqrt(0.25 / n_envs)


def test_a_team_driven_from_outside_keeps_the_action_that_stands_there() -> None:
    env = play("MATE-2v2-0", 2, "external", "external")
    env.actions[0][...] = 1.5
    env.run_frames(3)
    assert (env.teams[2].rule == -1).all()
    assert (env.actions[0] == 1.5).all()
    assert (env.actions[1] == 0.0).all()


def test_next_episode_starts_with_a_clean_memory() -> None:
    """An episode after another equals the same episode from a fresh start, messages included."""
    rules = camera_rules("greedy=0.5,heuristic=0.5", link=Link(delay=2, dropout=0.2))
    env = play("MATE-4v4-9", 6, rules, target_rules("greedy=0.5,naive=0.5", link=Link(delay=2)))
    env.run_frames(150)
    for array in (*env.teams[2][:7], *env.teams[3]):
        assert array.size > 0
    used = env.run_episodes(seeds(6)[:3])
    fresh = play("MATE-4v4-9", 6, rules, env.teams[1]).run_episodes(seeds(6)[:3])
    np.testing.assert_array_equal(used, fresh)


def test_streams_advance_only_in_their_row() -> None:
    """Fewer environments play the same episodes."""
    few, many = (
        play("MATE-4v4-9", 2, "heuristic", "greedy"),
        play("MATE-4v4-9", 5, "heuristic", "greedy"),
    )
    few.run_frames(30)
    many.run_frames(30)
    np.testing.assert_array_equal(few.sim.tables.rng, many.sim.tables.rng[:2])
    np.testing.assert_array_equal(few.actions[0], many.actions[0][:2])


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"policy": "greddy"}, "'greddy'; expected one of .*did you mean 'greedy'"),
        ({"policy": "greedy=x"}, "expected NAME=WEIGHT"),
        ({"policy": "greedy=-1"}, "weight of greedy = -1.0, expected 0 or more"),
        ({"policy": "greedy=0"}, "at least one positive weight"),
        ({"memory_period": 0}, "memory_period = 0; expected at least 1"),
        ({"link": Link(dropout=1.5)}, "dropout = 1.5; expected 0 to 1"),
        ({"link": Link(reach=-1.0)}, "reach = -1.0; expected 0 or more"),
        ({"link": Link(delay=-1)}, "delay = -1; expected 0 or more frames"),
    ],
)
def test_wrong_rules(options: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        camera_rules(**options)  # type: ignore[arg-type]


def test_rule_numbers() -> None:
    """What kernels compare with is what rules hold."""
    assert CAMERA_POLICIES["random"] == cameras.RANDOM
    assert CAMERA_POLICIES["naive"] == cameras.NAIVE
    assert cameras.GREEDY < cameras.HEURISTIC  # act_cameras asks for `at least greedy`
    assert cameras.NAIVE < cameras.GREEDY
    assert len({targets.RANDOM, targets.NAIVE, targets.GREEDY, targets.HEURISTIC}) == 4
