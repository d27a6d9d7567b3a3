"""Sizes that keep the house easy to find one's way in: folders, modules, parameters."""

import ast
from collections import Counter
from collections.abc import Iterator

from paths import ROOT

MODULES = [path for path in (ROOT / "src").rglob("*.py") if path.name != "__init__.py"]
MOST_MODULES, MOST_LINES, MOST_PARAMETERS = 12, 450, 8
COMPILED = {"device_fn", "outlined_fn", "batch_kernel"}
"""Decorators of compiled kernels, which take every array by itself."""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {each.id for each in node.decorator_list if isinstance(each, ast.Name)}
            if not names & COMPILED:
                yield node


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_no_folder_is_crowded() -> None:
    counts = Counter(path.parent for path in MODULES)
    assert {str(folder) for folder, n in counts.items() if n > MOST_MODULES} == set()


def test_no_module_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {str(path) for path, n in lengths.items() if n > MOST_LINES} == set()


def test_no_function_has_many_parameters() -> None:
    many = {
        f"{path}: {function.name}"
        for path in MODULES
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if n_parameters(function) > MOST_PARAMETERS
    }
    assert many == set()


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert {name for name, n in names.items() if n > 1} == set()


def test_files_are_loaded_without_unpickling() -> None:
    """Archives have readers of their own (camsim.archives, qplex_hrl.storage)."""
    calls = {
        (ast.unparse(node.func), path.name)
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "runners").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert ("read_arrays", "record.py") in calls
    assert [call for call in calls if call[0] in ("torch.load", "np.load")] == []
