"""Who is compared: scripted cameras, checkpoints, several trainings as one."""

import re
from collections.abc import Callable, Collection, Sequence
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from camsim.scripted.spec import CAMERA_POLICIES
from qplex_hrl.evaluation.players import is_planner

__all__ = ["Contestant", "TrainedRun", "parse_contestants", "unique_name"]

_MIXTURE = re.compile(r"[a-z]+=[0-9.eE+-]+(,[a-z]+=[0-9.eE+-]+)*")


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
    cameras, a mixture of these, or one or several paths with commas between them. Such a name is
    never a path; what exists is a path, even with "=" in it.

    Args:
        texts: two or more.
        find_run: returns the run that a path stands for.

    Raises:
        ValueError: fewer than two, a path or name does not exist, or a name is given twice or
            has characters that do not print.
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
        if not name.isprintable():
            raise ValueError(f"{name!r}: expected a name of printable characters")
        contestants.append(Contestant(unique_name(name, known), rule, runs))
        words.add(what)
    return contestants


def _name_and_rest(text: str) -> tuple[str | None, str]:
    if "=" not in text or _MIXTURE.fullmatch(text) or _paths(text):
        return None, text
    name, _, what = text.partition("=")
    if not name.strip() or not what:
        raise ValueError(f"{text}: expected NAME=CONTESTANT")
    return name.strip(), what


def _resolve(
    what: str, find_run: Callable[[Path], TrainedRun]
) -> tuple[str | None, tuple[TrainedRun, ...]]:
    """Return the rule's name and no runs, or None and the runs."""
    if _is_rule(what):
        return what, ()
    if paths := _paths(what):
        return None, tuple(find_run(path) for path in paths)
    if _MIXTURE.fullmatch(what):  # of unknown names: whoever plays them says so
        return what, ()
    parts = what.split(",")
    if len(parts) == 1 and not Path(what).suffix and len(Path(what).parts) == 1:
        try:
            is_planner(what)
        except ValueError as error:
            raise ValueError(f"{what}: no such file or folder, and {error}") from None
        return what, ()
    missing = next(part for part in parts if not part or not Path(part).exists())
    raise ValueError(f"{missing or what}: no such file or folder")


def _is_rule(text: str) -> bool:
    """Tell whether it names scripted or planning cameras, or a mixture of scripted ones."""
    if "=" in text:
        names = [part.partition("=")[0] for part in text.split(",")]
        return _MIXTURE.fullmatch(text) is not None and CAMERA_POLICIES.keys() >= set(names)
    try:
        is_planner(text)
    except ValueError:
        return False
    return True


def _paths(text: str) -> list[Path]:
    """Return the existing files or folders that a text lists; empty if one does not exist."""
    parts = [text] if Path(text).exists() else text.split(",")
    return [Path(part) for part in parts] if all(p and Path(p).exists() for p in parts) else []


def _default_name(what: str, rule: str | None) -> str:
    """Return a short name: the rule's, or the last part of the path, with how many more."""
    if rule is not None:
        return rule
    parts = _paths(what)
    first = parts[0].stem if parts[0].suffix == ".pth" else parts[0].resolve().name
    return first if len(parts) == 1 else f"{first} and {len(parts) - 1} more"


def unique_name(name: str, taken: Collection[str]) -> str:
    """Return the name, with a number if it is taken; `taken` are lower case."""
    candidates = chain([name], (f"{name} ({n})" for n in count(2)))
    return next(each for each in candidates if each.lower() not in taken)
