"""Versions side by side: a revision of git in a folder that goes away, ratios of pairs."""

import subprocess
from pathlib import Path

import pytest
from paths import ROOT
from rich.console import Console

from qplex_bench.speed import versions as bench
from qplex_bench.speed.versions import Measures, ShippedCase, Version, add_rows, new_table, versions

CASE = ShippedCase("MATE-4v4-9", "own")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits; this version stands in its work tree."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet")
    for text in ("old", "new"):
        (root / "file").write_text(text)
        git(root, "add", "file")
        git(root, "commit", "--quiet", "-m", text)
    monkeypatch.setattr(bench, "ROOT", root)
    return root


def test_a_revision_is_unpacked_and_removed(checkout: Path) -> None:
    with versions("HEAD~1") as (old, new):
        assert (old.name, new) == ("HEAD~1", Version("this", checkout))
        assert (old.root / "file").read_text() == "old"
    assert not old.root.exists()
    assert git(checkout, "status", "--porcelain") == ""


def test_a_revision_is_removed_after_an_error(checkout: Path) -> None:
    with pytest.raises(KeyError), versions("HEAD~1") as (old, _):
        raise KeyError
    assert not old.root.exists()
    assert git(checkout, "status", "--porcelain") == ""


def test_a_revision_that_does_not_exist_is_one_line(checkout: Path) -> None:
    with pytest.raises(ValueError, match=r"^--baseline nothing: .*nothing"), versions("nothing"):
        pass
    assert git(checkout, "status", "--porcelain") == ""


def test_without_a_baseline_there_is_this_version_alone() -> None:
    with versions(None) as (ours,):
        assert ours == Version("this", ROOT)
        for view in bench.VIEWS:
            assert ShippedCase("MATE-8v8-9", view).config(ours).is_file()
        with pytest.raises(ValueError, match=r"--scenarios MATE-9v9-9, --views own: .*9v9_9\.yaml"):
            ShippedCase("MATE-9v9-9", "own").config(ours)


def test_rows_are_medians_and_ratios_of_pairs_above_one_where_this_version_is_better() -> None:
    measures = Measures({"ms": "ms", "rate": "per s", "s": "s"}, frozenset({"rate"}))
    table = new_table("t", measures)
    before = [{"ms": 10.0, "rate": 4.0}, {"ms": 30.0, "rate": 5.0}, {"ms": 20.0, "rate": 6.0}]
    now = [{"ms": 5.0, "rate": 6.0, "s": 1.0}, {"ms": 20.0, "rate": 5.0}, {"ms": 4.0, "rate": 12.0}]
    add_rows(table, CASE, {"old": before, "this": now}, measures)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
    cells = [
        [cell.strip() for cell in line.strip("│\n").split("│")]
        for line in captured.get().splitlines()
        if line.startswith("│")
    ]
    world = ["MATE-4v4-9", "own"]
    assert cells == [
        [*world, "old", "20.0", "5.0", ""],
        [*world, "this", "5.0", "6.0", "1.0"],
        [*world, "ratio", "2.00x", "1.50x", ""],
    ]
