"""Doors for Python: seeds, actions, observations and options of every environment."""

import datetime
import random
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from fuzz_scenario import check_finite
from values import any_scalar, any_value
from worker import Refused, Wrong

from camcontrol.onboard_camera import OnboardCamera
from camcontrol.options import ControlOptions
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.envs.adapters.gymnasium_env import MateEnv, MateVectorEnv
from camsim.envs.adapters.pettingzoo_env import MateParallelEnv
from camsim.envs.scripted_env import ScriptedEnv
from camsim.envs.team_env import TeamEnv, TeamOptions
from camsim.layout import CameraObsLayout
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim

WORLD = load_scenario("MATE-2v4-0")
_SIZES = CameraObsLayout(2, 4, 0)
_SEEDS = np.arange(2, dtype=np.uint64)
_LEAN: dict[str, Any] = {"n_particles": 4, "search_actions": 2}


class Made(NamedTuple):
    """Which door, and what is sent through it."""

    door: str
    sent: Any


class DoorsKind:
    """Sends something through a door; whatever is refused, the door still works afterwards."""

    def __init__(self) -> None:
        self.selection = SelectionEnv(WORLD, SelectionOptions(**_LEAN), 2)
        self.team = TeamEnv(WORLD, TeamOptions(cameras="external", targets="greedy"), 2)
        self.sim = BatchSim(WORLD, 2)
        self.gym = MateEnv("MATE-2v4-0")
        self.grid = MateEnv("MATE-2v4-0", camera_action_levels=5)
        self.vector = MateVectorEnv("MATE-2v4-0", num_envs=2)
        self.parallel = MateParallelEnv("MATE-2v4-0")
        self.scripted = ScriptedEnv(WORLD, 2)
        self.onboard = OnboardCamera(ControlOptions(**_LEAN), _SIZES)
        self.doors: dict[str, Callable[[Any], None]] = {
            "selection.step": lambda sent: self.selection.step(sent),
            "selection.reset": lambda sent: self.selection.reset(sent),
            "selection.run_frames": lambda sent: self.selection.run_frames(*sent),
            "selection.options": _selection_of,
            "selection.unstarted": _selection_unstarted,
            "team.step": lambda sent: self.team.step(camera_action=sent),
            "team.reset": lambda sent: self.team.reset(sent),
            "team.options": _team_of,
            "sim.step": lambda sent: self.sim.step(sent, np.zeros((2, 4, 2))),
            "sim.reset": lambda sent: self.sim.reset(sent),
            "gym.step": lambda sent: self.gym.step(sent),
            "gym.reset": lambda sent: self.gym.reset(seed=sent),
            "gym.keywords": lambda sent: MateEnv("MATE-2v4-0", **sent).reset(seed=0),
            "grid.step": lambda sent: self.grid.step(sent),
            "vector.step": lambda sent: self.vector.step(sent),
            "vector.reset": lambda sent: self.vector.reset(seed=sent),
            "vector.num_envs": lambda sent: MateVectorEnv("MATE-2v4-0", num_envs=sent),
            "parallel.step": lambda sent: self.parallel.step(sent),
            "parallel.reset": lambda sent: self.parallel.reset(seed=sent),
            "scripted.reset": lambda sent: self.scripted.reset(sent),
            "scripted.run_frames": lambda sent: self.scripted.run_frames(sent),
            "scripted.run_episodes": lambda sent: self.scripted.run_episodes(sent),
            "scripted.options": _scripted_of,
            "onboard.perceive": self._perceive,
            "onboard.begin": lambda sent: self.onboard.begin(sent),
            "onboard.move": lambda sent: self.onboard.move(sent),
            "onboard.options": _onboard_of,
        }
        self.recover()

    def make(self, rng: random.Random) -> Made:
        door = rng.choice(list(self.doors))
        what = door.split(".")[1]
        if what == "options":
            return Made(door, _options(_OPTIONS[door.split(".")[0]], rng))
        if what == "keywords":
            return Made(door, _keywords(rng))
        if what in ("reset", "run_episodes"):
            return Made(door, _seeds(rng))
        if what in ("begin", "move", "num_envs") or door == "scripted.run_frames":
            return Made(door, _small(rng))
        if door == "selection.run_frames":
            return Made(door, (_array((2, 2), rng, whole=True), _small(rng)))
        if what == "perceive":
            return Made(door, _array((_SIZES.size,), rng))
        if door == "parallel.step":
            names = [*self.parallel.possible_agents, "x"]
            return Made(door, {name: _array((2,), rng) for name in names if rng.random() < 0.8})
        shapes = {"selection": (2, 2), "gym": (2, 2), "grid": (2,)}
        whole = door.startswith(("selection", "grid"))
        return Made(door, _array(shapes.get(door.split(".")[0], (2, 2, 2)), rng, whole=whole))

    def attempt(self, made: Made) -> bool:
        try:
            self.doors[made.door](made.sent)
        except gymnasium.error.Error as error:  # Gymnasium's own, in a door of its own
            raise Refused(str(error)) from error
        finally:
            self.recover()
        return False

    def recover(self) -> None:
        """Begin anew and take a step everywhere.

        Raises:
            Wrong: a state is not finite afterwards.
        """
        self.selection.step(self.selection.reset(_SEEDS).avail_actions.argmax(-1))
        self.team.reset(_SEEDS)
        self.team.step(camera_action=np.zeros((2, 2, 2)))
        self.sim.reset(_SEEDS)
        for env in (self.gym, self.grid, self.vector, self.parallel):
            env.reset(seed=0)
        self.scripted.reset(_SEEDS)
        self.scripted.run_frames(1)
        check_finite(self.selection.state_dict())
        check_finite(self.scripted.sim.state_dict())
        self.onboard.begin(0)
        self.onboard.perceive(np.ones(_SIZES.size))
        if not np.isfinite(self.onboard.features()[0]).all():
            raise Wrong("features of a camera are not finite")

    def _perceive(self, sent: Any) -> None:
        self.onboard.perceive(sent)
        self.onboard.features()
        self.onboard.glance()
        if not np.isfinite(self.onboard.move(0)).all():
            raise Wrong("a camera moves by NaN")


_OPTIONS: dict[str, tuple[str, ...]] = {
    "selection": tuple(field.name for field in fields(SelectionOptions)),
    "team": tuple(field.name for field in fields(TeamOptions)),
    "onboard": tuple(field.name for field in fields(ControlOptions)),
    "scripted": (
        "num_envs",
        "camera_policy",
        "target_policy",
        "max_episode_steps",
        "min_baseline_deg",
    ),
}


def _small(rng: random.Random) -> Any:
    """Return a scalar or a small number; none that is allowed and asks for hours."""
    value = any_scalar(rng)
    sane = not isinstance(value, int) or abs(value) < 1000
    return (
        value if sane or (rng.random() < 0.3 and abs(value) > 10**12) else rng.choice((1.5, -1, 3))
    )


def _options(names: tuple[str, ...], rng: random.Random) -> dict[str, Any]:
    words = ("none", "own", "shared", "greedy", "discrete", "particles", 0, 1, 2, 0.5, True)
    given = {}
    for name in rng.sample(names, rng.choice((1, 1, 2, 3))):
        given[name] = rng.choice(words) if rng.random() < 0.4 else any_value(rng)
    return given


def _keywords(rng: random.Random) -> dict[str, Any]:
    keys = ("max_episode_steps", "camera", "target", "obstacle", "reward_type", "bounty_factor")
    names = (*_OPTIONS["team"], *keys, "team", "options", "render_mode", "x", "more_information")
    return _options(names, rng)


def _seeds(rng: random.Random) -> Any:
    good = rng.choice((0, 2**63, 2**64 - 1, np.uint64(2**64 - 1), [0, 1], [2**64 - 1, 0]))
    arrays = (
        np.array([1.5, 2.0]),
        np.array([-1, 2]),
        np.array([1, 2, 3]),
        np.zeros((2, 2), np.uint64),
        np.array([True, False]),
        np.array([2**64, 1], object),
        np.array(["1", "2"]),
        np.array([1j, 2]),
        np.array(["2020-01-01", "2021-01-01"], "M8[D]"),
        np.array([np.nan, 1.0]),
        [None, 1],
        [1, "x"],
        [[1], [2, 3]],
    )
    return rng.choice((good, rng.choice(arrays), any_value(rng)))


def _array(shape: tuple[int, ...], rng: random.Random, *, whole: bool = False) -> Any:
    """Return an array of actions or observations, most often with something odd in it."""
    filling: Any = rng.randrange(5) if whole else rng.uniform(-5, 5)
    array = np.full(shape, filling)
    kind = rng.randrange(9)
    if kind == 0:
        return any_value(rng)
    if kind == 1:
        return np.zeros(rng.choice(((), (0,), (1,), (*shape, 1), shape[:-1], (3, *shape[1:]))))
    if kind == 2:
        kinds = ("f4", "f2", "c8", "O", "U5", "M8[s]", "m8[s]", "?", "u8", "i1", "S3", ">f8")
        return array.astype(rng.choice(kinds))
    if kind == 3:
        array = array.astype(np.float64)
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, 1e300, 0.9))
    elif kind == 4:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice((-1, 10**6, 2**62))
    elif kind == 5:
        return array.tolist()
    elif kind == 6:
        moment = datetime.datetime(2020, 1, 1)
        return np.full(shape, rng.choice((None, 1j, "x", moment, 10**30, b"1")), object)
    elif kind == 7:
        return np.asfortranarray(array)[..., ::-1]
    return array


def _selection_of(sent: dict[str, Any]) -> None:
    env = SelectionEnv(WORLD, SelectionOptions(**(_LEAN | sent)), 2)
    out = env.step(env.reset(_SEEDS).avail_actions.argmax(-1))
    for name, array in out._asdict().items():
        if array.dtype.kind == "f" and name != "episode" and not np.isfinite(array).all():
            raise Wrong(f"{name} is not finite")


def _selection_unstarted(sent: Any) -> None:
    del sent
    env = SelectionEnv(WORLD, SelectionOptions(**_LEAN), 2)
    env.step(np.zeros((2, 2), np.int64))
    raise Wrong("a step before the first reset was accepted")


def _team_of(sent: dict[str, Any]) -> None:
    env = TeamEnv(WORLD, TeamOptions(**sent), 2)
    env.reset(_SEEDS)
    check_finite(env.state_dict())


def _scripted_of(sent: dict[str, Any]) -> None:
    env = ScriptedEnv(WORLD, sent.pop("num_envs", 2), **sent)
    env.reset(_SEEDS[:1].repeat(env.sim.num_envs))
    env.run_frames(2)
    check_finite(env.sim.state_dict())


def _onboard_of(sent: dict[str, Any]) -> None:
    camera = OnboardCamera(ControlOptions(**(_LEAN | sent)), _SIZES)
    camera.begin(0)
    camera.perceive(np.ones(_SIZES.size))
    camera.features()
    if not np.isfinite(camera.move(0)).all():
        raise Wrong("a camera moves by NaN")


def make_kind(_: Path) -> DoorsKind:
    """Return the kind, its kernels compiled."""
    return DoorsKind()
