"""Files that are damaged, exchanged or made up, read by real commands."""

import json
import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from faults.harness import Bench, FaultShows, Outcome, digest, last_line

from qplex_hrl.storage.checkpoint import load_checkpoint, save_checkpoint


def damaged_run(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Damage a file of a run that was stopped half-way, and go on with the run."""
    shutil.copytree(bench.stopped, folder, dirs_exist_ok=True)
    files = sorted(path for path in folder.glob("[lm]*/*") if path.is_file())
    path = rng.choice(files)
    _damage(path, rng)
    return _resume(bench, folder, path)


def damaged_checkpoint(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Damage a checkpoint, then evaluate or export it."""
    path = _copy_of_final(bench, folder)
    _damage(path, rng)
    return _read(bench, rng, folder, path)


def exchanged_file(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Put another run's replay or configuration beside a checkpoint, and go on with the run."""
    shutil.copytree(bench.stopped, folder, dirs_exist_ok=True)
    if rng.random() < 0.5:
        path = max((folder / "models").glob("*.replay.npz"), key=_number)
        theirs = max((bench.other / "models").glob("*.replay.npz"), key=_number)
    else:
        path, theirs = (each / "logs" / "config.yaml" for each in (folder, bench.other))
    shutil.copy(theirs, path)
    return _resume(bench, folder, path)


def crafted_checkpoint(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Change a value in a checkpoint to an impossible one, with valid check sums, and read it."""
    if rng.random() < 0.5:
        shutil.copytree(bench.stopped, folder, dirs_exist_ok=True)
        newest = max((folder / "models").glob("qplex_hrl_[0-9]*.pth"), key=_number)
        _craft(newest, rng)
        return _resume(bench, folder, newest, newest)
    path = _copy_of_final(bench, folder)
    _craft(path, rng)
    return _read(bench, rng, folder, path)


def _number(path: Path) -> int:
    digits = "".join(filter(str.isdigit, path.name.removesuffix(".replay.npz")))
    return int(digits or -1)


def _copy_of_final(bench: Bench, folder: Path) -> Path:
    source = bench.reference.folder / "models" / "qplex_hrl_final.pth"
    return Path(shutil.copy(source, folder))


def _damage(path: Path, rng: random.Random) -> None:
    """Truncate a file, flip a bit, or clear a block."""
    data = bytearray(path.read_bytes())
    place = rng.randrange(max(len(data), 1))
    match rng.randrange(3):
        case 0:
            del data[place:]
        case 1 if data:
            data[place] ^= 1 << rng.randrange(8)
        case _:
            data[place : place + 4096] = bytes(len(data[place : place + 4096]))
    path.write_bytes(data)


def _leaves(content: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in items:
        yield (*keys, key)
        yield from _leaves(value, (*keys, key))


def _craft(path: Path, rng: random.Random) -> None:
    content = load_checkpoint(path)
    *way, last = rng.choice(list(_leaves(content)))
    holder: Any = content
    for key in way:
        holder = holder[key]
    holder[last] = _impossible(holder[last], rng)
    with patch("qplex_hrl.storage.checkpoint._check_finite"):  # which writes no such file
        save_checkpoint(path, content)


def _impossible(value: Any, rng: random.Random) -> Any:
    if isinstance(value, torch.Tensor | np.ndarray) and rng.random() < 0.7:
        spoiled = torch.as_tensor(value).clone()
        if spoiled.is_floating_point() and spoiled.numel():
            spoiled.view(-1)[rng.randrange(spoiled.numel())] = rng.choice([math.nan, math.inf])
        else:
            spoiled = torch.cat([spoiled.reshape(-1), torch.zeros(3, dtype=spoiled.dtype)])
        return spoiled.numpy() if isinstance(value, np.ndarray) else spoiled
    return rng.choice(["nonsense", [], {"odd": 1.5}, math.nan, torch.zeros(2, 3, 4, 5)])


def _resume(bench: Bench, folder: Path, path: Path, newest: Path | None = None) -> Outcome:
    """Go on with a run one of whose files is not right: refused, or as if it were right."""
    command = bench.start(bench.train("--resume", str(newest or "models")), folder)
    if (code := command.end()) in (1, 2):
        return _refused(command.errors, code)
    try:
        bench.check_run(folder, rows=path.name != "metrics.jsonl")
    except FaultShows as shown:
        if shown.outcome is Outcome.HALF_WRITTEN and path.name in shown.detail:
            return Outcome.IDENTICAL  # the damaged file itself, which nobody needed
        raise FaultShows(shown.outcome, f"{path.name}: {shown.detail}") from shown
    return Outcome.IDENTICAL


def _read(bench: Bench, rng: random.Random, folder: Path, path: Path) -> Outcome:
    """Evaluate or export a checkpoint that is not right: refused, or as if it were right."""
    whole = str(bench.reference.folder / "models" / "qplex_hrl_final.pth")
    if rng.random() < 0.5:
        output, more = "result.json", ["evaluate", "--episodes", "2", "--checkpoint"]
    else:
        output, more = "cameras.pth", ["export", "--checkpoint"]
    command = bench.start([*more, path.name, "--output", output], folder)
    if (code := command.end()) != 0:
        if (folder / output).exists():
            raise FaultShows(Outcome.WRONG, f"exit code {code}, and {output} is there")
        return _refused(command.errors, code)
    right = folder / "right"
    right.mkdir()
    bench.start([*more, whole, "--output", output], right).end()
    if _meaning(folder / output) != _meaning(right / output):
        raise FaultShows(Outcome.WRONG, f"{more[0]} accepts it with another result")
    return Outcome.IDENTICAL


def _meaning(path: Path) -> str:
    if path.suffix == ".json":
        return digest(json.loads(path.read_text(encoding="utf-8")))
    return digest(load_checkpoint(path))


def _refused(errors: str, code: int) -> Outcome:
    if "error: " not in last_line(errors):
        raise FaultShows(Outcome.WRONG, f"exit code {code} without a line: {errors[-300:]}")
    return Outcome.REFUSED
