"""What importing the packages loads, and that every public name is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import camsim

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


def test_cameras_that_do_not_learn_are_evaluated_without_pytorch() -> None:
    """PyTorch takes longer to load than a planner needs for its first episodes."""
    code = (
        "import sys; from qplex_hrl.cli.main import main; "
        "main(['evaluate', '--camera-agent', 'planner', '--episodes', '0']); "
        "import qplex_hrl.evaluation.evaluate; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_public_class_has_a_name_of_its_own() -> None:
    """In all packages together: a name in an error or a review means one thing."""
    places = defaultdict(list)
    for path in sorted(Path(camsim.__file__).parents[1].rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.name}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
