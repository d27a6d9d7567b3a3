"""Hierarchical target selection for camera teams, learned with QPLEX.

The names below are imported on first use, so that `import qplex_hrl` alone loads no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qplex_hrl.config import RunConfig, load_config
    from qplex_hrl.evaluation.evaluate import evaluate_scripted
    from qplex_hrl.evaluation.players import EvaluationSetting
    from qplex_hrl.evaluation.trained import evaluate_checkpoint, load_cameras
    from qplex_hrl.team_controller import TeamController, TrainedCamera
    from qplex_hrl.training.trainer import train

__all__ = [
    "EvaluationSetting",
    "RunConfig",
    "TeamController",
    "TrainedCamera",
    "evaluate_checkpoint",
    "evaluate_scripted",
    "load_cameras",
    "load_config",
    "train",
]

_MODULES = {
    "RunConfig": "qplex_hrl.config",
    "TeamController": "qplex_hrl.team_controller",
    "TrainedCamera": "qplex_hrl.team_controller",
    "EvaluationSetting": "qplex_hrl.evaluation.players",
    "evaluate_checkpoint": "qplex_hrl.evaluation.trained",
    "evaluate_scripted": "qplex_hrl.evaluation.evaluate",
    "load_cameras": "qplex_hrl.evaluation.trained",
    "load_config": "qplex_hrl.config",
    "train": "qplex_hrl.training.trainer",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
