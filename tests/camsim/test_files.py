import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from camsim.files import (
    atomic_write_bytes,
    atomic_write_json,
    atomic_write_text,
    atomic_writer,
    remove_leftovers,
    try_writing,
)


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic_write_text(path, "erst\n")
    atomic_write_text(str(path), "später\n")
    assert path.read_text(encoding="utf-8") == "später\n"
    assert os.listdir(tmp_path) == ["a.txt"]  # noqa: PTH208


def test_json_ends_with_a_line_break_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write_json(path, {"a": [1, None]})
    assert path.read_text() == '{\n  "a": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        atomic_write_json(path, float("nan"))


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_writer(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        atomic_write_bytes(path, b"new")
    assert caught.value.filename == str(path)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(NotADirectoryError) as caught:
        atomic_write_bytes(tmp_path / "file" / "a.bin", b"new")
    assert caught.value.filename == str(tmp_path / "file" / "a.bin")
    with pytest.raises(FileNotFoundError):
        atomic_write_bytes(tmp_path / "none" / "a.bin", b"new")


def test_trying_leaves_nothing_and_names_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    try_writing(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="none"):
        try_writing(tmp_path / "none")


KILLED = """
import os, signal, sys
from camsim.files import atomic_writer
with atomic_writer(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    others = (
        ".b.bin.0123abcd.tmp",
        ".a.bin.tmp",
        ".a.bin.0123abcd.tmp.bak",
        ".a.bin.x.0123abcd.tmp",
    )
    for name in others:
        (tmp_path / name).touch()
    atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert not left.exists()
    assert all((tmp_path / name).exists() for name in others)


def test_a_writer_that_lives_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_writer(path) as first:
        first.write(b"first")
        atomic_write_bytes(path, b"second")
        assert remove_leftovers(tmp_path) == []
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"


def test_a_file_that_is_removed_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, removed = fcntl.flock, []

    def removed_before(file: object, operation: int) -> None:
        if not removed:
            (temporary,) = tmp_path.iterdir()
            temporary.unlink()
            removed.append(temporary)
        lock(file, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", removed_before)
    atomic_write_bytes(tmp_path / "a.bin", b"new")
    assert removed
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"new"]


def test_without_locks_files_are_written_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    left = tmp_path / ".a.bin.0123abcd.tmp"
    left.touch()
    atomic_write_bytes(tmp_path / "a.bin", b"new")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.bin", left.name}


def test_only_files_are_leftovers(tmp_path: Path) -> None:
    (tmp_path / "own").touch()
    (tmp_path / ".link.0123abcd.tmp").symlink_to(tmp_path / "own")
    (tmp_path / ".folder.0123abcd.tmp").mkdir()
    left = tmp_path / ".file.0123abcd.tmp"
    left.touch()
    assert remove_leftovers(tmp_path, "folder") == []
    assert remove_leftovers(tmp_path) == [left]
    assert len(list(tmp_path.iterdir())) == 3
