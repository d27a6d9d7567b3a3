"""Rules of scripted teams: mixtures, random draws, memories, numbers and names."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scripted_play import (
    play,
    seeds,
)

from camsim.envs.scripted_env import ScriptedEnv
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import load_scenario
from camsim.scripted.cameras import dispatch as cameras
from camsim.scripted.spec import CAMERA_POLICIES, Link, camera_rules, target_rules
from camsim.scripted.targets import dispatch as targets


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


@pytest.mark.jit
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


@pytest.mark.jit
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
        ({"policy": "greedy=-1"}, "weight of greedy = -1.0; expected a number from 0 to 1000000"),
        ({"policy": "greedy=0"}, "at least one positive weight"),
        ({"memory_period": 0}, "memory_period = 0; expected at least 1"),
        ({"link": Link(dropout=1.5)}, "dropout = 1.5; expected a number from 0 to 1"),
        ({"link": Link(reach=-1.0)}, "reach = -1.0; expected a number from 0 to inf"),
        ({"link": Link(delay=-1)}, "delay = -1; expected an integer from 0 to 10000"),
        ({"link": Link(dropout="no")}, "dropout = 'no'; expected a number"),  # type: ignore[arg-type]
        ({"link": Link(silent="no")}, "silent = 'no'; expected True"),  # type: ignore[arg-type]
        ({"policy": {"greedy": 1e308, "random": 1e308}}, "weight of greedy = 1e.308; expected"),
        ({"policy": {"greedy": None}}, "weight of greedy = None; expected a number"),
        ({"policy": 3}, "camera_policy = 3; expected a name, a mixture"),
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


def test_a_reach_beyond_all_floats_is_no_limit() -> None:
    assert camera_rules("greedy", link=Link(reach=10**400)).reach == float("inf")
