"""Fast batched simulator of camera networks that track moving targets (the MATE world).

The names below are imported on first use, so that `import camsim` alone loads no compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camsim.envs.gymnasium_env import MateEnv, MateVectorEnv
    from camsim.envs.pettingzoo_env import MateParallelEnv
    from camsim.envs.scripted import ScriptedEnv
    from camsim.envs.selection import SelectionEnv, SelectionOptions
    from camsim.envs.team import TeamEnv, TeamOptions
    from camsim.policies.rules import Link
    from camsim.scenario import Scenario, load_scenario, preset_names
    from camsim.sim import BatchSim

__all__ = [
    "BatchSim",
    "Link",
    "MateEnv",
    "MateParallelEnv",
    "MateVectorEnv",
    "Scenario",
    "ScriptedEnv",
    "SelectionEnv",
    "SelectionOptions",
    "TeamEnv",
    "TeamOptions",
    "load_scenario",
    "preset_names",
]

_MODULES = {
    "BatchSim": "camsim.sim",
    "Link": "camsim.policies.rules",
    "MateEnv": "camsim.envs.gymnasium_env",
    "MateParallelEnv": "camsim.envs.pettingzoo_env",
    "MateVectorEnv": "camsim.envs.gymnasium_env",
    "Scenario": "camsim.scenario",
    "ScriptedEnv": "camsim.envs.scripted",
    "SelectionEnv": "camsim.envs.selection",
    "SelectionOptions": "camsim.envs.selection",
    "TeamEnv": "camsim.envs.team",
    "TeamOptions": "camsim.envs.team",
    "load_scenario": "camsim.scenario",
    "preset_names": "camsim.scenario",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
