"""What a checkpoint holds of its cameras: their configuration and weights, ready to play."""

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from qplex_hrl.checkpoint import CheckpointError, load_checkpoint
from qplex_hrl.config import RunConfig, config_from_mapping

_PREFIX = "agent."  # of the cameras' weights among those of the whole model


class TrainedPolicy(NamedTuple):
    """Trained cameras as a checkpoint holds them."""

    config: RunConfig  # of the training run
    timestep: int  # frames of training
    weights: dict[str, Tensor]  # of `CameraNetwork`


def load_policy(path: Path) -> TrainedPolicy:
    """Return the cameras of a training run's checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: its configuration is not valid.
    """
    content = load_checkpoint(path)
    try:
        config = config_from_mapping(content["config"], str(path))
        timestep, weights = content["timestep"], content["training"]["learner"]["model"]
    except (KeyError, TypeError) as error:
        msg = f"{path}: not a checkpoint of a training run ({error} is missing)"
        raise CheckpointError(msg) from error
    cameras = {
        name[len(_PREFIX) :]: value for name, value in weights.items() if name.startswith(_PREFIX)
    }
    return TrainedPolicy(config, timestep, cameras)
