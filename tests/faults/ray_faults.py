"""Faults under Ray: workers killed, frozen or slow, the driver killed, the object store full."""

import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from faults.harness import Bench, Command, FaultShows, Inject, Outcome, has_checkpoint, last_line

from qplex_hrl.rllib.orphan_cleanup import descendants

N_ENVS = 4
N_CHUNKS = 24
TRAINING_SECONDS = 3.0
"""From the first chunk to the end; starting Ray takes longer, and is hit less often."""
_PATIENCE = 60.0
_SHORT_LIMIT = 20.0


def ray_is_installed() -> bool:
    """Whether the extra ``ray`` is there."""
    return find_spec("ray") is not None


def workers_of(pid: int) -> list[int]:
    """Return the rollout workers among the processes that a driver started."""
    words = _words_of({process for process, _ in descendants(pid)})
    return sorted(process for process, line in words.items() if "QPLEXHRLEnvRunner" in line)


def worker_killed(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Kill workers at random moments: another one begins where the chunk began."""
    bench = _with_workers(bench, rng.choice([1, 2]))
    with _training(bench, folder) as command:
        sent = False
        for _ in range(rng.randint(1, 2)):
            sent |= _signal(_a_worker(command, rng), signal.SIGKILL)
        code = command.end()
    return _judge(bench, command, code, in_time=sent, permitted=2)


def worker_frozen(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Freeze a worker, for some seconds or for ever: then the run ends, and can go on."""
    bench = _with_workers(bench, rng.choice([1, 2]))
    for_ever = rng.random() < 0.25
    patch = ("give_workers_up", _SHORT_LIMIT) if for_ever else (None, 0.0)
    with _training(bench, folder, *patch) as command:
        worker = _a_worker(command, rng)
        sent = _signal(worker, signal.SIGSTOP)
        if not for_ever:
            time.sleep(rng.uniform(0.2, 10))
            _signal(worker, signal.SIGCONT)
        code = command.end()
    permitted = (2 if "cannot" in command.errors else 1) if for_ever else 0
    return _judge(bench, command, code, in_time=sent, permitted=permitted)


def worker_slow(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Let a worker run for a small part of the time, from a random moment on."""
    bench = _with_workers(bench, rng.choice([1, 2]))
    with _training(bench, folder) as command:
        worker, sent = _a_worker(command, rng), False
        while command.alive and _signal(worker, signal.SIGSTOP):
            sent = True
            time.sleep(rng.uniform(0.02, 0.2))
            _signal(worker, signal.SIGCONT)
            time.sleep(rng.uniform(0.01, 0.05))
        code = command.end()
    return _judge(bench, command, code, in_time=sent)


def driver_killed(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Kill the driver at a random moment, up to twice, and go on; its cluster ends with it."""
    bench = _with_workers(bench, rng.choice([1, 2]))
    killed = False
    for _ in range(rng.randint(1, 2)):
        with _training(bench, folder) as command:
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0, bench.reference.seconds))
            else:
                _a_worker(command, rng)
            command.signal(signal.SIGKILL)
            code = command.end()
        if code == 0:
            break
        killed = True
    return _judge(bench, command, code, in_time=killed, permitted=-signal.SIGKILL)


def store_full(bench: Bench, rng: random.Random, folder: Path) -> Outcome:
    """Fill the object store while the run trains; then Ray puts objects on the disk, or cannot."""
    bench = _with_workers(bench, rng.choice([1, 2]))
    patch = rng.choice(["fill_store", "fill_store_and_disk"])
    with _training(bench, folder, patch, rng.randrange(N_CHUNKS)) as command:
        code = command.end()
    permitted = 1 if patch == "fill_store_and_disk" else 0
    return _judge(bench, command, code, in_time=True, permitted=permitted)


RAY_KINDS: Mapping[str, Inject] = {
    "ray-worker-killed": worker_killed,
    "ray-worker-frozen": worker_frozen,
    "ray-worker-slow": worker_slow,
    "ray-driver-killed-and-resumed": driver_killed,
    "ray-store-full": store_full,
}


def _with_workers(bench: Bench, n_workers: int) -> Bench:
    """Return the bench of ``train-ray``; what one worker does is right if ``train`` does it."""
    shares = ["--num-workers", str(n_workers)]
    shares += ["--set", f"ray.num_envs_per_worker={N_ENVS // n_workers}"]
    name = f"ray-with-{n_workers}"
    right = ["train"] if n_workers == 1 else None
    return bench.once(name, lambda: Bench(bench.folder / name, ["train-ray", *shares], right))


@contextmanager
def _training(
    bench: Bench, folder: Path, patch: str | None = None, value: float = 0
) -> Iterator[Command]:
    """Start a training, or go on with it; check afterwards that nothing outlives it."""
    resume = ["--resume", "models"] if has_checkpoint(folder) else []
    command = bench.start(bench.train(*resume), folder, patch, value)
    try:
        yield command
    finally:
        command.signal(signal.SIGKILL)  # in case of an error of ours
    _check_nothing_is_left(folder)


def _a_worker(command: Command, rng: random.Random) -> int:
    """Return a worker's process at a random moment of its life; 0 if the training has ended."""
    from_the_start = rng.random() < 0.25
    deadline = time.monotonic() + _PATIENCE
    while command.alive and time.monotonic() < deadline:
        workers = workers_of(command.process.pid or 0)
        if workers and (from_the_start or "qplex_hrl.training" in command.errors):
            break
        time.sleep(0.1)
    time.sleep(rng.uniform(0, TRAINING_SECONDS))
    return rng.choice(workers_of(command.process.pid or 0) or [0]) if command.alive else 0


def _signal(process: int, number: int) -> bool:
    """Send a signal to a process that may have ended; return whether it has not."""
    try:
        if process:
            os.kill(process, number)
    except ProcessLookupError:
        return False
    return bool(process)


def _judge(
    bench: Bench, command: Command, code: int, *, in_time: bool, permitted: int = 0
) -> Outcome:
    """Judge a run that has ended as it should, after going on if it had ended before its end."""
    folder, errors = command.folder, command.errors
    if code not in (0, permitted):
        raise FaultShows(Outcome.LOST, f"exit code {code}: {last_line(errors)}")
    if code > 0 and "error" not in last_line(errors).lower():
        raise FaultShows(Outcome.WRONG, f"no error in the last line: {errors[-300:]}")
    if code:
        bench.finish(folder)
        _check_nothing_is_left(folder)
    else:
        bench.check_run(folder)
    return Outcome.IDENTICAL if in_time else Outcome.TOO_LATE


def _check_nothing_is_left(folder: Path) -> None:
    """Check that all processes of a run end, which are those that work in its folder."""
    deadline = time.monotonic() + _PATIENCE
    while left := _working_in(folder):
        if time.monotonic() > deadline:
            raise FaultShows(Outcome.LEFT, f"{len(left)} processes: {_words_of(left)}")
        time.sleep(0.2)


def _working_in(folder: Path) -> set[int]:
    """Return the living processes whose working folder it is."""
    found = set()
    for process, _ in descendants(0) | descendants(1):
        try:
            if Path(f"/proc/{process}/cwd").resolve() == folder.resolve():
                found.add(process)
        except OSError:
            continue  # it has ended
    return found


def _words_of(processes: set[int]) -> dict[int, str]:
    """Return the command lines of processes."""
    lines = {}
    for process in processes:
        try:
            lines[process] = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended
    return lines
