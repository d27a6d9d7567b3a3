"""Signals at random moments of every command, and runs that are killed again and again."""

import random
import signal
import time
from pathlib import Path

from faults.harness import Bench, Command, FaultShows, Outcome, has_checkpoint, last_line

_PATIENCE = 30.0


def kill_and_resume(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Kill a training at a random moment, up to three times, and go on each time."""
    for _ in range(rng.randint(1, 3)):
        command = _train(bench, folder)
        time.sleep(rng.uniform(0, bench.reference.seconds))
        command.signal(signal.SIGKILL)
        command.end()
        if not command.sent:
            break
    bench.finish(folder)
    return Outcome.IDENTICAL


def signal_in_training(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Ask a training to stop, in one of the ways that a system has, and go on."""
    number = rng.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    command = _train(bench, folder)
    time.sleep(rng.uniform(0, bench.reference.seconds))
    command.signal(number)
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0, 0.05))
        command.signal(number)
    _check_stopped(command, number)
    bench.finish(folder)
    return Outcome.IDENTICAL


def kill_in_saving(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Kill a training while a file is half-written: its unfinished name is there."""
    command = _train(bench, folder)
    to_see = rng.randint(1, 12)
    deadline = time.monotonic() + _PATIENCE
    while command.alive and to_see and time.monotonic() < deadline:
        to_see -= any(folder.glob("*/.*.tmp"))
    command.signal(signal.SIGKILL)
    command.end()
    bench.finish(folder)
    return Outcome.IDENTICAL


def pause_in_training(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Freeze a training for a moment."""
    command = _train(bench, folder)
    time.sleep(rng.uniform(0, bench.reference.seconds))
    command.signal(signal.SIGSTOP)
    time.sleep(0.3)
    command.signal(signal.SIGCONT)
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
    command.end()
    for path in folder.rglob("*.json"):
        _check_whole(path)
    if (code := bench.start([*arguments], folder).end()) not in (0, 2):
        raise FaultShows(Outcome.LOST, f"the same command afterwards: exit code {code}")
    return Outcome.IDENTICAL


def _check_whole(path: Path) -> None:
    from faults.harness import check_files

    check_files(path.parent)


def _train(bench: Bench, folder: Path) -> Command:
    resume = ["--resume", "models"] if has_checkpoint(folder) else []
    return bench.start(bench.train(*resume), folder)


def _check_stopped(command: Command, number: int) -> None:
    """Check that a training either was at its end, or stopped as asked."""
    code = command.end()
    if code not in (0, 130, -number):
        raise FaultShows(Outcome.LOST, f"exit code {code}: {last_line(command.errors)}")
