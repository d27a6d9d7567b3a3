"""N worlds in the terms of PyMARL: observations, state and masks after each step of an episode.

`RawWorlds` is a `TeamEnv` whose cameras choose from MATE's grid of turns and zooms,
`SelectionWorlds` a `SelectionEnv`. What PyMARL and EPyMARL see of them: `pymarl_env`,
`pymarl_runner`, `gymma_env`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from camcontrol.decision_arrays import state_scaling
from camcontrol.selection_env import EnvOutput, SelectionEnv, SelectionOptions
from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.bounds import NumberRange, check_choices
from camsim.envs.adapters.construction import ScenarioLike, resolve_settings
from camsim.envs.information import global_state
from camsim.envs.team_env import TeamEnv, TeamOutput
from camsim.scenario.schema import Scenario, load_scenario
from camsim.sim import BatchSim
from camsim.tables import EPISODE_COLUMNS

__all__ = [
    "TASKS",
    "PymarlWorlds",
    "RawWorlds",
    "SelectionWorlds",
    "WorldsStep",
    "first_seeds",
    "make_worlds",
    "worlds_of_arguments",
]

TASKS = ("selection", "raw")
"""What cameras choose: targets, or turns and zooms."""

DEFAULT_SCENARIO = "MATE-4v4-9"
_RAW = {"camera_action_levels": 5, "relative": True, "rescaled": True}
_SELECTION = SelectionOptions(lookahead=False, coverage_per_target=False)
_STEPS = NumberRange(2, 10**6)
_COLUMN = {name: k for k, name in enumerate(EPISODE_COLUMNS)}


class WorldsStep(NamedTuple):
    """What there is after a reset or a step; views of reused buffers: copy what you keep."""

    obs: Float32s  # [N, C, D]
    state: Float32s  # [N, S] global state in about [-1, 1]
    avail_actions: Bools  # [N, C, U]
    reward: Floats  # [N, C]
    terminated: Bools  # [N] everything was delivered
    truncated: Bools  # [N] the time limit struck
    rates: dict[str, Floats]  # [N] by name, of the whole episode; valid where it ended


class PymarlWorlds(Protocol):
    """N worlds that stop where an episode ends, until they are restarted."""

    sim: BatchSim
    n_agents: int
    n_actions: int
    obs_size: int
    state_size: int
    episode_limit: int
    """Steps of the longest episode."""

    def restart(self, which: Bools, seeds: UInt64s | None = None) -> WorldsStep:
        """Start an episode in the marked worlds [N]; rows with a seed [N] play that seed's."""

    def step(self, actions: Ints) -> WorldsStep:
        """Play the actions [N, C]; every world must be within an episode."""


class RawWorlds:
    """Cameras turn and zoom in every frame, on a grid of levels**2 actions; none is masked."""

    def __init__(
        self,
        scenario: ScenarioLike,
        num_envs: int,
        max_episode_steps: int | None,
        keywords: Mapping[str, Any],  # checked by resolve_settings
    ) -> None:
        """Build the worlds; the scenario's time limit if `max_episode_steps` is None."""
        given: dict[str, Any] = _RAW | dict(keywords)
        if max_episode_steps is not None:
            given["max_episode_steps"] = max_episode_steps
        settings = resolve_settings(scenario, "camera", None, given)
        options = replace(settings.options, auto_reset=False, dtype="float32", with_state=False)
        if options.camera_action_levels is None:
            raise ValueError("camera_action_levels = None; PyMARL needs discrete actions")
        self._env = TeamEnv(settings.scenario, options, num_envs)
        self.sim = self._env.sim
        self.n_agents = self._env.n_cameras
        self.n_actions = options.camera_action_levels**2
        self.obs_size = self._env.output.camera_obs.shape[2]
        self._scale, self._shift = state_scaling(self.sim.params, self._env.sizes)
        self.state_size = len(self._scale)
        self.episode_limit = 1 + (
            settings.scenario.max_episode_steps
            if options.max_episode_steps is None
            else options.max_episode_steps
        )
        self._avail = np.ones((num_envs, self.n_agents, self.n_actions), np.bool_)
        self._covered = np.zeros(num_envs)  # sums over the frames of the running episodes
        self._frames = np.zeros(num_envs)

    def restart(self, which: Bools, seeds: UInt64s | None = None) -> WorldsStep:
        """Start an episode in the marked worlds."""
        self._covered[which] = 0.0
        self._frames[which] = 0.0
        return self._shown(self._env.restart(which, seeds))

    def step(self, actions: Ints) -> WorldsStep:
        """Play one frame."""
        output = self._env.step(actions)
        self._covered += self.sim.view.world.coverage_rate
        self._frames += 1.0
        return self._shown(output)

    def _shown(self, output: TeamOutput) -> WorldsStep:
        return WorldsStep(
            obs=np.asarray(output.camera_obs, np.float32),
            state=((global_state(self.sim) - self._shift) * self._scale).astype(np.float32),
            avail_actions=self._avail,
            reward=output.camera_reward,
            terminated=output.terminated,
            truncated=output.truncated,
            rates={
                "coverage_rate": self._covered / np.maximum(self._frames, 1.0),
                "mean_transport_rate": self.sim.view.world.mean_transport_rate,
            },
        )


class SelectionWorlds:
    """Cameras choose targets; a step is a decision of several frames, and masks say what may be."""

    def __init__(
        self,
        scenario: ScenarioLike,
        num_envs: int,
        max_episode_steps: int | None,
        keywords: Mapping[str, Any],  # fields of SelectionOptions
    ) -> None:
        """Build the worlds; the scenario's time limit if `max_episode_steps` is None."""
        options = replace(_SELECTION, **(dict(keywords) | {"auto_reset": False}))
        if max_episode_steps is not None:
            frames = max_episode_steps * options.decision_frames - 1
            options = replace(options, max_episode_steps=frames)
        world = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self._env = SelectionEnv(world, options, num_envs)
        self._rows = np.arange(num_envs)
        self.sim = self._env.sim
        self.n_agents, self.n_actions = self._env.n_agents, self._env.n_actions
        self.obs_size, self.state_size = self._env.obs_size, self._env.state_size
        limit = options.max_episode_steps
        frames = 1 + (world.max_episode_steps if limit is None else limit)
        self.episode_limit = -(-frames // options.decision_frames)
        self._started = False

    def restart(self, which: Bools, seeds: UInt64s | None = None) -> WorldsStep:
        """Start an episode in the marked worlds; the first time there must be seeds."""
        if self._started or seeds is None:
            return self._shown(self._env.restart(which, seeds))
        self._started = True
        return self._shown(self._env.reset(seeds))

    def step(self, actions: Ints) -> WorldsStep:
        """Play one decision."""
        return self._shown(self._env.step(actions))

    def _shown(self, output: EnvOutput) -> WorldsStep:
        length = np.maximum(output.episode[:, _COLUMN["length"]], 1.0)
        return WorldsStep(
            obs=output.obs,
            state=output.state,
            avail_actions=output.avail_actions,
            reward=np.repeat(output.reward[:, None], self.n_agents, axis=1),
            terminated=output.terminated,
            truncated=output.truncated,
            rates={
                "coverage_rate": output.episode[:, _COLUMN["coverage_sum"]] / length,
                "mean_transport_rate": output.episode[:, _COLUMN["mean_transport_rate"]],
            },
        )


def make_worlds(
    scenario: ScenarioLike = DEFAULT_SCENARIO,
    task: str = "selection",
    num_envs: int = 1,
    max_episode_steps: int | None = None,
    keywords: Mapping[str, Any] | None = None,  # of the task: values are checked where they arrive
) -> PymarlWorlds:
    """Return N worlds.

    Args:
        scenario: a scenario, a preset's name or a file's path.
        task: selection or raw.
        num_envs: worlds N.
        max_episode_steps: the step of that number truncates the episode; None: the scenario's
            limit.
        keywords: selection: fields of `SelectionOptions`; raw: fields of `TeamOptions` and keys of
            the scenario.

    Raises:
        ValueError: a value is not allowed.
        TypeError: there is no such field of `SelectionOptions`.
    """
    check_choices((("task", task, TASKS),))
    if max_episode_steps is not None:
        _STEPS.check("max_episode_steps", max_episode_steps)
    kind = RawWorlds if task == "raw" else SelectionWorlds
    return kind(scenario, num_envs, max_episode_steps, keywords or {})


def worlds_of_arguments(
    arguments: Mapping[str, Any], task: str, num_envs: int
) -> tuple[PymarlWorlds, int | None]:
    """Return N worlds from the section `env_args` of an EPyMARL or PyMARL run, and its seed.

    `key`, which EPyMARL needs, is the scenario, and `time_limit` the number of steps of an episode;
    `pretrained_wrapper` is for environments of others, and `replay_dir` none of the worlds'
    business. All else is as for `make_worlds`.

    Raises:
        ValueError: a value is not allowed, or one is given under two names.
        TypeError: there is no such field of `SelectionOptions`.
    """
    given = dict(arguments)
    seed = given.pop("seed", None)
    given.pop("replay_dir", None)
    wrapper = given.pop("pretrained_wrapper", None)
    if wrapper is not None:
        raise ValueError(f"pretrained_wrapper = {wrapper!r}; expected None")
    scenario = _one_of(given, "scenario", "key", DEFAULT_SCENARIO)
    steps = _one_of(given, "max_episode_steps", "time_limit", None)
    return make_worlds(scenario, task, num_envs, steps, given), seed


def _one_of(given: dict[str, Any], name: str, other: str, default: Any) -> Any:
    """Take out the value that stands under one of two names; None counts as absent."""
    first, second = given.pop(name, None), given.pop(other, None)
    if first is not None and second is not None:
        raise ValueError(f"{name} = {first!r} and {other} = {second!r}; expected one of them")
    found = second if first is None else first
    return default if found is None else found


def first_seeds(seed: int | None, num_envs: int) -> UInt64s:
    """Return a seed for each world: seed, seed + 1, ...; without a seed, random ones."""
    if seed is None:
        return np.random.SeedSequence().generate_state(num_envs, np.uint64).astype(np.uint64)
    return np.uint64(seed) + np.arange(num_envs, dtype=np.uint64)
