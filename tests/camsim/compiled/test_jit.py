"""The cache of compiled kernels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
