"""What training goes on from: a checkpoint and the replay beside it, checked before use."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from camsim.scenario.schema import Scenario
from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.policy_file import stored_scenario
from qplex_hrl.storage.checkpoint import (
    OLDEST_TRAINING,
    CheckpointError,
    fingerprint,
    load_arrays,
    load_checkpoint,
)
from qplex_hrl.training.progress import History
from qplex_hrl.training.run_folder import replay_beside

__all__ = ["SavedRun", "read_saved_run"]

_LOG = logging.getLogger(__name__)


class SavedRun(NamedTuple):
    """A run as it was when its checkpoint was written."""

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    training: dict[str, Any]  # see `TrainingLoop.state_dict`
    history: History
    replay: dict[str, NDArray[Any]] | None  # None: it is filled anew
    needs_new_episodes: bool  # there were more or fewer environments
    pending: dict[str, Any] | None  # content of the checkpoint whose evaluation was under way


def read_saved_run(path: Path, config: RunConfig, scenario: Scenario) -> SavedRun:
    """Return the run in a checkpoint.

    Args:
        path: the checkpoint.
        config: of the run that goes on.
        scenario: that its environments are made from.

    Raises:
        CheckpointError: checkpoint or replay is damaged, foreign, or not of a training run.
        ValueError: it was trained in another world.
    """
    content = load_checkpoint(path, oldest=OLDEST_TRAINING)
    try:
        state, history, has_replay = (
            content[key] for key in ("training", "history", "replay_saved")
        )
        n_saved = len(state["rollout"]["agent"]["decision_index"])
        known = History(**history)
    except (KeyError, TypeError) as error:
        msg = f"{path}: not a checkpoint that training can go on from ({error} is missing)"
        raise CheckpointError(msg) from error
    _check_world(path, content, scenario, config.env.scenario)
    n_envs = config.env.num_envs
    other = n_saved != n_envs
    if other:
        _LOG.warning(
            "%s has %d environments, this run %d: the episodes begin anew", path, n_saved, n_envs
        )
    replay = _replay_of(path, content) if has_replay and not other else None
    if replay is None:
        _LOG.warning("no replay beside %s: it is filled anew before learning goes on", path)
    return SavedRun(state, known, replay, other, content.get("pending_evaluation"))


# Any: a checkpoint is a tree of many types.
def _replay_of(path: Path, content: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
    """Return the replay that was saved with a checkpoint; None if it is gone.

    Raises:
        CheckpointError: it is damaged, or another one.
    """
    replay = replay_beside(path)
    if not replay.exists():
        return None
    arrays = load_arrays(replay)
    expected = content.get("replay")  # not in files before version 3
    if expected is not None and fingerprint(replay) != expected:
        raise CheckpointError(f"{replay}: not the replay that was saved with {path}")
    return arrays


def _check_world(path: Path, content: Mapping[str, Any], scenario: Scenario, name: str) -> None:
    """Check that the scenario is what it was, of which a configuration has only the name.

    Raises:
        ValueError: it has changed.
    """
    stored = stored_scenario(content, path)
    if stored is not None and stored.fingerprint() != scenario.fingerprint():
        msg = (
            f"{path}: trained in another world than env.scenario = '{name}' is now; "
            f"`qplex-hrl scenarios show {path}` prints that world, and "
            f"--set training.initial_weights={path} begins anew in this one"
        )
        raise ValueError(msg)
