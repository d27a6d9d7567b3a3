"""What training goes on from: a checkpoint and the replay beside it, checked before use."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from camsim.scenario.schema import Scenario
from qplex_hrl.config import RunConfig, config_from_stored
from qplex_hrl.evaluation.policy_file import cameras_of, stored_scenario
from qplex_hrl.storage.checkpoint import (
    OLDEST_TRAINING,
    CheckpointError,
    check_fingerprint,
    check_replay,
    checkpoints_in,
    load_arrays,
    load_checkpoint,
    newest_intact,
)
from qplex_hrl.storage.stored_values import check_weights, mapping_of, number_of, whole_number_of
from qplex_hrl.training.loop import Counters
from qplex_hrl.training.progress import History
from qplex_hrl.training.run_folder import find_checkpoint, replay_beside

__all__ = ["SavedRun", "find_saved_run", "read_saved_run"]

_MOST_OWED = 10**6  # updates; a run does those that it owes before it does anything else
_WITHOUT_REPLAY = (
    "--set training.save_replay=false goes on from the checkpoint, with an empty replay"
)
_LOG = logging.getLogger(__name__)


_NETWORK = "the weights are of another network"
_SEEN = "observations and actions would have another meaning"
_CLOCKS = "the decisions under way have another length"
_CHANGES: Mapping[str, str | None] = {
    "env.shared_field_of_view": _SEEN,
    "env.enhanced_observation": _SEEN,
    "env.action_mode": _SEEN,
    "env.action_levels": _SEEN,
    "control": _SEEN,
    "network.hrl.frame_skip": _CLOCKS,
    "network.hrl.fast_interval": _CLOCKS,
    "network.hrl.multi_selection": _SEEN,
    "network.q_network": _NETWORK,
    "network.state_encoder": _NETWORK,
    "network.mixing_network": _NETWORK,
    "training.seed": "the random numbers go on from where they were",
    "env.scenario": None,  # the world itself is compared
    "env.opponent": None,
    "env.num_envs": None,
    "env.max_episode_steps": None,
    "env.message_loss": None,
    "env.min_baseline_deg": None,
    "network.hrl.reaction_margin": None,
    "network.hrl.coverage_reward_weight": None,
    "network.hrl.selection_entropy_weight": None,
    "network.hrl.exploration_bonus": None,
    "network.hrl.reward_coefficients": None,
    "algorithm": None,
    "training": None,
    "logging": None,
    "evaluation": None,
    "ray": None,
}
"""Keys or sections, and why a saved run cannot go on if one changes; None: it can. The first that
fits counts."""


class SavedRun(NamedTuple):
    """A run as it was when its checkpoint was written."""

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    training: dict[str, Any]  # see `TrainingLoop.state_dict`
    history: History
    replay: dict[str, NDArray[Any]] | None  # None: it is filled anew
    needs_new_episodes: bool  # there were more or fewer environments
    pending: dict[str, Any] | None  # content of the checkpoint whose evaluation was under way


def find_saved_run(path: Path, config: RunConfig) -> Path:
    """Return the checkpoint that a training goes on from.

    Args:
        path: the checkpoint itself, a folder of checkpoints or a log folder. Of a folder it is the
            newest intact one whose replay is intact; others are skipped with a warning. Without
            ``training.save_replay`` replays do not matter.
        config: of the run that goes on.

    Raises:
        CheckpointError: there is none, or there are only some with damaged replays.
    """
    return find_checkpoint(path, _newest_complete if config.training.save_replay else newest_intact)


def _newest_complete(folder: str | Path) -> Path:
    """Return the newest intact checkpoint whose replay is intact.

    A replay that is gone was deleted, and does not matter unless something newer is damaged: then
    an empty replay would be the user's surprise.

    Raises:
        CheckpointError: there is none.
    """
    damaged: CheckpointError | None = None
    without_replay = False
    for path in checkpoints_in(Path(folder)):
        try:
            content = load_checkpoint(path)
        except CheckpointError as error:
            _LOG.warning("skipped: %s", error)
            damaged = damaged or error
            continue
        saved, replay = bool(content.get("replay_saved")), replay_beside(path)
        gone = saved and not replay.exists()
        try:
            if saved and not gone:
                check_replay(replay, content.get("replay"))
        except CheckpointError as error:
            _LOG.warning("skipped: %s", error)
            damaged, without_replay = damaged or error, True
            continue
        if damaged is None or not gone:
            return path
        _LOG.warning("skipped: %s: its replay is gone", path)
        without_replay = True
    if without_replay:
        raise CheckpointError(f"{damaged}; {_WITHOUT_REPLAY}")
    raise CheckpointError(f"{folder}: no intact checkpoint (qplex_hrl_<timestep>.pth)")


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
        state, history, has_replay, stored = (
            content[key] for key in ("training", "history", "replay_saved", "config")
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
    _check_changes(path, stored, config)
    n_envs = config.env.num_envs
    other = n_saved != n_envs
    if other:
        _LOG.warning(
            "%s has %d environments, this run %d: the episodes begin anew", path, n_saved, n_envs
        )
    wanted = has_replay and not other and config.training.save_replay
    replay = _replay_of(path, content, f"; {_WITHOUT_REPLAY}") if wanted else None
    if replay is None:
        _LOG.warning("no replay is read with %s: it is filled anew before learning goes on", path)
    return SavedRun(state, known, replay, other, pending)


# Any: a checkpoint is a tree of many types.
def _replay_of(
    path: Path, content: Mapping[str, Any], way_out: str
) -> dict[str, NDArray[Any]] | None:
    """Return the replay that was saved with a checkpoint; None if it is gone.

    Args:
        path: the checkpoint.
        content: its own.
        way_out: what an error ends with.

    Raises:
        CheckpointError: it is damaged, or another one.
    """
    replay = replay_beside(path)
    if not replay.exists():
        return None
    try:
        check_fingerprint(replay, content.get("replay"))
        return load_arrays(replay)  # compares the check sums
    except CheckpointError as error:
        raise CheckpointError(f"{error}{way_out}") from error


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


def _check_changes(path: Path, stored: Mapping[str, Any], config: RunConfig) -> None:
    """Log what the configuration changes.

    Raises:
        ValueError: a change that the saved run cannot go on with.
    """
    old = config_from_stored(stored, str(path))
    before, now = (dict(_values(each.model_dump(mode="json"))) for each in (old, config))
    changed = [key for key in before | now if before.get(key) != now.get(key)]
    for key in changed:
        reason = _refusal(key)
        if reason is not None:
            msg = (
                f"{path}: {key} was {before.get(key)!r} and is {now.get(key)!r} now: {reason}; "
                f"keep the old value, or begin anew"
            )
            raise ValueError(msg)
    for key in changed:
        was, new = before.get(key), now.get(key)
        _LOG.warning("resumed with %s changed from %r to %r", key, was, new)


def _refusal(key: str) -> str | None:
    """Return why a saved run cannot go on when a key changes; None: it can."""
    for known, reason in _CHANGES.items():
        if key == known or key.startswith(f"{known}."):
            return reason
    return None


def _values(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give every value of nested mappings with its dotted key."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
