"""One iteration of training after the other: collect, update, store. No files, no output."""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camsim.envs.selection import SelectionEnv
from qplex_hrl import schedules
from qplex_hrl.agent import Agent
from qplex_hrl.collector import Collector
from qplex_hrl.config import RunConfig
from qplex_hrl.learner import Execution, Learner
from qplex_hrl.model import build_model, slow_interval
from qplex_hrl.replay import ReplayBuffer, ReplaySizes, decision_bytes
from qplex_hrl.resources import available_memory
from qplex_hrl.rollout import Rollout
from qplex_hrl.seeding import Generators, make_generators
from qplex_hrl.shaping import Shaping
from qplex_hrl.worlds import model_dims

_UPDATES_PER_CHUNK = 2  # enough to hide the thread's overhead, few enough for fresh weights
_LONGEST_CHUNK = 16  # decisions, when updates are rare


@dataclass
class Counters:
    """Where training stands."""

    timestep: int = 0  # frames collected, summed over environments
    replay_timesteps: int = 0  # those since the replay was last empty
    update_credit: float = 0.0  # updates owed to the timesteps collected
    n_episodes: int = 0  # finished training episodes


class Iteration(NamedTuple):
    """What one iteration reports."""

    updates: list[dict[str, Tensor]]  # the learner's metrics, one mapping per update
    episodes: NDArray[np.float64]  # [E, K] episodes that ended, columns EPISODE_COLUMNS
    n_frames: int  # collected


class TrainingLoop:
    """Environments, agent, replay and learner of one run.

    An iteration begins a chunk of experience with the present weights, updates the weights from the
    replay as it was, and then adds the chunk. Between iterations nothing is under way, so that is
    where the state can be saved. The numbers do not depend on what runs in which thread.
    """

    def __init__(self, config: RunConfig, env: SelectionEnv, device: torch.device) -> None:
        """Build all parts and begin the first episodes.

        Args:
            config: of the whole run.
            env: training environments, ``config.env.num_envs`` of them.
            device: of the networks.

        Raises:
            ValueError: the replay would not fit into memory.
        """
        self._config = config
        self._device = device
        self._generators = make_generators(config.training.seed)
        self.counters = Counters()
        hrl, training = config.network.hrl, config.training
        self.learner = self._build_learner(env)
        network = self.learner.model.agent
        sizes = ReplaySizes(
            n_envs=env.n_envs,
            n_agents=env.n_agents,
            n_actions=env.n_actions,
            obs_size=env.obs_size,
            state_size=env.state_size,
            recurrent_size=network.recurrent_size,
        )
        _check_memory(sizes, training.buffer_size)
        self.replay = ReplayBuffer(
            sizes,
            capacity=training.buffer_size,
            sequence_length=training.sequence_length,
            burn_in=training.burn_in,
            slow_period=slow_interval(hrl),
            rng=self._generators.replay,
        )
        agent = Agent(
            network,
            n_envs=env.n_envs,
            n_agents=env.n_agents,
            rng=self._generators.explore,
            device=device,
        )
        self.rollout = Rollout(env, agent, Shaping.from_config(config.algorithm, hrl), sizes)
        self.rollout.reset(_draw_seeds(self._generators.env, env.n_envs))

    @property
    def done(self) -> bool:
        """Whether all timesteps are collected and all updates owed for them are done."""
        return self._all_collected and self.counters.update_credit < 1

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

    @property
    def frames_per_chunk(self) -> int:
        """Frames of a chunk, unless an episode ends within a decision."""
        return self._chunk_length * self._frames_per_decision

    def iterate(self, collector: Collector) -> Iteration:
        """Collect one chunk, do the updates owed, store the chunk.

        Args:
            collector: of this loop's rollout.

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
        return Iteration(updates, experience.episodes, experience.n_frames)

    @property
    def _all_collected(self) -> bool:
        return self.counters.timestep >= self._config.training.total_timesteps

    def _build_learner(self, env: SelectionEnv) -> Learner:
        config = self._config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self._generators.init.integers(2**63)))
            model = build_model(
                model_dims(env), torch.from_numpy(env.selection_bits.copy()), config.network
            )
        return Learner(
            model.to(self._device),
            config.algorithm,
            config.network.hrl,
            config.training.burn_in,
            Execution(config.training.compile, config.training.mixed_precision),
        )

    @property
    def _frames_per_decision(self) -> int:
        return self._config.env.num_envs * self._config.network.hrl.fast_interval

    @property
    def _chunk_length(self) -> int:
        """Decisions of a chunk; it must not depend on when the run is evaluated or saved."""
        updates_per_decision = self._config.training.train_freq * self._frames_per_decision / 1000
        if updates_per_decision * _LONGEST_CHUNK <= _UPDATES_PER_CHUNK:
            return _LONGEST_CHUNK
        return math.ceil(_UPDATES_PER_CHUNK / updates_per_decision)

    def _update(self) -> list[dict[str, Tensor]]:
        """Do the updates owed and return their metrics."""
        batch_size, learning_rate = self._config.training.batch_size, self.learning_rate
        metrics = []
        while self.counters.update_credit >= 1:
            batch = self.replay.sample(batch_size, self._device)
            metrics.append(self.learner.update(batch, learning_rate))
            self.counters.update_credit -= 1
        return metrics

    def _count(self, n_frames: int, n_episodes: int) -> None:
        """Count a chunk that has been added to the replay."""
        counters, training = self.counters, self._config.training
        counters.timestep += n_frames
        counters.replay_timesteps += n_frames
        counters.n_episodes += n_episodes
        if counters.replay_timesteps > training.learning_starts and self.replay.n_windows:
            counters.update_credit += n_frames * training.train_freq / 1000

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
        self, state: dict[str, Any], replay: dict[str, NDArray[Any]] | None
    ) -> None:
        """Restore what ``state_dict`` gave.

        Args:
            state: of a loop with the same configuration.
            replay: contents of the replay; if None it starts empty, and updates wait until
                ``learning_starts`` timesteps are collected anew.

        Raises:
            ValueError: it was written with another configuration.
        """
        try:
            self.learner.load_state_dict(state["learner"])
        except RuntimeError as error:  # torch's word for weights of other shapes
            msg = f"the saved weights belong to another network: {error}".replace("\n", " ")
            raise ValueError(msg) from error
        self.rollout.load_state_dict(state["rollout"])
        self.counters = Counters(**state["counters"])
        for generator, saved in zip(self._generators, state["generators"], strict=True):
            generator.bit_generator.state = saved
        if replay is not None:
            self.replay.load_state_dict(replay)
        else:
            self.counters.replay_timesteps = 0
            self.counters.update_credit = 0.0


def _check_memory(sizes: ReplaySizes, buffer_size: int) -> None:
    """Check that a full replay fits: its memory is only taken as it fills, hours later."""
    each, available = decision_bytes(sizes), available_memory()
    if buffer_size * each > available:
        msg = (
            f"training.buffer_size = {buffer_size} takes {buffer_size * each / 1e9:.1f} GB "
            f"({each / 1e3:.0f} kB for {sizes.n_agents} cameras with {sizes.n_actions} actions), "
            f"but {available / 1e9:.1f} GB of memory are free; expected at most "
            f"{available // each}, or fewer actions (network.hrl.max_selected)"
        )
        raise ValueError(msg)


def _draw_seeds(generator: np.random.Generator, n: int) -> NDArray[np.uint64]:
    """Return [n] uint64 seeds of training episodes."""
    return generator.integers(0, 2**64, size=n, dtype=np.uint64)


def _generator_states(generators: Generators) -> list[dict[str, Any]]:
    return [dict(generator.bit_generator.state) for generator in generators]
