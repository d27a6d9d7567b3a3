"""A training run with all its files: train, report, evaluate, save, resume."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from camsim.envs.selection import SelectionEnv
from camsim.files import atomic_write_json, atomic_write_text
from qplex_hrl.checkpoint import (
    CheckpointError,
    load_arrays,
    load_checkpoint,
    save_arrays,
    save_checkpoint,
)
from qplex_hrl.collector import Collector
from qplex_hrl.config import RunConfig, config_hash, dump_config
from qplex_hrl.evaluate import AgentPlayer, evaluate, greedy_agent, provenance_of
from qplex_hrl.interrupt import Interrupt, Interrupted
from qplex_hrl.learner import TrainingDiverged
from qplex_hrl.logger import (
    ConsoleSink,
    JsonlSink,
    MetricSink,
    TensorBoardSink,
    TrackerError,
    WandbSettings,
    WandbSink,
    WriteToAll,
    log_messages,
)
from qplex_hrl.loop import TrainingLoop
from qplex_hrl.progress import History, ProgressWindow, evaluation_row, is_due
from qplex_hrl.resources import limit_threads, resolve_device
from qplex_hrl.run_folder import RunFolder, find_checkpoint, replay_beside
from qplex_hrl.seeding import episode_seeds
from qplex_hrl.worlds import build_env

DONE, DIVERGED, INTERRUPTED = 0, 1, 130
_N_REPLAYS = 2  # kept while training: the newest checkpoint may be damaged when the machine fails

_LOG = logging.getLogger(__name__)


def train(
    config: RunConfig,
    resume: Path | None = None,
    log_level: str = "INFO",
    make_env: Callable[[RunConfig, int], SelectionEnv] = build_env,
) -> int:
    """Train, evaluate and save as configured; return the process's exit code.

    Everything is built before the first file is written. Outputs of an earlier run in the same
    folders are moved aside, never overwritten.

    Args:
        config: of the run.
        resume: checkpoint to go on from, or a run's folder: its newest intact checkpoint.
        log_level: of messages.
        make_env: makes that many environments of the configured world.

    Returns:
        0 done, 1 training diverged, 130 interrupted (and saved).

    Raises:
        ValueError: the configuration cannot be run, the checkpoint is damaged or of another
            network, or another process trains into the same folders.
        OSError: a file cannot be written.
    """
    limit_threads(config.training.num_threads)
    if config.logging.wandb.enabled and find_spec("wandb") is None:
        raise TrackerError("logging.wandb.enabled = True, but wandb is not installed")
    checkpoint = None if resume is None else find_checkpoint(resume)
    run = _Run(config, make_env)
    if checkpoint is not None:
        run.restore(checkpoint)
    folder = run.folder
    console = Console(stderr=True)
    with folder.claim():
        if checkpoint is not None and checkpoint.parent.resolve() == folder.model_dir.resolve():
            aside = folder.rewind(run.timestep)
        else:
            aside = folder.set_earlier_run_aside()
        atomic_write_text(folder.config, dump_config(config))
        with log_messages(folder.log, log_level, console), Interrupt() as interrupt:
            if aside is not None:
                _LOG.info("moved earlier outputs to %s", aside)
            if checkpoint is not None:
                _LOG.info("resumed %s at timestep %d", checkpoint, run.timestep)
            with _sinks(config, folder, run.timestep, console) as (files, bar):
                return run.to_the_end(files, bar, interrupt)


@contextmanager
def _sinks(
    config: RunConfig, folder: RunFolder, timestep: int, console: Console
) -> Iterator[tuple[MetricSink, MetricSink]]:
    """Open the configured sinks: those that keep the metrics, and the progress bar."""
    logging_config = config.logging
    files: list[MetricSink] = [JsonlSink(folder.metrics)]
    try:
        if logging_config.tensorboard:
            files.append(TensorBoardSink(folder.log_dir, timestep))
        if logging_config.wandb.enabled:
            tracker = logging_config.wandb
            settings = WandbSettings(tracker.project, tracker.group, tracker.mode)
            files.append(WandbSink(settings, folder.log_dir, config.model_dump(mode="json")))
        bar = ConsoleSink(config.training.total_timesteps, timestep, console)
        try:
            yield WriteToAll(files), bar
        finally:
            bar.close()
    finally:
        WriteToAll(files).close()


class _Outputs(NamedTuple):
    """What a run reports to while it goes on."""

    files: MetricSink  # keep the metrics
    bar: MetricSink
    interrupt: Interrupt
    window: ProgressWindow


class _Run:
    """A training loop, its evaluation and its files."""

    def __init__(
        self, config: RunConfig, make_env: Callable[[RunConfig, int], SelectionEnv]
    ) -> None:
        self._config = config
        self.folder = RunFolder(Path(config.logging.log_dir), Path(config.logging.model_dir))
        device = resolve_device(config.training.device)
        self._loop = TrainingLoop(config, make_env(config, config.env.num_envs), device)
        evaluation = config.evaluation
        n_envs = min(evaluation.num_envs, max(evaluation.episodes, evaluation.final_episodes))
        env = make_env(config, n_envs)
        self._evaluator = greedy_agent(self._loop.learner.evaluated_agent, env, device)
        self._player = AgentPlayer(env, self._evaluator)
        self._history = History()
        self._resumed_at = time.perf_counter()

    @property
    def timestep(self) -> int:
        """Frames collected so far."""
        return self._loop.counters.timestep

    def restore(self, path: Path) -> None:
        """Go on where the checkpoint was written.

        Raises:
            CheckpointError: it is damaged, foreign, or not of a training run.
            ValueError: it was written with another network or number of environments.
        """
        content = load_checkpoint(path)
        try:
            state, history, has_replay = (
                content[key] for key in ("training", "history", "replay_saved")
            )
        except KeyError as error:
            msg = f"{path}: not a checkpoint that training can go on from ({error} is missing)"
            raise CheckpointError(msg) from error
        replay = replay_beside(path)
        arrays = load_arrays(replay) if has_replay and replay.exists() else None
        if arrays is None:
            _LOG.warning("no replay beside %s: it is filled anew before learning goes on", path)
        try:
            self._loop.load_state_dict(state, arrays)
        except ValueError as error:
            msg = f"{path}: {error}"
            raise ValueError(msg) from error
        self._history = History(**history)

    def to_the_end(self, files: MetricSink, bar: MetricSink, interrupt: Interrupt) -> int:
        """Train until all is done or something stops it; return the exit code."""
        outputs = _Outputs(files, bar, interrupt, ProgressWindow())
        self._resumed_at = time.perf_counter() - self._history.wall_time_seconds
        try:
            self._train(outputs)
            self._finish(outputs)
        except TrainingDiverged as error:
            _LOG.error("%s; the last checkpoint is kept", error)
            self._write_stats("diverged")
            return DIVERGED
        except Interrupted:
            self._save_numbered()
            self._write_stats("interrupted")
            _LOG.warning("interrupted at timestep %d, state saved", self.timestep)
            return INTERRUPTED
        self._write_stats("done")
        return DONE

    def _train(self, outputs: "_Outputs") -> None:
        """Iterate until everything is collected and learned, writing what is due in between."""
        training = self._config.training
        prepare = partial(limit_threads, training.num_threads)
        rollout = self._loop.rollout
        with Collector(rollout, in_thread=training.overlap, prepare_thread=prepare) as collector:
            while True:
                self._report(outputs)
                if self._loop.done:
                    return
                if outputs.interrupt.requested:
                    raise Interrupted
                outputs.window.add(self._loop.iterate(collector))

    def _report(self, outputs: "_Outputs") -> None:
        """Log, evaluate and save if it is time to."""
        timestep, history, config = self.timestep, self._history, self._config
        if is_due(timestep, history.logged, config.logging.log_interval):
            self._log_row(outputs)
        if is_due(timestep, history.evaluated, config.evaluation.eval_interval):
            self._evaluate(outputs)
        if is_due(timestep, history.saved, config.logging.checkpoint_interval):
            self._save_numbered()

    def _finish(self, outputs: "_Outputs") -> None:
        """Evaluate the final weights on episodes that nothing else used, and save them."""
        if self._history.logged != self.timestep:
            self._log_row(outputs)
        if self._history.saved != self.timestep:
            self._save_numbered()
        evaluation = self._config.evaluation
        seeds = episode_seeds(evaluation.seed, evaluation.episodes + evaluation.final_episodes)
        result = self._play(seeds[evaluation.episodes :], outputs.interrupt)
        atomic_write_json(self.folder.final_evaluation, result)
        self._save(self.folder.final)
        self.folder.prune(self._config.logging.keep_checkpoints, n_replays=1)
        _LOG.info("final mean_coverage_rate %.4f", result["mean_coverage_rate"])

    def _log_row(self, outputs: "_Outputs") -> None:
        row = outputs.window.close(self._loop)
        self._history.logged = self.timestep
        outputs.files.write(self.timestep, row)
        # The bar shows the last evaluation's coverage, before the first the training episodes'.
        known = [e["mean_coverage_rate"] for e in self._history.evaluations[-1:]]
        known += [row[name] for name in ("train_coverage_rate",) if name in row]
        outputs.bar.write(self.timestep, row | ({"mean_coverage_rate": known[0]} if known else {}))

    def _evaluate(self, outputs: "_Outputs") -> None:
        """Evaluate the present weights; keep them if they are the best so far."""
        evaluation = self._config.evaluation
        seeds = episode_seeds(evaluation.seed, evaluation.episodes)
        result = self._play(seeds, outputs.interrupt)
        is_best = self._history.take_evaluation(self.timestep, result)
        atomic_write_json(self.folder.evaluation(self.timestep), result)
        outputs.files.write(
            self.timestep,
            evaluation_row(result) | {"best_coverage": self._history.best_coverage or 0.0},
        )
        if is_best:
            self._save(self.folder.best)
        self._write_stats("running")

    def _play(self, seeds: NDArray[np.uint64], interrupt: Interrupt) -> dict[str, Any]:
        """Return the evaluation of the present weights."""
        self._evaluator.load_weights(self._loop.learner.evaluated_agent)
        provenance = provenance_of(self._config, f"qplex_hrl_{self.timestep}")
        with interrupt.at_once():
            return evaluate(self._player, seeds, timestep=self.timestep, provenance=provenance)

    def _save_numbered(self) -> None:
        """Write the checkpoint of this timestep, with the replay if configured; delete old ones."""
        self._history.saved = self.timestep
        path = self.folder.checkpoint(self.timestep)
        if self._config.training.save_replay:  # first, so that a checkpoint's replay is complete
            save_arrays(replay_beside(path), self._loop.replay.state_dict())
        self._save(path, replay_saved=self._config.training.save_replay)
        self.folder.prune(self._config.logging.keep_checkpoints, _N_REPLAYS)

    def _save(self, path: Path, *, replay_saved: bool = False) -> None:
        self._history.wall_time_seconds = time.perf_counter() - self._resumed_at
        content = {
            "timestep": self.timestep,
            "config": self._config.model_dump(mode="json"),
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
            "scenario": self._config.env.scenario,
            "seed": self._config.training.seed,
            "config_hash": config_hash(self._config),
            "evaluations": self._history.evaluations,
        }
        atomic_write_json(self.folder.stats, stats)
