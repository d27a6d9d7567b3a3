"""Atomic file writing: a reader finds the old file or the whole new one, never a part.

The data goes to a temporary file in the same folder, is flushed to the disk and then renamed. When
anything fails the temporary file is removed, the old file is untouched and the error propagates
(`OSError` for a full disk or an unwritable folder, always with the file's name). Its writer holds a
lock on a temporary file. What a killed writer left has none: the next writer of that file removes
it.
"""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "atomic_write_bytes",
    "atomic_write_json",
    "atomic_write_text",
    "atomic_writer",
    "failure_of",
    "remove_leftovers",
    "try_writing",
]

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp")


@contextmanager
def atomic_writer(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a binary file that takes the place of `path` when the block ends without an error.

    Args:
        path: the file to write; its folder must exist.

    Raises:
        OSError: the folder cannot be written or the disk is full; `filename` is set.
    """
    path = Path(path)
    with suppress(OSError):  # what cannot be removed does no harm
        remove_leftovers(path.parent, path.name)
    with _temporary_beside(path) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, path)  # noqa: PTH105  # while it is locked
        _sync_folder(path.parent)


@contextmanager
def _temporary_beside(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file in the folder of `path`, locked; it is removed unless somebody renames it.

    Raises:
        OSError: as the block does, or the folder cannot be written; `filename` is `path`.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb") as file:
                with suppress(OSError):  # a file system without locks: nobody removes it there
                    fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:  # else it was removed before it was locked
                    yield file
                    return
        except OSError as error:
            if error.filename in (None, str(temporary)):
                error.filename = str(path)
            raise
        finally:
            with suppress(OSError):
                temporary.unlink()


def atomic_write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_writer(path) as file:
        file.write(data)


def atomic_write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, encoded as UTF-8."""
    atomic_write_bytes(path, text.encode())


def atomic_write_json(path: str | Path, value: object) -> None:
    """Write `value` to `path` atomically as indented JSON with a final line break.

    Raises:
        TypeError: `value` holds something that JSON has no form for.
        ValueError: `value` holds NaN or an infinity, which JSON has no form for.
    """
    atomic_write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def failure_of(error: OSError) -> str:
    """Return what could not be read or written and why, in one line."""
    if error.filename is None:
        return " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {(error.strerror or 'failed').lower()}"


def remove_leftovers(folder: Path, name: str | None = None) -> list[Path]:
    """Remove what killed writers left half-written in a folder, and return it.

    Args:
        folder: must exist.
        name: of the file that they wrote; None: of any.

    Raises:
        OSError: the folder cannot be read or written.
    """
    removed = []
    for path in sorted(folder.iterdir()):
        match = _TEMPORARY.fullmatch(path.name)
        if match and name in (None, match[1]) and _remove_unlocked(path):
            removed.append(path)
    return removed


def _remove_unlocked(path: Path) -> bool:
    """Remove a file that nobody holds; return whether it was removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def try_writing(folder: Path) -> None:
    """Write a megabyte to the disk and remove it: a full disk shows before anything is moved.

    Raises:
        OSError: the folder does not exist or cannot be written, or the disk is full.
    """
    trial = folder / ".trial"
    try:
        atomic_write_bytes(trial, bytes(2**20))
    finally:
        trial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
