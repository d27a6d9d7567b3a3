"""What a checkpoint holds of its cameras: their configuration and weights, ready to play."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from camsim.scenario.schema import Scenario, ScenarioError, load_scenario
from qplex_hrl.config import RunConfig, config_from_stored
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from qplex_hrl.types import ModelDims

_LOG = logging.getLogger(__name__)
_MOST_FRAMES = 2**53
_PREFIX = "agent."  # of the cameras' weights among those of the whole model
_OF_THE_MACHINE: Mapping[str, bool | set[str]] = {
    "logging": True,
    "training": {"initial_weights"},
}
"""Settings that name files and folders, which mean nothing elsewhere."""
_RENAMED = {"head.option_layer.": "head.action_layer.", "head.worth.": "head.target_value."}
"""Layers that have other names now than in files of version 0.1."""
_FAST_LEVEL = "reaction."  # of its weights, where cameras have one
_IDENTITY = "encoder.identity"  # [C, H], if the weights know cameras by their index


class TrainedPolicy(NamedTuple):
    """Trained cameras as a checkpoint holds them."""

    config: RunConfig  # of the training run
    timestep: int  # frames of training
    weights: dict[str, Tensor]  # of `CameraNetwork`
    scenario: Scenario | None = None  # world of the training run; not in files before version 3

    def world(self, path: Path) -> Scenario:
        """Return the world of the training run, which the weights at `path` come from.

        It is the stored one, also where the scenario's file is missing or says something else now.

        Raises:
            ScenarioError: the file stores none, and the scenario that it names is not here.
        """
        name = self.config.env.scenario
        try:
            here = load_scenario(name)
        except ScenarioError as error:
            if self.scenario is not None:
                return self.scenario
            msg = f"{path}: trained in env.scenario = '{name}': {error}; name it with --scenario"
            raise ScenarioError(msg) from error
        if self.scenario is None:
            return here
        if self.scenario.fingerprint() != here.fingerprint():
            _LOG.warning(
                "%s plays the world of its training; '%s' has changed since: --scenario plays that",
                path,
                name,
            )
        return self.scenario

    def load_into(self, network: nn.Module, path: Path, camera: int | None = None) -> None:
        """Give a network these weights, which come from `path`.

        Args:
            network: of the cameras.
            path: for messages.
            camera: whose network it is; None: that of the whole team.

        Raises:
            CheckpointError: they are not those of the configuration that is stored with them.
        """
        weights = self.weights if camera is None else self.weights_of(camera)
        try:
            network.load_state_dict(weights)
        except (RuntimeError, TypeError, AttributeError) as error:
            msg = f"{path}: the weights do not fit the configuration stored with them"
            raise CheckpointError(msg) from error

    def check_team(self, path: Path, n_cameras: int) -> None:
        """Check that the weights, which come from `path`, can play in a team of `n_cameras`.

        Raises:
            ValueError: they are bound to another number of cameras.
        """
        identity = self.weights.get(_IDENTITY)
        if identity is not None and len(identity) != n_cameras:
            msg = (
                f"{path}: trained with network.q_network.camera_identity = 'index' and "
                f"{len(identity)} cameras; cannot play with {n_cameras}"
            )
            raise ValueError(msg)

    def check_sizes(self, path: Path, dims: ModelDims) -> None:
        """Check that the weights, which come from `path`, can play with sizes `dims`.

        Raises:
            ValueError: they are bound to another observation or to other actions.
        """
        if self.config.network.q_network.encoding != "flat":
            return
        obs_size = self.weights["encoder.context_layer.weight"].shape[1]
        n_actions = self.weights["head.layer.weight"].shape[0]
        if (obs_size, n_actions) != (dims.obs_size, dims.n_actions):
            msg = (
                f"{path}: trained with network.q_network.encoding = 'flat', observations of "
                f"{obs_size} numbers and {n_actions} actions; cannot play with {dims.obs_size} "
                f"and {dims.n_actions}"
            )
            raise ValueError(msg)

    def weights_of(self, camera: int) -> dict[str, Tensor]:
        """Return weights for a network of this one camera of the team."""
        identity = self.weights.get(_IDENTITY)
        if identity is None:
            return self.weights
        return self.weights | {_IDENTITY: identity[camera : camera + 1]}


def export_policy(source: Path, output: Path) -> TrainedPolicy:
    """Write a checkpoint's cameras alone, without what only training needs; return them.

    The file is a checkpoint that plays wherever its source does and from which training cannot go
    on. Folders of the machine that trained are left out of its configuration.

    Raises:
        CheckpointError: the source is missing, damaged or foreign.
        OSError: the file cannot be written.
    """
    policy = load_policy(source)
    content: dict[str, Any] = {
        "timestep": policy.timestep,
        "config": policy.config.model_dump(mode="json", exclude=_OF_THE_MACHINE),
        "training": {"learner": {"ema": policy.weights}},
    }
    if policy.scenario is not None:
        content["scenario"] = policy.scenario.to_mapping()
    save_checkpoint(output, content)
    return policy


def load_policy(path: Path) -> TrainedPolicy:
    """Return the cameras of a training run's checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: its configuration is not valid.
    """
    content = load_checkpoint(path)
    try:
        config = config_from_stored(content["config"], str(path))
        timestep, learner = content["timestep"], content["training"]["learner"]
        weights = _renamed(cameras_of(learner))
    except KeyError as error:
        msg = f"{path}: not a checkpoint of a training run ({error} is missing)"
        raise CheckpointError(msg) from error
    except (TypeError, AttributeError) as error:
        msg = f"{path}: not a checkpoint of a training run ({error})"
        raise CheckpointError(msg) from error
    if type(timestep) is not int or not 0 <= timestep < _MOST_FRAMES:
        msg = f"{path}: damaged: timestep = {timestep!r:.40}; expected a number of frames"
        raise CheckpointError(msg)
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f"{path}: damaged: weights that are no tensors")
    policy = TrainedPolicy(config, timestep, weights, stored_scenario(content, path))
    hrl = config.network.hrl
    reacts = any(name.startswith(_FAST_LEVEL) for name in policy.weights)
    if reacts != (hrl.fast_interval < hrl.frame_skip):
        msg = (
            f"{path}: network.hrl.frame_skip = {hrl.frame_skip}, fast_interval = "
            f"{hrl.fast_interval}, but the weights are those of an older version, whose clocks had "
            "another meaning; train again, or play it with the version that trained it"
        )
        raise CheckpointError(msg)
    return policy


# Any: a checkpoint is a tree of many types.
def stored_scenario(content: Mapping[str, Any], path: Path) -> Scenario | None:
    """Return the world in a checkpoint; None in files that have none.

    Raises:
        CheckpointError: it is no valid scenario.
    """
    stored = content.get("scenario")
    if stored is None:
        return None
    try:
        if not isinstance(stored, dict):
            raise ScenarioError("no mapping")
        scenario = Scenario.from_mapping(stored)
        reason = scenario.impossible_placement()
    except ScenarioError as error:
        raise CheckpointError(f"{path}: damaged: its scenario is not valid: {error}") from error
    if reason is not None:
        raise CheckpointError(f"{path}: damaged: its scenario is not valid: {reason}")
    return scenario


def cameras_of(learner: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the weights that evaluation plays, from the state of a learner.

    Raises:
        KeyError: it is none.
    """
    for name in ("ema", "average"):  # the second one in files of version 0.1
        if name in learner:
            return dict(learner[name])
    return {
        name[len(_PREFIX) :]: value
        for name, value in learner["model"].items()
        if name.startswith(_PREFIX)
    }


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the names of today's layers."""
    result = {}
    for name, value in weights.items():
        for old, new in _RENAMED.items():
            if name.startswith(old):
                name = new + name.removeprefix(old)
        result[name] = value
    return result
