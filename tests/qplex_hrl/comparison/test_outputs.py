import json
from pathlib import Path

import pytest
from made_up_evaluations import example

from qplex_hrl.comparison.outputs import NAMES, prepare_folder, write_page, write_results

pytest.importorskip("matplotlib")


def write_all(folder: Path) -> None:
    prepare_folder(folder)
    write_results(example(), folder, "command")
    write_page(example(), folder, "command")


def test_files_of_an_earlier_comparison_are_replaced_by_equal_ones(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    write_all(folder)
    before = {name: (folder / name).read_bytes() for name in NAMES}
    (folder / "other.txt").write_text("stays")
    write_all(folder)
    assert {name: (folder / name).read_bytes() for name in NAMES} == before
    assert {path.name for path in folder.iterdir()} == {*NAMES, "other.txt"}


@pytest.mark.parametrize("name", NAMES)
def test_files_of_somebody_else_are_refused(tmp_path: Path, name: str) -> None:
    """Whatever is in them, and a folder with such a name, too."""
    for content in ("mine", "[]", json.dumps({"MATE": {}}), "\x00"):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=f"{name} there is not of an earlier comparison"):
            prepare_folder(tmp_path)
        assert (tmp_path / name).read_text() == content
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"{name} there is not"):
        prepare_folder(tmp_path)


def test_one_file_of_somebody_else_is_enough(tmp_path: Path) -> None:
    write_all(tmp_path)
    (tmp_path / "comparison.md").write_text("my notes")
    with pytest.raises(ValueError, match=r"comparison\.md"):
        prepare_folder(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "keep").touch()
    with pytest.raises(ValueError, match="keep: a file; expected a folder"):
        prepare_folder(tmp_path / "keep")
