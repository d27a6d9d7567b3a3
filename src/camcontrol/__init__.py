"""A camera's side: what cameras know, expect and do, from their own observations alone.

The names below are imported on first use, so that `import camcontrol` alone loads no compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camcontrol.planning_cameras import Planner, planning_env
    from camcontrol.selection_env import SelectionEnv, SelectionOptions

__all__ = ["Planner", "SelectionEnv", "SelectionOptions", "planning_env"]

_MODULES = {
    "Planner": "camcontrol.planning_cameras",
    "SelectionEnv": "camcontrol.selection_env",
    "SelectionOptions": "camcontrol.selection_env",
    "planning_env": "camcontrol.planning_cameras",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
