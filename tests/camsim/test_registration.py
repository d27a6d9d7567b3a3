"""Gymnasium ids: all are there, once, and cost nothing until an environment is made."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import pytest

from camsim import preset_names
from camsim.envs.adapters.gymnasium_env import MateEnv
from camsim.registration import UPSTREAM_IDS, env_ids, register_envs


def test_every_preset_has_an_id() -> None:
    register_envs()
    assert len(preset_names()) == 18
    assert set(env_ids()) == {f"{name}-v0" for name in preset_names()} | set(UPSTREAM_IDS)
    assert "MATE-v0" in env_ids()
    for env_id, preset in env_ids().items():
        spec = gymnasium.spec(env_id)
        assert spec.kwargs == {"scenario": preset}
        assert spec.max_episode_steps is None


def test_registering_again_changes_nothing() -> None:
    register_envs()
    before = dict(gymnasium.registry)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        register_envs()
    assert before == gymnasium.registry


@pytest.mark.parametrize(
    "env_id", ["camsim.registration:MATE-4v2-9-v0", "MultiAgentTracking-v0", "MATE-v0"]
)
def test_make_gives_the_preset(env_id: str) -> None:
    register_envs()
    world = gymnasium.make(env_id, relative=True, targets="random").unwrapped
    assert isinstance(world, MateEnv)
    expected = (4, 2) if env_id.endswith("4v2-9-v0") else (4, 8)
    assert (world.team_env.n_cameras, world.team_env.n_targets) == expected
    assert world.team_env.options.relative
    assert world.team_env.options.targets == "random"


CHECK = """
import sys
import gymnasium
assert "MATE-v0" not in gymnasium.registry
import camsim.registration
gymnasium.register_envs(camsim.registration)
assert gymnasium.spec("MATE-4v4-9-v0").kwargs == {"scenario": "MATE-4v4-9"}
assert not {"numba", "torch", "pettingzoo"} & set(sys.modules)
"""


def test_importing_the_module_registers_and_loads_no_simulator() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
