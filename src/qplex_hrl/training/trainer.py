"""Training in one process, from a configuration to all the files of a run; resume."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from camcontrol.selection_env import SelectionEnv
from camsim.files import atomic_write_text
from camsim.scenario.schema import load_scenario
from qplex_hrl.config import RunConfig, dump_config
from qplex_hrl.data.collector import Collector
from qplex_hrl.data.make_env import build_env, observation_mode
from qplex_hrl.evaluation.film import Film, can_film
from qplex_hrl.evaluation.trained import TrainedCameras, greedy_agent
from qplex_hrl.model import build_model
from qplex_hrl.runtime.devices import limit_threads, resolve_device
from qplex_hrl.runtime.logger import JsonlSink, MetricSink, WriteToAll, is_live, log_messages
from qplex_hrl.runtime.signals import Interrupt
from qplex_hrl.runtime.trackers import TensorBoardSink, TrackerError, WandbSettings, WandbSink
from qplex_hrl.training.budget import check_budget
from qplex_hrl.training.display import Display, LivePanel, PlainLines
from qplex_hrl.training.loop import Iteration, MakeModel, TrainingLoop, check_learns
from qplex_hrl.training.restore import find_saved_run
from qplex_hrl.training.run import TrainingRun, evaluation_shares
from qplex_hrl.training.run_folder import RunFolder

__all__ = ["check_trackers", "execute", "file_sinks", "film_of", "train"]

_LOG = logging.getLogger(__name__)


def train(
    config: RunConfig,
    resume: Path | None = None,
    log_level: str = "INFO",
    make_env: Callable[[RunConfig, int], SelectionEnv] = build_env,
    make_model: MakeModel = build_model,
) -> int:
    """Train, evaluate and save as configured; return the process's exit code.

    Everything is built before the first file is written. Outputs of an earlier run in the same
    folders are moved aside, never overwritten.

    Args:
        config: of the run.
        resume: checkpoint to go on from, or a run's folder: its newest intact checkpoint.
        log_level: of messages.
        make_env: makes that many environments of the configured world.
        make_model: makes the model, for parts of your own; see docs/extending.md.

    Returns:
        0 done, 1 training diverged, 130 interrupted (and saved).

    Raises:
        ValueError: the configuration cannot be run, or does not fit into memory or onto the disk;
            the checkpoint is damaged or of another network, or another process trains into the
            same folders.
        OSError: a file cannot be written.
    """
    limit_threads(config.training.num_threads)
    check_learns(config)
    check_trackers(config)
    checkpoint = None if resume is None else find_saved_run(resume, config)
    budget = check_budget(config, make_env)
    device = resolve_device(config.training.device)
    env = make_env(config, config.env.num_envs)
    loop = TrainingLoop(config, env, device, make_model=make_model)
    folder = RunFolder(Path(config.logging.log_dir), Path(config.logging.model_dir))
    run = TrainingRun(
        config,
        loop,
        [make_env(config, n) for n in evaluation_shares(config)],
        folder,
        film=film_of(config, loop, make_env),
    )
    prepare = partial(limit_threads, config.training.num_threads)
    with Collector(
        loop.local_rollout,
        in_thread=config.training.overlap,
        prepare_thread=prepare,
        make_room=loop.replay.make_room,
    ) as collector:
        return execute(run, checkpoint, log_level, partial(loop.iterate, collector), budget)


def check_trackers(config: RunConfig) -> None:
    """Check that the packages of the trackers asked for are installed.

    Raises:
        TrackerError: one is not.
    """
    if config.logging.wandb.enabled and find_spec("wandb") is None:
        raise TrackerError(
            "logging.wandb.enabled = True, but wandb is not installed: "
            'pip install "qplex-hrl[wandb]"'
        )


def execute(
    run: TrainingRun,
    checkpoint: Path | None,
    log_level: str,
    iterate: Callable[[], Iteration],
    budget: str,
) -> int:
    """Take a run from its start, or from a checkpoint, to its end; return the exit code.

    Args:
        run: newly built.
        checkpoint: where it goes on.
        log_level: of messages.
        iterate: does one iteration of the run's loop.
        budget: the line that says what the run needs.

    Raises:
        ValueError: the checkpoint is damaged or of another network, or another process trains into
            the same folders.
        OSError: a file cannot be written.
    """
    if checkpoint is not None:
        run.restore(checkpoint)
    else:
        run.start()
    folder, config = run.folder, run.config
    console = Console(stderr=True)
    with folder.claim():
        if checkpoint is not None and checkpoint.parent.resolve() == folder.model_dir.resolve():
            aside = folder.rewind(config, run.timestep, run.pending_timestep)
        else:
            aside = folder.set_earlier_run_aside()
        atomic_write_text(folder.config, dump_config(config))
        with log_messages(folder.log, log_level, console), Interrupt() as interrupt:
            _LOG.info("%s", budget)
            if aside is not None:
                _LOG.info("moved earlier outputs to %s", aside)
            if checkpoint is not None:
                _LOG.info("resumed %s at timestep %d", checkpoint, run.timestep)
            with _reports(config, folder, run.timestep, console) as (files, display):
                return run.to_the_end(files, display, interrupt, iterate)


@contextmanager
def _reports(
    config: RunConfig, folder: RunFolder, timestep: int, console: Console
) -> Iterator[tuple[MetricSink, Display]]:
    """Open the configured sinks, and what the terminal shows."""
    files = file_sinks(config, folder, timestep)
    try:
        with ExitStack() as shown:
            display = _display(config, timestep, console)
            shown.callback(display.close)
            yield files, display
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            files.close()
        raise
    files.close()


def _display(config: RunConfig, timestep: int, console: Console) -> Display:
    """Return what shows the run: a panel on a terminal, else lines."""
    total = config.training.total_timesteps
    if not is_live(console):
        return PlainLines(total)
    world = f"{config.env.scenario}, {config.env.opponent} targets"
    title = f"{world}, {observation_mode(config.env)} views, seed {config.training.seed}"
    return LivePanel(title, total, timestep, console)


def film_of(
    config: RunConfig, loop: TrainingLoop, make_env: Callable[[RunConfig, int], SelectionEnv]
) -> Film | None:
    """Return what makes videos of evaluations; None if nobody shows them, or nobody can draw them.

    Args:
        config: of the run.
        loop: trains the cameras.
        make_env: makes that many environments of the configured world.
    """
    logging_config = config.logging
    if not (logging_config.tensorboard or logging_config.wandb.enabled):
        return None
    if not logging_config.video_every or not can_film():
        return None

    def make_team() -> TrainedCameras:
        env = make_env(config, 1)
        agent = greedy_agent(loop.learner.ema_agent, env, loop.device)
        return TrainedCameras(config, 0, env, agent, load_scenario(config.env.scenario))

    return Film(make_team, config.evaluation.seed)


def file_sinks(config: RunConfig, folder: RunFolder, timestep: int) -> MetricSink:
    """Open the configured sinks that keep the metrics, as one.

    Args:
        config: of the run.
        folder: its log folder exists.
        timestep: where the run begins or goes on.

    Raises:
        TrackerError: W&B does not start.
        OSError: a file cannot be written.
    """
    files: list[MetricSink] = [JsonlSink(folder.metrics)]
    try:
        if config.logging.tensorboard:
            content = config.model_dump(mode="json")
            files.append(TensorBoardSink(folder.log_dir, timestep, content))
        if config.logging.wandb.enabled:
            tracker = config.logging.wandb
            settings = WandbSettings(tracker.project, tracker.group, tracker.mode)
            files.append(WandbSink(settings, folder.log_dir, config.model_dump(mode="json")))
    except BaseException:
        WriteToAll(files).close()
        raise
    return WriteToAll(files)
