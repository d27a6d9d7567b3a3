"""Intervals of `compare` hold the truth 93 to 97 % of the time: in short, with fixed seeds."""

import pytest

from qplex_bench.studies.interval_coverage import (
    CASES,
    CoverageSpec,
    SyntheticCase,
    share_covered,
)
from qplex_hrl.cli.main import main

FAST = CoverageSpec(cases=1000, episodes=(32,), n_resamples=499, plain=False)
REQUIRED = [case for case in CASES if case.bar is not None]


@pytest.mark.slow
@pytest.mark.parametrize("case", REQUIRED, ids=lambda case: f"{case.statistic}-{case.data}")
def test_intervals_hold_the_truth(case: SyntheticCase) -> None:
    assert case.bar is not None
    assert case.bar[0] <= share_covered(case, 32, FAST) <= case.bar[1]


def test_all_kinds_are_required() -> None:
    """Paired and unpaired, skewed and tied, as the issue asks."""
    kinds = {(case.statistic, case.data) for case in REQUIRED}
    for pairing in ("paired", "unpaired"):
        for statistic in ("difference", "improvement"):
            for data in ("symmetric", "skewed", "tied"):
                assert (f"{statistic}, {pairing}", data) in kinds
    for statistic in ("mean of runs", "runs against a rule", "difference of runs"):
        for n_runs in (2, 3, 5):
            assert (statistic, f"{n_runs}, unequal") in kinds


def test_the_command_fails_below_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--cases", "2", "--episodes", "12", "--resamples", "99"]
    assert main(["benchmark", "intervals", *few]) == 1  # two cases cannot make 95 %
    printed = capsys.readouterr().out
    assert "MISSED" in printed
    assert "difference of runs" in printed
    assert main(["benchmark", "intervals", "--cases", "0"]) == 2
    assert "--cases 0: expected a number from 1" in capsys.readouterr().err
