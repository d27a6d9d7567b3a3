"""What training goes on from: a checkpoint and the replay beside it, checked before use."""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from camsim.scenario.schema import Scenario
from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.policy_file import cameras_of, stored_scenario
from qplex_hrl.storage.checkpoint import (
    OLDEST_TRAINING,
    CheckpointError,
    fingerprint,
    load_arrays,
    load_checkpoint,
)
from qplex_hrl.storage.stored_values import check_weights, mapping_of, number_of, whole_number_of
from qplex_hrl.training.loop import Counters
from qplex_hrl.training.progress import History
from qplex_hrl.training.run_folder import replay_beside

__all__ = ["SavedRun", "read_saved_run"]

_MOST_OWED = 10**6  # updates; a run does those that it owes before it does anything else
_LOG = logging.getLogger(__name__)


class SavedRun(NamedTuple):
    """A run as it was when its checkpoint was written."""

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    training: dict[str, Any]  # see `TrainingLoop.state_dict`
    history: History
    replay: dict[str, NDArray[Any]] | None  # None: it is filled anew
    needs_new_episodes: bool  # there were more or fewer environments
    pending: dict[str, Any] | None  # content of the checkpoint whose evaluation was under way


def read_saved_run(
    path: Path, config: RunConfig, scenario: Scenario, cameras: Mapping[str, Tensor]
) -> SavedRun:
    """Return the run in a checkpoint.

    Args:
        path: the checkpoint.
        config: of the run that goes on.
        scenario: that its environments are made from.
        cameras: weights of its cameras' network, for their names and shapes.

    Raises:
        CheckpointError: checkpoint or replay is damaged, foreign, or not of a training run.
        ValueError: it was trained in another world.
    """
    content = load_checkpoint(path, oldest=OLDEST_TRAINING)
    try:
        state, history, has_replay = (
            content[key] for key in ("training", "history", "replay_saved")
        )
    except KeyError as error:
        msg = f"{path}: not a checkpoint that training can go on from ({error} is missing)"
        raise CheckpointError(msg) from error
    try:
        _check_training(state)
        n_saved = len(state["rollout"]["agent"]["decision_index"])
        known = _history_of(history)
        pending = _pending_of(content.get("pending_evaluation"), cameras)
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path}: damaged: {error}".replace("\n", " ")
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
    return SavedRun(state, known, replay, other, pending)


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


def _check_training(value: object) -> None:
    """Check counters and generators of a training loop; its other parts check themselves.

    Raises:
        ValueError: a part is missing or has another type or range; one line.
    """
    state = mapping_of(value, "training")
    mapping_of(state.get("learner"), "training.learner")
    for name in ("learner", "rollout", "counters", "generators"):
        if name not in state:
            raise ValueError(f"training.{name} is missing")
    rollout = mapping_of(state["rollout"], "training.rollout")
    for name in ("agent", "env"):
        mapping_of(rollout.get(name), f"training.rollout.{name}")
    _check_counters(state["counters"])
    generators = state["generators"]
    if not isinstance(generators, list):
        raise ValueError("training.generators is no list")
    for index, generator in enumerate(generators):
        _check_generator(generator, f"training.generators[{index}]")


def _history_of(value: object) -> History:
    """Return the milestones of a run.

    Raises:
        ValueError: a part is missing or has another type or range; one line.
    """
    # Any: the parts of a dataclass by name, each of its own type.
    history: dict[str, Any] = dict(mapping_of(value, "history"))
    unknown = history.keys() - {each.name for each in fields(History)}
    if unknown:
        raise ValueError(f"history.{min(unknown)} is not known")
    for name in ("logged", "evaluated", "saved"):
        whole_number_of(history.get(name), f"history.{name}")
    number_of(history.get("wall_time_seconds"), "history.wall_time_seconds")
    for name, most in (("best_coverage", 1.0), ("seconds_to_coverage", 1e15)):
        if history.get(name) is not None:
            number_of(history[name], f"history.{name}", most)
    evaluations = history.get("evaluations")
    if not isinstance(evaluations, list):
        raise ValueError("history.evaluations is no list")
    for index, each in enumerate(evaluations):
        place = f"history.evaluations[{index}]"
        evaluation = mapping_of(each, place)
        whole_number_of(evaluation.get("timestep"), f"{place}.timestep")
        number_of(evaluation.get("mean_coverage_rate"), f"{place}.mean_coverage_rate", 1.0)
    return History(**history)


# Any: a checkpoint is a tree of arrays, tensors and plain values.
def _pending_of(value: object, own: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Return the content of the evaluation that is to begin anew, if there is one.

    Args:
        value: of the checkpoint.
        own: weights of this run's cameras.

    Raises:
        ValueError: a part is missing or has another type or range; one line.
    """
    if value is None:
        return None
    pending: dict[str, Any] = dict(mapping_of(value, "pending_evaluation"))
    whole_number_of(pending.get("timestep"), "pending_evaluation.timestep")
    _history_of(pending.get("history"))
    try:
        weights = cameras_of(pending["training"]["learner"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError("pending_evaluation holds no cameras") from error
    check_weights(weights, own, "pending_evaluation")
    return pending


def _check_counters(value: object) -> None:
    counters = mapping_of(value, "training.counters")
    names = {each.name for each in fields(Counters)}
    if counters.keys() != names:
        odd = min(counters.keys() ^ names)
        raise ValueError(f"training.counters.{odd} is missing or not known")
    for name in sorted(names - {"updates_owed"}):
        whole_number_of(counters[name], f"training.counters.{name}")
    number_of(counters["updates_owed"], "training.counters.updates_owed", _MOST_OWED)


def _check_generator(value: object, place: str) -> None:
    state = mapping_of(value, place)
    if state.get("bit_generator") != np.random.PCG64.__name__:
        raise ValueError(f"{place}.bit_generator is not {np.random.PCG64.__name__}")
    numbers = mapping_of(state.get("state"), f"{place}.state")
    for name in ("state", "inc"):
        whole_number_of(numbers.get(name), f"{place}.state.{name}", 2**128 - 1)
    whole_number_of(state.get("has_uint32"), f"{place}.has_uint32", 1)
    whole_number_of(state.get("uinteger"), f"{place}.uinteger", 2**32 - 1)
