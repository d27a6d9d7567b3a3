"""The benchmark of the simulator decides by its floors; its rates are replaced by figures."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario
from qplex_bench.speed import simulator as bench


@pytest.mark.parametrize(("share", "code"), [(1.01, 0), (0.99, 1)])
def test_the_floors_of_one_thread_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: float, code: int
) -> None:
    """One case is beside its floor, the others far above; two threads have no floor."""
    floors = list(bench.SIMULATOR_FLOORS.values())
    cases = {name: (lambda: None, n) for n, name in enumerate(bench.SIMULATOR_FLOORS)}
    threads: list[int] = []

    def measure(work: object, which: int, repeats: int = 5) -> bench.Measurement:
        rate = floors[which] * (share if which == 1 else 2.0) / threads[-1] ** 3
        return bench.Measurement(rate, rate, rate)

    monkeypatch.setattr(bench, "_simulator_cases", lambda: cases)
    monkeypatch.setattr(bench, "_print_growth", lambda: None)
    monkeypatch.setattr(bench, "_most_threads", lambda: 2)
    monkeypatch.setattr(bench, "measure", measure)

    @contextmanager
    def numba_threads(n_threads: int) -> Iterator[None]:
        threads.append(n_threads)
        yield

    monkeypatch.setattr(bench, "numba_threads", numba_threads)
    assert bench.benchmark_simulator() == code
    assert threads == [1, 2] * len(cases)
    assert f"{floors[1] * share:,.0f}" in capsys.readouterr().out


def test_a_rate_is_work_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of 100 steps by a clock that it moves on: 1 s to warm up, then 2, 5 and 4 seconds."""
    clock, pieces = [0.0], iter([1.0, 2.0, 5.0, 4.0])

    def work() -> None:
        clock[0] += next(pieces)

    monkeypatch.setattr(bench.time, "perf_counter", lambda: clock[0])
    assert bench.measure(work, 100, repeats=3) == (25.0, 20.0, 50.0)


def test_memory_of_a_world_grows_with_it() -> None:
    small, large = (
        bench.bytes_per_env(
            ScriptedEnv(load_scenario(name), 3, camera_policy="greedy", target_policy="greedy")
        )
        for name in ("MATE-2v4-9", "MATE-8v8-9")
    )
    assert 1_000 < small < large < 1_000_000
