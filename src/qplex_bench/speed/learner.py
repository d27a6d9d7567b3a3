"""Milliseconds per update of the learner, beside PyMARL2's on request, and growth with the team."""

import itertools
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from camcontrol.features.layout import feature_layout
from qplex_bench.speed.process import Client
from qplex_hrl.config import AlgorithmConfig, NetworkConfig, RunConfig
from qplex_hrl.data.make_env import dims_of
from qplex_hrl.learner import Learner
from qplex_hrl.model import build_model
from qplex_hrl.runtime.devices import torch_threads
from qplex_hrl.types import ModelDims, SequenceBatch

FLOOR = 3.0
"""Least ratio of PyMARL2's time of an update to ours, the median over interleaved pairs.

Not reached yet: docs/benchmarks.md. How large it can be depends on the machine, which `CEILING`
does not.
"""

CEILING = 2.5
"""Most that an update may take, in units of its matrix products at this core's best rate.

An idle core needs 1.7 to 2.0; with other work on the machine, which takes caches and memory, 2.3.
"""

REPEATS = 15
GROWTH_REPEATS = 3
WARM_UP = 2
GROWTH = (4, 8, 16, 24)
"""Cameras, and as many targets."""

SEARCH_ACTIONS = 12
"""Actions without a target: with one for each of four targets there are 16 actions."""

LEARNING_RATE = 1e-3
_PRODUCTS = {"aten::mm": 0, "aten::bmm": 0, "aten::addmm": 1, "aten::addmm_": 1, "aten::baddbmm": 1}
"""Operators, and which of their arguments is the left factor."""


class Shapes(NamedTuple):
    """What both systems are given."""

    n_threads: int = 1
    n_sequences: int = 32
    length: int = 60
    n_agents: int = 4
    n_actions: int = 16
    obs_size: int = 106
    state_size: int = 170
    hidden_size: int = 64
    embed_size: int = 32
    hypernet_size: int = 64
    n_heads: int = 4  # as PyMARL2 has them by default


class Times(NamedTuple):
    """Of one update, in milliseconds."""

    wall: float
    processor: float


class Case(NamedTuple):
    """A network and the batch that it learns from."""

    name: str
    network: NetworkConfig
    dims: ModelDims
    selection_bits: torch.Tensor  # [U, T] bool
    n_sequences: int
    length: int  # burn-in included
    burn_in: int
    algorithm: AlgorithmConfig


def shapes_case(
    n_agents: int = 4, encoding: str = "flat", mixer: str = "qplex", shapes: Shapes | None = None
) -> Case:
    """Return a GRU network for ``shapes``; with four agents the observations have 106 numbers.

    With the encoding ``flat`` the cameras' networks have the layers of PyMARL2's.
    """
    shapes = shapes or Shapes()
    bits = selection_bits(n_agents, SEARCH_ACTIONS, pairs=False)
    dims = ModelDims(
        n_agents=n_agents,
        n_targets=n_agents,
        n_actions=len(bits),
        context_size=22,
        target_size=5,
        action_size=4,
        state_size=70 + 25 * n_agents,
    )
    network = NetworkConfig.model_validate(
        {
            "hrl": {"frame_skip": 1, "fast_interval": 1},
            "q_network": {
                "type": "rnn",
                "encoding": encoding,
                "hidden_size": shapes.hidden_size,
            },
            "mixing_network": {
                "type": mixer,
                "embed_size": shapes.embed_size,
                "hypernet_size": shapes.hypernet_size,
                "n_heads": shapes.n_heads,
            },
        }
    )
    name = f"rnn, {encoding}, {mixer}, {shapes.n_sequences} x {shapes.length}"
    # PyMARL2 knows neither averaged weights nor difference rewards.
    algorithm = AlgorithmConfig(ema_decay=0.0, difference_reward_weight=0.0)
    return Case(name, network, dims, bits, shapes.n_sequences, shapes.length, 0, algorithm)


def default_case(n_agents: int = 4) -> Case:
    """Return the shipped system; with four agents its sizes are those of MATE-4v4-9."""
    config = RunConfig()
    bits = selection_bits(n_agents, config.control.search_actions, pairs=True)
    layout = feature_layout(
        n_agents,
        len(bits),
        n_search=config.control.search_actions,
        particles=True,
        lookahead=True,
        by_target=True,
    )
    dims = dims_of(layout, n_agents, state_size=56 + 25 * n_agents)
    q_network, training = config.network.q_network.type, config.training
    n_sequences, trained, burn_in = training.batch_size, training.sequence_length, training.burn_in
    mixer = config.network.mixing_network.type
    name = f"{q_network}, {mixer}, {n_sequences} x ({burn_in} + {trained})"
    length = burn_in + trained
    return Case(name, config.network, dims, bits, n_sequences, length, burn_in, config.algorithm)


def selection_bits(n_targets: int, n_search_actions: int, *, pairs: bool) -> torch.Tensor:
    """Return [U, T] bool: each target, all pairs if wanted, and actions without targets."""
    sizes = (1, 2) if pairs else (1,)
    chosen = [c for size in sizes for c in itertools.combinations(range(n_targets), size)]
    bits = torch.zeros(len(chosen) + n_search_actions, n_targets, dtype=torch.bool)
    for row, targets in enumerate(chosen):
        bits[row, list(targets)] = True
    return bits


def random_batch(case: Case, recurrent_size: int) -> SequenceBatch:
    """Return full windows of random numbers in which all targets are known."""
    dims, length = case.dims, case.length
    rng = torch.Generator().manual_seed(0)
    obs = torch.randn(case.n_sequences, length + 1, dims.n_agents, dims.obs_size, generator=rng)
    first = dims.context_size
    targets = obs[..., first : first + dims.n_targets * dims.target_size]
    for flag in (0, dims.row_flag):
        targets[..., flag :: dims.target_size] = 1.0
    no = torch.zeros(case.n_sequences, length, dtype=torch.bool)
    frames = (case.n_sequences, length)
    actions = torch.randint(dims.n_actions, (*frames, dims.n_agents), generator=rng)
    return SequenceBatch(
        obs=obs,
        state=torch.randn(case.n_sequences, length + 1, dims.state_size, generator=rng),
        avail_actions=torch.ones(*obs.shape[:-1], dims.n_actions, dtype=torch.bool),
        actions=actions,
        reward=torch.randn(*frames, generator=rng),
        difference_reward=torch.zeros(*frames, dims.n_agents),
        terminated=no,
        truncated=no.clone(),
        filled=~no,
        hidden_state=torch.zeros(case.n_sequences, dims.n_agents, recurrent_size),
    )


def best_rate(n_repeats: int = 20) -> float:
    """Return the floating-point operations per millisecond of a large matrix product here."""
    size = 768
    left, right, out = torch.randn(3, size, size)
    least = math.inf
    for _ in range(n_repeats):
        started = time.perf_counter()
        torch.mm(left, right, out=out)
        least = min(least, time.perf_counter() - started)
    return 2e-3 * size**3 / least


def operations_of_products(work: Callable[[], object]) -> float:
    """Return the floating-point operations of all matrix products that `work` does."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True
    ) as profile:
        work()
    total = 0.0
    for event in profile.events():
        # An `addmm` lists what it adds to first; an `mm` does not. The inner axis is the last of
        # the left factor.
        if event.name in _PRODUCTS:
            *batch, rows, inner = event.input_shapes[_PRODUCTS[event.name]]
            columns = event.input_shapes[_PRODUCTS[event.name] + 1][-1]
            total += 2.0 * math.prod(batch) * rows * inner * columns
    return total


class OurUpdates:
    """Our learner with a batch in memory."""

    def __init__(self, case: Case) -> None:
        """Build both and warm up."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model(case.dims, case.selection_bits, case.network)
        self._learner = Learner(model, case.algorithm, case.network.hrl, case.burn_in)
        self._batch = random_batch(case, model.agent.recurrent_size)
        for _ in range(WARM_UP):
            self.times()

    def times(self) -> Times:
        """Do one update and return its times."""
        wall, processor = time.perf_counter(), time.process_time()
        self._learner.update(self._batch, LEARNING_RATE)
        processor = time.process_time() - processor
        return Times(1e3 * (time.perf_counter() - wall), 1e3 * processor)


class PyMARL2Updates:
    """PyMARL2's QPLEX learner in a process of its own interpreter, timed on request."""

    def __init__(self, folder: Path, python: Path, shapes: Shapes) -> None:
        """Start the process, build the learner and warm up.

        Args:
            folder: of the user's copy of PyMARL2.
            python: an interpreter that has what PyMARL2 needs.
            shapes: of networks and batch.

        Raises:
            ValueError: the folder holds no PyMARL2, or it cannot be started.
        """
        source = folder / "src"
        if not (source / "learners" / "dmaq_qatten_learner.py").is_file():
            raise ValueError(f"--pymarl2 {folder}: holds no 'src/learners/dmaq_qatten_learner.py'")
        self._client = Client(
            "PyMARL2",
            "pymarl2_client.py",
            [json.dumps(shapes._asdict())],
            python=python,
            path=source,
            option="--pymarl2-python",
            n_threads=shapes.n_threads,
        )
        for _ in range(WARM_UP):
            self.times()

    def times(self) -> Times:
        """Do one update and return its times."""
        return Times(*(1e3 * float(seconds) for seconds in self._client.ask().split()))

    def close(self) -> None:
        """Let the process end."""
        self._client.close()


def benchmark_learner(pymarl2: Path | None, python: Path, n_threads: int) -> int:
    """Print times per update; return 1 if one of the bars is missed, else 0.

    Ours may take at most `CEILING` times what its matrix products take at the core's best rate, and
    PyMARL2 must take at least `FLOOR` times as long as ours.

    Args:
        pymarl2: folder of the user's copy of PyMARL2; None: ours alone.
        python: an interpreter that has what PyMARL2 needs.
        n_threads: threads of PyTorch, of each system.

    Raises:
        ValueError: PyMARL2 cannot be run.
    """
    shapes = Shapes(n_threads=n_threads)
    with torch_threads(n_threads):
        missed = pymarl2 is not None and _compare(pymarl2, python, shapes) < FLOOR
        missed |= _print_products(shapes) > CEILING
        _print_growth()
    return int(missed)


def _print_products(shapes: Shapes) -> float:
    """Print how our time compares with its matrix products alone; return the median ratio."""
    ours = OurUpdates(shapes_case(shapes=shapes))
    operations = operations_of_products(ours.times)
    ratios, alone = [], []
    for _ in range(REPEATS):
        alone.append(operations / best_rate())
        ratios.append(ours.times().wall / alone[-1])
    ratio = statistics.median(ratios)
    Console(width=100).print(
        f"Matrix products of one of our updates, flat: {operations / 1e9:.2f} GFlop, at least "
        f"{statistics.median(alone):.1f} ms here; ours takes {ratio:.2f} times that "
        f"({min(ratios):.2f} to {max(ratios):.2f}; at most {CEILING:g})",
        highlight=False,
    )
    return ratio


def _compare(folder: Path, python: Path, shapes: Shapes) -> float:
    """Print the systems' times, taken in turn; return the median ratio for equal networks."""
    theirs = PyMARL2Updates(folder, python, shapes)
    try:
        flat = _turns(theirs, shapes_case(shapes=shapes))
        entities = _turns(theirs, shapes_case(encoding="entities", shapes=shapes))
    finally:
        theirs.close()
    title = (
        f"QPLEX, {shapes.n_sequences} sequences x {shapes.length} steps, {shapes.n_agents} agents, "
        f"{shapes.n_actions} actions, {shapes.n_heads} heads, {shapes.n_threads} threads: "
        "ms per update"
    )
    table = Table(title=title)
    for name in ("what", "median", "least", "most", "processor time, median", "floor"):
        table.add_column(name, justify="left" if name == "what" else "right")
    _add_row(table, "PyMARL2", [turn[0] for turn in flat + entities])
    _add_row(table, "ours, flat: the same agent", [turn[1] for turn in flat])
    _add_row(table, "ours, entities", [turn[1] for turn in entities])
    ratios = [_ratio(*turn) for turn in flat]
    _add_row(table, "PyMARL2 / flat", ratios, digits=2, floor=f"{FLOOR:g}")
    _add_row(table, "PyMARL2 / entities", [_ratio(*turn) for turn in entities], digits=2)
    Console(width=100).print(table)
    return statistics.median(ratio.wall for ratio in ratios)


def _turns(theirs: PyMARL2Updates, case: Case) -> list[tuple[Times, Times]]:
    """Return times of PyMARL2 and of ours, an update of each in turn."""
    ours = OurUpdates(case)
    return [(theirs.times(), ours.times()) for _ in range(REPEATS)]


def _ratio(theirs: Times, ours: Times) -> Times:
    return Times(theirs.wall / ours.wall, theirs.processor / ours.processor)


def _add_row(
    table: Table, name: str, values: list[Times], *, digits: int = 1, floor: str = ""
) -> None:
    wall = [value.wall for value in values]
    processor = statistics.median(value.processor for value in values)
    figures = (statistics.median(wall), min(wall), max(wall), processor)
    table.add_row(name, *(f"{value:.{digits}f}" for value in figures), floor)


def _print_growth() -> None:
    """Print how the time of an update grows with cameras and targets."""
    table = Table(title="our learner: ms per update, medians")
    columns = ("network and batch", "cameras", "targets", "actions", "obs", "ms", "processor")
    for name in (*columns, "x first"):
        table.add_column(name, justify="left" if name == "network and batch" else "right")
    for family in (shapes_case, default_case):
        first = 0.0
        for case in map(family, GROWTH):
            updates = OurUpdates(case)
            times = [updates.times() for _ in range(GROWTH_REPEATS)]
            wall, processor = (statistics.median(each) for each in zip(*times, strict=True))
            first = first or processor
            dims = case.dims
            sizes = (dims.n_agents, dims.n_targets, dims.n_actions, dims.obs_size)
            growth = (f"{wall:.1f}", f"{processor:.1f}", f"{processor / first:.1f}")
            table.add_row(case.name, *(str(size) for size in sizes), *growth)
    Console(width=100).print(table)
