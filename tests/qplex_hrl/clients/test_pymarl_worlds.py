"""N worlds in PyMARL's terms: sizes, limits, seeds, what a section of settings says."""

import numpy as np
import pytest

from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim import TeamEnv, TeamOptions, load_scenario
from qplex_hrl.clients.pymarl_worlds import first_seeds, make_worlds, worlds_of_arguments

ALL = np.ones(2, np.bool_)
SEEDS = np.array([3, 4], np.uint64)


def test_selections_are_those_of_the_native_environment() -> None:
    worlds = make_worlds(num_envs=2, max_episode_steps=6)
    options = SelectionOptions(
        lookahead=False, coverage_per_target=False, auto_reset=False, max_episode_steps=29
    )
    native = SelectionEnv(load_scenario("MATE-4v4-9"), options, 2)
    step, out = worlds.restart(ALL, SEEDS), native.reset(SEEDS)
    for k in range(worlds.episode_limit):
        assert not step.truncated.any(), k
        actions = out.avail_actions.argmax(axis=2)
        step, out = worlds.step(actions), native.step(actions)
        for name in ("obs", "state", "avail_actions"):
            np.testing.assert_array_equal(getattr(step, name), getattr(out, name))
        np.testing.assert_array_equal(step.reward, np.repeat(out.reward[:, None], 4, axis=1))
    assert worlds.episode_limit == 6
    assert step.truncated.all()
    np.testing.assert_allclose(step.rates["coverage_rate"] * 30, out.episode[:, 1])


def test_raw_worlds_are_those_of_the_native_environment() -> None:
    worlds = make_worlds(task="raw", num_envs=2, max_episode_steps=6)
    options = TeamOptions(
        relative=True,
        rescaled=True,
        camera_action_levels=5,
        auto_reset=False,
        dtype="float32",
        max_episode_steps=5,
    )
    native = TeamEnv(load_scenario("MATE-4v4-9"), options, 2)
    step, out = worlds.restart(ALL, SEEDS), native.reset(SEEDS)
    covered = 0.0
    for k in range(worlds.episode_limit):
        assert not step.truncated.any(), k
        actions = np.full((2, 4), 3 * k % worlds.n_actions)
        step, out = worlds.step(actions), native.step(actions)
        np.testing.assert_array_equal(step.obs, out.camera_obs)
        np.testing.assert_array_equal(step.reward, out.camera_reward)
        covered += native.sim.view.world.coverage_rate
    assert worlds.episode_limit == 6
    assert step.truncated.all()
    assert step.avail_actions.all()
    assert np.abs(step.state).max() < 10.0
    np.testing.assert_allclose(step.rates["coverage_rate"], covered / 6)


@pytest.mark.parametrize(("task", "limit"), [("raw", 10_001), ("selection", 2001)])
def test_without_a_limit_it_is_the_scenarios(task: str, limit: int) -> None:
    assert make_worlds(task=task).episode_limit == limit


def test_a_marked_row_starts_its_seeds_episode_and_the_others_go_on() -> None:
    worlds = make_worlds(num_envs=2, max_episode_steps=6)
    first = worlds.restart(ALL, SEEDS).obs.copy()
    before = worlds.step(np.full((2, 4), worlds.n_actions - 1)).obs.copy()
    again = worlds.restart(np.array([True, False]), SEEDS).obs
    np.testing.assert_array_equal(again, np.stack([first[0], before[1]]))


def test_a_section_of_settings_has_the_names_of_gymma() -> None:
    section = {"key": "MATE-4v2-9", "time_limit": 7, "pretrained_wrapper": None, "seed": 5}
    worlds, seed = worlds_of_arguments(section | {"decision_frames": 3}, "selection", 2)
    assert (worlds.sim.num_envs, worlds.episode_limit, seed) == (2, 7, 5)
    assert worlds.n_actions == 2**2 + 16  # of two targets


@pytest.mark.parametrize(
    ("section", "error", "message"),
    [
        ({"key": "a", "scenario": "b"}, ValueError, "scenario = 'b' and key = 'a'"),
        ({"time_limit": 7, "max_episode_steps": 7}, ValueError, "expected one of them"),
        ({"time_limit": 1}, ValueError, "max_episode_steps = 1"),
        ({"pretrained_wrapper": "PretrainedTag"}, ValueError, "expected None"),
        ({"levels": 5}, TypeError, "unexpected keyword argument 'levels'"),
    ],
)
def test_wrong_settings_are_refused(
    section: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        worlds_of_arguments(section, "selection", 1)


def test_unknown_tasks_and_continuous_actions_are_refused() -> None:
    with pytest.raises(ValueError, match="task = 'moves'"):
        make_worlds(task="moves")
    with pytest.raises(ValueError, match="needs discrete actions"):
        make_worlds(task="raw", keywords={"camera_action_levels": None})


def test_seeds_count_up_and_differ_without_one() -> None:
    np.testing.assert_array_equal(first_seeds(7, 2), [7, 8])
    assert len({*first_seeds(None, 2).tolist(), *first_seeds(None, 2).tolist()}) == 4
