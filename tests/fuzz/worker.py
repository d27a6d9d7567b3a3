"""Inputs are tried in a process of their own, so that a crash is a row of a table."""

import contextlib
import importlib
import json
import logging
import os
import random
import resource
import select
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

GOOD = ("refused", "accepted")
BAD = ("traceback", "crash", "slow", "big", "wrong")
MOST_SECONDS, MOST_MEGABYTES = 2.0, 200.0
_HANGS_AFTER = 8.0  # seconds: a message tells where
_KILLED_AFTER = 240.0  # seconds of silence: compiled code hangs, or a kernel is compiled
_PREPARES = 600.0  # seconds: kernels may have to be compiled
_MEMORY = 4 << 30  # bytes that an input may add before allocation fails
_LONGEST_REASON = 1500


class Wrong(AssertionError):
    """What was tried has answered, but the answer is wrong."""


class Refused(Exception):
    """What was tried has refused the input in a way that is not a `ValueError` or `OSError`."""


class Kind(Protocol):
    """One kind of inputs."""

    def make(self, rng: random.Random) -> Any:
        """Return an input; everything in it is drawn from `rng`."""

    def attempt(self, made: Any) -> bool | None:
        """Send the input; raise what the program raises.

        Returns:
            True if it was accepted and what it asks for may take long and fill memory.

        Raises:
            Wrong: the answer is wrong.
        """


class Outcome(NamedTuple):
    """What became of one input."""

    index: int
    what: str  # one of GOOD or BAD
    reason: str
    seconds: float = 0.0  # of this process's time
    megabytes: float = 0.0


@dataclass
class Tally:
    """All outcomes of a kind."""

    counts: dict[str, int] = field(default_factory=dict)
    bad: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.counts[outcome.what] = self.counts.get(outcome.what, 0) + 1
        if outcome.what in BAD:
            self.bad.append(outcome)


def load_kind(name: str, folder: Path) -> Kind:
    """Return the kind `name` of its module `fuzz_<name>.py`, with a folder of its own."""
    kind: Kind = importlib.import_module(f"fuzz_{name}").make_kind(folder)
    return kind


def input_rng(kind: str, seed: int, index: int) -> random.Random:
    """Return what draws one input: the same every time."""
    return random.Random(f"{kind}/{seed}/{index}")


def run_kind(kind: str, seed: int, indices: range, seconds: float = float("inf")) -> Tally:
    """Try inputs in workers, for so many seconds at most; return what became of them."""
    tally, end = Tally(), time.monotonic() + seconds
    for outcome in outcomes_of(kind, seed, indices):
        tally.add(outcome)
        if time.monotonic() > end:
            break
    return tally


def outcomes_of(kind: str, seed: int, indices: range) -> Iterator[Outcome]:
    """Yield what became of each input; a crash costs a worker."""
    start = indices.start
    while start < indices.stop:
        for outcome in _worker(kind, seed, range(start, indices.stop)):
            start = outcome.index + 1
            yield outcome


def _worker(kind: str, seed: int, indices: range) -> Iterator[Outcome]:
    """Yield outcomes of a new process until it is done or dies, which is the last outcome."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _serve(kind, seed, indices, writing)
        except BrokenPipeError:  # nobody wants to know more
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    os.close(writing)
    next_index, hung = indices.start, False
    try:
        with os.fdopen(reading, "rb") as answers:
            for line in _lines(answers):
                outcome = Outcome(*json.loads(line))
                next_index = outcome.index + 1
                yield outcome
    finally:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended and next_index < indices.stop:
            time.sleep(1.0)  # it may be about to end by itself
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended:
                os.kill(child, signal.SIGKILL)
                hung = True
        if not ended:
            _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 3:
        raise RuntimeError(f"{kind}: the worker failed beside its inputs")
    if next_index < indices.stop:
        what = "slow" if hung or code == -signal.SIGALRM else "crash"
        yield Outcome(next_index, what, f"the process ended with {code}")


def _lines(answers: Any) -> Iterator[bytes]:
    """Yield lines as they come, until none come for long."""
    rest, patience = b"", _PREPARES
    while True:
        ready, _, _ = select.select([answers], [], [], patience)
        patience = _KILLED_AFTER
        part = os.read(answers.fileno(), 65536) if ready else b""
        if not part:
            return
        *whole, rest = (rest + part).split(b"\n")
        yield from whole


def _serve(kind: str, seed: int, indices: range, writing: int) -> None:
    """Try the inputs one by one and write what becomes of them."""
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        os.chdir(name)
        folder = Path(name)
        warnings.simplefilter("ignore")
        logging.disable()
        tried = load_kind(kind, folder)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for index in indices:
            outcome = judge(tried, index, input_rng(kind, seed, index))
            measured = outcome.what in ("slow", "big") and outcome.seconds > 0
            if measured and "Hangs" not in outcome.reason:  # a kernel was compiled
                outcome = judge(tried, index, input_rng(kind, seed, index))
            os.write(writing, json.dumps(list(outcome)).encode() + b"\n")


def judge(kind: Kind, index: int, rng: random.Random) -> Outcome:
    """Try one input in this process."""
    made = kind.make(rng)
    _forget_peak()
    before, started = _memory("VmRSS"), time.process_time()
    what, reason = _tried(kind, made)
    seconds = time.process_time() - started
    megabytes = _memory("VmHWM") - before
    if what in (*GOOD, "large"):
        measured = what in GOOD
        what = "accepted" if what == "large" else what
        if measured and seconds > MOST_SECONDS:
            what = "slow"
        elif measured and megabytes > MOST_MEGABYTES:
            what = "big"
    return Outcome(index, what, reason, round(seconds, 2), round(megabytes, 1))


class _Hangs(BaseException):
    pass


def _tried(kind: Kind, made: Any) -> tuple[str, str]:
    try:
        with _time_limit():
            large = kind.attempt(made)
    except Wrong as error:
        return "wrong", _short(str(error))
    except _Hangs:
        return "slow", _where(traceback.format_exc())
    except MemoryError:
        return "big", _where(traceback.format_exc())
    except (ValueError, OSError, Refused) as error:
        return _refusal(error)
    except Exception:
        return "traceback", _where(traceback.format_exc())
    return ("large", "") if large else ("accepted", "")


def _refusal(error: Exception) -> tuple[str, str]:
    """Return whether a refusal is one line that says something."""
    text = str(error)
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        return ("refused", text) if error.filename is not None else ("traceback", repr(error))
    if not text.strip() or len(text.splitlines()) > 1 or len(text) > _LONGEST_REASON:
        return "traceback", f"no short line: {_short(repr(error))}"
    if isinstance(error, UnicodeError):
        return "traceback", _where(traceback.format_exc())
    return "refused", text


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise an error where Python code hangs; end the process where other code does."""

    def stop(*_: object) -> None:
        if _compiles():
            signal.setitimer(signal.ITIMER_REAL, _HANGS_AFTER)
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the next one ends the process
        signal.setitimer(signal.ITIMER_REAL, _KILLED_AFTER)
        raise _Hangs

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _HANGS_AFTER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _compiles() -> bool:
    """Tell whether the hang is a compilation, by the files of the frames below."""
    return any("numba/core/compiler" in file for file, *_ in traceback.extract_stack())


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _memory(what: str) -> float:
    """Return VmRSS or VmHWM of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1e3
    return 0.0


def _short(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[-_LONGEST_REASON:]


def _where(text: str) -> str:
    """Return the end of a traceback."""
    return _short("\n".join(text.splitlines()[-7:]))
