"""QPLEX-HRL as an algorithm of Ray RLlib (new API stack): `QPLEXHRLConfig`, `QPLEXHRL`.

The algorithm is the training loop of standalone training with two of its parts elsewhere: the
environments in rollout workers, the learner inside RLlib's. Checkpoints are the same files.
"""

import logging
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from pyarrow.fs import LocalFileSystem
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from ray.tune import PlacementGroupFactory

from camcontrol.selection_env import SelectionEnv
from camsim.files import atomic_write_text
from qplex_hrl.config import (
    ConfigError,
    RunConfig,
    config_from_mapping,
    config_from_stored,
    dump_config,
)
from qplex_hrl.data.make_env import model_dims
from qplex_hrl.model import QPLEXHRLModel
from qplex_hrl.rllib.cluster import RLLIB_LOG_LEVEL
from qplex_hrl.rllib.env_runner import QPLEXHRLEnvRunner, made_env
from qplex_hrl.rllib.learner import GroupLearner, QPLEXHRLLearner, QPLEXHRLModule
from qplex_hrl.rllib.remote_rollout import RemoteEpisodes, start_workers
from qplex_hrl.runtime.devices import limit_threads
from qplex_hrl.runtime.seeding import Generators
from qplex_hrl.runtime.signals import Interrupt
from qplex_hrl.storage.checkpoint import load_checkpoint
from qplex_hrl.training.display import NoDisplay
from qplex_hrl.training.loop import Iteration, Parts, TrainingLoop
from qplex_hrl.training.reporting import Reporting
from qplex_hrl.training.run import TrainingRun, evaluation_shares
from qplex_hrl.training.run_folder import RunFolder, find_checkpoint
from qplex_hrl.training.trainer import file_sinks, film_of

__all__ = ["QPLEXHRL", "QPLEXHRLConfig", "sharded"]

_LOG = logging.getLogger(__name__)


def sharded(config: RunConfig, source: str = "ray") -> RunConfig:
    """Return the configuration with as many environments as all workers have together.

    Raises:
        ConfigError: it is not valid with so many.
    """
    n_envs = config.ray.num_workers * config.ray.num_envs_per_worker
    content = config.model_dump(mode="json")
    content["env"]["num_envs"] = n_envs
    return config_from_mapping(content, source)


class QPLEXHRLConfig(AlgorithmConfig):
    """RLlib's settings around a run's configuration, which says everything else.

    ``QPLEXHRLConfig().training(run=load_config(path)).build_algo()`` gives an algorithm that
    trains as ``train-ray --config path`` does.
    """

    # Any: RLlib's classes are not typed.
    def __init__(self, algo_class: Any = None) -> None:
        """Take the defaults of every section."""
        super().__init__(algo_class=algo_class or QPLEXHRL)
        self.run_settings: dict[str, Any] = sharded(RunConfig()).model_dump(mode="json")
        self.make_env = "qplex_hrl.data.make_env.build_env"
        self.write_files = True
        self.dims: dict[str, int] = {}
        self.selection_bits: list[list[bool]] = []
        self.env_runner_cls = QPLEXHRLEnvRunner
        self.num_env_runners = 0  # the algorithm adds its workers itself, and says what fails
        self.num_cpus_per_env_runner = 1
        self.restart_failed_env_runners = True
        self.max_num_env_runner_restarts = -1
        self.delay_between_env_runner_restarts_s = 0.0
        self.max_requests_in_flight_per_env_runner = 1
        self.log_level = RLLIB_LOG_LEVEL
        self._dont_auto_sync_env_runner_states = True  # chunks carry what workers need

    def training(
        self,
        *,
        run: Any = NotProvided,
        make_env: Any = NotProvided,
        write_files: Any = NotProvided,
        **kwargs: Any,
    ) -> "QPLEXHRLConfig":
        """Set what is trained.

        Args:
            run: a ``RunConfig``; ``env.num_envs`` becomes the number of all workers' environments.
            make_env: dotted name of a function (config, num_envs) that makes environments.
            write_files: write metrics, evaluations and the best checkpoint to the trial's folder.
            kwargs: of ``AlgorithmConfig.training``.
        """
        super().training(**kwargs)
        if run is not NotProvided:
            self.run_settings = sharded(run).model_dump(mode="json")
        if make_env is not NotProvided:
            self.make_env = make_env
        if write_files is not NotProvided:
            self.write_files = write_files
        return self

    @property
    def run_config(self) -> RunConfig:
        """The run's configuration.

        Raises:
            ConfigError: it is not valid.
        """
        return sharded(config_from_mapping(self.run_settings, "run_settings"))

    def validate(self) -> None:
        """Fill in what follows from the run's configuration, and check.

        Raises:
            ConfigError: the run's configuration is not valid.
            ValueError: RLlib's settings do not fit.
        """
        config = self.run_config
        self.run_settings = config.model_dump(mode="json")
        if self.num_learners:
            raise ConfigError("num_learners: the learner runs in the driver; expected 0")
        env = made_env(self.make_env, config, 1)
        self.dims = dict(vars(model_dims(env)))
        self.selection_bits = env.selection_bits.tolist()
        self.observation_space = gymnasium.spaces.Box(
            -np.inf, np.inf, (env.n_agents, env.obs_size), np.float32
        )
        self.action_space = gymnasium.spaces.MultiDiscrete([env.n_actions] * env.n_agents)
        self._choose_device(config)
        super().validate()

    def _choose_device(self, config: RunConfig) -> None:
        """Give the learner its share of a GPU, or the CPU if there is none or it is asked for."""
        device, share = config.training.device, config.ray.num_gpus
        if share and device != "cpu" and not torch.cuda.is_available():
            _warn_of_no_gpu(share)
            share = 0.0
        on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
        self.num_gpus_per_learner = (share or 0.01) if on_gpu else 0
        if device.startswith("cuda:"):
            self.local_gpu_idx = int(device.removeprefix("cuda:"))

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """Return the team's module."""
        return RLModuleSpec(module_class=QPLEXHRLModule)

    def get_default_learner_class(self) -> type[QPLEXHRLLearner]:
        """Return the learner around ours."""
        return QPLEXHRLLearner

    @property
    def _model_config_auto_includes(self) -> dict[str, Any]:
        return dict(super()._model_config_auto_includes) | {
            "run_settings": self.run_settings,
            "dims": self.dims,
            "selection_bits": self.selection_bits,
        }


class QPLEXHRL(Algorithm):
    """The training loop, an iteration per call of ``train``.

    The result holds the contract's metrics under their names, the newest value of each, beside what
    RLlib reports.
    """

    run: TrainingRun
    loop: TrainingLoop
    last: Iteration
    """What the newest iteration reported."""

    @classmethod
    def get_default_config(cls) -> QPLEXHRLConfig:
        """Return the default configuration."""
        return QPLEXHRLConfig()

    # Any: RLlib's classes are not typed.
    @classmethod
    def default_resource_request(cls, config: Any) -> PlacementGroupFactory:
        """Return what a trial takes: the driver with its GPU share, and its workers."""
        settings = cls.get_default_config().update_from_dict(config)
        settings.validate()
        driver = {"CPU": 1, "GPU": settings.num_gpus_per_learner}
        worker = {"CPU": settings.num_cpus_per_env_runner}
        return PlacementGroupFactory([driver] + [worker] * settings.run_config.ray.num_workers)

    def setup(self, config: Any) -> None:
        """Start workers and learner and build the loop.

        Raises:
            ClusterError: a worker cannot start.
            ValueError: the replay would not fit into memory.
        """
        super().setup(config)
        settings = self.config
        run_config = settings.run_config
        limit_threads(run_config.training.num_threads)
        envs = [
            made_env(settings.make_env, run_config, n_envs)
            for n_envs in evaluation_shares(run_config)
        ]
        _compile(envs[0])  # once, before all workers would
        n_workers = run_config.ray.num_workers
        self.env_runner_group.add_workers(n_workers)
        learner = GroupLearner(self.learner_group, self._take_learner_metrics)
        device = next(learner.model.parameters()).device

        def make_parts(
            config: RunConfig, env: SelectionEnv, model: QPLEXHRLModel, generators: Generators
        ) -> Parts:
            self._episodes = RemoteEpisodes(self.env_runner_group, config, generators.explore)
            return Parts(learner, self._episodes)

        self.loop = TrainingLoop(run_config, envs[0], device, make_parts)
        folder = self._folder(run_config)
        # Tune saves the state of the step that reports an evaluation: it must be what was played.
        beside = not settings.write_files
        film = film_of(run_config, self.loop, partial(made_env, settings.make_env))
        self.run = TrainingRun(
            run_config, self.loop, envs, folder, evaluate_beside=beside, film=film
        )
        if settings.write_files:  # nobody else starts the run
            self.run.start()
        start_workers(self.env_runner_group, n_workers)
        self._outputs: Reporting | None = None

    def _folder(self, config: RunConfig) -> RunFolder:
        """Return where the run's files go: the trial's results, or as configured."""
        if not self.config.write_files:
            return RunFolder(Path(config.logging.log_dir), Path(config.logging.model_dir))
        storage = self._storage
        kept = storage is not None and isinstance(storage.storage_filesystem, LocalFileSystem)
        folder = Path(storage.trial_fs_path if kept else self.logdir)
        folder.mkdir(parents=True, exist_ok=True)
        return RunFolder(folder, folder)

    def training_step(self) -> None:
        """Do one iteration of the loop."""
        self.last = self.loop.iterate(self._episodes)
        self.metrics.log_value(
            (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME),
            self.last.n_frames,
            reduce="lifetime_sum",
        )

    def step(self) -> dict[str, Any]:
        """Do one iteration, write what is due if the algorithm keeps files, return all metrics."""
        results: dict[str, Any] = super().step()
        if self.config.write_files:
            n_evaluations = self.run.n_evaluations
            self._write_files()
            results["should_checkpoint"] = self.run.n_evaluations > n_evaluations
            results["done"] = self.loop.done
        counters = self.loop.counters
        for name in ("mean_coverage_rate", "best_coverage"):  # Tune wants them from the start
            results.setdefault(name, float("nan"))
        results |= self.run.latest
        results |= {
            "timestep": counters.timestep,
            "timesteps_total": counters.timestep,
            "n_updates": self.loop.learner.n_updates,
            "n_episodes": counters.n_episodes,
            "num_worker_restarts": self._episodes.n_lost,
        }
        return results

    def iterate(self) -> Iteration:
        """Train once, as a step of a run that somebody else reports; return what happened."""
        self.train()
        return self.last

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the evaluation of the present weights on the configured episodes."""
        return self.run.evaluation(Interrupt())

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the run's checkpoint, the same file as standalone training's, into a folder."""
        self.run.save(Path(checkpoint_dir) / f"qplex_hrl_{self.run.timestep}.pth")

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from a checkpoint, or the newest intact one of a folder.

        Raises:
            CheckpointError: there is none.
            ValueError: it was written with another network.
        """
        self.run.restore(find_checkpoint(Path(checkpoint_dir)))
        if self.config.write_files:
            run = self.run
            run.folder.rewind(run.config, run.timestep, run.pending_timestep)

    def save_to_path(self, path: Any = None, **kwargs: Any) -> str:
        """Write what ``save_checkpoint`` writes; RLlib's own would be a pickle.

        Args:
            path: a folder, made if need be; a temporary one if None.
            kwargs: what RLlib may pass; unused.
        """
        folder = Path(tempfile.mkdtemp() if path is None else path)
        folder.mkdir(parents=True, exist_ok=True)
        self.save_checkpoint(str(folder))
        return str(folder)

    def restore_from_path(self, path: Any, **kwargs: Any) -> None:
        """Read what ``save_to_path`` wrote, or any checkpoint of ours."""
        self.load_checkpoint(str(path))

    @classmethod
    def from_checkpoint(cls, path: Any, **kwargs: Any) -> "QPLEXHRL":
        """Return an algorithm that goes on from a checkpoint of either trainer.

        Args:
            path: the file, or a folder: then its newest intact one.
            kwargs: what RLlib may pass; unused.

        Raises:
            CheckpointError: there is none.
        """
        file = find_checkpoint(Path(path))
        run = config_from_stored(load_checkpoint(file)["config"], str(file))
        algorithm: QPLEXHRL = QPLEXHRLConfig().training(run=run).build_algo()
        algorithm.load_checkpoint(str(file))
        return algorithm

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """Do nothing: the collector brings workers back and tells them where to begin."""
        return []

    def cleanup(self) -> None:
        """End workers and learner; RLlib's own way would wait for a worker that is lost."""
        self.run.close()
        self.env_runner_group.reset([])
        self.learner_group.shutdown()

    def _write_files(self) -> None:
        """Write what is due to the trial's folder."""
        if self._outputs is None:
            atomic_write_text(self.run.folder.config, dump_config(self.run.config))
            sink = file_sinks(self.run.config, self.run.folder, self.run.timestep)
            self._outputs = self.run.begin(sink, NoDisplay(), Interrupt())
        self._outputs.window.add(self.last)
        self.run.report(self._outputs)
        if self.loop.done:
            self.run.finish(self._outputs)
            self._outputs.files.close()

    def _take_learner_metrics(self, results: list[Any]) -> None:
        self.metrics.aggregate(results, key=LEARNER_RESULTS)


@cache
def _warn_of_no_gpu(share: float) -> None:
    """Say it once, however often settings are checked."""
    _LOG.warning("ray.num_gpus = %g, but there is no GPU here: the CPU learns", share)


def _compile(env: SelectionEnv) -> None:
    """Run the compiled kernels once."""
    output = env.reset(np.arange(env.n_envs, dtype=np.uint64))
    env.step(output.avail_actions.argmax(axis=-1))
