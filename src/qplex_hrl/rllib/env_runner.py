"""A rollout worker: its share of the environments in one batch, whole chunks out."""

import platform
import traceback
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.config import RunConfig
from qplex_hrl.data.rollout import Experience, Rollout
from qplex_hrl.runtime.devices import limit_threads
from qplex_hrl.sharding import Shard
from qplex_hrl.storage.stored_values import NotFiniteError
from qplex_hrl.training.loop import build_rollout

__all__ = ["Begin", "QPLEXHRLEnvRunner", "Reply", "Task", "made_env", "run_task", "start_up"]


class Begin(NamedTuple):
    """Where a worker that holds no episodes, or others, begins."""

    seeds: NDArray[np.uint64] | None  # [n] of new episodes
    # Any: a tree of arrays, and the state of a NumPy generator.
    state: dict[str, Any] | None  # or the state of episodes, arrays [n, ..]
    explore: dict[str, Any]  # state of the generator that explores


class Task(NamedTuple):
    """One chunk to collect."""

    number: int  # counts chunks from the driver's start
    n_decisions: int
    epsilon: float
    begin: Begin | None  # None: go on where the last chunk ended


class Reply(NamedTuple):
    """A chunk and how its worker stands after it; or why there is none."""

    number: int
    experience: Experience | None
    state: dict[str, Any]  # of the episodes, arrays [n, ..]
    explore: dict[str, Any]  # of the generator that explores
    error: str = ""  # one line
    diverged: bool = False  # the error is of numbers that are not finite


class QPLEXHRLEnvRunner(EnvRunner, Checkpointable):
    """Acts in the environments of one worker.

    All that a chunk depends on comes from the driver or from the chunk before: a new process that
    is told where to begin collects the same chunk as the one that it replaces.
    """

    # Any: RLlib's classes are not typed.
    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        """Build nothing yet, so that what fails can be reported; ``start_up`` does."""
        super().__init__(config=config, **kwargs)
        self._run_config = RunConfig.model_validate(config.run_settings)
        self._rollout: Rollout | None = None
        self._rng = np.random.default_rng(0)  # its state comes from the driver
        self._next = -1  # number of the chunk that could go on

    @property
    def shard(self) -> Shard:
        """The environments of this worker among those of the run."""
        n = self._run_config.ray.num_envs_per_worker
        return Shard((self.worker_index - 1) * n, n, self._run_config.env.num_envs)

    def make_env(self) -> SelectionEnv:
        """Return this worker's environments."""
        return made_env(self.config.make_env, self._run_config, self.shard.n)

    def make_module(self) -> Any:
        """Return the acting part of the module."""
        spec = self.config.get_rl_module_spec(spaces=self.get_spaces(), inference_only=True)
        return spec.build()

    def prepare(self) -> Rollout:
        """Return environments and agent, built at the first call and tried once."""
        if self._rollout is None:
            limit_threads(self._run_config.training.num_threads)
            trial = made_env(self.config.make_env, self._run_config, 1)  # compiles what is missing
            trial.step(trial.reset(np.zeros(1, np.uint64)).avail_actions.argmax(axis=-1))
            env = self.make_env()
            agent = self.make_module().agent
            self._rollout = build_rollout(self._run_config, env, agent, self._rng, self.shard)
        return self._rollout

    def sample(self, *, task: Task, weights: dict[str, NDArray[Any]], **kwargs: Any) -> Reply:
        """Return the chunk that ``task`` asks for.

        Args:
            task: what to collect and where to begin.
            weights: of the cameras' network, by name.
            kwargs: what RLlib may pass; unused.
        """
        rollout = self.prepare()
        if task.begin is None and task.number != self._next:
            return Reply(task.number, None, {}, {})  # another process than the driver believes
        if task.begin is not None:
            self._begin(rollout, task.begin)
        network = {name: torch.from_numpy(value.copy()) for name, value in weights.items()}
        rollout.agent.load_weights(network)
        experience = rollout.collect(task.n_decisions, task.epsilon)
        self._next = task.number + 1
        self.num_env_steps_sampled_lifetime += experience.n_frames
        explore = dict(self._rng.bit_generator.state)
        return Reply(task.number, experience, as_arrays(rollout.state_dict()), explore)

    def _begin(self, rollout: Rollout, begin: Begin) -> None:
        if begin.seeds is not None:
            rollout.reset(begin.seeds)
        else:
            assert begin.state is not None
            agent = begin.state["agent"]
            tensors = {name: torch.from_numpy(value.copy()) for name, value in agent.items()}
            rollout.load_state_dict(begin.state | {"agent": tensors})
        self._rng.bit_generator.state = begin.explore

    def get_spaces(self) -> dict[str, Any]:
        """Return the spaces of the team, as configured."""
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_MODULE_ID: spaces}

    def assert_healthy(self) -> None:
        """Check nothing: ``start_up`` says what is wrong."""

    def stop(self) -> None:
        """Let go of the environments."""
        self._rollout = None

    def get_metrics(self) -> Any:
        """Return RLlib's own metrics; ours travel with the chunks."""
        return self.metrics.reduce()

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return nothing: the driver holds the state of all workers."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Ignore RLlib's own broadcasts: weights and state come with the tasks."""

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[()], dict[str, Any]]:
        """Return what another instance is made with."""
        return (), {"config": self.config}


def run_task(runner: QPLEXHRLEnvRunner, *, task: Task, weights: dict[str, NDArray[Any]]) -> Reply:
    """Return the runner's chunk, or its error as a reply.

    RLlib ends a process whose call raises, and starts it again: an error that will come back would
    go round for ever. So the driver is told, and raises it.
    """
    try:
        return runner.sample(task=task, weights=weights)
    except Exception as error:  # told to the driver, which stops
        diverged = isinstance(error, NotFiniteError)
        return Reply(task.number, None, {}, {}, _one_line(error), diverged)


def start_up(runner: QPLEXHRLEnvRunner) -> str:
    """Build the runner's parts; return an empty text, or in one line what is wrong."""
    try:
        runner.prepare()
    except Exception as error:  # told to the driver, which stops
        return _one_line(error)
    return ""


def made_env(factory: str, config: RunConfig, num_envs: int) -> SelectionEnv:
    """Return environments made by a function.

    Args:
        factory: its dotted name.
        config: first argument.
        num_envs: second argument.
    """
    module, _, name = factory.rpartition(".")
    env: SelectionEnv = getattr(import_module(module), name)(config, num_envs)
    return env


def as_arrays(state: dict[str, Any]) -> dict[str, Any]:
    """Return a tree of tensors and arrays as one of arrays, which travel without copies."""
    return {
        name: as_arrays(value)
        if isinstance(value, dict)
        else value.cpu().numpy()
        if isinstance(value, torch.Tensor)
        else value
        for name, value in state.items()
    }


def _one_line(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{platform.node()}: {type(error).__name__}: {text} ({place.name}, line {place.lineno})"
