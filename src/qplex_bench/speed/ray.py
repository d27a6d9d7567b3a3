"""What Ray costs and gives: rollout rate, wall time beside standalone training, scale, coverage."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from qplex_hrl.config import Override, RunConfig, load_config
from qplex_hrl.rllib.cluster import check_ray, cluster
from qplex_hrl.training.loop import chunk_length

__all__ = ["PARTS", "RayBenchmark", "benchmark_ray"]

PARTS = ("rollout", "overhead", "scale", "coverage")
TWO_WORKERS_FLOOR = 1.5
"""Least ratio of the rollout frames/s of two workers to those of one, on two cores."""

OVERHEAD_CEILING = 0.15
"""Most that Ray may add to the wall time of the whole process at equal frames, one worker."""

REPEATS = 3
TURNS = 7  # of measuring rollout rates
SECONDS_PER_TURN = 3.0
N_DECISIONS = 16
SCALE_WORKERS = (1, 2, 4, 8)  # simulated on this machine
CALCULATED_WORKERS = (1, 4, 10, 100, 1000)
NETWORK_BYTES_PER_SECOND = 10e9 / 8
N_BOOTSTRAP = 10_000


class RayBenchmark(NamedTuple):
    """What to measure, and with what."""

    config: Path = Path("configs/qplex_hrl_4v4_9.yaml")
    parts: Sequence[str] = PARTS[:3]
    timesteps: int = 1_000_000  # of a run of `overhead` and `coverage`
    envs_per_worker: int = 64  # of `rollout`, `scale`
    seeds: Sequence[int] = (0, 1, 2)  # of `coverage`
    n_workers: int = 2  # of `coverage`


def benchmark_ray(plan: RayBenchmark) -> int:
    """Print the figures asked for; return 1 if a stated bar is missed, else 0.

    Raises:
        ClusterError: Ray is not installed or does not start.
        ValueError: the configuration is not valid, or there is no such part.
    """
    check_ray()
    load_config(plan.config)
    missed = False
    for part in plan.parts:
        match part:
            case "rollout":
                missed |= _print_rollout(plan)
            case "overhead":
                missed |= _print_overhead(plan)
            case "scale":
                _print_scale(plan)
            case "coverage":
                missed |= _print_coverage(plan)
            case _:
                raise ValueError(f"'{part}'; expected some of {', '.join(PARTS)}")
    return int(missed)


class _Rates:
    """Workers of one cluster, any first few of which can be asked to collect."""

    # Any: Ray's classes are not typed.
    def __init__(self, algorithm: Any, config: RunConfig) -> None:
        self.algorithm = algorithm
        self._config = config

    def episodes(self, n_workers: int) -> Any:
        """Return a collector over the first so many workers, with new episodes."""
        from qplex_hrl.rllib.remote_rollout import RemoteEpisodes

        config = _shared(self._config, n_workers)
        rng = np.random.default_rng(0)
        episodes = RemoteEpisodes(self.algorithm.env_runner_group, config, rng)
        episodes.reset(np.arange(config.env.num_envs, dtype=np.uint64))
        return episodes

    def collect(self, episodes: Any, n_decisions: int = N_DECISIONS) -> int:
        """Collect one chunk and return its frames."""
        episodes.start(self.algorithm.loop.learner.model.agent, n_decisions, 0.1)
        n_frames: int = episodes.finish().n_frames
        return n_frames

    def frames_per_second(self, episodes: Any) -> float:
        """Return the rate of one turn."""
        n_frames, started = 0, time.perf_counter()
        while (seconds := time.perf_counter() - started) < SECONDS_PER_TURN:
            n_frames += self.collect(episodes)
        return n_frames / seconds


def _shared(config: RunConfig, n_workers: int, *, check: bool = True) -> RunConfig:
    """Return the configuration for so many workers; unchecked, its replay may be too small."""
    from qplex_hrl.rllib_policy import sharded

    ray = config.ray.model_copy(update={"num_workers": n_workers})
    n_envs = n_workers * ray.num_envs_per_worker
    env = config.env.model_copy(update={"num_envs": n_envs})
    shared = config.model_copy(update={"ray": ray, "env": env})
    return sharded(shared) if check else shared


@contextmanager
def _workers(plan: RayBenchmark, n_workers: int) -> Iterator[_Rates]:
    """Start so many workers on this machine."""
    from qplex_hrl.rllib.train import build_algorithm

    overrides = {
        "ray.num_envs_per_worker": plan.envs_per_worker,
        "ray.num_workers": n_workers,
        "training.buffer_size": 30 * n_workers * plan.envs_per_worker,
    }
    loaded = load_config(plan.config, [Override(k, v, k) for k, v in overrides.items()])
    config = _shared(loaded, n_workers)
    with cluster(config, None), build_algorithm(config) as algorithm:
        yield _Rates(algorithm, config)


def _measure_rates(
    rates: _Rates, sizes: Sequence[int], turns: int = TURNS
) -> dict[int, list[float]]:
    """Return the frames/s of each number of workers, measured in turns."""
    measured: dict[int, list[float]] = {n: [] for n in sizes}
    for n in sizes:  # compiles, fills caches
        rates.collect(rates.episodes(n))
    for _ in range(turns):
        for n in sizes:
            measured[n].append(rates.frames_per_second(rates.episodes(n)))
    return measured


def _print_rollout(plan: RayBenchmark) -> bool:
    """Print rollout rates of one and two workers; return whether the floor is missed."""
    with _workers(plan, 2) as rates:
        measured = _measure_rates(rates, (1, 2))
    ratio = statistics.median(b / a for a, b in zip(measured[1], measured[2], strict=True))
    table = Table(title=f"{plan.config}, {plan.envs_per_worker} environments a worker: rollout")
    for name in ("workers", "frames/s", "slowest", "fastest"):
        table.add_column(name, justify="right")
    for n, values in measured.items():
        figures = (statistics.median(values), min(values), max(values))
        table.add_row(str(n), *(f"{value:,.0f}" for value in figures))
    Console(width=100).print(table)
    print_line(f"two workers over one: {ratio:.2f} (floor {TWO_WORKERS_FLOOR})")
    return ratio < TWO_WORKERS_FLOOR


def _print_overhead(plan: RayBenchmark) -> bool:
    """Print wall times of whole processes, by turns; return whether the ceiling is missed."""
    n_envs = load_config(plan.config).env.num_envs
    seconds: dict[str, list[float]] = {"train": [], "train-ray": []}
    for _ in range(REPEATS):
        for command, values in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                _train(plan, command, Path(folder), 0, 1, n_envs)
                values.append(time.perf_counter() - started)
    medians = {command: statistics.median(values) for command, values in seconds.items()}
    added = medians["train-ray"] / medians["train"] - 1
    table = Table(title=f"{plan.config}, {plan.timesteps:,} timesteps: wall time, whole process")
    for name in ("command", "seconds", "least", "most"):
        table.add_column(name, justify="left" if name == "command" else "right")
    for command, values in seconds.items():
        figures = (medians[command], min(values), max(values))
        table.add_row(command, *(f"{value:,.1f}" for value in figures))
    Console(width=100).print(table)
    print_line(f"Ray adds {added:.1%} with one worker (at most {OVERHEAD_CEILING:.0%})")
    return added >= OVERHEAD_CEILING


def _train(
    plan: RayBenchmark, command: str, folder: Path, seed: int, n_workers: int, n_envs: int
) -> None:
    """Train in a process of its own, with the same environments in all."""
    settings = [f"env.num_envs={n_envs}"]
    if command == "train-ray":
        settings = [
            f"ray.num_workers={n_workers}",
            f"ray.num_envs_per_worker={n_envs // n_workers}",
        ]
    flags = [word for setting in settings for word in ("--set", setting)]
    flags += ["--total-timesteps", str(plan.timesteps), "--seed", str(seed)]
    flags += ["--log-dir", str(folder), "--model-dir", str(folder), "--log-level", "WARNING"]
    start = [sys.executable, "-m", "qplex_hrl", command, "--config", str(plan.config)]
    result = subprocess.run(
        [*start, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode:
        raise RuntimeError(f"{command} ended with {result.returncode}: {result.stdout[-2000:]}")


class _Costs(NamedTuple):
    """What training costs the driver, and the network to it."""

    per_update: float  # seconds
    per_frame: float  # seconds to send tasks, receive chunks and store them
    decision_bytes: float  # of a decision of one environment
    state_bytes: float  # of the state of one environment, which comes with every chunk


def _print_scale(plan: RayBenchmark) -> None:
    """Print the rates of many workers on this machine, and what they give on machines enough."""
    with _workers(plan, max(SCALE_WORKERS)) as rates:
        measured = _measure_rates(rates, SCALE_WORKERS, turns=3)
        costs = _driver_costs(rates)
        config = rates.algorithm.run.config
    table = Table(title=f"{plan.envs_per_worker} environments a worker, all on this machine")
    for name in ("workers", "rollout frames/s"):
        table.add_column(name, justify="right")
    for n, values in measured.items():
        table.add_row(str(n), f"{statistics.median(values):,.0f}")
    Console(width=100).print(table)
    rate = statistics.median(measured[1])
    train_freq = config.training.train_freq
    busy = costs.per_frame + train_freq / 1000 * costs.per_update  # of the driver, per frame
    print_line(
        f"driver: {costs.per_update * 1e3:.1f} ms an update, {costs.per_frame * 1e6:.2f} us a "
        f"frame to receive and store; {train_freq:g} updates per 1,000 frames: at most "
        f"{1 / busy:,.0f} frames/s, the rollout of {1 / busy / rate:.1f} workers with a core each"
    )
    table = Table(title="calculated: a core for each worker, one learner, 10 Gbit/s to it")
    columns = ("workers", "rollout frames/s", "receivable", "network", "train_freq fed")
    for name in (*columns, "as configured", "1M frames in"):
        table.add_column(name, justify="right")
    for n in CALCULATED_WORKERS:
        table.add_row(str(n), *_calculated(costs, rate, busy, _shared(config, n, check=False)))
    Console(width=100).print(table)


def _calculated(costs: _Costs, rate: float, busy: float, config: RunConfig) -> Iterator[str]:
    """Return the row of a number of workers: three limits, and what comes of them."""
    frame_skip, length = config.network.hrl.frame_skip, chunk_length(config)
    frame_bytes = (costs.decision_bytes + costs.state_bytes / length) / frame_skip
    rollout = config.ray.num_workers * rate
    network = NETWORK_BYTES_PER_SECOND / frame_bytes
    received = min(rollout, 1 / costs.per_frame, network)
    left = 1 / received - costs.per_frame  # seconds of updates per frame
    trained = min(received, 1 / busy)
    for value in (rollout, 1 / costs.per_frame, network):
        yield f"{value:,.0f}"
    yield f"{max(0.0, 1000 * left / costs.per_update):.2f}"
    yield f"{trained:,.0f}"
    yield f"{1e6 / trained / 60:,.1f} min"


def _driver_costs(rates: _Rates) -> _Costs:
    """Return what the driver spends on an update and on a frame, measured with all workers."""
    import torch

    loop, n = rates.algorithm.loop, max(SCALE_WORKERS)
    episodes = rates.episodes(n)
    network = loop.learner.model.agent
    waiting, per_frame = 0.0, []
    for turn in range(6):
        started = time.perf_counter()
        episodes.start(network, 2 * N_DECISIONS // n or 1, 0.1)
        spent = time.perf_counter() - started
        time.sleep(waiting)  # until all is there: what follows is the driver's own work
        started = time.perf_counter()
        experience = episodes.finish()
        loop.replay.add(experience.decisions)
        done = time.perf_counter() - started
        if turn == 0:
            waiting = 2 * done + 0.5
        else:
            per_frame.append((spent + done) / experience.n_frames)
    while not loop.replay.n_windows:
        episodes.start(network, 4, 0.1)
        loop.replay.add(episodes.finish().decisions)
    batch = loop.replay.sample(rates.algorithm.run.config.training.batch_size, torch.device("cpu"))
    per_update = []
    for _ in range(12):
        started = time.perf_counter()
        loop.learner.update(batch, 1e-6)
        per_update.append(time.perf_counter() - started)
    state = episodes.state_dict()
    n_envs = n * rates.algorithm.run.config.ray.num_envs_per_worker
    state_bytes = sum(value.nbytes for part in state.values() for value in part.values())
    chunk = experience.decisions
    n_decisions = chunk.reward.size
    return _Costs(
        statistics.median(per_update[2:]),
        statistics.median(per_frame),
        sum(array.nbytes for array in chunk) / n_decisions,
        state_bytes / n_envs,
    )


def _print_coverage(plan: RayBenchmark) -> bool:
    """Train seeds both ways; return whether the difference of coverage excludes zero."""
    n_envs = load_config(plan.config).env.num_envs
    episodes: dict[str, list[list[float]]] = {"train": [], "train-ray": []}
    table = Table(title=f"{plan.config}, {plan.timesteps:,} timesteps: final mean_coverage_rate")
    for name in ("command", "seed", "coverage", "95 % interval"):
        table.add_column(name)
    for seed in plan.seeds:
        for command, values in episodes.items():
            with tempfile.TemporaryDirectory() as folder:
                _train(plan, command, Path(folder), seed, plan.n_workers, n_envs)
                text = (Path(folder) / "final_eval_results.json").read_text(encoding="utf-8")
            result = json.loads(text)
            values.append([row["coverage_rate"] for row in result["episodes"]])
            low, high = result["ci95_coverage_rate"]
            interval = f"{low:.3f} to {high:.3f}"
            table.add_row(command, str(seed), f"{result['mean_coverage_rate']:.4f}", interval)
    Console(width=100).print(table)
    low, mean, high = _difference(episodes["train-ray"], episodes["train"])
    print_line(
        f"{plan.n_workers} workers minus standalone: {mean:+.4f} "
        f"(95 % interval {low:+.4f} to {high:+.4f})"
    )
    return not low <= 0 <= high


def _difference(
    left: Sequence[Sequence[float]], right: Sequence[Sequence[float]]
) -> tuple[float, float, float]:
    """Return low end, mean, high end of the difference of means over runs and their episodes.

    Runs, then episodes within them, are drawn with replacement.
    """
    rng = np.random.default_rng(0)
    draws = []
    for runs in (left, right):
        table = np.array(runs)
        n_runs, n_episodes = table.shape
        run = rng.integers(n_runs, size=(N_BOOTSTRAP, n_runs, 1))
        episode = rng.integers(n_episodes, size=(N_BOOTSTRAP, n_runs, n_episodes))
        draws.append(table[run, episode].mean(axis=(1, 2)))
    difference = draws[0] - draws[1]
    low, high = np.quantile(difference, (0.025, 0.975))
    return float(low), float(np.mean(left) - np.mean(right)), float(high)


def print_line(text: str) -> None:
    """Print a line of the result, unwrapped."""
    Console(soft_wrap=True).print(text, highlight=False)
