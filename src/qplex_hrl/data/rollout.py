"""Experience: the agent acts in the environments, decisions come out ready for the replay."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camcontrol.selection_env import EnvOutput, SelectionEnv
from qplex_hrl.agent import Agent
from qplex_hrl.algorithm.shaping import Shaping
from qplex_hrl.data.replay import DecisionChunk, ReplaySizes, allocate_chunk


class Experience(NamedTuple):
    """What ``Rollout.collect`` gives: decisions, what they cost, episodes that ended meanwhile."""

    decisions: DecisionChunk
    n_frames: int  # frames executed, summed over environments
    episodes: NDArray[np.float64]  # [E, K] in the order of their ends, columns EPISODE_COLUMNS


class _Now(NamedTuple):
    """What the cameras have before the next decision (views of the environment's buffers)."""

    obs: NDArray[np.float32]  # [N, C, D]
    state: NDArray[np.float32]  # [N, S]
    avail_actions: NDArray[np.bool_]  # [N, C, U]
    coverage: NDArray[np.float64]  # [N], of the frame ``obs`` belongs to


class Rollout:
    """N environments and an agent, advanced together chunk by chunk.

    It touches nothing but its own environments and agent, so ``collect`` may run in a thread while
    the learner updates another copy of the weights.
    """

    def __init__(
        self, env: SelectionEnv, agent: Agent, shaping: Shaping, sizes: ReplaySizes
    ) -> None:
        """Take over environment and agent; ``reset`` or ``load_state_dict`` must follow.

        Args:
            env: N environments that reset finished rows by themselves.
            agent: acts for the same N environments.
            shaping: turns reward, coverage and bonus into the training reward.
            sizes: of one stored decision.
        """
        self._env = env
        self._agent = agent
        self._shaping = shaping
        self._sizes = sizes
        self._now: _Now | None = None

    @property
    def agent(self) -> Agent:
        """The agent that acts here, whose weights the caller replaces between chunks."""
        return self._agent

    def reset(self, seeds: NDArray[np.uint64]) -> None:
        """Begin new episodes, one seed [N] per environment."""
        self._now = _after(self._env.reset(seeds))
        self._agent.reset_rows(np.ones(self._sizes.n_envs, np.bool_))

    def collect(self, n_decisions: int, epsilon: float) -> Experience:
        """Return the next ``n_decisions`` decisions of every environment.

        Args:
            n_decisions: rows of the chunk.
            epsilon: exploration rate for the whole chunk.

        Raises:
            RuntimeError: neither ``reset`` nor ``load_state_dict`` was called before.
        """
        chunk = allocate_chunk(n_decisions, self._sizes)
        n_frames, episodes = 0, []
        for row in range(n_decisions):
            output = self._decide(chunk, row, epsilon)
            ended = output.terminated | output.truncated
            n_frames += int(output.frames.sum())
            episodes.append(output.episode[ended])
            self._agent.reset_rows(ended)
            self._now = _after(output)
        return Experience(chunk, n_frames, np.concatenate(episodes))

    def _decide(self, chunk: DecisionChunk, row: int, epsilon: float) -> EnvOutput:
        """Take one decision everywhere, write it to ``chunk`` and return what came of it."""
        now = self._current()
        agent = self._agent
        _to_half(chunk.obs[row], torch.from_numpy(now.obs))
        _to_half(chunk.state[row], torch.from_numpy(now.state))
        _to_half(chunk.recurrent_state[row], agent.recurrent_state)
        chunk.avail_actions[row] = now.avail_actions
        chunk.decision_index[row] = agent.decision_index
        actions = agent.act(now.obs, now.avail_actions, epsilon)
        chunk.actions[row] = actions
        coverage_before = now.coverage.copy()
        output = self._env.step(actions)  # held, so that its worth does not depend on reactions
        chunk.reward[row], chunk.difference_reward[row] = self._shaping(
            output.reward,
            (output.difference_reward, output.stereo_difference_reward),
            (coverage_before, output.coverage),
            output.bonus,
            output.terminated,
        )
        chunk.terminated[row] = output.terminated
        chunk.truncated[row] = output.truncated
        return output

    def _current(self) -> _Now:
        if self._now is None:
            msg = "reset the rollout, or load its state, before collecting"
            raise RuntimeError(msg)
        return self._now

    # Any: a checkpoint is a tree of arrays, tensors and plain values.
    def state_dict(self) -> dict[str, Any]:
        """Return environments and agent for exact continuation.

        Weights and the agent's random state belong to who passed them in.
        """
        return {"env": self._env.state_dict(), "agent": self._agent.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` gave.

        Raises:
            ValueError: it was written with other sizes.
        """
        self._agent.load_state_dict(state["agent"])
        self._now = _after(self._env.load_state_dict(state["env"]))


def _after(output: EnvOutput) -> _Now:
    return _Now(output.obs, output.state, output.avail_actions, output.initial_coverage)


def _to_half(stored: NDArray[np.float16], values: torch.Tensor) -> None:
    """Write ``values`` to ``stored`` as float16 (PyTorch converts 30 times faster than NumPy)."""
    torch.from_numpy(stored).copy_(values)
