"""Stops a block at its k-th change of the disk, as if the process were killed there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_CHANGES = ("mkdir", "open", "rename", "replace", "rmdir", "touch", "unlink")


class Killed(BaseException):
    """The process would not exist any more."""


@contextmanager
def killed_at(k: int) -> Iterator[Callable[[], bool]]:
    """Raise Killed at the k-th change of a file or folder in the block, counted from 0, and after.

    Changes are those of `Path` and of `os.fsync`. Yields what tells whether it has come so far.
    """
    n_changes = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changing(first: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal n_changes
            mode = str(args[0] if args else kwargs.get("mode", "r"))
            if change is not opening or mode[0] in "awx":
                n_changes += 1
                if n_changes > k:
                    raise Killed
            return change(first, *args, **kwargs)

        return changing

    opening = Path.open
    with pytest.MonkeyPatch.context() as patched:
        for name in _CHANGES:
            patched.setattr(Path, name, counted(getattr(Path, name)))
        patched.setattr(os, "fsync", counted(os.fsync))
        with suppress(Killed):
            yield lambda: n_changes > k
