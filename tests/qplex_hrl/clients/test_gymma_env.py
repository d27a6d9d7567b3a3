"""A world as EPyMARL's `gymma` uses it: tuples of spaces, lists of rewards, its time limit."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit

from qplex_hrl.clients.gymma_env import GymmaEnv

IDS = "qplex_hrl.clients.gymma_ids"


@pytest.mark.parametrize("name", ["MATE-4v4-9-gymma-v0", "MATE-4v4-9-selection-gymma-v0"])
def test_an_episode_as_gymma_plays_it(name: str) -> None:
    env = TimeLimit(gymnasium.make(f"{IDS}:{name}", episode_limit=4), max_episode_steps=4)
    assert env.unwrapped.n_agents == len(env.action_space) == len(env.observation_space) == 4
    assert not hasattr(env.unwrapped, "state_size")  # gymma's state is all observations
    longest = max(env.action_space, key=lambda space: space.n)
    assert spaces.flatdim(longest) == longest.n
    obs, _ = env.reset(seed=3, options=None)
    env.action_space.seed(0)
    for k in range(4):
        assert env.observation_space.contains(obs)
        actions = [int(action) for action in env.action_space.sample()]
        obs, rewards, terminated, truncated, info = env.step(actions)
        assert isinstance(rewards, list)
        assert len(rewards) == 4
        assert (terminated, truncated) == (False, k == 3)
    assert info["episode_limit"] is True
    assert all(np.isscalar(value) for value in info.values())
    env.close()


def test_masked_selections_are_taken_as_mate_takes_them() -> None:
    env = GymmaEnv(episode_limit=4)
    env.reset(seed=3)
    flags = np.array(env._env.get_avail_actions())
    assert not flags.all()
    env.step(flags.argmin(axis=1).tolist())


def test_episodes_differ_without_a_seed() -> None:
    env = GymmaEnv(task="raw", episode_limit=4)
    first, _ = env.reset(seed=3)
    second, _ = env.reset()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(env.reset(seed=3)[0], first)
