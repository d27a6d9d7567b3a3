"""Disks that are full, folders that cannot be written or that vanish, while a run writes."""

import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from faults.harness import Bench, FaultShows, Outcome, has_checkpoint, last_line

_FOLDERS = ("logs", "models")


@cache
def mounts_are_permitted() -> bool:
    """Whether this process may mount a small disk; `unshare -rm` gives a shell that may."""
    with tempfile.TemporaryDirectory() as folder:
        if _run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder):
            return _run("umount", folder)
    return False


def full_disk(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Let a small disk fill at a random moment, give the space back, and go on."""
    names = rng.choice([_FOLDERS[:1], _FOLDERS[1:], _FOLDERS])
    most = 40 if names == ("logs",) else 6000
    with _disks([folder / name for name in names], rng.randint(4, most)) as disks:
        command = bench.start(bench.train(), folder)
        code = command.end()
        if code == 0:
            bench.check_run(folder)
            return Outcome.TOO_LATE  # the disk was large enough
        if "error" not in command.errors:
            raise FaultShows(Outcome.WRONG, f"exit code {code} without a word")
        for disk in disks:
            _run("mount", "-o", "remount,size=64m", str(disk))
        bench.finish(folder)
    return Outcome.IDENTICAL


@contextmanager
def _disks(folders: Sequence[Path], kilobytes: int) -> Iterator[Sequence[Path]]:
    mounted = []
    try:
        for folder in folders:
            folder.mkdir()
            _run("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder))
            mounted.append(folder)
        yield mounted
    finally:
        for folder in mounted:
            _run("umount", str(folder))


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def read_only(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Take away the right to write at a random moment, give it back, and go on."""
    closed = folder / rng.choice(_FOLDERS)
    closed.mkdir()
    command = bench.start(bench.train(), folder, "obey_modes")
    time.sleep(rng.uniform(0, bench.reference.seconds))
    closed.chmod(0o555)
    in_time = command.alive
    code = command.end()
    closed.chmod(0o755)
    if code == 0:
        bench.check_run(folder)
    else:
        bench.finish(folder)
    return Outcome.IDENTICAL if in_time else Outcome.TOO_LATE


def vanished(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Move a folder away at a random moment, bring it back, and go on; or delete it."""
    lost = folder / rng.choice(_FOLDERS)
    deleted = rng.random() < 0.3
    command = bench.start(bench.train(), folder)
    deadline = time.monotonic() + 30
    while command.alive and not lost.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, bench.reference.seconds))
    away = folder / "away"
    lost.rename(away)
    in_time = command.alive
    if deleted:
        shutil.rmtree(away)
    code = command.end()
    if code and "error" not in last_line(command.errors):
        raise FaultShows(Outcome.WRONG, f"no error in the last line: {command.errors[-300:]}")
    if not in_time:
        return Outcome.TOO_LATE
    if deleted:
        return _go_on_after_deletion(bench, folder, lost.name, code)
    shutil.rmtree(lost, ignore_errors=True)
    away.rename(lost)
    bench.finish(folder)
    return Outcome.IDENTICAL


def _go_on_after_deletion(bench: Bench, folder: Path, name: str, code: int) -> Outcome:
    """Go on where the logs were deleted: their rows are gone, the weights are not.

    Without models there is nothing to go on with: the line that the run ended with is all.
    """
    if name == "models":
        return Outcome.REFUSED if code else Outcome.IDENTICAL
    again = (
        bench.start(bench.train("--resume", "models"), folder) if has_checkpoint(folder) else None
    )
    if again is not None and (code := again.end()) != 0:
        raise FaultShows(
            Outcome.LOST, f"the logs deleted: exit code {code}: {last_line(again.errors)}"
        )
    if again is not None:
        bench.check_weights(folder)
    return Outcome.IDENTICAL
