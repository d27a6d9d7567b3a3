"""Scenarios: mutated presets, read, reset and played with finite states."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from fuzz_configuration import written
from values import mutate_bytes, mutate_tree, strange_path
from worker import Wrong

import camsim.scenario.schema as scenarios
from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario, preset_names
from camsim.sim import BatchSim

_N_FRAMES = 50
_SEEDS = np.arange(2, dtype=np.uint64)
PRESETS = tuple(
    (Path(scenarios.__file__).parent / "presets" / f"{name}.yaml").read_bytes()
    for name in preset_names()
)


class ScenarioKind:
    """Reads a scenario; plays it at random and by rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trees = [yaml.safe_load(text) for text in PRESETS]

    def make(self, rng: random.Random) -> tuple[Path, int]:
        path = self.folder / rng.choice(("world.yaml", "world.yaml", "world.json"))
        kind = rng.random()
        if kind < 0.75:
            tree = yaml.safe_load(yaml.safe_dump(rng.choice(self.trees)))
            if rng.random() < 0.5:
                _smaller(tree, rng)
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                mutate_tree(tree, rng)
            path.write_bytes(written(tree, path.suffix))
        elif kind < 0.93:
            path.write_bytes(mutate_bytes(rng.choice(PRESETS), rng))
        else:
            path = strange_path(self.folder, rng.choice(PRESETS), ".yaml", rng)
        return path, rng.randrange(2**32)

    def attempt(self, made: tuple[Path, int]) -> bool:
        path, seed = made
        scenario = load_scenario(path)
        sim = BatchSim(scenario, 2)
        sim.reset(_SEEDS + np.uint64(seed))
        rng = np.random.default_rng(seed)
        for _ in range(_N_FRAMES):
            sim.step(
                rng.uniform(-1, 1, (2, scenario.n_cameras, 2)) * 1000.0,
                rng.uniform(-1, 1, (2, scenario.n_targets, 2)) * 1000.0,
            )
        check_finite(sim.state_dict())
        rules = "greedy" if scenario.n_cameras else "random"
        env = ScriptedEnv(scenario, 2, camera_policy=rules)
        env.reset(_SEEDS)
        env.run_frames(_N_FRAMES)
        check_finite(env.sim.state_dict())
        return False


def _smaller(tree: Any, rng: random.Random) -> None:
    """Leave a target or two, a camera or two, and no more: little else can be in the way."""
    for team in ("camera", "target", "obstacle"):
        for places in ("location", "location_random_range"):
            if places in tree.get(team, {}):
                tree[team][places] = tree[team][places][: rng.randrange(1, 3)]


def check_finite(arrays: Any) -> None:
    """Check that no array of numbers holds NaN or an infinity.

    Raises:
        Wrong: one does.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Wrong(f"{name} is not finite")


def make_kind(folder: Path) -> ScenarioKind:
    """Return the kind."""
    return ScenarioKind(folder)
