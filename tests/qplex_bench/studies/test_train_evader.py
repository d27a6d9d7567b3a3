"""Training of evaders: the optimiser on a known problem, and a short training that gains."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from paths import PRETRAINED
from rich.console import Console
from tiny import CPU

from camsim.scripted.evader_weights import learned_evasion
from camsim.scripted.targets.evader import EVASION_WEIGHTS
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


def test_a_training_prints_its_weights_and_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_evader(TINY._replace(population=12), CPU) in (0, 1)
    told = capsys.readouterr().out
    rows = re.findall(r"^_(SIDEWAYS|AWAY|HOLD) = \((.*)\)$", told, re.MULTILINE)
    assert [name for name, _ in rows] == ["SIDEWAYS", "AWAY", "HOLD"]
    assert all(len(numbers.split(", ")) == EVASION_WEIGHTS // 3 for _, numbers in rows)
    assert told.count("greedy cameras, ") == 3


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--generations 0", "--generations 0: expected at least 1"),
        ("--population 3", "--population 3: expected at least 4"),
        ("--seed -1", "--seed -1: expected at least 0"),
        ("--checkpoints nothing.pth", "nothing.pth"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], flags: str, words: str) -> None:
    assert cli.main(["benchmark", "evader", *flags.split()]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert words in told
