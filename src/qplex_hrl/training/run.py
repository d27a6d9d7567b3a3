"""One run: a training loop, its evaluations, its files, and the way through all of them."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.selection_env import SelectionEnv
from camsim.files import atomic_write_json
from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.config import RunConfig, config_hash
from qplex_hrl.evaluation.evaluate import evaluate, provenance_of
from qplex_hrl.evaluation.metrics import best_coverage, episode_metrics
from qplex_hrl.evaluation.players import AgentPlayer, greedy_agent
from qplex_hrl.learner import TrainingDiverged
from qplex_hrl.runtime.checkpoint import (
    FORMAT_VERSION,
    CheckpointError,
    load_arrays,
    load_checkpoint,
    save_arrays,
    save_checkpoint,
)
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.runtime.logger import MetricSink
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.signals import Interrupt, Interrupted
from qplex_hrl.training.loop import Iteration, TrainingLoop
from qplex_hrl.training.run_folder import RunFolder, replay_beside

_UPDATE_NAMES = {"loss": "mean_loss"}  # the contract's names of the learner's metrics


@dataclass
class History:
    """Milestones of a run; part of its checkpoints."""

    logged: int = 0  # timestep of the last row of metrics
    evaluated: int = 0  # of the last evaluation
    saved: int = 0  # of the last numbered checkpoint
    best_coverage: float | None = None  # best mean_coverage_rate of any evaluation
    wall_time_seconds: float = 0.0  # spent in training, resumed parts together
    evaluations: list[dict[str, float]] = field(default_factory=list)

    def take_evaluation(self, timestep: int, evaluation: Mapping[str, object]) -> bool:
        """Remember an evaluation; return whether it is the best so far."""
        before, coverage = self.best_coverage, evaluation["mean_coverage_rate"]
        assert isinstance(coverage, float)
        self.best_coverage = best_coverage(before, evaluation)
        self.evaluations.append({"timestep": timestep, "mean_coverage_rate": coverage})
        self.evaluated = timestep
        return before is None or coverage > before


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


_N_REPLAYS = 2  # kept while training: the newest checkpoint may be damaged when the machine fails

_LOG = logging.getLogger(__name__)


class Reporting(NamedTuple):
    """What a run reports to while it goes on."""

    files: MetricSink  # keep the metrics
    bar: MetricSink
    interrupt: Interrupt
    window: ProgressWindow


def evaluation_envs(config: RunConfig) -> int:
    """Return how many environments an evaluation of this run plays in."""
    evaluation = config.evaluation
    return min(evaluation.num_envs, max(evaluation.episodes, evaluation.final_episodes))


class TrainingRun:
    """A training loop, its evaluation and its files."""

    def __init__(
        self, config: RunConfig, loop: TrainingLoop, env: SelectionEnv, folder: RunFolder
    ) -> None:
        """Put the parts together; nothing is written.

        Args:
            config: of the run.
            loop: collects and learns.
            env: environments for evaluation.
            folder: where all goes.
        """
        self.config = config
        self.folder = folder
        self.latest: dict[str, float] = {}
        """The newest value of every metric that was reported."""
        self._loop = loop
        self._evaluator = greedy_agent(loop.learner.ema_agent, env, loop.device)
        self._player = AgentPlayer(env, self._evaluator)
        self._history = History()
        self._resumed_at = time.perf_counter()

    @property
    def timestep(self) -> int:
        """Frames collected so far."""
        return self._loop.counters.timestep

    @property
    def n_evaluations(self) -> int:
        """Evaluations so far, without the final one."""
        return len(self._history.evaluations)

    def start(self) -> None:
        """Begin with the cameras that the configuration names, if it names any.

        Raises:
            ValueError: there are none, or they have another network or other teams.
        """
        if self.config.training.initial_weights is not None:
            self._loop.begin_with(Path(self.config.training.initial_weights))

    def restore(self, path: Path) -> None:
        """Go on where the checkpoint was written.

        Raises:
            CheckpointError: it is damaged, foreign, or not of a training run.
            ValueError: it was written with another network.
        """
        content = load_checkpoint(path, oldest=FORMAT_VERSION)
        try:
            state, history, has_replay = (
                content[key] for key in ("training", "history", "replay_saved")
            )
        except KeyError as error:
            msg = f"{path}: not a checkpoint that training can go on from ({error} is missing)"
            raise CheckpointError(msg) from error
        replay = replay_beside(path)
        n_saved = len(state["rollout"]["agent"]["decision_index"])
        other = n_saved != self.config.env.num_envs
        arrays = load_arrays(replay) if has_replay and replay.exists() and not other else None
        if other:
            _LOG.warning(
                "%s has %d environments, this run %d: the episodes begin anew",
                path,
                n_saved,
                self.config.env.num_envs,
            )
        if arrays is None:
            _LOG.warning("no replay beside %s: it is filled anew before learning goes on", path)
        try:
            self._loop.load_state_dict(state, arrays, new_episodes=other)
        except ValueError as error:
            msg = f"{path}: {error}"
            raise ValueError(msg) from error
        self._history = History(**history)

    def to_the_end(
        self,
        files: MetricSink,
        bar: MetricSink,
        interrupt: Interrupt,
        iterate: Callable[[], Iteration],
    ) -> int:
        """Train until all is done or something stops it; return the exit code.

        Args:
            files: keep the metrics.
            bar: shows them.
            interrupt: asked between two iterations.
            iterate: does one iteration of the loop.
        """
        outputs = self.begin(files, bar, interrupt)
        try:
            self._train(outputs, iterate)
            self.finish(outputs)
        except TrainingDiverged as error:
            _LOG.error("%s; the last checkpoint is kept", error)
            self._write_stats("diverged")
            return FAILED
        except Interrupted:
            self._save_numbered()
            self._write_stats("interrupted")
            _LOG.warning("interrupted at timestep %d, state saved", self.timestep)
            return INTERRUPTED
        return DONE

    def begin(self, files: MetricSink, bar: MetricSink, interrupt: Interrupt) -> Reporting:
        """Start the clock; return what ``report`` and ``finish`` write to."""
        self._resumed_at = time.perf_counter() - self._history.wall_time_seconds
        return Reporting(files, bar, interrupt, ProgressWindow())

    def _train(self, outputs: Reporting, iterate: Callable[[], Iteration]) -> None:
        """Iterate until everything is collected and learned, writing what is due in between."""
        while True:
            self.report(outputs)
            if self._loop.done:
                return
            if outputs.interrupt.requested:
                raise Interrupted
            outputs.window.add(iterate())

    def report(self, outputs: Reporting) -> None:
        """Log, evaluate and save if it is time to."""
        timestep, history, config = self.timestep, self._history, self.config
        if is_due(timestep, history.logged, config.logging.log_interval):
            self._log_row(outputs)
        if is_due(timestep, history.evaluated, config.evaluation.eval_interval):
            self._evaluate(outputs)
        if is_due(timestep, history.saved, config.logging.checkpoint_interval):
            self._save_numbered()

    def finish(self, outputs: Reporting) -> None:
        """Evaluate the final weights on episodes that nothing else used, and save them."""
        if self._history.logged != self.timestep:
            self._log_row(outputs)
        if self._history.saved != self.timestep:
            self._save_numbered()
        evaluation = self.config.evaluation
        seeds = episode_seeds(evaluation.seed, evaluation.episodes + evaluation.final_episodes)
        result = self._play(seeds[evaluation.episodes :], outputs.interrupt)
        atomic_write_json(self.folder.final_evaluation, result)
        self._save(self.folder.final)
        self.folder.prune(self.config.logging.keep_checkpoints, n_replays=1)
        self._write_stats("done")
        self.latest |= {f"final_{name}": value for name, value in evaluation_row(result).items()}
        _LOG.info("final mean_coverage_rate %.4f", result["mean_coverage_rate"])

    def _log_row(self, outputs: Reporting) -> None:
        row = outputs.window.close(self._loop)
        self._history.logged = self.timestep
        self.latest |= row
        outputs.files.write(self.timestep, row)
        # The bar shows the last evaluation's coverage, before the first the training episodes'.
        known = [e["mean_coverage_rate"] for e in self._history.evaluations[-1:]]
        known += [row[name] for name in ("train_coverage_rate",) if name in row]
        outputs.bar.write(self.timestep, row | ({"mean_coverage_rate": known[0]} if known else {}))

    def _evaluate(self, outputs: Reporting) -> None:
        """Evaluate the present weights; keep them if they are the best so far."""
        result = self.evaluation(outputs.interrupt)
        is_best = self._history.take_evaluation(self.timestep, result)
        atomic_write_json(self.folder.evaluation(self.timestep), result)
        row = evaluation_row(result) | {"best_coverage": self._history.best_coverage or 0.0}
        self.latest |= row
        outputs.files.write(self.timestep, row)
        if is_best:
            self._save(self.folder.best)
        self._write_stats("running")

    def evaluation(self, interrupt: Interrupt) -> dict[str, Any]:
        """Return the evaluation of the present weights on the episodes of evaluations meanwhile."""
        evaluation = self.config.evaluation
        return self._play(episode_seeds(evaluation.seed, evaluation.episodes), interrupt)

    def _play(self, seeds: NDArray[np.uint64], interrupt: Interrupt) -> dict[str, Any]:
        """Return the evaluation of the present weights."""
        self._evaluator.load_weights(self._loop.learner.ema_agent)
        provenance = provenance_of(self.config, f"qplex_hrl_{self.timestep}")
        with interrupt.at_once():
            return evaluate(self._player, seeds, timestep=self.timestep, provenance=provenance)

    def _save_numbered(self) -> None:
        """Write the checkpoint of this timestep, with the replay if configured; delete old ones."""
        self._history.saved = self.timestep
        self.save(self.folder.checkpoint(self.timestep))
        self.folder.prune(self.config.logging.keep_checkpoints, _N_REPLAYS)

    def save(self, path: Path) -> None:
        """Write a checkpoint, with the replay beside it if so configured."""
        if self.config.training.save_replay:  # first, so that a checkpoint's replay is complete
            save_arrays(replay_beside(path), self._loop.replay.state_dict())
        self._save(path, replay_saved=self.config.training.save_replay)

    def _save(self, path: Path, *, replay_saved: bool = False) -> None:
        self._history.wall_time_seconds = time.perf_counter() - self._resumed_at
        content = {
            "timestep": self.timestep,
            "config": self.config.model_dump(mode="json"),
            "training": self._loop.state_dict(),
            "history": asdict(self._history),
            "replay_saved": replay_saved,
        }
        save_checkpoint(path, content)

    def _write_stats(self, status: str) -> None:
        """Write the summary of the run so far."""
        seconds = time.perf_counter() - self._resumed_at
        stats = {
            "status": status,
            "timestep": self.timestep,
            "n_updates": self._loop.learner.n_updates,
            "n_episodes": self._loop.counters.n_episodes,
            "best_coverage": self._history.best_coverage,
            "wall_time_seconds": seconds,
            "frames_per_second": self.timestep / seconds,
            "scenario": self.config.env.scenario,
            "seed": self.config.training.seed,
            "config_hash": config_hash(self.config),
            "evaluations": self._history.evaluations,
        }
        atomic_write_json(self.folder.stats, stats)
