"""Where a run stands: its milestones, and rows of metrics made of iterations and evaluations."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.evaluation.metrics import best_coverage, episode_metrics
from qplex_hrl.runtime.logger import Histogram
from qplex_hrl.training.distributions import gate_histograms, selection_histograms
from qplex_hrl.training.loop import Iteration, TrainingLoop

_UPDATE_NAMES = {"loss": "mean_loss"}  # the contract's names of the learner's metrics

REFERENCE_COVERAGE = 0.725
"""Coverage whose time is told: what greedy cameras that talk reach on MATE-4v4-9."""


@dataclass
class History:
    """Milestones of a run; part of its checkpoints."""

    logged: int = 0  # timestep of the last row of metrics
    evaluated: int = 0  # of the last evaluation begun
    saved: int = 0  # of the last numbered checkpoint
    best_coverage: float | None = None  # best mean_coverage_rate of any evaluation
    wall_time_seconds: float = 0.0  # spent in training, resumed parts together
    seconds_to_coverage: float | None = None  # of these, until weights reached REFERENCE_COVERAGE
    evaluations: list[dict[str, float]] = field(default_factory=list)

    def take_evaluation(
        self, timestep: int, evaluation: Mapping[str, object], seconds: float
    ) -> None:
        """Remember an evaluation.

        Args:
            timestep: of the weights.
            evaluation: object with `mean_coverage_rate`.
            seconds: spent in training until these weights.
        """
        coverage = evaluation["mean_coverage_rate"]
        assert isinstance(coverage, float)
        if self.seconds_to_coverage is None and coverage >= REFERENCE_COVERAGE:
            self.seconds_to_coverage = seconds
        self.best_coverage = best_coverage(self.best_coverage, evaluation)
        self.evaluations.append({"timestep": timestep, "mean_coverage_rate": coverage})
        self.evaluated = timestep


def is_due(timestep: int, last: int, interval: int) -> bool:
    """Return whether a multiple of ``interval`` was reached after ``last``."""
    return timestep // interval > last // interval


class ProgressWindow:
    """Collects iterations and turns them into one row of metrics."""

    def __init__(self) -> None:
        """Begin now."""
        self._clear()

    def add(self, iteration: Iteration) -> None:
        """Take one iteration's report."""
        self._updates.extend(iteration.updates)
        self._n_frames += iteration.n_frames
        if len(iteration.episodes):
            self._episodes.append(iteration.episodes)
        if iteration.decisions is not None:
            self._actions.append(iteration.decisions.actions)
            self._states[:] = [iteration.decisions.state]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of this block out of the frames per second."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._started += time.perf_counter() - began

    def histograms(self, loop: TrainingLoop) -> dict[str, Histogram]:
        """Return what was chosen in everything added, and the mixer's gate in its last states."""
        if not self._states:
            return {}
        per_action = loop.targets_per_action
        actions = np.concatenate([chunk.ravel() for chunk in self._actions])
        counts = np.bincount(actions, minlength=len(per_action))
        (states,) = self._states
        states = states.reshape(-1, states.shape[-1])
        return selection_histograms("train/", counts, per_action) | gate_histograms(
            loop.learner.model, states
        )

    def close(self, loop: TrainingLoop) -> dict[str, float]:
        """Return the row of metrics of everything added, and begin anew.

        Means are over the updates and episodes that happened; without any, the metric is missing.
        ``train_*`` are of training episodes, which explore.
        """
        seconds = max(time.perf_counter() - self._started, 1e-9)
        row = {
            "epsilon": loop.epsilon,
            "learning_rate": loop.learning_rate,
            "n_updates": float(loop.learner.n_updates),
            "n_episodes": float(loop.counters.n_episodes),
            "frames_per_second": self._n_frames / seconds,
        }
        if self._updates:
            names = [_UPDATE_NAMES.get(name, name) for name in self._updates[0]]
            table = torch.stack([torch.stack(list(update.values())) for update in self._updates])
            means = table.mean(dim=0).tolist()  # the one transfer from the device
            row |= dict(zip(names, means, strict=True))
        if self._episodes:
            row |= _episode_row(np.concatenate(self._episodes))
        self._clear()
        return row

    def _clear(self) -> None:
        self._updates: list[dict[str, torch.Tensor]] = []
        self._episodes: list[NDArray[np.float64]] = []
        self._actions: list[NDArray[np.int64]] = []
        self._states: list[NDArray[np.float16]] = []  # of the last chunk
        self._n_frames = 0
        self._started = time.perf_counter()


def evaluation_row(evaluation: Mapping[str, object]) -> dict[str, float]:
    """Return the means and deviations of an evaluation, without what is not defined."""
    return {
        name: value
        for name, value in evaluation.items()
        if name.startswith(("mean_", "std_")) and isinstance(value, float)
    }


def _episode_row(statistics: NDArray[np.float64]) -> dict[str, float]:
    """Return the means over training episodes [E, K] as ``train_<metric>``."""
    assert statistics.shape[1] == len(EPISODE_COLUMNS)
    means = {}
    for name, values in episode_metrics(statistics).items():
        defined = values[np.isfinite(values)]
        if defined.size:
            means[f"train_{name}"] = float(defined.mean())
    return means
