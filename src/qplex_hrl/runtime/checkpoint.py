"""Checkpoints and arrays on disk: written atomically, read without ever executing code."""

import logging
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from camsim.files import atomic_writer

__all__ = [
    "CheckpointError",
    "load_arrays",
    "load_checkpoint",
    "newest_intact",
    "save_arrays",
    "save_checkpoint",
]

FORMAT = "qplex-hrl checkpoint"
FORMAT_VERSION = 2
"""2: arrays and keys of version 0.2; of files of version 1 only the cameras can be used."""

_ARRAY = "__ndarray__"  # key of a NumPy array's bytes
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
        OSError: the file cannot be written; an older file is untouched.
    """
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "content": _encode(content, "content"),
    }
    with atomic_writer(path) as file:
        torch.save(document, file)


# Any: a checkpoint is a tree of many types; each part validates what it restores.
def load_checkpoint(path: str | Path, *, oldest: int = 1) -> dict[str, Any]:
    """Return what `save_checkpoint` wrote, tensors on the CPU.

    Args:
        path: the file.
        oldest: format version from which on the content is understood.

    Raises:
        CheckpointError: the file is missing, damaged, not a checkpoint of this project, of another
            version, or asks for code to be executed (which does not happen).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise CheckpointError(f"{path}: truncated, or not a checkpoint of this project")
            with zipfile.ZipFile(file) as parts:
                if parts.testzip() is not None:  # torch does not compare the check sums
                    raise CheckpointError(f"{path}: damaged, a check sum does not match")
            file.seek(0)
            document = torch.load(file, map_location="cpu", weights_only=True)
            _check_header(path, document, oldest)
            return {key: _decode(value) for key, value in document["content"].items()}
    except OSError as error:
        raise CheckpointError(f"{path}: {_reason(error)}") from error
    except CheckpointError:
        raise
    except Exception as error:  # a hostile file can make the restricted reader fail in any way
        raise CheckpointError(
            f"{path}: damaged, or not a checkpoint of this project ({type(error).__name__})"
        ) from error


def newest_intact(folder: str | Path) -> Path:
    """Return a run's latest checkpoint that can be read: the final one, else by timestep.

    Damaged ones are skipped with a warning.

    Raises:
        CheckpointError: the folder does not exist or holds no intact checkpoint.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder")
    numbered = [
        (int(match[1]), path)
        for path in folder.iterdir()
        if (match := _NUMBERED.fullmatch(path.name))
    ]
    final = folder / "qplex_hrl_final.pth"
    latest_first = [final] * final.exists() + [path for _, path in sorted(numbered, reverse=True)]
    for path in latest_first:
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
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except OSError as error:
        raise CheckpointError(f"{path}: {_reason(error)}") from error
    except (ValueError, EOFError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: damaged, or not stored arrays") from error


def _check_header(path: Path, document: object, oldest: int) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of this project")
    version = document.get("format_version")
    if version == 1 < oldest:
        raise CheckpointError(
            f"{path}: saved by version 0.1, whose trainings cannot go on in this version; "
            f"begin a new one with its cameras: --set training.initial_weights={path}"
        )
    if version not in range(oldest, FORMAT_VERSION + 1):
        raise CheckpointError(
            f"{path}: checkpoint of format version {version!r}; expected {FORMAT_VERSION}"
        )


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


def _decode(value: Any) -> Any:
    match value:
        case dict() if _ARRAY in value:
            return value[_ARRAY].numpy().view(value["dtype"]).reshape(value["shape"])
        case dict():
            return {key: _decode(item) for key, item in value.items()}
        case list():
            return [_decode(item) for item in value]
    return value


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
