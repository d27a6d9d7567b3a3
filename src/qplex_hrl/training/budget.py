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

LIBRARIES = 550_000_000
"""Bytes of interpreter, packages and compiled kernels."""

_COPIES_OF_WEIGHTS = 5  # in a checkpoint: model, target, two moments of the optimiser, average
_MORE_COPIES = 4  # in memory: gradient, player, collector, the content of the best checkpoint
_METRICS = 50_000_000  # of all rows, messages and figures

MakeEnv = Callable[[RunConfig, int], SelectionEnv]


class Budget(NamedTuple):
    """What a run needs."""

    memory: dict[str, int]  # bytes by part
    disk: dict[str, int]

    def __str__(self) -> str:
        """Return both in words."""
        return f"about {_told(self.memory)} of memory and {_told(self.disk)} of disk"


def budget_of(config: RunConfig, make_env: MakeEnv = build_env) -> Budget:
    """Return what a run needs; worlds of one and two environments tell the sizes.

    Environments and replay are exact. Weights are counted for networks of this package. The batch
    is an estimate from above: its arrays, and what the backward pass keeps of them.
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
    checkpoint = _COPIES_OF_WEIGHTS * weights + environments
    kept = config.logging
    n_replays = kept.keep_replays + 1 if config.training.save_replay else 0
    return Budget(
        memory={
            "replay": replay,
            "environments": environments,
            "batch": _batch_bytes(config, sizes),
            "weights": (_COPIES_OF_WEIGHTS + _MORE_COPIES) * weights,
            "libraries": LIBRARIES,
        },
        disk={
            "replays": n_replays * replay,
            "checkpoints": (kept.keep_checkpoints + 3) * checkpoint,  # best, final, half-written
            "metrics": _METRICS,
        },
    )


def check_budget(config: RunConfig, make_env: MakeEnv = build_env) -> str:
    """Return in one line what a run needs and what is free.

    Raises:
        ValueError: it does not fit; the message says what to lower.
    """
    budget = budget_of(config, make_env)
    free = _or_none(available_memory)
    folder = existing_folder(Path(config.logging.model_dir))
    free_disk = _or_none(lambda: shutil.disk_usage(folder).free)
    # This process has its packages already.
    wanted = sum(budget.memory.values()) - LIBRARIES
    if free is not None and wanted > free:
        training = config.training
        keys = {
            "replay": f"training.buffer_size ({training.buffer_size})",
            "environments": f"env.num_envs ({config.env.num_envs})",
            "batch": f"training.batch_size ({training.batch_size})",
            "weights": f"network.q_network.hidden_size ({config.network.q_network.hidden_size})",
        }
        raise ValueError(_refusal("memory", budget.memory, free, keys))
    if free_disk is not None and sum(budget.disk.values()) > free_disk:
        keys = {
            "replays": f"training.buffer_size ({config.training.buffer_size})",
            "checkpoints": f"logging.keep_checkpoints ({config.logging.keep_checkpoints})",
        }
        raise ValueError(_refusal(f"disk below {folder}", budget.disk, free_disk, keys))
    return f"needs {budget}; {_free(free)} and {_free(free_disk)} are free"


def _refusal(of_what: str, parts: Mapping[str, int], free: int, keys: Mapping[str, str]) -> str:
    largest = sorted(keys, key=lambda name: -parts[name])[:2]
    return (
        f"this run needs {_told(parts)} of {of_what}; {free / 1e9:.1f} GB are free: "
        f"lower {' or '.join(keys[name] for name in largest)}"
    )


def _told(parts: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size >= 5e7)
    return f"{sum(parts.values()) / 1e9:.1f} GB ({told})"


def _free(size: int | None) -> str:
    return "an unknown amount" if size is None else f"{size / 1e9:.0f} GB"


def _batch_bytes(config: RunConfig, sizes: ReplaySizes) -> int:
    """Return the bytes of a batch and of what the backward pass keeps; from above."""
    training = config.training
    window = training.burn_in + training.sequence_length + 1
    hidden = config.network.q_network.hidden_size
    # As float32 and half, and once more inside the networks; 12 layers of each camera's width.
    per_camera = 12 * hidden + 3 * sizes.obs_size + 6 * sizes.n_actions
    floats = sizes.n_agents * per_camera + 3 * sizes.state_size
    return 4 * training.batch_size * window * floats


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
