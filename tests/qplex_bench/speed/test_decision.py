"""The benchmark of decisions: what its client measures, the order of turns, the tables."""

import json
from pathlib import Path
from typing import Any

import pytest
from paths import CONFIGS
from typing_extensions import Self

from qplex_bench.speed import decision as bench
from qplex_bench.speed.clients.parts_client import DecisionParts, UpdateParts
from qplex_bench.speed.versions import ShippedCase, Version
from qplex_hrl.cli.main import main

TINY = (
    "env.num_envs=3",
    "env.max_episode_steps=30",
    "training.batch_size=4",
    "training.sequence_length=4",
    "training.burn_in=2",
)
CASE = ShippedCase("MATE-4v2-9", "own")


def request(what: str) -> dict[str, Any]:
    config = str(CONFIGS / "qplex_hrl_4v2_9.yaml")
    return {"what": what, "config": config, "settings": TINY, "amount": 2}


@pytest.mark.jit
def test_the_parts_of_a_decision_make_up_the_whole() -> None:
    decisions = DecisionParts(request("decision"))
    answer = decisions.answer()
    assert set(answer["parts"]) == set(bench.PARTS)
    assert all(value > 0 for value in answer["parts"].values())
    assert set(answer["memory"]) == set(bench.MEMORY) - {"environment"}
    assert all(size > 0 for size in answer["memory"].values())
    assert answer["frames_per_second"] > 0
    assert "step" not in vars(decisions._env), "left as it was"


@pytest.mark.jit
def test_the_parts_of_an_update_are_those_of_the_learner() -> None:
    parts = UpdateParts(request("update")).answer()["parts"]
    assert set(parts) == {"sample", "forward", "backward", "step"}
    assert all(value > 0 for value in parts.values())


class FakeClient:
    """Answers with a number of its own, and tells who was asked."""

    def __init__(self, version: Version, asked: list[str]) -> None:
        self._name, self._asked = version.name, asked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.append("closed")

    def ask(self) -> str:
        self._asked.append(self._name)
        old = self._name != "this"
        value = 30.0 if old else 10.0
        answer = {
            "parts": dict.fromkeys(bench.PARTS, value),
            "details": {} if old else {"first stage": 4.0},
            "frames_per_second": 5000.0 / value,
            "memory": dict.fromkeys(set(bench.MEMORY) - {"environment"}, 1e3 * value),
        }
        return json.dumps(answer)


def test_versions_take_turns_and_the_tables_show_ratios(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(bench, "parts_client", lambda version, *_: FakeClient(version, asked))
    both = [Version("old", CONFIGS.parent), Version("this", CONFIGS.parent)]
    monkeypatch.setattr(bench, "versions", lambda _: _Given(both))
    assert bench.benchmark_decision([CASE], "old", 2) == 0
    assert asked == ["old", "this"] * 2 + ["closed"] * 2
    printed = capsys.readouterr().out
    for words in ("look-ahead", "first stage", "150.0", "50.0", "3.00x", "90.0", "ratio"):
        assert words in printed


class _Given:
    def __init__(self, given: list[Version]) -> None:
        self._given = given

    def __enter__(self) -> list[Version]:
        return self._given

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.slow
@pytest.mark.jit
def test_the_command_measures_a_process_and_prints_both_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "N_DECISIONS", 2)
    command = [
        "benchmark",
        "decision",
        "--scenarios",
        "MATE-4v2-9",
        "--views",
        "own",
        "--repeats",
        "1",
    ]
    for setting in TINY:
        command += ["--set", setting]
    assert main(command) == 0
    printed = capsys.readouterr().out
    for words in ("us per decision", "kB per environment", "MATE-4v2-9", "this"):
        assert words in printed


def test_bad_flags_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, words in (
        ("decision --repeats 0", "--repeats 0: expected a number from 1"),
        ("decision --scenarios MATE-1v1-9 --views own", "ships no configs/qplex_hrl_1v1_9.yaml"),
        ("training --timesteps -1", "--timesteps -1: expected a number from 0"),
        ("training --baseline no-such-revision", "--baseline no-such-revision"),
    ):
        assert main(["benchmark", *command.split()]) == 2
        assert words in capsys.readouterr().err
