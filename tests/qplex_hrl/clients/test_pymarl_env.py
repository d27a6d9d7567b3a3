"""One world as PyMARL's and EPyMARL's environment: a whole episode as their runners play it."""

from pathlib import Path

import numpy as np
import pytest

from qplex_hrl.clients.pymarl_env import EpymarlEnv, PymarlEnv

TASKS = ("selection", "raw")


def chosen(env: PymarlEnv | EpymarlEnv) -> list[int]:
    """The last action of each camera that may be chosen."""
    return [max(u for u, flag in enumerate(flags) if flag) for flags in env.get_avail_actions()]


@pytest.mark.parametrize("task", TASKS)
def test_an_episode_of_pymarl(task: str) -> None:
    env = PymarlEnv(task=task, max_episode_steps=5, seed=1)
    info = env.get_env_info()
    assert info["episode_limit"] == env.episode_limit == 5
    env.reset()
    for k in range(5):
        assert np.shape(env.get_obs()) == (info["n_agents"], info["obs_shape"])
        np.testing.assert_array_equal(env.get_obs_agent(1), env.get_obs()[1])
        assert env.get_state().shape == (info["state_shape"],)
        assert np.shape(env.get_avail_actions()) == (4, info["n_actions"])
        assert env.get_avail_agent_actions(2) == env.get_avail_actions()[2]
        reward, over, info_of_step = env.step(chosen(env))
        assert isinstance(reward, float)
        assert over == (k == 4)
        assert bool(info_of_step) == over
    assert info_of_step["episode_limit"] is True
    assert 0.0 <= info_of_step["coverage_rate"] <= 1.0
    with pytest.raises(ValueError, match="expected reset"):
        env.step(chosen(env))
    env.close()


@pytest.mark.parametrize("task", TASKS)
def test_epymarl_steps_as_gymnasium_does(task: str) -> None:
    env = EpymarlEnv(task=task, key="MATE-4v4-9", time_limit=3, seed=1)
    obs, info = env.reset()
    assert info == {}
    for k in range(3):
        np.testing.assert_array_equal(obs, env.get_obs())
        obs, _, terminated, truncated, info = env.step(chosen(env))
        assert (terminated, truncated) == (False, k == 2)
    assert info["episode_limit"] is True


def test_what_is_returned_is_never_written_again() -> None:
    env = PymarlEnv(max_episode_steps=5, seed=1)
    obs, state = env.reset()
    kept = np.array(obs), state.copy()
    env.step(chosen(env))
    np.testing.assert_array_equal(obs, kept[0])
    np.testing.assert_array_equal(state, kept[1])


def test_seeds_fix_episodes_and_without_one_the_stream_goes_on() -> None:
    env, same = EpymarlEnv(time_limit=5, seed=1), EpymarlEnv(time_limit=5, seed=2)
    first, second = env.reset()[0], env.reset()[0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(same.reset(seed=1)[0], first)
    np.testing.assert_array_equal(same.reset()[0], second)
    env.seed(1)
    np.testing.assert_array_equal(env.reset()[0], first)


def test_rewards_are_added_up_as_epymarl_says() -> None:
    def reward(**settings: object) -> float | list[float]:
        env = EpymarlEnv(time_limit=5, seed=1, **settings)
        env.reset()
        return env.step(chosen(env))[1]

    each = reward(common_reward=False)
    assert isinstance(each, list)
    assert reward() == pytest.approx(sum(each))
    assert reward(reward_scalarisation="mean") == pytest.approx(sum(each) / 4)
    with pytest.raises(ValueError, match="reward_scalarisation = 'max'"):
        reward(reward_scalarisation="max")


def test_masked_actions_are_refused() -> None:
    env = PymarlEnv(max_episode_steps=5, seed=1)
    env.reset()
    flags = np.array(env.get_avail_actions())
    assert not flags.all()
    with pytest.raises(ValueError, match="not available"):
        env.step(flags.argmin(axis=1))


def test_before_a_reset_there_is_nothing() -> None:
    env = PymarlEnv(max_episode_steps=5)
    for call in (env.get_obs, env.get_state, env.get_avail_actions, env.render):
        with pytest.raises(ValueError, match="no episode has begun"):
            call()


def test_a_replay_is_a_video_of_the_latest_episode(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra viz is not installed")
    env = PymarlEnv(max_episode_steps=5, seed=1, replay_dir=tmp_path / "replays")
    env.reset()
    env.step(chosen(env))
    env.save_replay()
    assert (tmp_path / "replays" / "replay.mp4").stat().st_size > 1000
    with pytest.raises(ValueError, match="expected a folder in env_args"):
        PymarlEnv(max_episode_steps=5).save_replay()
