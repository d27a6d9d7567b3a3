"""Who is compared: scripted cameras, checkpoints, several trainings as one; in which world."""

import re
from collections.abc import Callable, Collection, Hashable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import torch

from qplex_hrl.config import RunConfig
from qplex_hrl.evaluation.players import EvaluationSetting, is_planner, scripted_player
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.evaluation.trained import load_cameras

__all__ = ["Contestant", "TrainedRun", "parse_contestants", "settle_world"]

_MIXTURE = re.compile(r"[a-z]+=[0-9.eE+-]+(,[a-z]+=[0-9.eE+-]+)*")
_STEREO_DEG = 30.0  # angle from which on views of scripted cameras are stereo coverage


class TrainedRun(NamedTuple):
    """One training: what plays, and where its evaluations are."""

    checkpoint: Path
    logs: Path | None  # None: a checkpoint without its log folder


class Contestant(NamedTuple):
    """One of those that are compared: a rule, or runs that differ in their seeds."""

    name: str
    rule: str | None  # name of scripted or planning cameras; None: trained
    runs: tuple[TrainedRun, ...]  # empty for a rule


def parse_contestants(
    texts: Sequence[str], find_run: Callable[[Path], TrainedRun]
) -> list[Contestant]:
    """Return what the words of a command line mean, each with a name of its own.

    A word is `CONTESTANT` or `NAME=CONTESTANT`; a contestant is the name of scripted or planning
    cameras, a mixture of these, or one or several paths with commas between them.

    Args:
        texts: two or more.
        find_run: returns the run that a path stands for.

    Raises:
        ValueError: fewer than two, a path or name does not exist, or a name is given twice.
    """
    if len(texts) < 2:
        raise ValueError(f"{' '.join(texts)}: expected two or more contestants")
    contestants: list[Contestant] = []
    words: set[str] = set()
    for text in texts:
        given, what = _name_and_rest(text)
        rule, runs = _resolve(what, find_run)
        known = {other.name.lower() for other in contestants}
        name = given or _default_name(what, rule)
        if given and given.lower() in known:
            raise ValueError(f"{text}: the name {given!r} is taken; expected another one")
        if name.lower() in known and what not in words:  # another path that ends alike
            name = what
        contestants.append(Contestant(_unique(name, known), rule, runs))
        words.add(what)
    return contestants


def _name_and_rest(text: str) -> tuple[str | None, str]:
    if "=" not in text or _MIXTURE.fullmatch(text) or Path(text).exists():
        return None, text
    name, _, what = text.partition("=")
    if not name.strip() or not what:
        raise ValueError(f"{text}: expected NAME=CONTESTANT")
    return name.strip(), what


def _resolve(
    what: str, find_run: Callable[[Path], TrainedRun]
) -> tuple[str | None, tuple[TrainedRun, ...]]:
    """Return the rule's name and no runs, or None and the runs."""
    if Path(what).exists():
        return None, (find_run(Path(what)),)
    if _MIXTURE.fullmatch(what):
        return what, ()
    parts = what.split(",")
    if len(parts) == 1 and not Path(what).suffix and len(Path(what).parts) == 1:
        try:
            is_planner(what)
        except ValueError as error:
            raise ValueError(f"{what}: no such file or folder, and {error}") from None
        return what, ()
    for part in parts:
        if not Path(part).exists():
            raise ValueError(f"{part}: no such file or folder")
    return None, tuple(find_run(Path(part)) for part in parts)


def _default_name(what: str, rule: str | None) -> str:
    """Return a short name: the rule's, or the last part of the path, with how many more."""
    if rule is not None:
        return rule
    parts = [Path(part) for part in ([what] if Path(what).exists() else what.split(","))]
    first = parts[0].stem if parts[0].suffix == ".pth" else parts[0].resolve().name
    return first if len(parts) == 1 else f"{first} and {len(parts) - 1} more"


def _unique(name: str, taken: Collection[str]) -> str:
    """Return the name, with a number if it is taken; `taken` are lower case."""
    candidates = chain([name], (f"{name} ({n})" for n in count(2)))
    return next(each for each in candidates if each.lower() not in taken)


def settle_world(
    contestants: Sequence[Contestant],
    setting: EvaluationSetting,
    metric: str,
    device: torch.device,
) -> EvaluationSetting:
    """Return the one world that all play in, after checking that all can.

    What the setting leaves open is as the checkpoints were trained, for scripted cameras, too.

    Args:
        contestants: who plays.
        setting: what the user says of the world.
        metric: that decides.
        device: of the networks.

    Raises:
        ValueError: trainings differ in their world, or somebody cannot play there.
    """
    trained = [
        (each.name, run, load_policy(run.checkpoint).config)
        for each in contestants
        for run in each.runs
    ]
    configs = [(name, config) for name, _, config in trained]
    wanted: tuple[tuple[str, str, Callable[[RunConfig], Any]], ...] = (
        ("scenario", "--scenario", lambda config: config.env.scenario),
        ("opponent", "--target-agent", lambda config: config.env.opponent),
        ("max_episode_steps", "--max-episode-steps", lambda config: config.env.max_episode_steps),
    )
    for key, flag, value_of in wanted:
        if getattr(setting, key) is None and configs:
            values = [(name, value_of(config)) for name, config in configs]
            setting = setting._replace(**{key: _common(key, flag, values)})
    if metric == "stereo_coverage_rate":
        angles = [(name, config.env.min_baseline_deg) for name, config in configs]
        angles += [(each.name, _STEREO_DEG) for each in contestants if each.rule is not None]
        _common("env.min_baseline_deg", "--metric", angles)
    for each in contestants:
        if each.rule is not None:
            scripted_player(each.rule, setting, num_envs=1, n_episodes=1)
            if metric == "selection_efficiency" and not is_planner(each.rule):
                raise ValueError(f"--metric {metric}: {each.name} selects no targets")
    for _, run, _ in trained:
        load_cameras(run.checkpoint, setting, num_envs=1, device=device)
    return setting


def _common(key: str, flag: str, values: Sequence[tuple[str, Hashable]]) -> Any:
    """Return the value that all have.

    Raises:
        ValueError: two differ.
    """
    name, value = values[0]
    for other, different in values:
        if different != value:
            raise ValueError(
                f"{flag}: {key} is {value} for {name}, but {different} for {other}; expected one "
                f"for all: give {flag}"
            )
    return value
