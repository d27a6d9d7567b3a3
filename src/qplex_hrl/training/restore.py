"""Checks of what a training run restores from a checkpoint, before anything uses it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from torch import Tensor

from qplex_hrl.evaluation.policy_file import cameras_of
from qplex_hrl.storage.stored_values import check_weights, mapping_of, number_of, whole_number_of
from qplex_hrl.training.loop import Counters
from qplex_hrl.training.progress import History

_MOST_OWED = 10**6  # updates; a run does those that it owes before it does anything else


def check_training(value: object) -> None:
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


def history_of(value: object) -> History:
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
def pending_of(value: object, own: Mapping[str, Tensor]) -> dict[str, Any] | None:
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
    history_of(pending.get("history"))
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
