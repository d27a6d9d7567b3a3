"""Runs: what `train` builds from a mutated configuration, and its first iteration."""

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from fuzz_configuration import written
from small_run import SMALL, built
from values import any_scalar, mutate_tree, places_of, well_typed
from worker import Wrong

from qplex_hrl.config import RunConfig, load_config


class BuildKind:
    """Builds the run of a small configuration in which a value or two are others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        whole = RunConfig.model_validate(SMALL).model_dump(mode="json")
        whole["logging"] |= {"log_dir": str(folder / "logs"), "model_dir": str(folder / "models")}
        self.tree = whole

    def make(self, rng: random.Random) -> Path:
        tree = copy.deepcopy(self.tree)
        for _ in range(rng.choice((1, 1, 2, 3))):
            if rng.random() < 0.3:
                mutate_tree(tree, rng, any_scalar)
            else:
                container, key = rng.choice(places_of(tree))
                container[key] = well_typed(container[key], rng)
        path = self.folder / "config.yaml"
        path.write_bytes(written(tree))
        return path

    def attempt(self, made: Path) -> bool:
        config = load_config(made)
        built(config, _one_iteration)
        return True  # what was asked for may be large


def _one_iteration(run: Any, _: Path | None, iterate: Callable[[], Any]) -> None:
    config: RunConfig = run.config
    run.start()
    frames = config.env.num_envs * config.network.hrl.frame_skip
    if frames > 200 or config.control.n_particles > 200 or config.training.num_threads > 64:
        return
    result = iterate()
    for update in result.updates:
        for name, value in update.items():
            if not torch.isfinite(value).all():
                raise Wrong(f"{name} is not finite")
    if result.decisions is None:
        return
    for name, array in result.decisions._asdict().items():
        if array.dtype.kind == "f" and not (abs(array) < float("inf")).all():
            raise Wrong(f"{name} is not finite")


def make_kind(folder: Path) -> BuildKind:
    """Return the kind, its kernels compiled."""
    kind = BuildKind(folder)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(kind.tree))
    kind.attempt(path)
    return kind
