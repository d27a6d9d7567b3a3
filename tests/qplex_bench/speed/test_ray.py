"""The benchmark of Ray decides by its bars; what it measures is replaced by given figures."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import ROOT

from qplex_bench.speed import ray as bench
from qplex_bench.speed.ray import RayBenchmark

PLAN = RayBenchmark(config=ROOT / "configs" / "smoke.yaml", seeds=(0, 1))


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "check_ray", lambda: None)


@pytest.mark.parametrize(("two", "code"), [(1600.0, 0), (1400.0, 1)])
def test_two_workers_must_collect_half_as_much_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], two: float, code: int
) -> None:
    @contextmanager
    def workers(plan: RayBenchmark, n_workers: int) -> Iterator[None]:
        yield

    def rates(rates: None, sizes: Sequence[int], turns: int = 7) -> dict[int, list[float]]:
        return {1: [900.0, 1000.0, 1100.0], 2: [two * f for f in (0.9, 1.0, 1.1)]}

    monkeypatch.setattr(bench, "_workers", workers)
    monkeypatch.setattr(bench, "_measure_rates", rates)
    assert bench.benchmark_ray(PLAN._replace(parts=["rollout"])) == code
    assert f"two workers over one: {two / 1000:.2f} (floor 1.5)" in capsys.readouterr().out


@pytest.mark.parametrize(("added", "code"), [(14, 0), (16, 1)])
def test_ray_may_add_15_percent(monkeypatch: pytest.MonkeyPatch, added: int, code: int) -> None:
    clock = [0.0]

    def train(plan: RayBenchmark, command: str, *_: Any) -> None:
        clock[0] += 100 + added * (command == "train-ray")

    monkeypatch.setattr(bench, "_train", train)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert bench.benchmark_ray(PLAN._replace(parts=["overhead"])) == code


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (0.2, 1)])
def test_coverage_must_agree(monkeypatch: pytest.MonkeyPatch, shift: float, code: int) -> None:
    def train(plan: RayBenchmark, command: str, folder: Path, seed: int, *_: Any) -> None:
        rng = np.random.default_rng(seed + 10 * (command == "train"))
        values = 0.5 + 0.05 * rng.standard_normal(64) + shift * (command == "train")
        rows = [{"coverage_rate": value} for value in values]
        result = {
            "episodes": rows,
            "mean_coverage_rate": values.mean(),
            "ci95_coverage_rate": [0, 1],
        }
        (folder / "final_eval_results.json").write_text(json.dumps(result))

    monkeypatch.setattr(bench, "_train", train)
    assert bench.benchmark_ray(PLAN._replace(parts=["coverage"])) == code


def test_the_interval_of_a_difference_holds_it() -> None:
    rng = np.random.default_rng(0)
    left, right = (base + 0.1 * rng.standard_normal((3, 50)) for base in (0.6, 0.5))
    low, mean, high = bench._difference(left.tolist(), right.tolist())
    assert mean == pytest.approx(left.mean() - right.mean())
    assert 0 < low < mean < high < 0.2
    assert high - low == pytest.approx(2 * 1.96 * 0.1 * np.sqrt(2 / 150), rel=0.5)


def test_a_training_that_fails_is_told() -> None:
    plan = PLAN._replace(config=Path("none.yaml"))
    with pytest.raises(RuntimeError, match=r"train ended with 2: error: none.yaml: no such file"):
        bench._train(plan, "train", Path("unused"), 0, 1, 4)


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(ValueError, match="'speed'; expected some of rollout, overhead"):
        bench.benchmark_ray(PLAN._replace(parts=["speed"]))
