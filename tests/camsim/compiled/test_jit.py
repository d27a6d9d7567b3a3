"""The key of the compiled code's cache knows every source that ends up in it."""

from pathlib import Path
from types import ModuleType

import pytest

from camsim.compiled.jit import source_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package that Python knows, with a compiled module in a room."""
    module = ModuleType("invented")
    module.__file__ = str(tmp_path / "__init__.py")
    monkeypatch.setitem(__import__("sys").modules, "invented", module)
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
