"""Fast batched simulator of camera networks that track moving targets (the MATE world).

The names below are imported on first use, so that `import camsim` alone loads no compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camsim.envs.adapters.gymnasium_env import MateEnv, MateVectorEnv
    from camsim.envs.adapters.pettingzoo_env import MateParallelEnv
    from camsim.envs.scripted_env import ScriptedEnv
    from camsim.envs.team_env import TeamEnv, TeamOptions
    from camsim.scenario.schema import Scenario, load_scenario, preset_names
    from camsim.scripted.spec import Link
    from camsim.sim import BatchSim

__all__ = [
    "BatchSim",
    "Link",
    "MateEnv",
    "MateParallelEnv",
    "MateVectorEnv",
    "Scenario",
    "ScriptedEnv",
    "TeamEnv",
    "TeamOptions",
    "load_scenario",
    "preset_names",
]

_MODULES = {
    "BatchSim": "camsim.sim",
    "Link": "camsim.scripted.spec",
    "MateEnv": "camsim.envs.adapters.gymnasium_env",
    "MateParallelEnv": "camsim.envs.adapters.pettingzoo_env",
    "MateVectorEnv": "camsim.envs.adapters.gymnasium_env",
    "Scenario": "camsim.scenario.schema",
    "ScriptedEnv": "camsim.envs.scripted_env",
    "TeamEnv": "camsim.envs.team_env",
    "TeamOptions": "camsim.envs.team_env",
    "load_scenario": "camsim.scenario.schema",
    "preset_names": "camsim.scenario.schema",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
