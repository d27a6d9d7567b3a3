"""Free memory: of the machine, and of control groups of both versions."""

import ctypes
import os
from pathlib import Path

import pytest

from qplex_hrl.runtime import memory
from qplex_hrl.runtime.memory import available_memory, give_back_memory

GB = 10**9


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Linux with 8 GB of free memory whose process is in the group /a/b."""
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    (tmp_path / "own").write_text("0::/a/b\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    (tmp_path / "groups" / "a" / "b").mkdir(parents=True)
    return tmp_path


def limit(folder: Path, limit: object, used: int, unused: int) -> None:
    """Write what version 2 tells of a group."""
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {unused}\nslab 7\n")


def test_free_memory_is_part_of_all_memory() -> None:
    everything = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 10**7 < available_memory() <= everything


def test_without_limits_the_machine_decides(system: Path) -> None:
    assert available_memory() == 8_000_000 * 1024
    limit(system / "groups" / "a" / "b", "max", 1 * GB, 0)
    limit(system / "groups" / "a", 30 * GB, 1 * GB, 0)
    assert available_memory() == 8_000_000 * 1024


@pytest.mark.parametrize("place", ["a/b", "a", "."])
def test_the_tightest_group_decides(system: Path, place: str) -> None:
    limit(system / "groups" / place, 4 * GB, 2 * GB, GB // 2)
    assert available_memory() == 2 * GB + GB // 2
    limit(system / "groups" / place, 1 * GB, 2 * GB, 0)
    assert available_memory() == 0


@pytest.mark.parametrize(("bytes_", "free"), [(3 * GB, 2 * GB), (2**63 - 4096, 8_000_000 * 1024)])
def test_version_1(system: Path, bytes_: int, free: int) -> None:
    (system / "own").write_text("3:cpu:/a\n2:memory:/outside/of/the/container\n")
    group = system / "groups" / "memory"  # where a container sees its own
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(f"{bytes_}\n")
    (group / "memory.usage_in_bytes").write_text(f"{GB + 5}\n")
    (group / "memory.stat").write_text("cache 9\ninactive_file 3\ntotal_inactive_file 5\n")
    assert available_memory() == free


def test_another_system_than_linux_tells_all_its_memory(system: Path) -> None:
    for name in ("meminfo", "own"):
        (system / name).unlink()
    everything = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory() == everything


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_freed_memory_goes_back_to_the_system() -> None:
    """Blocks are freed below one that stays: the C library alone gives nothing back."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    size, count = 50_000, 1000
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    give_back_memory()
    assert before - resident() > 0.9 * size * count
    libc.free(blocks[-1])


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    give_back_memory()
