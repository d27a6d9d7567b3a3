"""Training of evaders: the optimiser on a known problem, and a short training that gains."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from paths import PRETRAINED
from rich.console import Console
from tiny import CPU

from camsim.scripted.evader_weights import learned_evasion
from camsim.scripted.targets.evader import EVASION_WEIGHTS
from qplex_bench.studies import train_evader as study
from qplex_bench.studies.train_evader import Training, cross_entropy, load_opponents, train_evader
from qplex_hrl.cli import main as cli
from qplex_hrl.runtime.seeding import episode_seeds

CAMERAS = PRETRAINED / "qplex_hrl_4v4_9.pth"
TINY = Training((), generations=2, population=8, episodes=4, max_episode_steps=100, seed=0)


def test_the_optimiser_finds_a_maximum_and_repeats_itself() -> None:
    best = np.linspace(-1.0, 1.0, EVASION_WEIGHTS)
    played: list[list[int]] = []

    def score(weights: NDArray[np.float64], seeds: NDArray[np.uint64]) -> float:
        played.append(seeds.tolist())
        return -float(((weights - best) ** 2).sum())

    wanted = TINY._replace(generations=40, population=40)
    found = cross_entropy(score, wanted, Console(quiet=True))
    assert np.abs(found - best).max() < 0.15
    assert len({tuple(seeds) for seeds in played}) == 40, "other episodes in each generation"
    again = cross_entropy(score, wanted, Console(quiet=True))
    assert np.array_equal(found, again)


def test_weights_reach_the_targets() -> None:
    (greedy,) = load_opponents(TINY, CPU)
    seeds = episode_seeds(1, 4)
    plain = greedy.measure(np.zeros(EVASION_WEIGHTS), seeds)
    assert greedy.measure(learned_evasion(), seeds) != plain
    assert greedy.measure(np.zeros(EVASION_WEIGHTS), seeds) == plain


@pytest.mark.slow
def test_weights_reach_the_targets_of_trained_cameras() -> None:
    _, trained = load_opponents(TINY._replace(checkpoints=(CAMERAS,), episodes=2), CPU)
    seeds = episode_seeds(1, 2)
    plain = trained.measure(np.zeros(EVASION_WEIGHTS), seeds)
    assert trained.measure(learned_evasion(), seeds) != plain


@pytest.mark.jit
def test_a_training_prints_its_weights_and_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    code = train_evader(TINY._replace(population=12), CPU)
    told = capsys.readouterr().out
    figures = re.findall(r"^greedy cameras, (\w+).*: coverage (.*), transport (.*)$", told, re.M)
    worth = {name: float(transport) - float(coverage) for name, coverage, transport in figures}
    assert list(worth) == ["greedy", "shipped", "trained"]
    assert len(set(worth.values())) == 3, "weights without effect"
    assert code == (0 if worth["trained"] > worth["greedy"] else 1)
    rows = re.findall(r"^_(SIDEWAYS|AWAY|HOLD) = \((.*)\)$", told, re.MULTILINE)
    assert [name for name, _ in rows] == ["SIDEWAYS", "AWAY", "HOLD"]
    assert all(len(numbers.split(", ")) == EVASION_WEIGHTS // 3 for _, numbers in rows)


@pytest.mark.parametrize(("transport", "code"), [((0.31, 0.25), 0), ((0.31, 0.15), 1)])
def test_the_code_tells_whether_something_was_gained_against_all(
    transport: tuple[float, float], code: int
) -> None:
    """Greedy targets transport 0.2 at coverage 0.5; trained ones 0.31 against both at 0.6, or less.

    0.31 - 0.6 = -0.29 is more than 0.2 - 0.5 = -0.3; 0.25 - 0.5 is more, 0.15 - 0.5 is less.
    """

    class Fixed(NamedTuple):
        name: str
        trained: tuple[float, float]

        def measure(self, weights: NDArray[np.float64], seeds: object) -> tuple[float, float]:
            return self.trained if weights.any() else (0.5, 0.2)

    opponents: Any = [Fixed("first", (0.6, transport[0])), Fixed("second", (0.5, transport[1]))]
    weights = np.ones(EVASION_WEIGHTS)
    assert study._report(opponents, weights, 4, Console(quiet=True)) == code


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--generations 0", "--generations 0: expected a number from 1"),
        ("--population 3", "--population 3: expected at least 4"),
        ("--seed -1", "--seed -1: expected a number from 0"),
        ("--checkpoints nothing.pth", "nothing.pth"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], flags: str, words: str) -> None:
    assert cli.main(["benchmark", "evader", *flags.split()]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert words in told
