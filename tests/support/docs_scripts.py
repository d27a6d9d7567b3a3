"""The scripts of docs/ as modules."""

import importlib.util
from types import ModuleType

from paths import DOCS


def docs_script(name: str) -> ModuleType:
    """Return the script `docs/NAME.py` as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
