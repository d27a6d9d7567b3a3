"""Scripted cameras inside the compiled step, against the oracle and by distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from reference_policies import (
    GreedyCamera,
    GreedyTeam,
    Optics,
    Radio,
    Sighting,
    approach,
    joint_decision,
)
from scipy import stats
from scripted_play import (
    arrows,
    close,
    pairs,
    play,
    poses,
)

from camsim.envs.scripted_env import ScriptedEnv
from camsim.layout import ENHANCED, RAW, SHARED
from camsim.parity.teacher_forcing import read
from camsim.scripted import memory
from camsim.scripted.spec import CameraRules, Link, camera_rules

OPTICS = Optics(30.0, 1500.0, 5.0, 2.5)  # of the presets with 2 and 4 cameras


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
        cameras = [GreedyCamera(xy, optics) for xy in pairs(read(env.sim, "camera_xy")[i])]
        self.team = GreedyTeam(cameras, Radio(rules.silent, rules.reach, rules.delay))
        self.pauses: list[int] = []
        self.n_followed = self.n_idle = self.n_repeated = self.n_unseen = self.n_messages = 0
        self._look()

    def _look(self) -> None:
        self.views = views_of_cameras(self.env, self.i, self.rules.observes)
        self.poses = poses(self.env, self.i)
        self.previous = self.env.teams[2].last_action[self.i, :, :2].copy()

    def check(self, step: int) -> None:
        """Compare messages and actions after a frame with the oracle."""
        cameras, remembered = self.team.cameras, self.env.teams[2]
        for camera, view in zip(cameras, self.views, strict=True):
            camera.look(view)
        if not self.rules.silent:
            wrote, heard = self.team.talk(step, self.views)
            for c, j in wrote:
                pause = int(remembered.post[self.i, memory.K_NEXT, c, j]) - step
                self.pauses.append(pause)
                cameras[c].delay[j] = pause
            assert arrows(remembered.edges[self.i]) == heard
            self.n_messages += len(heard)
            assert remembered.traffic[self.i].tolist() == [len(heard), self.n_messages]
        for c, camera in enumerate(cameras):
            wanted = camera.act(self.poses[c], self.rules.only_loaded)
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


@pytest.mark.jit
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
