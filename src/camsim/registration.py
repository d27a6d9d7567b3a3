"""Gymnasium ids of the shipped scenarios, for `gymnasium.make` and `gymnasium.make_vec`.

Importing this module registers them. Gymnasium 1 loads no plugins by itself, but imports the module
that an id names: `gymnasium.make("camsim.registration:MATE-4v4-9-v0")`.
"""

import gymnasium

from camsim.scenario.schema import preset_names

__all__ = ["UPSTREAM_IDS", "env_ids", "register_envs"]

UPSTREAM_IDS = {"MultiAgentTracking-v0": "MATE"}
"""Ids of upstream MATE that no preset's name gives, and their presets."""


def env_ids() -> dict[str, str]:
    """Return every id with the preset that it stands for."""
    return {f"{name}-v0": name for name in preset_names()} | UPSTREAM_IDS


def register_envs() -> None:
    """Register the ids that Gymnasium does not know yet; loads no simulator.

    No time limit is registered: the environments truncate their episodes themselves.
    """
    for env_id, preset in env_ids().items():
        if env_id not in gymnasium.registry:
            gymnasium.register(
                id=env_id,
                entry_point="camsim.envs.adapters.gymnasium_env:MateEnv",
                vector_entry_point="camsim.envs.adapters.gymnasium_env:MateVectorEnv",
                kwargs={"scenario": preset},
            )


register_envs()
