"""Scenario and options of an adapter, from what its caller names: presets, files, keywords."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from camsim.arrays import Bools
from camsim.bounds import shortened
from camsim.compiled.rng import streams_from_seeds
from camsim.envs.team_env import TeamEnv, TeamOptions, TeamOutput
from camsim.scenario.parsing import suggestion
from camsim.scenario.schema import Scenario, load_scenario
from camsim.scripted.spec import EXTERNAL

__all__ = ["start_episodes"]

_LIMIT = 2**64


def start_episodes(
    env: TeamEnv, seeds: Sequence[int | None], which: Bools | None = None
) -> TeamOutput:
    """Start a new episode in the marked environments; return all observations.

    A row with a seed plays what a row of that seed plays anywhere; one without continues its own
    random stream.

    Args:
        env: N environments.
        seeds: [N], None for a row that continues.
        which: [N] rows to start; None: all.

    Raises:
        ValueError: a seed is negative, no integer or above 64 bits.
    """
    which = np.ones(env.num_envs, np.bool_) if which is None else which
    given = {
        row: _checked(seed)
        for row, (seed, marked) in enumerate(zip(seeds, which, strict=True))
        if marked and seed is not None
    }
    if given:
        words = np.array(list(given.values()), np.uint64)
        env.sim.tables.rng[list(given)] = streams_from_seeds(words)
    return env.restart(which)


def _checked(seed: object) -> int:
    integer = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not integer or not 0 <= seed < _LIMIT:  # type: ignore[operator]
        raise ValueError(f"seed = {shortened(seed)}; expected an integer from 0 to 2**64 - 1")
    return int(seed)  # type: ignore[call-overload, no-any-return]


__all__ = ["TEAMS", "Settings", "resolve_settings"]

TEAMS = ("camera", "target", "both")
"""Words for the teams that a caller can drive."""

ScenarioLike = Scenario | str | Path

_OPTIONS = frozenset(field.name for field in fields(TeamOptions))
_TIME_LIMIT = "max_episode_steps"


class Settings(NamedTuple):
    """What an adapter builds its `TeamEnv` from."""

    scenario: Scenario
    options: TeamOptions
    groups: tuple[str, ...]  # teams with members that the caller drives: camera, target


def resolve_settings(
    scenario: ScenarioLike,
    team: str | None,
    options: TeamOptions | None,
    keywords: Mapping[str, Any],  # of the caller: values are checked where they arrive
) -> Settings:
    """Return the scenario and options that the caller described.

    Args:
        scenario: a scenario, a preset's name or a file's path.
        team: camera, target or both; None: camera, or target where there are no cameras.
        options: defaults if None. The caller drives `team`, whatever these say about it; the other
            team plays `greedy` if they leave it external.
        keywords: fields of `TeamOptions` and keys of the scenario, which replace those in `options`
            and `scenario`; sections of the scenario are merged. `max_episode_steps` counts as
            Gymnasium does: the episode is truncated with the step of that number.

    Raises:
        ValueError: a word is unknown, a value is not allowed, or a team has no members.
    """
    keys = set(Scenario.model_fields) | _OPTIONS
    for key in keywords:
        if key not in keys:
            hint = " (did you mean 'scenario'?)" if key == "config" else suggestion(key, keys)
            raise ValueError(f"{key}: neither an option nor a key of the scenario{hint}")
    world = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    changes = {key: value for key, value in keywords.items() if key not in _OPTIONS}
    if changes:
        merged = _merged(world.to_mapping(), changes)
        source = "scenario with the given keywords"
        world = Scenario.from_mapping(merged, source=source)
        reason = world.impossible_placement()
        if reason is not None:
            raise ValueError(f"{source}: {reason}")
    if not isinstance(options, TeamOptions | None):
        raise ValueError(f"options = {shortened(options)}; expected TeamOptions or None")
    chosen = replace(
        options or TeamOptions(),
        **{key: value for key, value in keywords.items() if key in _OPTIONS - {_TIME_LIMIT}},
    )
    if keywords.get(_TIME_LIMIT) is not None:
        chosen = replace(chosen, max_episode_steps=_frames(keywords[_TIME_LIMIT]) - 1)
    groups = _groups(world, team)
    return Settings(world, _driven(chosen, groups), groups)


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` in place; sections are merged, all else is replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        result[key] = _merged(old, value) if both and old is not None else value
    return result


def _frames(limit: object) -> int:
    # The world's own limit strikes with the frame after it (world 6.5), hence at least 2.
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 2:
        raise ValueError(f"{_TIME_LIMIT} = {shortened(limit)}; expected an integer of at least 2")
    return limit


def _groups(world: Scenario, team: str | None) -> tuple[str, ...]:
    if team is None:
        return ("camera",) if world.n_cameras else ("target",)
    if team not in TEAMS:
        raise ValueError(f"team = {shortened(team)}; expected one of {', '.join(TEAMS)}")
    if team == "camera" and not world.n_cameras:
        raise ValueError("team = 'camera', but the scenario has no cameras; expected 'target'")
    if team == "both":
        return ("camera", "target") if world.n_cameras else ("target",)
    return (team,)


def _driven(options: TeamOptions, groups: tuple[str, ...]) -> TeamOptions:
    """Return `options` with the teams in `groups` driven from outside, and no other one."""
    cameras = "greedy" if options.cameras == EXTERNAL else options.cameras
    targets = "greedy" if options.targets == EXTERNAL else options.targets
    return replace(
        options,
        cameras=EXTERNAL if "camera" in groups else cameras,
        targets=EXTERNAL if "target" in groups else targets,
        with_camera_obs="camera" in groups,
        with_target_obs="target" in groups,
    )
