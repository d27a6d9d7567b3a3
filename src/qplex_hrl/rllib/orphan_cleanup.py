"""Ends what a process started if that process dies without doing so; run with `python -m`.

Ray's own processes notice the death of the one that started them, but some only minutes later. The
cleanup learns of it at once, because its standard input closes. It ends descendants of that one
process alone. It knows each by its number and start time, so it cannot end another process that has
got the same number.
"""

import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

__all__ = ["clean_up", "descendants"]

INTERVAL_SECONDS = 1.0
GRACE_SECONDS = 3.0

Process = tuple[int, int]  # number and start time


def descendants(pid: int) -> set[Process]:
    """Return all living processes that ``pid`` started, directly or through others."""
    children: dict[int, list[Process]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))) is not None:
            parent, started = fields
            children.setdefault(parent, []).append((int(folder.name), started))
    found: set[Process] = set()
    waiting = [pid]
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
    seen: set[Process] = set()
    while not select.select([input_fd], [], [], INTERVAL_SECONDS)[0]:
        seen = {process for process in seen if _is_alive(process)} | descendants(pid)
    seen.discard((os.getpid(), (_stat(os.getpid()) or (0, 0))[1]))
    give_up = time.monotonic() + GRACE_SECONDS
    while any(map(_is_alive, seen)) and time.monotonic() < give_up:
        time.sleep(INTERVAL_SECONDS / 10)
    for process in seen:
        if _is_alive(process):
            os.kill(process[0], signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _stat(pid: int) -> tuple[int, int] | None:
    """Return a process's parent and start time, None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] == "Z" else (int(fields[1]), int(fields[19]))


def _is_alive(process: Process) -> bool:
    fields = _stat(process[0])
    return fields is not None and fields[1] == process[1]


if __name__ == "__main__":
    clean_up(int(sys.argv[1]), Path(sys.argv[2]))
