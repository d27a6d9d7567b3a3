"""Signals at random moments of every command, and runs that are killed again and again."""

import json
import random
import signal
import time
from pathlib import Path

from faults.harness import (
    Bench,
    Command,
    FaultShows,
    Outcome,
    check_files,
    digest,
    has_checkpoint,
    last_line,
)

from qplex_hrl.storage.checkpoint import load_checkpoint

_PATIENCE = 30.0


def kill_and_resume(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Kill a training at a random moment, up to three times, and go on each time."""
    killed = False
    for _ in range(rng.randint(1, 3)):
        command = _train(bench, folder)
        time.sleep(rng.uniform(0, bench.reference.seconds))
        command.signal(signal.SIGKILL)
        if command.end() == 0:
            break
        killed = True
    return _finish(bench, folder, in_time=killed)


def signal_in_training(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Ask a training to stop, in one of the ways that a system has, and go on."""
    number = rng.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    command = _train(bench, folder)
    time.sleep(rng.uniform(0, bench.reference.seconds))
    command.signal(number)
    if twice := rng.random() < 0.3:
        time.sleep(rng.uniform(0, 0.05))
        command.signal(number)
    code = command.end()
    if code not in (0, 130) and not (code == -number and (twice or _had_nothing_to_save(folder))):
        raise FaultShows(Outcome.LOST, f"exit code {code} at {signal.Signals(number).name}")
    return _finish(bench, folder, in_time=code != 0)


def kill_in_saving(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Kill a training while a file is half-written: its unfinished name is there."""
    command = _train(bench, folder)
    to_see = rng.randint(1, 12)
    deadline = time.monotonic() + _PATIENCE
    while command.alive and to_see and time.monotonic() < deadline:
        to_see -= any(folder.glob("*/.*.tmp"))
    command.signal(signal.SIGKILL)
    return _finish(bench, folder, in_time=command.end() != 0)


def pause_in_training(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Freeze a training for a moment."""
    command = _train(bench, folder)
    time.sleep(rng.uniform(0, bench.reference.seconds))
    command.signal(signal.SIGSTOP)
    time.sleep(0.3)
    command.signal(signal.SIGCONT)
    if not command.sent:
        return _finish(bench, folder, in_time=False)
    if (code := command.end()) != 0:
        raise FaultShows(Outcome.LOST, f"exit code {code}: {last_line(command.errors)}")
    bench.check_run(folder)
    return Outcome.IDENTICAL


def signal_in_command(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Stop a command that reads a checkpoint and writes a file; do it again without the signal."""
    checkpoint = str(bench.reference.folder / "models" / "qplex_hrl_final.pth")
    arguments = rng.choice(
        [
            ["evaluate", "--checkpoint", checkpoint, "--episodes", "4", "--output", "result.json"],
            ["export", "--checkpoint", checkpoint, "--output", "cameras.pth"],
            ["compare", checkpoint, "random", "--episodes", "4", "--output", "comparison"],
        ]
    )
    number = rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    command = bench.start(arguments, folder)
    time.sleep(rng.uniform(0, 0.6))
    command.signal(number)
    code = command.end()
    for path in folder.rglob("*.json"):
        check_files(path.parent)
    if code != 0 and (again := bench.start(arguments, folder).end()) != 0:
        raise FaultShows(Outcome.LOST, f"the same command afterwards: exit code {again}")
    check_files(folder)
    if _outputs(folder) != bench.undisturbed(arguments, _outputs):
        raise FaultShows(Outcome.WRONG, f"{arguments[0]}: another output than without the signal")
    return Outcome.IDENTICAL if code else Outcome.TOO_LATE


def _had_nothing_to_save(folder: Path) -> bool:
    """Whether a training had not begun, or had saved all."""
    logs, models = folder / "logs", folder / "models"
    return not (logs / "metrics.jsonl").exists() or (models / "qplex_hrl_final.pth").exists()


def _outputs(folder: Path) -> dict[str, str]:
    """Return the results of a command: file and digest, without times."""
    results: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            results[path.name] = digest(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".pth":
            results[path.name] = digest(load_checkpoint(path))
    return results


def _train(bench: Bench, folder: Path) -> Command:
    resume = ["--resume", "models"] if has_checkpoint(folder) else []
    return bench.start(bench.train(*resume), folder)


def _finish(bench: Bench, folder: Path, *, in_time: bool) -> Outcome:
    """Go on with a run that the fault has stopped; judge it as it is if it had ended before."""
    if not in_time:
        bench.check_run(folder)
        return Outcome.TOO_LATE
    bench.finish(folder)
    return Outcome.IDENTICAL
