"""One run: a training loop, its evaluations, its files, and the way through all of them."""

import copy
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.selection_env import SelectionEnv
from camsim.files import atomic_write_json
from camsim.scenario.schema import load_scenario
from qplex_hrl.config import RunConfig, config_hash
from qplex_hrl.evaluation.evaluator import Evaluator
from qplex_hrl.evaluation.film import Film
from qplex_hrl.evaluation.players import environment_shares
from qplex_hrl.evaluation.policy_file import cameras_of
from qplex_hrl.evaluation.trained import greedy_agent, provenance_of
from qplex_hrl.learner import TrainingDiverged
from qplex_hrl.runtime.devices import limit_threads
from qplex_hrl.runtime.exit_codes import DONE, FAILED, INTERRUPTED
from qplex_hrl.runtime.logger import Extras, MetricSink
from qplex_hrl.runtime.memory import give_back_memory
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.runtime.signals import Interrupt, Interrupted
from qplex_hrl.runtime.threads import threads_may_share_kernels
from qplex_hrl.storage.checkpoint import fingerprint, save_arrays, save_checkpoint
from qplex_hrl.storage.stored_values import NotFiniteError
from qplex_hrl.training.display import Display
from qplex_hrl.training.distributions import evaluation_histograms
from qplex_hrl.training.loop import Iteration, TrainingLoop
from qplex_hrl.training.progress import (
    REFERENCE_COVERAGE,
    History,
    ProgressWindow,
    evaluation_row,
    is_due,
)
from qplex_hrl.training.reporting import Reporting, saved_all_the_same
from qplex_hrl.training.restore import read_saved_run
from qplex_hrl.training.run_folder import RunFolder, replay_beside

_LOG = logging.getLogger(__name__)


def evaluation_shares(config: RunConfig) -> list[int]:
    """Return how many environments each player of this run's evaluations has."""
    evaluation = config.evaluation
    most = max(evaluation.episodes, evaluation.final_episodes)
    return environment_shares(evaluation.num_envs, most)


class _Pending(NamedTuple):
    """An evaluation that is under way, or is to begin anew after a resume."""

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    content: dict[str, Any]  # of the best checkpoint, if it turns out to be the best
    result: Future[dict[str, Any]] | None  # None: not begun


class TrainingRun:
    """A training loop, its evaluation and its files.

    An evaluation plays a copy of the weights of its timestep while training goes on. Its row and
    its files are written between two iterations, once it is done. The next one, and the end of the
    run, wait for it. A checkpoint written meanwhile holds that copy: a resumed run evaluates it
    anew.
    """

    def __init__(
        self,
        config: RunConfig,
        loop: TrainingLoop,
        envs: Sequence[SelectionEnv],
        folder: RunFolder,
        *,
        evaluate_beside: bool = True,
        film: Film | None = None,
    ) -> None:
        """Put the parts together; nothing is written.

        Args:
            config: of the run.
            loop: collects and learns.
            envs: for evaluation, those of each player (`evaluation_shares`).
            folder: where all goes.
            evaluate_beside: let training go on during evaluations, if ``training.overlap`` and
                Numba's threading layer allow it.
            film: makes a video at every ``logging.video_every``-th evaluation; None: there is none.
        """
        self.config = config
        self.folder = folder
        self.latest: dict[str, float] = {}
        """The newest value of every metric that was reported."""
        self._scenario = load_scenario(config.env.scenario)
        self._loop = loop
        self._evaluator = Evaluator(
            [(env, greedy_agent(loop.learner.ema_agent, env, loop.device)) for env in envs],
            in_thread=evaluate_beside and config.training.overlap and threads_may_share_kernels(),
            prepare_thread=partial(limit_threads, config.training.num_threads),
            film=film,
        )
        self._pending: _Pending | None = None
        self._history = History()
        self._best_saved: float | None = None  # coverage of the cameras in the best checkpoint
        self._resumed_at = time.perf_counter()

    @property
    def timestep(self) -> int:
        """Frames collected so far."""
        return self._loop.counters.timestep

    @property
    def pending_timestep(self) -> int | None:
        """Timestep of an evaluation that is still to come, or to come again after a resume."""
        return None if self._pending is None else int(self._pending.content["timestep"])

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
        cameras = self._loop.learner.model.agent.state_dict()
        saved = read_saved_run(path, self.config, self._scenario, cameras)
        try:
            self._loop.load_state_dict(
                saved.training, saved.replay, new_episodes=saved.needs_new_episodes
            )
        except ValueError as error:
            msg = f"{path}: {error}"
            raise ValueError(msg) from error
        self._history = saved.history
        self._pending = None if saved.pending is None else _Pending(saved.pending, None)

    def close(self) -> None:
        """Give up an evaluation that is under way."""
        self._evaluator.close()

    def to_the_end(
        self,
        files: MetricSink,
        display: Display,
        interrupt: Interrupt,
        iterate: Callable[[], Iteration],
    ) -> int:
        """Train until all is done or something stops it; return the exit code.

        Args:
            files: keep the metrics.
            display: shows them.
            interrupt: asked between two iterations.
            iterate: does one iteration of the loop.

        Raises:
            EvaluationFailed: an evaluation raised an error.
        """
        outputs = self.begin(files, display, interrupt)
        try:
            self._train(outputs, iterate)
            with self._saving_all_the_same():
                self.finish(outputs)
        except (TrainingDiverged, NotFiniteError) as error:
            _LOG.error("training stopped: %s; the last checkpoint is kept", error)
            self._await_evaluation()  # of weights from before
            with suppress(NotFiniteError):
                self._take_evaluation(outputs)
            self._write_stats("diverged")
            return FAILED
        except Interrupted:
            with self._saving_all_the_same():
                self._save_numbered()
                self._write_stats("interrupted")
                _LOG.warning("interrupted at timestep %d, state saved", self.timestep)
            return INTERRUPTED
        finally:
            self.close()
        return DONE

    def begin(self, files: MetricSink, display: Display, interrupt: Interrupt) -> Reporting:
        """Start the clock; return what ``report`` and ``finish`` write to."""
        self._resumed_at = time.perf_counter() - self._history.wall_time_seconds
        best = self.folder.saved_best()
        self._best_saved = None if best is None else best.coverage
        for done in self._history.evaluations:
            display.evaluated(int(done["timestep"]), done["mean_coverage_rate"])
        return Reporting(files, display, interrupt, ProgressWindow())

    def _train(self, outputs: Reporting, iterate: Callable[[], Iteration]) -> None:
        """Iterate until everything is collected and learned, writing what is due in between."""
        while True:
            with self._saving_all_the_same():
                self.report(outputs)
            if self._loop.done:
                return
            if outputs.interrupt.requested:
                raise Interrupted
            outputs.window.add(iterate())
            outputs.display.advance(self.timestep)

    def _saving_all_the_same(self) -> AbstractContextManager[None]:
        """Save the state if a file cannot be written in the block, between two iterations."""
        return saved_all_the_same(self.folder.checkpoint(self.timestep), self._save_numbered)

    def report(self, outputs: Reporting) -> None:
        """Log, evaluate and save if it is time to.

        Raises:
            Interrupted: the user wants to stop, and training would have to wait for an evaluation.
            EvaluationFailed: an evaluation raised an error.
        """
        timestep, history, config = self.timestep, self._history, self.config
        self._take_evaluation(outputs)
        if is_due(timestep, history.logged, config.logging.log_interval):
            self._log_row(outputs)
        if is_due(timestep, history.evaluated, config.evaluation.eval_interval):
            self._wait_for_evaluation(outputs)
            history.evaluated = timestep
            self._pending = _Pending(copy.deepcopy(self._content()), None)
            self._take_evaluation(outputs)
        if is_due(timestep, history.saved, config.logging.checkpoint_interval):
            self._save_numbered()

    def finish(self, outputs: Reporting) -> None:
        """Evaluate the final weights on episodes that nothing else used, and save them.

        Raises:
            Interrupted: the user wants to stop.
            EvaluationFailed: an evaluation raised an error.
        """
        if self._history.logged != self.timestep:
            self._log_row(outputs)
        if self._history.saved != self.timestep:
            self._save_numbered()
        self._wait_for_evaluation(outputs)
        evaluation = self.config.evaluation
        seeds = episode_seeds(evaluation.seed, evaluation.episodes + evaluation.final_episodes)
        with outputs.waiting(f"evaluating {evaluation.final_episodes} episodes, the last ones"):
            result = self._evaluation_now(seeds[evaluation.episodes :], outputs.interrupt)
        atomic_write_json(self.folder.final_evaluation, result)
        self._save(self.folder.final)
        self.folder.prune(self.config.logging.keep_checkpoints, n_replays=1)
        self._write_stats("done")
        self.latest |= {f"final_{name}": value for name, value in evaluation_row(result).items()}
        _LOG.info("final mean_coverage_rate %.4f", result["mean_coverage_rate"])

    def _log_row(self, outputs: Reporting) -> None:
        extras = Extras(outputs.window.histograms(self._loop))
        row = outputs.window.close(self._loop)
        self._history.logged = self.timestep
        self.latest |= row
        outputs.files.write(self.timestep, row, extras)
        outputs.display.row(self.timestep, row)

    def _wait_for_evaluation(self, outputs: Reporting) -> None:
        """Write what the evaluation under way gives, if there is one, as soon as it is done."""
        self._take_evaluation(outputs)
        if self._pending is not None:
            with outputs.interrupt.at_once(), outputs.waiting(self._playing):
                self._await_evaluation()
        self._take_evaluation(outputs)

    @property
    def _playing(self) -> str:
        """What training waits for, in words."""
        return f"evaluating {self.config.evaluation.episodes} episodes"

    def _await_evaluation(self) -> None:
        """Return when no evaluation is under way."""
        if self._pending is not None and self._pending.result is not None:
            wait([self._pending.result])

    def _take_evaluation(self, outputs: Reporting) -> None:
        """Begin the pending evaluation if nobody has; write what it gives if it is done."""
        if self._pending is None:
            return
        content, future = self._pending
        if future is None:
            weights = cameras_of(content["training"]["learner"])
            timestep = int(content["timestep"])
            beside = self._evaluator.beside  # without a thread, this is the evaluation itself
            with outputs.interrupt.at_once(), outputs.waiting(None if beside else self._playing):
                video = self.folder.video(timestep) if self._video_is_due else None
                future = self._play(weights, self._seeds_meanwhile, timestep, video)
            self._pending = _Pending(content, future)
        if future.done():
            self._write_evaluation(outputs, content, future.result())

    def _write_evaluation(
        self, outputs: Reporting, content: dict[str, Any], result: dict[str, Any]
    ) -> None:
        """Write an evaluation; keep the weights that it played if none better are kept.

        Args:
            outputs: take the row.
            content: of the best checkpoint, as it was when the evaluation began.
            result: the evaluation.
        """
        timestep, history = int(content["timestep"]), History(**copy.deepcopy(content["history"]))
        seconds, now = history.wall_time_seconds, copy.deepcopy(self._history)
        for each in (history, now):
            each.take_evaluation(timestep, result, seconds)
        atomic_write_json(self.folder.evaluation(timestep), result)
        best = now.best_coverage or 0.0
        row = evaluation_row(result) | {"best_coverage": best}
        self.latest |= row
        outputs.files.write(timestep, row, self._extras_of(timestep, result))
        outputs.display.evaluated(timestep, coverage := result["mean_coverage_rate"])
        _LOG.info("evaluation at %d: coverage %.4f, best %.4f", timestep, coverage, best)
        if self._best_saved is None or coverage > self._best_saved:
            save_checkpoint(self.folder.best, content | {"history": asdict(history)})
            self._best_saved = coverage
        if now.seconds_to_coverage != self._history.seconds_to_coverage:
            _LOG.info("coverage %g reached after %.0f s", REFERENCE_COVERAGE, seconds)
        self._history.take_evaluation(timestep, result, seconds)
        self._pending = None  # until here it is to be played again, should a file fail
        self._write_stats("running")

    @property
    def _video_is_due(self) -> bool:
        """Whether the evaluation that begins now is one that gets a video."""
        every = self.config.logging.video_every
        return every > 0 and (self.n_evaluations + 1) % every == 0

    def _extras_of(self, timestep: int, result: Mapping[str, Any]) -> Extras:
        """Return what goes with the row of an evaluation."""
        video = self.folder.video(timestep)
        histograms = evaluation_histograms(result["selections"], self._loop.targets_per_action)
        return Extras(histograms, video if video.exists() else None)

    def evaluation(self, interrupt: Interrupt) -> dict[str, Any]:
        """Return the evaluation of the present weights on the episodes of evaluations meanwhile.

        Raises:
            Interrupted: the user wants to stop.
            EvaluationFailed: it raised an error.
        """
        return self._evaluation_now(self._seeds_meanwhile, interrupt)

    @property
    def _seeds_meanwhile(self) -> NDArray[np.uint64]:
        """The episodes of evaluations during training."""
        return episode_seeds(self.config.evaluation.seed, self.config.evaluation.episodes)

    def _evaluation_now(self, seeds: NDArray[np.uint64], interrupt: Interrupt) -> dict[str, Any]:
        """Return the evaluation of the present weights; training waits."""
        weights = copy.deepcopy(self._loop.learner.ema_agent.state_dict())
        with interrupt.at_once():
            return self._play(weights, seeds, self.timestep).result()

    def _play(
        self,
        weights: Mapping[str, torch.Tensor],
        seeds: NDArray[np.uint64],
        timestep: int,
        video: Path | None = None,
    ) -> Future[dict[str, Any]]:
        """Return the evaluation to come of weights of this timestep."""
        provenance = provenance_of(self.config, f"qplex_hrl_{timestep}", self._scenario)
        return self._evaluator.start(weights, seeds, timestep, provenance, video)

    def _save_numbered(self) -> None:
        """Write the checkpoint of this timestep, with the replay if configured; delete old ones."""
        self._history.saved = self.timestep
        self.save(self.folder.checkpoint(self.timestep))
        kept = self.config.logging
        self.folder.prune(kept.keep_checkpoints, kept.keep_replays)
        give_back_memory()

    def save(self, path: Path) -> None:
        """Write a checkpoint, with the replay beside it if so configured."""
        replay = None
        if self.config.training.save_replay:  # first, so that a checkpoint's replay is complete
            save_arrays(replay_beside(path), self._loop.replay.state_dict())
            replay = fingerprint(replay_beside(path))
        self._save(path, replay)

    def _save(self, path: Path, replay: str | None = None) -> None:
        """Write a checkpoint.

        Args:
            path: the file.
            replay: fingerprint of the replay beside it; None: there is none.
        """
        content = self._content() | {"replay_saved": replay is not None, "replay": replay}
        if self._pending is not None:
            content["pending_evaluation"] = self._pending.content
        save_checkpoint(path, content)

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    def _content(self) -> dict[str, Any]:
        """Return what a checkpoint without replay holds now."""
        self._history.wall_time_seconds = time.perf_counter() - self._resumed_at
        return {
            "timestep": self.timestep,
            "config": self.config.model_dump(mode="json"),
            "scenario": self._scenario.to_mapping(),
            "training": self._loop.state_dict(),
            "history": asdict(self._history),
            "replay_saved": False,
        }

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
            "reference_coverage": REFERENCE_COVERAGE,
            "seconds_to_coverage": self._history.seconds_to_coverage,
            "scenario": self.config.env.scenario,
            "seed": self.config.training.seed,
            "config_hash": config_hash(self.config),
            "evaluations": self._history.evaluations,
        }
        atomic_write_json(self.folder.stats, stats)
