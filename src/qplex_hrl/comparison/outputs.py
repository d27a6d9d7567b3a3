"""The files of a comparison: where they go, and which earlier ones they may replace."""

import json
from pathlib import Path
from tempfile import TemporaryFile

from camsim.files import atomic_write_json, atomic_write_text
from qplex_hrl.comparison.protocol import protocol_of
from qplex_hrl.comparison.ranking import Ranking
from qplex_hrl.comparison.report import FORMAT, GENERATOR, json_of, markdown_of

__all__ = ["NAMES", "prepare_folder", "write_page", "write_results"]

_RESULTS, _PROTOCOL, _TEXT, _PAGE = NAMES = (
    "comparison.json",
    "marl_eval.json",
    "comparison.md",
    "comparison.html",
)
"""The files, in the order in which they are written."""


def prepare_folder(folder: Path) -> None:
    """Make the folder, and try to write there; nothing in it changes.

    Raises:
        ValueError: it is a file, or has files with our names that no comparison wrote.
        OSError: it cannot be made or written.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output {folder}: a file; expected a folder")
    for name in NAMES:
        path = folder / name
        if (path.exists() or path.is_symlink()) and not (path.is_file() and _is_ours(path)):
            raise ValueError(
                f"--output {folder}: {name} there is not of an earlier comparison; move it away, "
                "or choose another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def write_results(ranking: Ranking, folder: Path, command: str) -> None:
    """Write what needs no plot: the numbers first, so that whatever else fails, they are kept."""
    atomic_write_json(folder / _RESULTS, json_of(ranking, command))
    atomic_write_json(folder / _PROTOCOL, protocol_of(ranking))
    atomic_write_text(folder / _TEXT, markdown_of(ranking, command))


def write_page(ranking: Ranking, folder: Path, command: str) -> None:
    """Write the page with the plots."""
    from qplex_hrl.comparison.page import page_of

    atomic_write_text(folder / _PAGE, page_of(ranking, command))


def _is_ours(path: Path) -> bool:
    """Tell whether a comparison wrote the file.

    The protocol's format has no room for a mark: such a file is ours beside our results.
    """
    try:
        if path.name == _PROTOCOL:
            return _is_ours(path.with_name(_RESULTS))
        text = path.read_text(encoding="utf-8")
        if path.name == _RESULTS:
            content = json.loads(text)
            return isinstance(content, dict) and content.get("format") == FORMAT
    except (OSError, ValueError):
        return False
    marks = (f"<!-- {GENERATOR} -->", f'<meta name="generator" content="{GENERATOR}">')
    return any(mark in text for mark in marks)
