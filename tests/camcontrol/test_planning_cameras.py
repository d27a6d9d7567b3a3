"""Planner: what it chooses in worlds made by hand, what it may know, and that it repeats itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planned_worlds import Stage, lanes_of

from camcontrol.planning.planner import PlannerOptions
from camcontrol.planning_cameras import Planner, planning_env
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.scenario.schema import load_scenario
from camsim.tables import EPISODE_COLUMNS

SCENARIO = load_scenario("MATE-4v4-9")


def seeds(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.uint64)


@pytest.mark.slow
def test_two_cameras_share_two_targets_out() -> None:
    stage = Stage("MATE-2v2-9", [(-500, 0, 0), (500, 0, 180)], [(0, 900), (0, -900)])
    assert sorted(map(tuple, stage.choices())) == [(0,), (1,)]


@pytest.mark.slow
def test_two_cameras_look_at_the_same_target_for_stereo() -> None:
    """Lines of sight to target 0 are 80 degrees apart; target 1 can hardly be seen by one."""
    cameras = [(-500.0, 0.0, 90.0), (500.0, 0.0, 90.0)]
    stage = Stage("MATE-2v2-9", cameras, [(0, 600), (-400, -990)], goal="stereo_coverage")
    assert stage.choices() == [{0}, {0}]


@pytest.mark.slow
def test_plans_for_stereo_coverage_give_more_of_it() -> None:
    """The first 120 frames of 8 episodes."""
    stereo = {}
    for goal in ("coverage", "stereo_coverage"):
        env = planning_env(SCENARIO, 8, goal=goal, max_episode_steps=120)  # type: ignore[arg-type]
        planner, output = Planner(env), env.reset(seeds(8))
        while not output.truncated.any():
            output = env.step(planner.act(output.obs, output.avail_actions))
        stereo[goal] = output.episode[:, EPISODE_COLUMNS.index("stereo_coverage_sum")].mean() / 120
    assert stereo["stereo_coverage"] > stereo["coverage"] + 0.1


@pytest.mark.slow
def test_one_camera_takes_both_targets_that_fit_into_a_view() -> None:
    """26 degrees apart, where a view is 35 degrees wide; wider search views do not reach them."""
    assert Stage("MATE-1v2-9", [(-800, 0, 0)], [(418, 281), (418, -281)]).choices() == [{0, 1}]


@pytest.mark.slow
def test_the_nearer_of_two_directions_is_taken_if_both_do_not_fit() -> None:
    stage = Stage("MATE-1v2-9", [(0, 0, 40)], [(900, 0), (-900, 0)])
    assert stage.choices() == [{0}]


@pytest.mark.slow
def test_a_hidden_target_is_not_chosen() -> None:
    targets = [(500.0, 0.0), (-500.0, 0.0)]
    obstacle = (250.0, 0.0, 100.0)
    assert Stage("MATE-1v2-9", [(0, 0, 80)], targets).choices() == [{0}], "the nearer direction"
    assert Stage("MATE-1v2-9", [(0, 0, 80)], targets, [obstacle]).choices() == [{1}]


@pytest.mark.slow
@pytest.mark.parametrize("view", ["own", "shared"])
def test_actions_may_be_selected_and_repeat_row_by_row(view: str) -> None:
    """The same in one environment or three, and whatever cameras do not observe."""
    env = planning_env(SCENARIO, 3, view=view)
    planner, output = Planner(env), env.reset(seeds(3))
    played = []
    for _ in range(8):
        actions = planner.act(output.obs, output.avail_actions)
        assert np.take_along_axis(output.avail_actions, actions[..., None], -1).all()
        targets = env.sim.tables.targets.copy()
        env.sim.tables.targets[...] = 0.0  # not what was observed
        np.testing.assert_array_equal(planner.act(output.obs, output.avail_actions), actions)
        env.sim.tables.targets[...] = targets
        played.append(actions.copy())
        output = env.step(actions)
    alone = planning_env(SCENARIO, 1, view=view)
    planner, output = Planner(alone), alone.reset(seeds(3)[2:])
    for actions in played:
        mine = planner.act(output.obs, output.avail_actions)
        np.testing.assert_array_equal(mine[0], actions[2])
        output = alone.step(mine)


@pytest.mark.slow
def test_what_is_planned_happens() -> None:
    """The planned share of targets in view, and the share that is, over the same frames."""
    env = planning_env(SCENARIO, 1, view="full")
    planner = Planner(env)
    bits = (2**16 - 1) | (2**16 - 1) << 16  # of two frames, of 4 targets with 4 trajectories
    planned, played = [], []
    for seed in range(8):
        output = env.reset(np.full(1, seed, np.uint64))
        for _ in range(30):
            actions = planner.act(output.obs, output.avail_actions)
            cover = lanes_of(planner.plans, output.avail_actions[0]).cover
            output = env.step(actions)
            words = cover[np.arange(4), :2, planner.scratch.choice[0]]  # [C, 2]
            first, second = np.bitwise_or.reduce(words)
            planned.append((int(first) & bits).bit_count() + (int(second) & 0xFFFF).bit_count())
            played.append(output.reward.mean() / 3.0)
    assert np.mean(planned) / 48 == pytest.approx(np.mean(played), abs=0.04)


@pytest.mark.slow
def test_planning_together_covers_more() -> None:
    """The first 120 frames of 8 episodes; with views of their own, cameras cannot agree."""
    coverage = {}
    for view in ("own", "shared", "full"):
        env = planning_env(SCENARIO, 8, view=view, max_episode_steps=1000)
        planner, output = Planner(env), env.reset(seeds(8))
        rewards = []
        for _ in range(40):
            output = env.step(planner.act(output.obs, output.avail_actions))
            rewards.append(output.reward.mean() / 3.0)
        coverage[view] = float(np.mean(rewards))
    assert coverage["own"] > 0.6
    assert coverage["shared"] > coverage["own"] + 0.05
    assert coverage["full"] > 0.85


@pytest.mark.parametrize(
    ("env", "options", "words"),
    [
        ({"belief": "last_seen"}, {}, "belief = 'last_seen'; looking ahead needs 'particles'"),
        ({"executor": "upstream"}, {}, "executor = 'upstream'; looking ahead needs 'lead'"),
        ({"action_mode": "discrete"}, {}, "action_mode = 'discrete'; looking ahead needs"),
        ({"search_actions": 0}, {}, "search_actions = 0; looking ahead needs at least 1"),
        (
            {"plan_goal": "stereo_coverage"},
            {},
            "plan_goal = 'stereo_coverage'; a camera with a view of its own plans alone",
        ),
        ({}, {"n_trajectories": 0}, "n_trajectories = 0; expected at least 1"),
        ({}, {"n_trajectories": 33}, "n_trajectories = 33; expected at most 32"),
        ({}, {"first_stage": 30}, "first_stage = 30; expected less than the horizon, 30 frames"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    env: dict[str, object], options: dict[str, int], words: str
) -> None:
    chosen = replace(SelectionOptions(lookahead=False), **env)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        Planner(SelectionEnv(SCENARIO, chosen, 1), PlannerOptions(**options))


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(ValueError, match="view = 'all'; expected one of own, shared, full"):
        planning_env(SCENARIO, 1, view="all")
