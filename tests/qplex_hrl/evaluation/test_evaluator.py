"""Evaluations in a thread: the same numbers, given up at once, errors as one line."""

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_env import FakeEnv, FakeOutput
from numpy.typing import NDArray
from tiny import CPU, tiny_model
from torch import Tensor

from qplex_hrl.evaluation.evaluator import EvaluationFailed, Evaluator
from qplex_hrl.evaluation.film import Film
from qplex_hrl.evaluation.trained import greedy_agent

SEEDS = np.arange(5, dtype=np.uint64)
WAIT = 30.0


class SlowEnv(FakeEnv):
    """A world that waits for a gate before every decision."""

    def __init__(self) -> None:
        super().__init__(2)
        self.gate, self.entered = threading.Event(), threading.Event()
        self.n_steps = 0

    def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
        self.entered.set()
        assert self.gate.wait(WAIT)
        self.n_steps += 1
        return super().step(actions)


def evaluator(env: FakeEnv, *, in_thread: bool) -> Evaluator:
    agent = greedy_agent(tiny_model(env).agent, env, CPU)  # type: ignore[arg-type]
    return Evaluator([(env, agent)], in_thread=in_thread)  # type: ignore[arg-type]


def weights(seed: int) -> dict[str, object]:
    return dict(tiny_model(FakeEnv(2), seed).agent.state_dict())


def test_a_thread_gives_the_numbers_of_playing_at_once() -> None:
    results = []
    for in_thread in (False, True):
        one = evaluator(FakeEnv(2), in_thread=in_thread)
        futures = [one.start(weights(seed), SEEDS, seed, {}) for seed in (5, 7)]  # type: ignore[arg-type]
        results.append([future.result(WAIT) for future in futures])
        one.close()
    for result in (*results[0], *results[1]):
        del result["provenance"]  # which holds the time it took
    assert results[0] == results[1]
    assert results[0][0]["episodes"] != results[0][1]["episodes"], "the same weights twice"


def test_selections_are_those_of_one_evaluation() -> None:
    one = evaluator(FakeEnv(2), in_thread=False)
    counts = [one.start(weights(5), SEEDS, 5, {}).result()["selections"] for _ in range(2)]  # type: ignore[arg-type]
    assert counts[0] == counts[1]
    assert sum(counts[0]["slow"]) > 0
    assert sum(counts[0]["fast"]) == 0, "the agent does not react"


def test_a_video_is_of_the_weights_that_were_played(tmp_path: Path) -> None:
    filmed = []

    class Recorder(Film):
        def record(self, weights: Mapping[str, Tensor], timestep: int, path: Path) -> None:
            filmed.append((weights, timestep, path))

    env = FakeEnv(2)
    agent = greedy_agent(tiny_model(env).agent, env, CPU)  # type: ignore[arg-type]
    film = Recorder(lambda: (env, agent), 0)  # type: ignore[arg-type, return-value]
    one = Evaluator([(env, agent)], in_thread=False, film=film)  # type: ignore[arg-type, list-item]
    played = weights(5)
    one.start(played, SEEDS, 5, {}, tmp_path / "v.gif")  # type: ignore[arg-type]
    one.start(weights(7), SEEDS, 7, {})  # type: ignore[arg-type]
    assert filmed == [(played, 5, tmp_path / "v.gif")]


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_film_that_fails_is_told_once_and_ends_no_evaluation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, in_thread: bool
) -> None:
    n_tried = 0

    class Failing(Film):
        def record(self, weights: Mapping[str, Tensor], timestep: int, path: Path) -> None:
            nonlocal n_tried
            n_tried += 1
            raise OSError(28, "No space left\non device", str(path))

    env = FakeEnv(2)
    agent = greedy_agent(tiny_model(env).agent, env, CPU)  # type: ignore[arg-type]
    film = Failing(lambda: (env, agent), 0)  # type: ignore[arg-type, return-value]
    one = Evaluator([(env, agent)], in_thread=in_thread, film=film)  # type: ignore[list-item]
    for timestep in (5, 7):
        start = partial(one.start, weights(5), SEEDS, timestep, {})  # type: ignore[arg-type]
        assert start(tmp_path / f"v{timestep}.gif").result(WAIT)["timestep"] == timestep
    one.close()
    assert n_tried == 1
    (warning,) = caplog.messages
    assert str(tmp_path / "v5.gif") in warning
    assert "\n" not in warning


def test_closing_gives_up_at_the_next_decision() -> None:
    env = SlowEnv()
    one = evaluator(env, in_thread=True)
    future = one.start(weights(0), SEEDS, 7, {})  # type: ignore[arg-type]
    assert env.entered.wait(WAIT)
    closing = threading.Thread(target=one.close)
    closing.start()
    while not one._players._players[0]._stopped.is_set():
        pass
    env.gate.set()
    closing.join(WAIT)
    assert not closing.is_alive()
    assert env.n_steps == 1
    assert future.exception(WAIT) is not None


@pytest.mark.parametrize("in_thread", [False, True])
def test_an_error_is_one_line_with_its_cause(in_thread: bool) -> None:
    class Broken(FakeEnv):
        def step(self, actions: NDArray[np.int64], react: object = None) -> FakeOutput:
            raise RuntimeError("no\nworld")

    one = evaluator(Broken(2), in_thread=in_thread)
    start = partial(one.start, weights(0), SEEDS, 7, {})  # type: ignore[arg-type]
    with pytest.raises(
        EvaluationFailed, match=r"^the evaluation of timestep 7 failed: RuntimeError: no world$"
    ) as raised:
        start().result(WAIT)
    assert isinstance(raised.value.__cause__, RuntimeError)
    one.close()
