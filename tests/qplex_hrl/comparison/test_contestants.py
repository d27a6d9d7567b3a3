"""What words of a command line mean."""

from pathlib import Path

import pytest

from qplex_hrl.comparison.contestants import (
    Contestant,
    TrainedRun,
    parse_contestants,
    unique_name,
)


def find_run(path: Path) -> TrainedRun:
    return TrainedRun(path, None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("logs/a", "logs/b", "models/a", "greedy=1,odd", "lr=0.1", "lr=0.2", "greedy"):
        Path(name).mkdir(parents=True)
    Path("best.pth").touch()


@pytest.mark.parametrize(
    ("text", "name", "rule", "paths"),
    [
        ("greedy", "greedy", "greedy", []),
        ("planner-full", "planner-full", "planner-full", []),
        ("greedy=0.5,random=0.5", "greedy=0.5,random=0.5", "greedy=0.5,random=0.5", []),
        ("mix=greedy=0.5,random=0.5", "mix", "greedy=0.5,random=0.5", []),
        ("best.pth", "best", None, ["best.pth"]),
        ("logs/a", "a", None, ["logs/a"]),
        ("mine=logs/a", "mine", None, ["logs/a"]),
        ("mine=logs/a,logs/b", "mine", None, ["logs/a", "logs/b"]),
        ("logs/a,logs/b", "a and 1 more", None, ["logs/a", "logs/b"]),
        ("greedy=1,odd", "greedy=1,odd", None, ["greedy=1,odd"]),  # such a folder exists
        ("lr=0.1", "lr=0.1", None, ["lr=0.1"]),
        ("lr=0.1,lr=0.2", "lr=0.1 and 1 more", None, ["lr=0.1", "lr=0.2"]),
        ("mine=lr=0.1,lr=0.2", "mine", None, ["lr=0.1", "lr=0.2"]),
        ("./greedy", "greedy", None, ["greedy"]),  # the rule's name is no path
        ("x[/y]=greedy", "x[/y]", "greedy", []),
    ],
)
def test_words(text: str, name: str, rule: str | None, paths: list[str]) -> None:
    found = parse_contestants([text, "naive"], find_run)[0]
    assert found == Contestant(name, rule, tuple(find_run(Path(path)) for path in paths))


def test_names_are_all_different() -> None:
    same = parse_contestants(["logs/a", "models/a", "logs/a", "Greedy=logs/b", "greedy"], find_run)
    assert [each.name for each in same] == ["a", "models/a", "a (2)", "Greedy", "greedy (2)"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["greedy"], "expected two or more"),
        (["greedy", "gredy"], "gredy: no such file or folder, and .*did you mean 'greedy'"),
        (["greedy", "none.pth"], "none.pth: no such file"),
        (["greedy", "logs/a,logs/c"], "logs/c: no such file"),
        (["greedy", "=logs/a"], "expected NAME=CONTESTANT"),
        (["x=logs/a", "X=greedy"], "'X' is taken"),
        (["greedy", "x=logs/a,"], "logs/a,: no such file"),
        (["greedy", "gredy=0.5,random=0.5,nothing"], "no such file"),
        (["greedy", "a\nb=random"], "printable"),
    ],
)
def test_bad_words(texts: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_contestants(texts, find_run)


def test_a_taken_name_gets_a_number() -> None:
    assert unique_name("A", {"a", "a (2)"}) == "A (3)"
