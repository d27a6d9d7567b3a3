"""Zip archives that anybody may have made: checked before anything in them is unpacked.

Our own writers only store. A compressed or overlapping member could unpack to far more than the
file's size, so the reader refuses both at once.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArchiveError", "open_archive", "read_array", "read_arrays"]

_LOCAL_HEADER = 30  # bytes before a member's name
_ENCRYPTED = 0x1
_MOST_MEMBERS = 100_000  # a checkpoint has some hundreds
_MOST_UNPACKED = 2**28  # bytes of an archive's compressed members: a long trace has a tenth
_LONGEST_NPY_HEADER = 10_000
_AT_ONCE = 2**20  # bytes of a member that are read at a time
_ENDING = ".npy"


class ArchiveError(ValueError):
    """A file that is no archive, is damaged, or may not be unpacked; the text is one line."""


@contextmanager
def open_archive(path: str | Path, *, compressed: bool = False) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members are safe to read; each one's check sum is compared then.

    Args:
        path: the file.
        compressed: members may be deflated, as traces of other programs are.

    Raises:
        ArchiveError: it is no regular file or no archive, or a member is compressed, encrypted,
            twice there, or overlaps another one; also if a member turns out damaged in the block.
        OSError: the file cannot be read.
    """
    path = Path(path)
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):  # opening a pipe could wait for ever
        kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise ArchiveError(f"{kind}; expected a file")
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            _check_members(archive, path.stat().st_size, compressed=compressed)
            yield archive
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, UnicodeError) as error:
        raise ArchiveError("truncated, damaged or no archive") from error


def _check_members(archive: zipfile.ZipFile, n_bytes: int, *, compressed: bool) -> None:
    """Check what the directory says of all members."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS or len(set(archive.namelist())) < len(members):
        raise ArchiveError("too many members, or two of one name")
    end = unpacked = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < end:
            raise ArchiveError("damaged: members overlap")
        if member.flag_bits & _ENCRYPTED:
            raise ArchiveError("a member is encrypted")
        is_stored = member.compress_type == zipfile.ZIP_STORED
        if not is_stored and not (compressed and member.compress_type == zipfile.ZIP_DEFLATED):
            raise ArchiveError("a member is compressed; expected stored ones")
        if is_stored and member.file_size != member.compress_size:
            raise ArchiveError("damaged: a member's sizes differ")
        unpacked += 0 if is_stored else member.file_size
        end = member.header_offset + _LOCAL_HEADER + len(member.filename) + member.compress_size
    if end > n_bytes:
        raise ArchiveError("truncated")
    if unpacked > _MOST_UNPACKED:
        raise ArchiveError(f"would unpack to more than {_MOST_UNPACKED >> 20} MiB")


def read_arrays(path: str | Path, *, compressed: bool = False) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` archive.

    Args:
        path: the file.
        compressed: members may be deflated.

    Raises:
        ArchiveError: the file is no such archive, or damaged; one line without the path.
        OSError: the file cannot be read.
    """
    with open_archive(path, compressed=compressed) as archive:
        names = archive.namelist()
        if not all(name.endswith(_ENDING) for name in names):
            raise ArchiveError("not stored arrays")
        return {name.removesuffix(_ENDING): read_array(archive, name) for name in names}


def read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Return the array of a ``.npy`` member; nothing is allocated that is not there.

    Raises:
        ArchiveError: it holds Python objects, or another amount of data than its header says.
    """
    with archive.open(name) as member:
        try:
            shape, fortran, dtype = _header(member)
        except Exception as error:  # a hostile header can make NumPy's parser fail in any way
            raise ArchiveError(f"damaged: {name} is no array of numbers or text") from error
        n_items = 1
        for length in shape:  # of Python's integers, which do not overflow
            n_items *= length
        n_bytes = archive.getinfo(name).file_size - member.tell()
        if dtype.hasobject or dtype.kind not in "biufU" or n_items * dtype.itemsize != n_bytes:
            raise ArchiveError(f"damaged: {name} is not the array that it says")
        array: NDArray[Any] = np.empty(n_items, dtype)
        left = memoryview(array.view(np.uint8).data) if n_bytes else memoryview(b"")
        while left and (read := member.read(min(len(left), _AT_ONCE))):
            left[: len(read)] = read
            left = left[len(read) :]
        if left or member.read(1):  # the check sum is compared at the end
            raise ArchiveError(f"damaged: {name} is truncated")
    return array.reshape(shape, order="F" if fortran else "C")


def _header(member: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether columns come first, and dtype of a ``.npy`` file."""
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version}")
    shape, fortran, dtype = read(member, max_header_size=_LONGEST_NPY_HEADER)
    if any(length < 0 for length in shape):
        raise ValueError(f"shape {shape}")
    return shape, fortran, dtype
