"""The cache of compiled kernels: its key knows every source, and renamed records do not stop it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from camsim.compiled.jit import source_digest

SOURCE = """
from typing import NamedTuple
import numba
import numpy as np
from camsim.compiled.jit import batch_kernel

class OldName(NamedTuple):
    values: np.ndarray

@batch_kernel
def double(table):
    values = table.values
    for i in numba.prange(len(values)):
        values[i] = 2.0 * values[i]

table = OldName(np.ones(3))
double(table)
print(table.values.sum())
"""


@pytest.mark.jit
def test_a_renamed_record_does_not_stop_the_kernels_that_take_it(tmp_path: Path) -> None:
    """The index of the kernel's cache still names the old one."""
    module = tmp_path / "renamed_records.py"
    told = []
    for source in (SOURCE, SOURCE.replace("OldName", "NewName")):
        module.write_text(source)
        process = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport renamed_records",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        told.append(process.stdout or process.stderr)
        assert list(tmp_path.glob("__pycache__/*.nbi")), "nothing was stored"
    assert told == ["6.0\n"] * 2


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package that Python knows, with a compiled module in a room."""
    module = ModuleType("invented")
    module.__file__ = str(tmp_path / "__init__.py")
    monkeypatch.setitem(sys.modules, "invented", module)
    (tmp_path / "room").mkdir()
    write(tmp_path / "room" / "kernel.py", "1")
    write(tmp_path / "plain.py", "1", compiled=False)
    return tmp_path


def write(path: Path, value: str, *, compiled: bool = True) -> None:
    line = "from camsim.compiled.jit import device_fn\n" if compiled else ""
    path.write_text(f"{line}VALUE = {value}\n")


def digest() -> str:
    source_digest.cache_clear()
    try:
        return source_digest("invented")
    finally:
        source_digest.cache_clear()


def test_a_change_in_compiled_code_changes_the_key(package: Path) -> None:
    before = digest()
    assert digest() == before
    write(package / "room" / "kernel.py", "2")
    assert digest() != before


def test_a_new_kernel_and_a_new_place_change_the_key(package: Path) -> None:
    keys = [digest()]
    write(package / "second.py", "1")
    keys.append(digest())
    (package / "second.py").rename(package / "room" / "second.py")
    keys.append(digest())
    assert len(set(keys)) == 3


def test_constants_that_kernels_name_count_and_other_modules_do_not(package: Path) -> None:
    before = digest()
    write(package / "plain.py", "2", compiled=False)
    assert digest() == before
    write(package / "tables.py", "1", compiled=False)
    assert digest() != before
