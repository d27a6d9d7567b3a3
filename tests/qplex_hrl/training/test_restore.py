"""Crafted checkpoints: each gives an error of one line, or training goes on."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import CPU, make_fake_env, tiny_config

from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.storage.checkpoint import load_checkpoint, save_checkpoint
from qplex_hrl.training.loop import TrainingLoop
from qplex_hrl.training.restore import check_training, history_of
from qplex_hrl.training.run import TrainingRun

FORMAT_2 = Path(__file__).parents[2] / "data" / "checkpoint_format_2.pth"

WORSE: list[Callable[[Any], Any]] = [
    lambda _: None,
    lambda _: "text",
    lambda _: {"a": 1},
    lambda _: [1],
    lambda _: -1,
    lambda _: 10**30,
    lambda _: float("nan"),
    lambda _: float("inf"),
    lambda _: torch.zeros(0),
    lambda _: np.full((2, 3), 1e9),
    lambda old: old.double() if isinstance(old, torch.Tensor) else 0.5,
    lambda old: old[None] if isinstance(old, torch.Tensor) else True,
    lambda old: -old.abs() - 1 if isinstance(old, torch.Tensor) else -0.5,
]


def leaves(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the places of all values, containers included."""
    if place:
        yield place
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    if isinstance(tree, dict | list):
        for key, value in items:
            if isinstance(value, dict | list):
                yield from leaves(value, (*place, key))
            else:
                yield (*place, key)


def parent_of(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        tree = tree[key]
    return tree


def tiny_run(folder: Path) -> TrainingRun:
    config = tiny_config(folder)
    loop = TrainingLoop(config, make_fake_env(config, 4), CPU)  # type: ignore[arg-type]
    return TrainingRun(config, loop, [], None, evaluate_beside=False)  # type: ignore[arg-type]


def test_a_training_of_format_2_goes_on(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    run.restore(FORMAT_2)
    stored = load_checkpoint(FORMAT_2)
    assert run.timestep == stored["timestep"] > 0
    own = run._loop.learner.state_dict()["model"]
    assert all(
        torch.equal(own[name], value)
        for name, value in stored["training"]["learner"]["model"].items()
    )
    assert load_policy(FORMAT_2).timestep == run.timestep


def test_whatever_is_changed_gives_one_line(tmp_path: Path) -> None:
    run, content, path = tiny_run(tmp_path), load_checkpoint(FORMAT_2), tmp_path / "crafted.pth"
    # The fake world is not ours, so what it restores proves nothing.
    places = [p for p in leaves(content) if p[:3] != ("training", "rollout", "env")]
    by_kind = {tuple("*" if type(key) is int else key for key in p): p for p in places}
    chosen = sorted(by_kind.values(), key=repr)[::10]
    draws = np.random.default_rng(3)
    n_refused = 0
    for place in chosen:
        for worse in draws.choice(len(WORSE) + 1, 1, replace=False):
            crafted = copy.deepcopy(content)
            parent = parent_of(crafted, place)
            if worse == len(WORSE):
                del parent[place[-1]]
            else:
                parent[place[-1]] = WORSE[worse](parent[place[-1]])
            save_checkpoint(path, crafted)
            for read in (run.restore, load_policy):
                try:
                    read(path)
                except ValueError as error:
                    n_refused += 1
                    assert "\n" not in str(error), (place, worse)
                    assert str(path) in str(error), (place, worse)
                except Exception as error:
                    pytest.fail(f"{place} {worse}: {error!r}")
    assert n_refused > len(chosen) // 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("updates_owed", 1e12), ("timestep", -1), ("timestep", 10**30), ("n_episodes", True)],
)
def test_counters_out_of_range_are_named(name: str, value: object) -> None:
    state = load_checkpoint(FORMAT_2)["training"]
    state["counters"][name] = value
    with pytest.raises(ValueError, match=f"training.counters.{name} is"):
        check_training(state)


def test_a_history_of_nan_is_refused() -> None:
    history = load_checkpoint(FORMAT_2)["history"]
    assert history_of(history).saved == history["saved"]
    with pytest.raises(ValueError, match=r"history\.best_coverage"):
        history_of(history | {"best_coverage": float("nan")})
