"""The benchmark of frames through TorchRL: its table, its floors, what it needs."""

import sys

import pytest

from qplex_bench.speed import torchrl as bench
from qplex_hrl.cli.main import main

COMMAND = ["benchmark", "torchrl", "--repeats", "1"]


@pytest.mark.parametrize(
    ("rates", "code"),
    [((70e3, 50e3, 500.0), 0), ((70e3, 30e3, 500.0), 1), ((70e3, 50e3, 800.0), 1)],
)
def test_floors_decide(
    rates: tuple[float, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("raw worlds", "selections", "PettingZoo, one world")
    made = {name: lambda _, rate=rate: rate for name, rate in zip(names, rates, strict=True)}
    monkeypatch.setattr(bench, "_measures", lambda: made)
    assert main(COMMAND) == code
    printed = capsys.readouterr().out
    assert all(f"{rate:,.0f}" in printed for rate in rates)
    assert f"raw worlds to PettingZoo: {rates[0] / rates[2]:.0f}" in printed


def test_without_torchrl_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torchrl", None)
    monkeypatch.setitem(sys.modules, "torchrl.envs", None)
    assert main(COMMAND) == 2
    assert 'pip install "qplex-hrl[torchrl]"' in capsys.readouterr().err


@pytest.mark.jit
def test_all_three_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchrl", reason="TorchRL is not installed")
    monkeypatch.setattr(bench, "N_ENVS", 2)
    rates = {name: measure(0.05) for name, measure in bench._measures().items()}
    assert rates.keys() >= bench.FLOORS.keys()
    assert all(rate > 0 for rate in rates.values())
