"""One iteration of training after the other: collect, update, store. No files, no output."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.agent import Agent
from qplex_hrl.algorithm import schedules
from qplex_hrl.algorithm.shaping import Shaping
from qplex_hrl.config import NetworkConfig, RunConfig
from qplex_hrl.data.make_env import model_dims
from qplex_hrl.data.replay import DecisionChunk, ReplayBuffer, ReplaySizes
from qplex_hrl.data.rollout import Experience, Rollout
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.learner import Execution, Learner
from qplex_hrl.model import CameraNetwork, QPLEXHRLModel, build_model
from qplex_hrl.runtime.seeding import Generators, make_generators
from qplex_hrl.sharding import Shard
from qplex_hrl.types import ModelDims, SequenceBatch

_UPDATES_PER_CHUNK = 2  # enough to hide the thread's overhead, few enough for fresh weights
_LONGEST_CHUNK = 16  # decisions, when updates are rare


MakeModel = Callable[[ModelDims, Tensor, NetworkConfig], QPLEXHRLModel]
"""Makes a model from the sizes of the world, the targets that each action selects [U, T] and the
section ``network``, as ``build_model`` does."""


@dataclass
class Counters:
    """Where training stands."""

    timestep: int = 0  # frames collected, summed over environments
    replay_timesteps: int = 0  # those since the replay was last empty
    updates_owed: float = 0.0  # those that the timesteps collected still call for
    n_episodes: int = 0  # finished training episodes


class Iteration(NamedTuple):
    """What one iteration reports."""

    updates: list[dict[str, Tensor]]  # the learner's metrics, one mapping per update
    episodes: NDArray[np.float64]  # [E, K] episodes that ended, columns EPISODE_COLUMNS
    n_frames: int  # collected
    decisions: DecisionChunk | None = None  # those collected


class Updates(Protocol):
    """What the loop needs of a learner: ours, or ours inside a framework's."""

    @property
    def model(self) -> QPLEXHRLModel:
        """The model that learns."""

    @property
    def ema_agent(self) -> CameraNetwork:
        """The cameras that evaluation plays; see ``Learner.ema_agent``."""

    @property
    def n_updates(self) -> int:
        """Gradient steps so far."""

    def begin_with(self, cameras: Mapping[str, Tensor]) -> None:
        """Take over weights of the cameras' network, before the first update."""

    def update(self, batch: SequenceBatch, learning_rate: float) -> dict[str, Tensor]:
        """Do one gradient step; see ``Learner.update``."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that an exact continuation needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""


class Episodes(Protocol):
    """What the loop itself needs of the environments, wherever they run."""

    def reset(self, seeds: NDArray[np.uint64]) -> None:
        """Begin new episodes, one seed [N] per environment."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that an exact continuation needs."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""


class Chunks(Protocol):
    """What gives the loop its chunks; see ``Collector``."""

    def start(self, network: CameraNetwork, n_decisions: int, epsilon: float) -> None:
        """Begin a chunk, acting with a copy of ``network`` as it is now."""

    def finish(self) -> Experience:
        """Return the chunk begun by ``start``."""


class Parts(NamedTuple):
    """The parts of a loop that may run elsewhere."""

    learner: Updates
    episodes: Episodes


class TrainingLoop:
    """Environments, agent, replay and learner of one run.

    An iteration begins a chunk of experience with the present weights, updates the weights from the
    replay as it was, and then adds the chunk. Between iterations nothing is under way, so that is
    where the state can be saved. The numbers do not depend on what runs in which thread.
    """

    def __init__(
        self,
        config: RunConfig,
        env: SelectionEnv,
        device: torch.device,
        make_parts: "MakeParts | None" = None,
        make_model: MakeModel = build_model,
    ) -> None:
        """Build all parts and begin the first episodes.

        Args:
            config: of the whole run.
            env: training environments, ``config.env.num_envs`` of them; with ``make_parts`` any
                number, they only tell sizes.
            device: of the networks.
            make_parts: makes learner and environments that run elsewhere.
            make_model: makes the model that training begins with.
        """
        self._config = config
        self.device = device
        self._generators = make_generators(config.training.seed)
        self.counters = Counters()
        self.targets_per_action: NDArray[np.int64] = env.selection_bits.sum(axis=-1)
        """[U], how many targets each action selects."""

        training = config.training
        model = initial_model(config, env, self._generators.init, make_model)
        sizes = replay_sizes(env, model.agent, config.env.num_envs)
        self.replay = ReplayBuffer(
            sizes,
            capacity=training.buffer_size,
            sequence_length=training.sequence_length,
            burn_in=training.burn_in,
            rng=self._generators.replay,
        )
        parts = (make_parts or _local_parts)(config, env, model.to(device), self._generators)
        self.learner, self.rollout = parts
        self._begin_episodes()

    def begin_with(self, path: Path) -> None:
        """Begin with the cameras of a checkpoint, trained in teams of any size, not with new ones.

        Raises:
            CheckpointError: the file is missing, damaged or foreign.
            ValueError: its cameras have another network, or are bound to other teams.
        """
        policy, agent = load_policy(path), self.learner.model.agent
        policy.check_team(path, agent.dims.n_agents)
        policy.check_sizes(path, agent.dims)
        own = {name: value.shape for name, value in agent.state_dict().items()}
        theirs = {name: value.shape for name, value in policy.weights.items()}
        if theirs != own:
            odd = min(name for name, _ in theirs.items() ^ own.items())
            msg = (
                f"training.initial_weights = {path}: its cameras have another network ({odd}); "
                "expected the features and network.q_network that this configuration has"
            )
            raise ValueError(msg)
        self.learner.begin_with(policy.weights)

    @property
    def local_rollout(self) -> Rollout:
        """The environments, which must run in this process."""
        assert isinstance(self.rollout, Rollout), "the environments run elsewhere"
        return self.rollout

    @property
    def done(self) -> bool:
        """Whether all timesteps are collected and all updates owed for them are done."""
        return self._all_collected and self.counters.updates_owed < 1

    @property
    def epsilon(self) -> float:
        """Exploration rate of the chunk that comes next."""
        algorithm = self._config.algorithm
        return schedules.epsilon(
            self.counters.timestep,
            start=algorithm.epsilon_start,
            end=algorithm.epsilon_end,
            decay=algorithm.epsilon_decay,
        )

    @property
    def learning_rate(self) -> float:
        """Step size of the updates that come next."""
        algorithm = self._config.algorithm
        return schedules.learning_rate(
            self.counters.timestep,
            self._config.training.total_timesteps,
            start=algorithm.learning_rate,
            end=algorithm.learning_rate_end,
        )

    def iterate(self, collector: Chunks) -> Iteration:
        """Collect one chunk, do the updates owed, store the chunk.

        Args:
            collector: gives chunks of this loop's environments.

        Raises:
            TrainingDiverged: an update was refused; the weights are those before it.
        """
        if self._all_collected:
            return Iteration(self._update(), np.zeros((0, 0)), 0)
        collector.start(self.learner.model.agent, self._chunk_length, self.epsilon)
        updates = self._update()
        experience = collector.finish()
        self.replay.add(experience.decisions)
        self._count(experience.n_frames, len(experience.episodes))
        return Iteration(updates, experience.episodes, experience.n_frames, experience.decisions)

    @property
    def _all_collected(self) -> bool:
        return self.counters.timestep >= self._config.training.total_timesteps

    def _begin_episodes(self) -> None:
        n_envs = self._config.env.num_envs
        seeds = self._generators.env.integers(0, 2**64, size=n_envs, dtype=np.uint64)
        self.rollout.reset(seeds)

    @property
    def _chunk_length(self) -> int:
        return chunk_length(self._config)

    def _update(self) -> list[dict[str, Tensor]]:
        """Do the updates owed and return their metrics."""
        batch_size, learning_rate = self._config.training.batch_size, self.learning_rate
        metrics = []
        while self.counters.updates_owed >= 1:
            batch = self.replay.sample(batch_size, self.device)
            metrics.append(self.learner.update(batch, learning_rate))
            self.counters.updates_owed -= 1
        return metrics

    def _count(self, n_frames: int, n_episodes: int) -> None:
        """Count a chunk that has been added to the replay."""
        counters, training = self.counters, self._config.training
        counters.timestep += n_frames
        counters.replay_timesteps += n_frames
        counters.n_episodes += n_episodes
        if counters.replay_timesteps > training.learning_starts and self.replay.n_windows:
            counters.updates_owed += n_frames * training.train_freq / 1000

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    def state_dict(self) -> dict[str, Any]:
        """Return everything but the contents of the replay, for exact continuation."""
        return {
            "learner": self.learner.state_dict(),
            "rollout": self.rollout.state_dict(),
            "counters": asdict(self.counters),
            "generators": _generator_states(self._generators),
        }

    def load_state_dict(
        self,
        state: dict[str, Any],
        replay: dict[str, NDArray[Any]] | None,
        *,
        new_episodes: bool = False,
    ) -> None:
        """Restore what ``state_dict`` gave.

        Args:
            state: of a loop with the same configuration.
            replay: contents of the replay; if None it starts empty, and updates wait until
                ``learning_starts`` timesteps are collected anew.
            new_episodes: begin new ones, as a loop with another number of environments must.

        Raises:
            ValueError: it was written with another configuration.
        """
        try:
            self.learner.load_state_dict(state["learner"])
        except RuntimeError as error:  # torch's word for weights of other shapes
            msg = f"the saved weights belong to another network: {error}".replace("\n", " ")
            raise ValueError(msg) from error
        if not new_episodes:
            self.rollout.load_state_dict(state["rollout"])
        self.counters = Counters(**state["counters"])
        # Older checkpoints hold a fifth generator, which nothing ever drew from.
        states = state["generators"][: len(self._generators)]
        for generator, saved in zip(self._generators, states, strict=True):
            generator.bit_generator.state = saved
        if new_episodes:
            self._begin_episodes()
        if replay is not None:
            self.replay.load_state_dict(replay)
        else:
            self.counters.replay_timesteps = 0
            self.counters.updates_owed = 0.0


MakeParts = Callable[[RunConfig, SelectionEnv, QPLEXHRLModel, Generators], Parts]
"""Makes the parts for a configuration, environments of its world, the initial model."""


def check_learns(config: RunConfig) -> None:
    """Check that a run does at least one update.

    Raises:
        ValueError: it would only collect.
    """
    training = config.training
    if training.learning_starts >= training.total_timesteps:
        raise ValueError(
            f"training.learning_starts = {training.learning_starts} with training.total_timesteps "
            f"= {training.total_timesteps}: nothing would be learned; lower learning_starts "
            "(--set training.learning_starts=...) or raise total_timesteps"
        )
    n_updates = (training.total_timesteps - training.learning_starts) * training.train_freq / 1000
    if n_updates < 1:
        raise ValueError(
            f"training.train_freq = {training.train_freq} per 1,000 timesteps: nothing would be "
            f"learned in the {training.total_timesteps - training.learning_starts} timesteps "
            "after training.learning_starts; raise train_freq or total_timesteps"
        )


def frames_per_decision(config: RunConfig) -> int:
    """Return the frames of a decision in all environments, unless an episode ends within it."""
    return config.env.num_envs * config.network.hrl.frame_skip


def chunk_length(config: RunConfig) -> int:
    """Return the decisions of a chunk; it must not depend on when a run is evaluated or saved."""
    updates_per_decision = config.training.train_freq * frames_per_decision(config) / 1000
    if updates_per_decision * _LONGEST_CHUNK <= _UPDATES_PER_CHUNK:
        return _LONGEST_CHUNK
    return math.ceil(_UPDATES_PER_CHUNK / updates_per_decision)


def initial_model(
    config: RunConfig,
    env: SelectionEnv,
    generator: np.random.Generator,
    make_model: MakeModel = build_model,
) -> QPLEXHRLModel:
    """Return the model that training begins with: the run's generator ``init`` decides alone."""
    bits = torch.from_numpy(env.selection_bits)
    return drawn_model(config, model_dims(env), bits, generator, make_model)


def drawn_model(
    config: RunConfig,
    dims: ModelDims,
    selection_bits: Tensor,
    generator: np.random.Generator,
    make_model: MakeModel = build_model,
) -> QPLEXHRLModel:
    """Return a model of these sizes with weights drawn by ``generator``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(2**63)))
        return make_model(dims, selection_bits.clone(), config.network)


def build_learner(config: RunConfig, model: QPLEXHRLModel) -> Learner:
    """Return the learner that a run trains ``model`` with."""
    training = config.training
    return Learner(
        model,
        config.algorithm,
        config.network.hrl,
        training.burn_in,
        Execution(compile=training.compile, mixed_precision=training.mixed_precision),
    )


def build_rollout(
    config: RunConfig,
    env: SelectionEnv,
    network: CameraNetwork,
    rng: np.random.Generator,
    shard: Shard | None = None,
) -> Rollout:
    """Return environments and an agent for them.

    Args:
        config: of the run.
        env: environments of its world.
        network: gives the agent's architecture, first weights and device.
        rng: explores.
        shard: of the run's environments that ``env`` is; all of them if None.
    """
    agent = Agent(
        network,
        n_envs=env.n_envs,
        n_agents=env.n_agents,
        rng=rng,
        device=next(network.parameters()).device,
        shard=shard,  # no decision_frames: training episodes hold actions
    )
    shaping = Shaping.from_config(config.algorithm, config.network.hrl)
    return Rollout(env, agent, shaping, replay_sizes(env, network, env.n_envs))


def replay_sizes(env: SelectionEnv, network: CameraNetwork, n_envs: int) -> ReplaySizes:
    """Return the sizes of what is stored for one decision of ``n_envs`` environments."""
    return ReplaySizes(
        n_envs=n_envs,
        n_agents=env.n_agents,
        n_actions=env.n_actions,
        obs_size=env.obs_size,
        state_size=env.state_size,
        recurrent_size=network.recurrent_size,
    )


def _local_parts(
    config: RunConfig, env: SelectionEnv, model: QPLEXHRLModel, generators: Generators
) -> Parts:
    """Return parts that run in this process."""
    learner = build_learner(config, model)
    return Parts(learner, build_rollout(config, env, model.agent, generators.explore))


def _generator_states(generators: Generators) -> list[dict[str, Any]]:
    return [dict(generator.bit_generator.state) for generator in generators]
