"""Gymnasium ids for EPyMARL's `gymma`; importing this module registers them.

EPyMARL needs no change for them: `env_args.key="qplex_hrl.clients.gymma_ids:NAME"`, where NAME is
`MATE-4v4-9-gymma-v0` (raw) or `MATE-4v4-9-selection-gymma-v0`, and so on for every preset.
"""

import gymnasium

from camsim.scenario.schema import preset_names

__all__ = ["gymma_ids", "register_gymma"]


def gymma_ids() -> dict[str, tuple[str, str]]:
    """Return every id with the preset and the task that it stands for."""
    tasks = {"": "raw", "-selection": "selection"}
    return {
        f"{preset}{suffix}-gymma-v0": (preset, task)
        for preset in preset_names()
        for suffix, task in tasks.items()
    }


def register_gymma() -> None:
    """Register the ids that Gymnasium does not know yet; loads no simulator."""
    for env_id, (preset, task) in gymma_ids().items():
        if env_id not in gymnasium.registry:
            gymnasium.register(
                id=env_id,
                entry_point="qplex_hrl.clients.gymma_env:GymmaEnv",
                kwargs={"scenario": preset, "task": task},
                disable_env_checker=True,  # it warns of rewards that are lists
            )


register_gymma()
