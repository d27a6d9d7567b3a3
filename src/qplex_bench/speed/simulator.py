"""Steps per second of the simulator against stated floors, and growth with the teams."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.generator import generate_scenario
from camsim.scenario.schema import load_scenario
from camsim.state import ObsBuffers
from qplex_hrl.runtime.threads import numba_threads

SCENARIO = "MATE-4v4-9"
N_ENVS = 256
REPEATS = 5
SIMULATOR_FLOORS = {
    "random cameras, no observations": 400_000,
    "random cameras, camera observations": 250_000,
    "greedy cameras, no observations": 250_000,
    "selection, memory, observations": 100_000,
}
"""Least env-steps per second on one thread."""

SCALING_PRESETS = ("MATE-1v1-9", "MATE-2v4-9", "MATE-4v4-9", "MATE-4v8-9", "MATE-8v8-9")
SCALING_SIZES = ((16, 32, 16), (24, 48, 24))
"""Cameras, targets and obstacles of generated worlds in the table of growth."""


class Measurement(NamedTuple):
    """A rate: the median over repeats, and the slowest and fastest of them."""

    median: float
    slowest: float
    fastest: float


def measure(work: Callable[[], object], n_steps: int, repeats: int = REPEATS) -> Measurement:
    """Return steps per second of `work`, which does `n_steps`; one call goes before, untimed."""
    work()
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        rates.append(n_steps / (time.perf_counter() - start))
    return Measurement(statistics.median(rates), min(rates), max(rates))


def _simulator_cases() -> dict[str, tuple[Callable[[], object], int]]:
    """Return what each floor is about: the work, and the env-steps it does."""
    scenario = load_scenario(SCENARIO)
    seeds = np.arange(N_ENVS, dtype=np.uint64)
    scripted = ScriptedEnv(scenario, N_ENVS, camera_policy="random", target_policy="greedy")
    scripted.reset(seeds)
    camera_obs = ObsBuffers(scripted.sim.flat_obs.camera_obs, np.zeros(0), np.zeros(0))
    n_frames, n_held = 1000, 100
    options = SelectionOptions(
        decision_frames=n_held,
        belief="last_seen",
        lookahead=False,
        coverage_per_target=False,
        check_actions=False,  # the same ones all the time
    )
    selection = SelectionEnv(scenario, options, N_ENVS)
    output = selection.reset(seeds)
    draws = np.random.default_rng(0).random(output.avail_actions.shape)
    actions = np.where(output.avail_actions, draws, -1.0).argmax(axis=-1)

    def select() -> None:
        for _ in range(n_frames // n_held):
            selection.step(actions)

    greedy = ScriptedEnv(scenario, N_ENVS, camera_policy="greedy", target_policy="greedy")
    greedy.reset(seeds)
    bare, with_obs, following, selecting = SIMULATOR_FLOORS
    return {
        bare: (lambda: scripted.run_frames(n_frames), n_frames * N_ENVS),
        with_obs: (lambda: scripted.run_frames(n_frames, camera_obs), n_frames * N_ENVS),
        following: (lambda: greedy.run_frames(n_frames), n_frames * N_ENVS),
        selecting: (select, n_frames * N_ENVS),
    }


def _most_threads() -> int:
    available: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    return min(2, available)


def benchmark_simulator() -> int:
    """Print rates on 1 and 2 threads, and growth with the teams; return 1 below a floor, else 0."""
    missed = _print_rates()
    _print_growth()
    return int(missed)


def _print_rates() -> bool:
    """Print env-steps per second on 1 and 2 threads; return whether a floor is missed."""
    table = Table(title=f"{SCENARIO}, greedy targets, N = {N_ENVS}: env-steps/s")
    for name in ("what", "threads", "median", "slowest", "fastest", "floor"):
        table.add_column(name, justify="left" if name == "what" else "right")
    missed = False
    for name, (work, n_steps) in _simulator_cases().items():
        for threads in range(1, _most_threads() + 1):
            with numba_threads(threads):
                rate = measure(work, n_steps)
            floor = SIMULATOR_FLOORS[name] if threads == 1 else None
            missed |= floor is not None and rate.median < floor
            table.add_row(
                name,
                str(threads),
                *(f"{value:,.0f}" for value in rate),
                "" if floor is None else f"{floor:,}",
            )
    Console(width=100).print(table)
    return missed


def bytes_per_env(env: ScriptedEnv) -> int:
    """Return the memory of one world: tables, observations, global state, both teams' memories."""
    parts = (*env.sim.tables, *env.sim.obs, *env.teams[2], *env.teams[3])
    return sum(part.nbytes for part in parts) // env.sim.num_envs


def _print_growth() -> None:
    """Print how speed and memory change with the sizes of the teams, greedy against greedy."""
    table = Table(title=f"greedy against greedy, one thread, N = {N_ENVS}")
    for name in ("cameras", "targets", "obstacles", "env-steps/s", "us per step", "kB per env"):
        table.add_column(name, justify="right")
    worlds = [load_scenario(name) for name in SCALING_PRESETS]
    worlds += [generate_scenario(*sizes, seed=0) for sizes in SCALING_SIZES]
    for world in worlds:
        env = ScriptedEnv(world, N_ENVS, camera_policy="greedy", target_policy="greedy")
        env.reset(np.arange(N_ENVS, dtype=np.uint64))
        n_frames = max(8000 // (world.n_cameras * world.n_targets), 20)

        def work(env: ScriptedEnv = env, n_frames: int = n_frames) -> None:
            env.run_frames(n_frames)

        with numba_threads(1):
            rate = measure(work, n_frames * N_ENVS, repeats=3).median
        sizes = (world.n_cameras, world.n_targets, world.n_obstacles)
        figures = (f"{rate:,.0f}", f"{1e6 / rate:.2f}", f"{bytes_per_env(env) / 1000:,.1f}")
        table.add_row(*(str(size) for size in sizes), *figures)
    Console(width=100).print(table)
