"""Ends what a process started if that process dies without doing so; run with `python -m`.

Ray's own processes notice the death of the one that started them, but some only minutes later. The
cleanup learns of it at once, because its standard input closes. It ends descendants of that one
process alone: those that it has seen before, those that write their output into that process's
temporary folder, and what these start. It knows each by its number and start time, so it cannot end
another process that has got the same number.
"""

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["clean_up", "descendants"]

INTERVAL_SECONDS = 1.0
GRACE_SECONDS = 3.0

Process = tuple[int, int]  # number and start time


def descendants(*pids: int) -> set[Process]:
    """Return all living processes that ``pids`` started, directly or through others."""
    children: dict[int, list[Process]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))) is not None:
            parent, started = fields
            children.setdefault(parent, []).append((int(folder.name), started))
    found: set[Process] = set()
    waiting = list(pids)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.add(child)
            waiting.append(child[0])
    return found


def clean_up(pid: int, folder: Path, input_fd: int = 0) -> None:
    """Wait until the other end of ``input_fd`` closes, then clean up after ``pid``.

    Args:
        pid: the process that may die, which holds the other end.
        folder: of temporary files that goes with it.
        input_fd: a pipe.
    """
    folder, seen = folder.resolve(), set[Process]()
    while not select.select([input_fd], [], [], INTERVAL_SECONDS)[0]:
        seen = _living(seen) | descendants(pid)
    give_up = time.monotonic() + GRACE_SECONDS
    while (seen := _with_newer(seen, folder)) and time.monotonic() < give_up:
        time.sleep(INTERVAL_SECONDS / 10)
    give_up += GRACE_SECONDS  # for what is being started just now
    while seen and time.monotonic() < give_up:
        for number, _ in seen:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        time.sleep(INTERVAL_SECONDS / 10)
        seen = _with_newer(seen, folder)
    shutil.rmtree(folder, ignore_errors=True)


def _with_newer(seen: set[Process], folder: Path) -> set[Process]:
    """Return the living ones of ``seen``, and what has been started since somebody looked."""
    known = _living(seen) | _writers(folder)
    known |= descendants(*(number for number, _ in known))
    return {each for each in known if each[0] != os.getpid()}


def _living(processes: set[Process]) -> set[Process]:
    return {each for each in processes if (_stat(each[0]) or (0, 0))[1] == each[1]}


def _writers(folder: Path) -> set[Process]:
    """Return the living processes whose standard output or error is a file of the folder."""
    found = set()
    for process in descendants(0):
        for stream in (1, 2):
            with suppress(OSError):  # it has ended, or is another user's
                if Path(f"/proc/{process[0]}/fd/{stream}").readlink().is_relative_to(folder):
                    found.add(process)
    return found


def _stat(pid: int) -> tuple[int, int] | None:
    """Return a process's parent and start time, None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] == "Z" else (int(fields[1]), int(fields[19]))


if __name__ == "__main__":
    clean_up(int(sys.argv[1]), Path(sys.argv[2]))
