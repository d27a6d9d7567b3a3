"""The memory and the disk that a run needs, known before anything large is allocated."""

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import build_env, model_dims
from qplex_hrl.data.replay import ReplaySizes, decision_bytes
from qplex_hrl.evaluation.players import environment_shares
from qplex_hrl.model import build_model
from qplex_hrl.runtime.memory import available_memory

__all__ = ["Budget", "budget_of", "check_budget", "existing_folder", "sum_of_arrays"]

LIBRARIES = 530_000_000
"""Bytes of interpreter, packages and compiled kernels; 400 MB more while kernels are compiled."""

_STORED_WEIGHTS = 5  # in a checkpoint: model, target, two moments of the optimiser, average
_LIVE_WEIGHTS = 8  # the same, gradient, collector, evaluation's player
_STATES = 3  # in memory: best checkpoint, pending evaluation, the copy that is being written
_PASSES = 2.8  # of the arrays of a batch: what backward keeps, gradients; measured
_OF_A_ROW, _OF_AN_EVALUATION, _OF_A_VIDEO = 25_000, 15_000, 1_000_000  # bytes of logs, about

MakeEnv = Callable[[RunConfig, int], SelectionEnv]


class Budget(NamedTuple):
    """What a run needs."""

    memory: dict[str, int]  # bytes by part
    disk: dict[str, int]

    def __str__(self) -> str:
        """Return both in words."""
        return f"about {_told(self.memory)} of memory and {_told(self.disk)} of disk"


def budget_of(config: RunConfig, make_env: MakeEnv = build_env, n_workers: int = 0) -> Budget:
    """Return what a run needs; worlds of one and two environments tell the sizes.

    Environments, replay and the state of checkpoints are exact; libraries and what a batch takes on
    its way through the networks were measured: `qplex-hrl benchmark budget`.

    Args:
        config: of the run.
        make_env: makes that many environments of the configured world.
        n_workers: processes of this machine, beside this one, that collect.
    """
    env, two = make_env(config, 1), make_env(config, 2)
    base = sum_of_arrays(env)
    each = sum_of_arrays(two) - base
    evaluation = config.evaluation
    shares = environment_shares(
        evaluation.num_envs, max(evaluation.episodes, evaluation.final_episodes)
    )
    environments = sum(base + (n - 1) * each for n in (config.env.num_envs, *shares))

    with torch.device("meta"):  # has shapes, but no numbers
        model = build_model(
            model_dims(env), torch.from_numpy(env.selection_bits).to("meta"), config.network
        )
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    sizes = ReplaySizes(
        n_envs=1,
        n_agents=env.n_agents,
        n_actions=env.n_actions,
        obs_size=env.obs_size,
        state_size=env.state_size,
        recurrent_size=model.agent.recurrent_size,
    )
    # The ring has whole rows of all environments.
    rows = math.ceil(config.training.buffer_size / config.env.num_envs)
    replay = rows * config.env.num_envs * decision_bytes(sizes)
    stored, stored_two = (sum_of_arrays(world.state_dict()) for world in (env, two))
    state = _STORED_WEIGHTS * weights + stored
    state += (config.env.num_envs - 1) * (stored_two - stored)
    kept = config.logging
    n_replays = kept.keep_replays + 1 if config.training.save_replay else 0
    return Budget(
        memory={
            "replay": replay,
            "environments": environments,
            "batch": _batch_bytes(config, sizes),
            "weights": _LIVE_WEIGHTS * weights,
            "checkpoints": _STATES * state,
            "libraries": LIBRARIES,
            "workers": n_workers * LIBRARIES,
        },
        disk={
            "replays": n_replays * replay,
            # Numbered ones, one of them new, hold the state of a pending evaluation, too. The best
            # one does not; the final one is written when there is no new one.
            "checkpoints": (2 * (kept.keep_checkpoints + 1) + 1) * state,
            "metrics": _metrics_bytes(config),
        },
    )


def check_budget(config: RunConfig, make_env: MakeEnv = build_env, n_workers: int = 0) -> str:
    """Return in one line what a run needs and what is free; arguments as for `budget_of`.

    Raises:
        ValueError: it does not fit; the message says what to lower.
    """
    budget = budget_of(config, make_env, n_workers)
    training, logging = config.training, config.logging
    free = _or_none(available_memory)
    # This process has its packages already.
    if free is not None and sum(budget.memory.values()) - LIBRARIES > free:
        keys = {
            "replay": f"training.buffer_size ({training.buffer_size})",
            "environments": f"env.num_envs ({config.env.num_envs})",
            "batch": f"training.batch_size ({training.batch_size})",
            "weights": f"network.q_network.hidden_size ({config.network.q_network.hidden_size})",
            "workers": f"ray.num_workers ({config.ray.num_workers})",
        }
        raise ValueError(_refusal("memory", budget.memory, free, keys))
    free_disk = _free_disk(Path(logging.model_dir))
    if free_disk is not None and sum(budget.disk.values()) > free_disk:
        keys = {
            "replays": f"training.buffer_size ({training.buffer_size})",
            "checkpoints": f"logging.keep_checkpoints ({logging.keep_checkpoints})",
        }
        where = f"disk below {existing_folder(Path(logging.model_dir))}"
        raise ValueError(_refusal(where, budget.disk, free_disk, keys))
    rows, free_for_rows = {"metrics": budget.disk["metrics"]}, _free_disk(Path(logging.log_dir))
    if free_for_rows is not None and rows["metrics"] > free_for_rows:
        where = f"disk below {existing_folder(Path(logging.log_dir))}"
        keys = {"metrics": f"training.total_timesteps ({training.total_timesteps})"}
        raise ValueError(_refusal(where, rows, free_for_rows, keys))
    return f"needs {budget}; {_free(free)} and {_free(free_disk)} are free"


def _free_disk(folder: Path) -> int | None:
    """Return the bytes that a run can write there: what is free, and what it will replace.

    A run that goes on has files already, which it deletes as new ones come.
    """
    own = sum(path.stat().st_size for path in folder.glob("qplex_hrl_*") if path.is_file())
    return _or_none(lambda: shutil.disk_usage(existing_folder(folder)).free + own)


def _refusal(of_what: str, parts: Mapping[str, int], free: int, keys: Mapping[str, str]) -> str:
    largest = sorted(keys, key=lambda name: -parts[name])[:2]
    if 10 * parts[largest[-1]] < parts[largest[0]]:  # it would not help
        largest = largest[:1]
    return (
        f"this run needs {_told(parts)} of {of_what}; {_size(free)} are free: "
        f"lower {' or '.join(keys[name] for name in largest)}"
    )


def _told(parts: Mapping[str, int]) -> str:
    whole = sum(parts.values())
    told = ", ".join(f"{name} {_size(size)}" for name, size in parts.items() if 20 * size > whole)
    return f"{_size(whole)} ({told})"


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.0f} MB"


def _free(size: int | None) -> str:
    return "an unknown amount" if size is None else _size(size)


def _metrics_bytes(config: RunConfig) -> int:
    """Return the bytes of rows, events, evaluations and videos; from above."""
    logging, frames = config.logging, config.training.total_timesteps
    n_evaluations = frames // config.evaluation.eval_interval + 2
    n_videos = n_evaluations // logging.video_every if logging.video_every else 0
    n_rows = frames // logging.log_interval + 2
    return _OF_A_ROW * n_rows + _OF_AN_EVALUATION * n_evaluations + _OF_A_VIDEO * n_videos


def _batch_bytes(config: RunConfig, sizes: ReplaySizes) -> int:
    """Return the bytes of a batch and of what its two passes keep; about."""
    training = config.training
    window = training.burn_in + training.sequence_length + 1
    hidden = config.network.q_network.hidden_size
    # As float32 and half, and once more inside the networks; 12 layers of each camera's width.
    per_camera = 12 * hidden + 3 * sizes.obs_size + 6 * sizes.n_actions
    floats = sizes.n_agents * per_camera + 3 * sizes.state_size
    return round(_PASSES * 4 * training.batch_size * window * floats)


def sum_of_arrays(thing: object) -> int:
    """Return the bytes of all arrays that an object holds, each counted once."""
    return sum(array.nbytes for array in {id(a): a for a in _arrays(thing, set())}.values())


# Any: whatever an environment is made of.
def _arrays(thing: Any, seen: set[int]) -> Iterator[NDArray[Any]]:
    """Yield the arrays that own the memory of those within ``thing``."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        while isinstance(thing.base, np.ndarray):
            thing = thing.base
        yield thing
        return
    for part in _parts(thing):
        yield from _arrays(part, seen)


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, (tuple, list)):
        return list(thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        return [getattr(thing, each.name) for each in fields(thing)]
    if type(thing).__module__.startswith(("camsim", "camcontrol", "qplex_hrl")):
        return list(getattr(thing, "__dict__", {}).values())
    return []


def existing_folder(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    whole = folder.absolute()
    return next(each for each in (whole, *whole.parents) if each.exists())


def _or_none(ask: Callable[[], int]) -> int | None:
    """Return what the machine says, None if it does not know."""
    try:
        return ask()
    except (AttributeError, OSError, ValueError):
        return None
