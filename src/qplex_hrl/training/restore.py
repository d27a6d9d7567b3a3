"""What training goes on from: a checkpoint and the replay beside it, checked before use."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from camsim.scenario.schema import Scenario
from qplex_hrl.config import RunConfig, config_from_stored
from qplex_hrl.evaluation.policy_file import stored_scenario
from qplex_hrl.storage.checkpoint import (
    OLDEST_TRAINING,
    CheckpointError,
    checkpoints_in,
    fingerprint,
    load_arrays,
    load_checkpoint,
    newest_intact,
)
from qplex_hrl.training.progress import History
from qplex_hrl.training.run_folder import find_checkpoint, replay_beside

__all__ = ["SavedRun", "find_saved_run", "read_saved_run"]

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

    A replay that is gone was deleted, and does not matter unless a newer one is damaged.

    Raises:
        CheckpointError: there is none.
    """
    damaged: CheckpointError | None = None
    for path in checkpoints_in(Path(folder)):
        try:
            content = load_checkpoint(path)
        except CheckpointError as error:
            _LOG.warning("skipped: %s", error)
            continue
        try:
            gone = bool(content.get("replay_saved")) and _replay_of(path, content) is None
        except CheckpointError as error:
            _LOG.warning("skipped: %s", error)
            damaged = damaged or error
            continue
        if damaged is None or not gone:
            return path
    if damaged is not None:
        raise damaged
    raise CheckpointError(f"{folder}: no intact checkpoint (qplex_hrl_<timestep>.pth)")


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
        state, history, has_replay, stored = (
            content[key] for key in ("training", "history", "replay_saved", "config")
        )
        n_saved = len(state["rollout"]["agent"]["decision_index"])
        known = History(**history)
    except (KeyError, TypeError) as error:
        msg = f"{path}: not a checkpoint that training can go on from ({error} is missing)"
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
    replay = _replay_of(path, content) if wanted else None
    if replay is None:
        _LOG.warning("no replay is read with %s: it is filled anew before learning goes on", path)
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
    try:
        arrays = load_arrays(replay)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {_WITHOUT_REPLAY}") from error
    expected = content.get("replay")  # not in files before version 3
    if expected is not None and fingerprint(replay) != expected:
        msg = f"{replay}: not the replay that was saved with {path}; {_WITHOUT_REPLAY}"
        raise CheckpointError(msg)
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
