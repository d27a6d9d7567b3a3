"""Checkpoints and arrays on disk: written atomically, read without ever executing code."""

import hashlib
import logging
import operator
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from numpy.typing import NDArray

from camsim.archives import ArchiveError, open_archive, read_arrays
from camsim.files import atomic_writer
from qplex_hrl.storage.records import read_tree
from qplex_hrl.storage.stored_values import NotFiniteError

__all__ = [
    "FORMAT_VERSION",
    "OLDEST_TRAINING",
    "CheckpointError",
    "check_fingerprint",
    "check_replay",
    "checkpoints_in",
    "fingerprint",
    "load_arrays",
    "load_checkpoint",
    "newest_intact",
    "save_arrays",
    "save_checkpoint",
]

FORMAT = "qplex-hrl checkpoint"
FORMAT_VERSION = 3
"""1: of version 0.1, of whose files only the cameras can be used. 2: arrays and keys of 0.2. 3: a
check sum per part."""
OLDEST_TRAINING = 2
"""Training goes on from files of this version or later."""

_FIRST_WITH_SUMS = 3

_ARRAY = "__ndarray__"  # key of a NumPy array's bytes
_LONGEST_NAME = 1000  # characters of a path in a message; the system opens few longer ones
_NUMBERED = re.compile(r"qplex_hrl_(\d+)\.pth")
_LOG = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A file that is missing, damaged, foreign or of another version; the text is one line."""


def save_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a nested mapping atomically.

    Args:
        path: the file; its folder must exist.
        content: mappings, lists and tuples of tensors, NumPy arrays and scalars, numbers, texts,
            booleans and None. Tuples come back as lists, NumPy scalars as Python numbers.

    Raises:
        TypeError: the content holds something else; nothing is written.
        NotFiniteError: a tensor does not hold finite numbers; nothing is written.
        OSError: the file cannot be written; an older file is untouched.
    """
    encoded = _encode(content, "content")
    _check_finite(encoded, "")
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sums": _sums(encoded),
        "content": encoded,
    }
    with atomic_writer(path) as file:
        torch.save(document, cast(BinaryIO, _UntilClosed(file)))


class _UntilClosed:
    """A file as `torch.save` writes to it; what comes after it is closed is dropped.

    A writer of PyTorch that a signal keeps from its end writes that when it is destroyed. Python's
    error about the closed file would abort the process there.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: Any) -> int:  # Any: whatever has a buffer
        """Write, and return the number of bytes."""
        return len(data) if self._file.closed else self._file.write(data)

    def flush(self) -> None:
        """Flush, unless the file is closed."""
        if not self._file.closed:
            self._file.flush()


# Any: a checkpoint is a tree of many types; each part validates what it restores.
def load_checkpoint(path: str | Path, *, oldest: int = 1) -> dict[str, Any]:
    """Return what `save_checkpoint` wrote, tensors on the CPU.

    Args:
        path: the file.
        oldest: format version from which on the content is understood.

    Raises:
        CheckpointError: the file is missing, damaged, not a checkpoint of this project, of another
            version, asks for code to be executed (which does not happen), or holds a tensor with
            NaN.
    """
    path = Path(path)
    with _told(path):
        with open_archive(path) as archive:
            document = read_tree(archive)
        _check_header(path, document, oldest)
        _check_parts(document)
        content: dict[str, Any] = _decode(document["content"], "content")
    return content


def checkpoints_in(folder: Path) -> list[Path]:
    """Return a run's checkpoints, latest first: the final one, then by timestep.

    Raises:
        CheckpointError: the folder does not exist.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder")
    numbered = [
        (int(match[1]), path)
        for path in folder.iterdir()
        if (match := _NUMBERED.fullmatch(path.name))
    ]
    final = folder / "qplex_hrl_final.pth"
    return [final] * final.exists() + [path for _, path in sorted(numbered, reverse=True)]


def newest_intact(folder: str | Path) -> Path:
    """Return a run's latest checkpoint that can be read: the final one, else by timestep.

    Damaged ones are skipped with a warning.

    Raises:
        CheckpointError: the folder does not exist or holds no intact checkpoint.
    """
    folder = Path(folder)
    for path in checkpoints_in(folder):
        try:
            load_checkpoint(path)
        except CheckpointError as error:
            _LOG.warning("skipped: %s", error)
        else:
            return path
    raise CheckpointError(f"{folder}: no intact checkpoint (qplex_hrl_<timestep>.pth)")


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays atomically as an uncompressed `.npz` file, whatever the path's ending.

    Raises:
        TypeError: an array holds Python objects.
        OSError: the file cannot be written; an older file is untouched.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name} holds Python objects")
    with atomic_writer(path) as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]  # numpy types names as bool


def load_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return what `save_arrays` wrote.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
    """
    path = Path(path)
    with _told(path):
        return read_arrays(path)


def fingerprint(path: str | Path) -> str:
    """Return what tells arrays on disk apart from all others, from the check sums in their file.

    Raises:
        CheckpointError: the file is missing or no archive.
    """
    path = Path(path)
    with _told(path), open_archive(path) as archive:
        sums = sorted((each.filename, each.file_size, each.CRC) for each in archive.infolist())
    return hashlib.sha256(repr(sums).encode()).hexdigest()[:16]


def check_fingerprint(path: str | Path, expected: str | None) -> None:
    """Check that a replay is the one that a checkpoint was saved with.

    Args:
        path: the replay.
        expected: its `fingerprint` by the checkpoint; None: the checkpoint is older and has none.

    Raises:
        CheckpointError: the file is missing, no archive, or another checkpoint's.
    """
    found = fingerprint(path)
    if expected not in (None, found):
        raise CheckpointError(
            f"{path}: not the replay that was saved with this checkpoint "
            f"(fingerprint {found}; expected {expected})"
        )


def check_replay(path: str | Path, expected: str | None) -> None:
    """Check that a replay is intact, a part at a time: it may be as large as memory.

    Args:
        path: the replay.
        expected: as for `check_fingerprint`.

    Raises:
        CheckpointError: the file is missing, damaged, or another checkpoint's.
    """
    check_fingerprint(path, expected)
    path = Path(path)
    with _told(path), open_archive(path) as archive:
        odd = archive.testzip()
    if odd is not None:
        raise CheckpointError(f"{path}: damaged, a check sum does not match ({odd})")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what is wrong with a file in one line that begins with its name."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(_reason(path, error)) from error
    except ArchiveError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint of this project") from error


def _check_header(path: Path, document: object, oldest: int) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of this project")
    version = document.get("format_version")
    if type(version) is not int or not isinstance(document.get("content"), dict):
        raise CheckpointError(f"{path}: not a checkpoint of this project")
    if version == 1 < oldest:
        raise CheckpointError(
            f"{path}: saved by version 0.1, whose trainings cannot go on in this version; "
            f"begin a new one with its cameras: --set training.initial_weights={path}"
        )
    if version not in range(oldest, FORMAT_VERSION + 1):
        raise CheckpointError(
            f"{path}: checkpoint of format version {version!r}; expected {FORMAT_VERSION}"
        )


def _check_parts(document: Mapping[str, Any]) -> None:
    """Compare every part with its check sum, of which older versions have none."""
    if document["format_version"] < _FIRST_WITH_SUMS:
        return
    stored, found = document.get("sums"), _sums(document["content"])
    if stored != found:
        known = stored if isinstance(stored, dict) else {}
        odd = next((part for part in found if known.get(part) != found[part]), "a part is missing")
        raise ArchiveError(f"damaged or changed, a check sum does not match ({odd})")


def _sums(content: Mapping[Any, Any]) -> dict[str, str]:
    """Return the SHA-256 of every part: an entry of the content, or of a mapping in it."""
    sums = {}
    for key, value in content.items():
        inner = value.items() if isinstance(value, dict) and key != _ARRAY else [(None, value)]
        for name, part in inner:
            digest = hashlib.sha256()
            _feed(digest, part)
            sums[str(key) if name is None else f"{key}.{name}"] = digest.hexdigest()
    return sums


def _feed(digest: "hashlib._Hash", value: Any) -> None:
    """Add a value to a digest, with its type and its length."""
    if isinstance(value, torch.Tensor):
        flat = value.detach().contiguous().cpu().reshape(-1)
        digest.update(f"tensor {value.dtype} {list(value.shape)} ".encode())
        digest.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    elif isinstance(value, dict):
        digest.update(f"dict {len(value)} ".encode())
        for key, item in value.items():
            _feed(digest, key)
            _feed(digest, item)
    elif isinstance(value, list):
        digest.update(f"list {len(value)} ".encode())
        for item in value:
            _feed(digest, item)
    else:
        text = repr(value).encode()
        digest.update(f"{type(value).__name__} {len(text)} ".encode() + text)


def _check_finite(value: Any, place: str) -> None:
    """Raise NotFiniteError if a tensor of an encoded value does not hold finite numbers."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise NotFiniteError(f"{place[1:]} is not finite")
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check_finite(item, f"{place}.{key}")


def _encode(value: Any, place: str) -> Any:
    """Return the value made of types that the restricted reader knows."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case torch.Tensor():
            return value.detach().clone()  # a view would be saved with all of its storage
        case np.generic():
            return _encode(value.item(), place)
        case np.ndarray():
            if value.dtype.kind not in "biuf":
                raise TypeError(f"{place} is an array of {value.dtype}")
            raw = torch.from_numpy(np.ascontiguousarray(value).reshape(-1).view(np.uint8).copy())
            return {_ARRAY: raw, "dtype": value.dtype.str, "shape": list(value.shape)}
        case Mapping():
            return {
                _encode(key, place): _encode(item, f"{place}.{key}") for key, item in value.items()
            }
        case list() | tuple():
            return [_encode(item, f"{place}[{i}]") for i, item in enumerate(value)]
    raise TypeError(f"{place} is a {type(value).__name__}, which a checkpoint cannot hold")


def _decode(value: Any, place: str) -> Any:
    """Return the value with its arrays; numbers of tensors are finite.

    Raises:
        ArchiveError: an array is not what it says, or a tensor holds NaN or an infinity.
    """
    match value:
        case torch.Tensor():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise ArchiveError(f"damaged: {place} holds numbers that are not finite")
        case dict() if _ARRAY in value:
            return _array(value, place)
        case dict():
            return {key: _decode(item, f"{place}.{key}") for key, item in value.items()}
        case list():
            return [_decode(item, f"{place}[{i}]") for i, item in enumerate(value)]
    return value


def _array(value: Mapping[str, Any], place: str) -> NDArray[Any]:
    raw, dtype, shape = value[_ARRAY], value.get("dtype"), value.get("shape")
    try:
        kind = np.dtype(dtype if isinstance(dtype, str) else "")
        if kind.kind not in "biuf" or not isinstance(shape, list):
            raise ValueError(f"{dtype} {shape}")
        array: NDArray[Any] = raw.numpy().view(kind).reshape([operator.index(n) for n in shape])
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ArchiveError(f"damaged: {place} is no array of {dtype}") from error
    return array


def _reason(path: Path, error: OSError) -> str:
    name = str(path)
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:60]}..."
    return f"{shown}: {(error.strerror or str(error)).lower()}"
