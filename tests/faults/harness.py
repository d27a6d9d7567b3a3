"""Real commands in processes of their own, and the judgement of what a fault has done to them.

Processes are forked from a server that has imported the project, so that one costs its work and not
its imports. The run without faults, to which all are compared, is a command as users type it.
"""

import hashlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from faults import child

from qplex_hrl.storage.checkpoint import load_arrays, load_checkpoint

CONFIG = Path(__file__).with_name("fault.yaml")
TIME_LIMIT = 120.0
"""Seconds after which a command hangs; far more than it needs on a busy machine."""

T = TypeVar("T")
_GOOD_CODES = (0, 1, 2, 130)
_TIMES = {"wall_time_seconds", "seconds_to_coverage", "frames_per_second", "provenance"}
_COUNTS = ("timestep", "n_updates", "n_episodes", "epsilon", "learning_rate")
_FOLDERS = {"log_dir", "model_dir"}


class Outcome(Enum):
    """What became of a run, in the words of the table."""

    IDENTICAL = "identical"
    REFUSED = "refused"
    TOO_LATE = "too late"
    LOST = "lost"
    TWICE = "twice"
    HALF_WRITTEN = "half-written"
    WRONG = "wrong"
    TRACEBACK = "traceback"
    CRASH = "crash"
    HANG = "hang"
    LEFT = "left over"
    HARNESS = "harness"


GOOD = (Outcome.IDENTICAL, Outcome.REFUSED, Outcome.TOO_LATE)


class FaultShows(Exception):
    """A fault did what no fault may do."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(f"{outcome.value}: {detail}")
        self.outcome, self.detail = outcome, detail


@dataclass(frozen=True)
class Fault:
    """One injection, which kind and seed repeat."""

    kind: str
    seed: int


@dataclass(frozen=True)
class Verdict:
    """What a fault led to."""

    fault: Fault
    outcome: Outcome
    detail: str
    folder: Path
    seconds: float


@dataclass
class Command:
    """A command that runs."""

    process: "multiprocessing.process.BaseProcess"
    folder: Path
    sent: set[int] = field(default_factory=set)

    def signal(self, number: int) -> None:
        """Send a signal, if the process is still there."""
        if self.process.pid is not None and self.process.is_alive():
            self.sent.add(number)
            os.kill(self.process.pid, number)

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "stderr.txt").read_text(encoding="utf-8", errors="replace")

    def end(self) -> int:
        """Wait for the end and return the exit code, which is in order."""
        self.process.join(TIME_LIMIT)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise FaultShows(Outcome.HANG, f"no end after {TIME_LIMIT:.0f} s")
        code, errors = self.process.exitcode, self.errors
        assert code is not None
        if "Traceback (most recent call last)" in errors:
            raise FaultShows(Outcome.TRACEBACK, errors.strip().splitlines()[-1])
        if code not in _GOOD_CODES and -code not in self.sent:
            raise FaultShows(Outcome.CRASH, f"exit code {code}: {errors[-300:]}")
        if code == 2 and errors.count("error: ") != 1:
            raise FaultShows(Outcome.WRONG, f"exit code 2 without one line: {errors[-300:]}")
        return code


@dataclass(frozen=True)
class Reference:
    """The run without a fault."""

    folder: Path
    final: str  # digest of the final checkpoint
    rows: list[dict[str, Any]]
    evaluations: dict[str, str]  # file and digest
    seconds: float


class Bench:
    """Starts commands and judges what they leave."""

    def __init__(
        self, folder: Path, train: Sequence[str] = ("train",), right: Sequence[str] | None = None
    ) -> None:
        """Do the run without a fault.

        Args:
            folder: new; of this and all other runs.
            train: the command that trains, with flags.
            right: another command, whose results are the right ones.
        """
        self.folder, self._train = folder, train
        self._made: dict[str, Any] = {}
        self._making = threading.RLock()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["faults.child"])
        with _environment() as environment:
            forkserver.ensure_running()
        self._context = context
        whole = folder / "reference"
        whole.mkdir(parents=True)
        subprocess.run(
            [sys.executable, "-m", "qplex_hrl", *(right or train), "--config", str(CONFIG)],
            cwd=whole,
            env=environment,
            check=True,
            capture_output=True,
        )
        forked = folder / "forked"
        forked.mkdir()
        begin = time.perf_counter()
        code = self.start(self.train(), forked).end()
        seconds = time.perf_counter() - begin
        assert code == 0, code
        self.reference = Reference(whole, _final(whole), *_results(whole), seconds)
        self._states = {path.name: _state(path) for path in checkpoints(whole)}
        self.check_run(forked)  # a forked process is as good as a new one

    @property
    def stopped(self) -> Path:
        """The folder of a run with the same result that was stopped half-way."""
        return self.once("stopped", lambda: self._stopped("stopped"))

    @property
    def other(self) -> Path:
        """The folder of one of another seed."""
        return self.once("other", lambda: self._stopped("other", "--seed", "1"))

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what ``make`` gives; made at the first call with this name."""
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made

    def _stopped(self, name: str, *more: str) -> Path:
        """Return the folder of a run that was stopped when it had two checkpoints."""
        folder = self.folder / name
        folder.mkdir()
        command = self.start(self.train(*more), folder)
        deadline = time.monotonic() + TIME_LIMIT
        while len(checkpoints(folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.002)
        command.signal(signal.SIGTERM)
        assert command.end() == 130, command.errors
        return folder

    def train(self, *more: str) -> list[str]:
        """Return the command that trains."""
        return [*self._train, "--config", str(CONFIG), *more]

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        patch: str | None = None,
        value: float = 0,
    ) -> Command:
        """Start a command in a folder.

        Args:
            arguments: of ``qplex-hrl``.
            folder: it is the working folder.
            patch: a function of ``faults.child`` to call first, inside the process.
            value: its argument.
        """
        process = self._context.Process(
            target=child.run, args=(list(arguments), str(folder), patch, value)
        )
        (folder / "stderr.txt").write_text("", encoding="utf-8")
        process.start()
        return Command(process, folder)

    def finish(self, folder: Path) -> None:
        """Go on with the run of a folder to its end, as a user would, and judge it.

        A run that has a checkpoint goes on there; without one it begins anew.
        """
        resume = ["--resume", "models"] if has_checkpoint(folder) else []
        command = self.start(self.train(*resume), folder)
        code = command.end()
        if code != 0:
            raise FaultShows(Outcome.LOST, f"exit code {code}: {last_line(command.errors)}")
        self.check_run(folder)

    def check_run(self, folder: Path, *, rows: bool = True) -> None:
        """Check that the files of a finished run are those of the run without faults."""
        check_files(folder)
        found, evaluations = _results(folder, rows=rows)
        if rows:
            self._check_rows(found)
        if evaluations != self.reference.evaluations:
            raise FaultShows(Outcome.WRONG, "other evaluations")
        self.check_weights(folder)

    def check_weights(self, folder: Path) -> None:
        """Check the final weights, and the whole state at each checkpoint of both runs.

        A run that fails after its last update saves its state once more: the final one, under the
        name of the last checkpoint.
        """
        if _final(folder) != self.reference.final:
            raise FaultShows(Outcome.WRONG, "other final weights")
        for path in checkpoints(folder):
            right = self._states.get(path.name)
            if right is None or _state(path) == right or _learned(path) == self.reference.final:
                continue
            raise FaultShows(Outcome.WRONG, f"other state in {path.name}")

    def undisturbed(self, arguments: Sequence[str], judge: Callable[[Path], Any]) -> Any:
        """Return what ``judge`` finds in the folder of a command without a fault; done once."""
        key = " ".join(arguments)

        def make() -> Any:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            if (code := self.start(arguments, folder).end()) != 0:
                raise FaultShows(Outcome.LOST, f"{key}: exit code {code} without a fault")
            return judge(folder)

        return self.once(key, make)

    def _check_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        points = [(row["timestep"], "n_updates" in row) for row in rows]
        if len(set(points)) < len(points):
            raise FaultShows(Outcome.TWICE, f"rows of metrics.jsonl twice: {points}")
        expected = [(row["timestep"], "n_updates" in row) for row in self.reference.rows]
        if points != expected:
            raise FaultShows(Outcome.LOST, f"rows of metrics.jsonl {points}, not {expected}")
        if [_lasting(row) for row in rows] != [_lasting(row) for row in self.reference.rows]:
            raise FaultShows(Outcome.WRONG, "other values in metrics.jsonl")


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """Set, for a while, the environment in which commands find these packages; yield it."""
    before = dict(os.environ)
    try:
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[name] = "1"
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"  # of locks that the killed leave
        yield dict(os.environ)
    finally:
        os.environ.clear()
        os.environ.update(before)


def checkpoints(folder: Path) -> list[Path]:
    """Return the numbered checkpoints of a run."""
    return list((folder / "models").glob("qplex_hrl_[0-9]*.pth"))


def has_checkpoint(folder: Path) -> bool:
    """Whether a run has a numbered checkpoint."""
    return bool(checkpoints(folder))


def last_line(text: str) -> str:
    """Return the last line of a text that has any."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def check_files(folder: Path) -> None:
    """Check that every file of a run loads, and that nothing unfinished is left.

    Raises:
        FaultShows: half-written.
    """
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if path.name.endswith(".tmp"):
            raise FaultShows(Outcome.HALF_WRITTEN, f"{path.name} is left")
        try:
            _load(path)
        except ValueError as error:
            raise FaultShows(Outcome.HALF_WRITTEN, f"{path.name}: {error}") from error


def _load(path: Path) -> None:
    if path.suffix == ".pth":
        load_checkpoint(path)
    elif path.suffix == ".npz":
        load_arrays(path)
    elif path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".jsonl":
        for line in path.read_text(encoding="utf-8").splitlines():
            json.loads(line)


def _results(folder: Path, *, rows: bool = True) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return rows and evaluations of a finished run."""
    logs = folder / "logs"
    try:
        metrics = logs / "metrics.jsonl"
        lines = metrics.read_text(encoding="utf-8").splitlines() if rows else []
        found = [_without_times(json.loads(line)) for line in lines]
        evaluations = {
            path.name: digest(json.loads(path.read_text(encoding="utf-8")))
            for path in sorted(logs.glob("*eval_results*.json"))
        }
    except (OSError, ValueError) as error:
        raise FaultShows(Outcome.HALF_WRITTEN, str(error)) from error
    found.sort(key=lambda row: (row["timestep"], "n_updates" in row))
    return found, evaluations


def _final(folder: Path) -> str:
    """Return a digest of what a finished run has learned."""
    try:
        return _learned(folder / "models" / "qplex_hrl_final.pth")
    except (OSError, ValueError) as error:
        raise FaultShows(Outcome.HALF_WRITTEN, str(error)) from error


def _learned(path: Path) -> str:
    """Return a digest of learner and generators in a checkpoint."""
    content = load_checkpoint(path)
    training = content["training"]
    # The final file has no replay: a finished run that is resumed once more counts none. The
    # counters are compared at the numbered checkpoints, see Bench.check_weights.
    return digest([content["timestep"], training["learner"], training["generators"]])


def _state(path: Path) -> dict[str, str]:
    """Return digests of what a run goes on with: learner, generators, counters, and replay.

    The rollout's sums for the next row of metrics are left out: they begin anew after a resume.
    """
    training = load_checkpoint(path)["training"]
    state = {name: digest(training[name]) for name in ("learner", "generators", "counters")}
    replay = path.with_suffix(".replay.npz")
    if replay.exists():
        state["replay"] = digest(load_arrays(replay))
    return state


def _lasting(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a stop does not change: means since the last row begin anew after a resume."""
    if "n_updates" not in row:
        return dict(row)  # of an evaluation
    return {name: row[name] for name in _COUNTS}


def _without_times(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _TIMES}


def digest(content: object) -> str:
    """Return a hash of a tree of values, bit for bit, without times and the run's folders."""
    whole = hashlib.sha256()
    _feed(whole.update, content)
    return whole.hexdigest()


def _feed(update: Callable[[bytes], None], content: object) -> None:
    if isinstance(content, Mapping):
        for name in sorted(content, key=str):
            if name not in _TIMES | _FOLDERS:
                update(str(name).encode())
                _feed(update, content[name])
    elif isinstance(content, list | tuple):
        update(b"[")
        for value in content:
            _feed(update, value)
    elif isinstance(content, torch.Tensor):
        _feed(update, content.numpy())
    elif isinstance(content, np.ndarray):
        update(f"{content.dtype}{content.shape}".encode())
        update(np.ascontiguousarray(content).tobytes())
    else:
        update(repr(content).encode())


Inject = Callable[[Bench, random.Random, Path], Outcome]
"""Injects one fault into commands in a new folder; returns a good outcome or raises FaultShows."""
