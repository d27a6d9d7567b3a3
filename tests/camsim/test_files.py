import errno
import os
from pathlib import Path

import pytest

from camsim.files import (
    atomic_write_bytes,
    atomic_write_json,
    atomic_write_text,
    atomic_writer,
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
