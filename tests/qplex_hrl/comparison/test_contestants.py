"""What words of a command line mean, and in which world all play."""

from pathlib import Path

import pytest
from paths import PRETRAINED
from tiny import CPU

from qplex_hrl.comparison.contestants import (
    Contestant,
    TrainedRun,
    parse_contestants,
    settle_world,
)
from qplex_hrl.evaluation.players import EvaluationSetting


def find_run(path: Path) -> TrainedRun:
    return TrainedRun(path, None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("logs/a", "logs/b", "models/a", "greedy=1,odd"):
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
    ],
)
def test_bad_words(texts: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_contestants(texts, find_run)


def trained(name: str) -> Contestant:
    return Contestant(name, None, (TrainedRun(PRETRAINED / f"qplex_hrl_{name}.pth", None),))


GREEDY = Contestant("greedy", "greedy", ())
OPEN = EvaluationSetting()


def test_scripted_cameras_play_where_checkpoints_were_trained() -> None:
    world = settle_world([GREEDY, trained("4v2_9")], OPEN, "coverage_rate", CPU)
    assert (world.scenario, world.opponent) == ("MATE-4v2-9", "greedy")
    assert settle_world([GREEDY, GREEDY], OPEN, "coverage_rate", CPU) == OPEN


def test_trainings_in_two_worlds_need_a_flag() -> None:
    both = [trained("4v2_9"), trained("4v4_9")]
    with pytest.raises(ValueError, match="--scenario: scenario is MATE-4v2-9 for 4v2_9, but MATE"):
        settle_world(both, OPEN, "coverage_rate", CPU)
    given = EvaluationSetting(scenario="MATE-4v4-9")
    assert settle_world(both, given, "coverage_rate", CPU).scenario == "MATE-4v4-9"


@pytest.mark.parametrize(
    ("contestants", "setting", "metric", "words"),
    [
        ([GREEDY], EvaluationSetting(scenario="MATE-9v9"), "coverage_rate", "MATE-9v9"),
        ([GREEDY], EvaluationSetting(opponent="grumpy"), "coverage_rate", "grumpy"),
        ([GREEDY], OPEN, "selection_efficiency", "greedy selects no targets"),
        ([trained("none")], OPEN, "coverage_rate", "none.pth"),
    ],
)
def test_who_cannot_play_is_told_before(
    contestants: list[Contestant], setting: EvaluationSetting, metric: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        settle_world(contestants, setting, metric, CPU)
