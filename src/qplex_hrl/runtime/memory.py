"""Memory that is free: of the machine, of a container's group of processes, of this process."""

import ctypes
import os
from pathlib import Path

__all__ = ["available_memory", "give_back_memory"]

_MEMINFO = Path("/proc/meminfo")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")

_UNLIMITED = 1 << 60  # version 1 tells a number near 2 ** 63 where there is no limit


def available_memory() -> int:
    """Return the bytes of memory that new arrays can use without swapping.

    Raises:
        OSError, ValueError, AttributeError: the system does not say.
    """
    rooms = [room for room in map(_room_in, _groups()) if room is not None]
    return min([_free_memory(), *rooms])


def give_back_memory() -> None:
    """Let the system have the memory that this process has freed.

    glibc keeps it, in pieces: a training that saves, evaluates and draws for hours holds a little
    more each hour. Other C libraries are left alone.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _free_memory() -> int:
    """Return the bytes that are free on this machine."""
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # another system than Linux: count all memory there is
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _groups() -> list[Path]:
    """Return the folders of this process's control groups for memory, and of those above them."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if controllers not in ("", "memory"):  # version 2 names none
            continue
        root = _GROUPS / controllers
        whole = root / own.lstrip("/")  # in a container it may be the path outside
        folders += [each for each in (whole, *whole.parents) if each.is_relative_to(root)]
    return folders


def _room_in(folder: Path) -> int | None:
    """Return the bytes that a group may take yet; None: it has no limit, or is not seen here."""
    for limit_file, used_file, idle in (
        ("memory.max", "memory.current", "inactive_file "),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    ):
        try:
            limit = int((folder / limit_file).read_text(encoding="ascii"))
            used = int((folder / used_file).read_text(encoding="ascii"))
            stat = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):  # no such group or version; or the limit is "max"
            continue
        if limit < _UNLIMITED:
            # Contents of files that nobody uses make room when it is needed.
            unused = sum(int(line.split()[1]) for line in stat if line.startswith(idle))
            return max(0, limit - used + unused)
    return None
