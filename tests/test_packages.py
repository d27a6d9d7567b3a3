"""What importing the packages loads, and that every public name is there."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
import camsim, camcontrol
assert not {"numba", "torch", "gymnasium", "pettingzoo"} & set(sys.modules)
from camsim import *
assert {name for name in camsim.__all__ if name in globals()} == set(camsim._MODULES)
from camcontrol import *
assert {name for name in camcontrol.__all__ if name in globals()} == set(camcontrol._MODULES)
assert not {"torch", "ray", "qplex_hrl"} & set(sys.modules)
import qplex_hrl
assert "torch" not in sys.modules
from qplex_hrl import *
assert {name for name in qplex_hrl.__all__ if name in globals()} == set(qplex_hrl._MODULES)
assert not {"ray", "wandb", "tensorboard", "matplotlib"} & set(sys.modules)
assert "qplex_bench" not in sys.modules
for package in (camsim, camcontrol, qplex_hrl):
    try:
        package.nothing
    except AttributeError as error:
        assert str(error) == f"module '{package.__name__}' has no attribute 'nothing'"
    else:
        raise AssertionError(package)
"""


def test_imports_load_only_what_is_used() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
