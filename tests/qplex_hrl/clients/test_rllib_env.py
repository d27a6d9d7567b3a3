"""Selections as RLlib's algorithms see them; and the page's examples of these, trained."""

import os
import subprocess
import sys

import numpy as np
import pytest
from page_commands import blocks_of
from paths import DOCS, ROOT

pytest.importorskip("ray", reason="Ray is not installed")

from qplex_hrl.clients.rllib_env import SelectionMultiAgentEnv

pytestmark = pytest.mark.ray

CONFIG = {"scenario": "MATE-4v4-9", "max_episode_steps": 4, "decision_frames": 3}


def test_an_episode() -> None:
    env = SelectionMultiAgentEnv(CONFIG)
    assert env.possible_agents == ["camera_0", "camera_1", "camera_2", "camera_3"]
    obs, _ = env.reset(seed=3)
    for k in range(4):
        for agent in env.agents:
            assert env.observation_spaces[agent].contains(obs[agent])
        actions = {agent: int(obs[agent]["action_mask"].argmax()) for agent in env.agents}
        obs, rewards, terminated, truncated, infos = env.step(actions)
        assert set(rewards) == set(env.agents)
        assert terminated == dict.fromkeys([*env.agents, "__all__"], False)
        assert truncated == dict.fromkeys([*env.agents, "__all__"], k == 3)
    assert 0.0 <= infos["camera_0"]["coverage_rate"] <= 1.0


def test_seeds_fix_episodes_and_masked_actions_are_refused() -> None:
    env = SelectionMultiAgentEnv(CONFIG)
    first, _ = env.reset(seed=3)
    second, _ = env.reset()
    again, _ = env.reset(seed=3)
    for agent in env.agents:
        np.testing.assert_array_equal(first[agent]["observations"], again[agent]["observations"])
    assert not np.array_equal(first["camera_0"]["observations"], second["camera_0"]["observations"])
    with pytest.raises(ValueError, match="not available"):
        env.step({agent: int(obs["action_mask"].argmin()) for agent, obs in again.items()})


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'frames'"):
        SelectionMultiAgentEnv({"frames": 3})


@pytest.mark.slow
@pytest.mark.jit
def test_the_examples_of_the_page_train() -> None:
    """In one process of its own, so that Ray starts once, and ends with it."""
    examples = [b.text for b in blocks_of(DOCS / "clients.md") if "algorithm.train()" in b.text]
    assert len(examples) == 2
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    environment |= {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", "\n".join(examples)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    mean_return, n_steps = (float(line) for line in done.stdout.split()[-2:])
    assert mean_return > 0.0
    assert n_steps >= 1280
