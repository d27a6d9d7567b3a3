"""All rollout workers as one source of chunks: the loop's environments and collector in one.

The workers collect the next chunk while the driver learns from what came before. A worker that is
lost is started again by Ray, told where the chunk began, and collects the same chunk once more: no
frame is lost or counted twice, and the numbers are those of a run in which nothing happened.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.exceptions import RayError
from ray.rllib.env.env_runner_group import EnvRunnerGroup

from qplex_hrl.config import RunConfig
from qplex_hrl.data.replay import DecisionChunk
from qplex_hrl.data.rollout import Experience
from qplex_hrl.model import CameraNetwork
from qplex_hrl.rllib.cluster import ClusterError
from qplex_hrl.rllib.env_runner import Begin, Reply, Task, as_arrays, run_task, start_up
from qplex_hrl.sharding import Shard, join_states, split_state
from qplex_hrl.storage.stored_values import NotFiniteError

__all__ = ["RemoteEpisodes", "WorkersLost", "start_workers"]

START_SECONDS = 600.0  # that may pass without another worker ready; the first compiles kernels
ANSWER_SECONDS = 600.0  # that may pass without an answer of any worker, lost or frozen
MOST_LOSSES = 5  # of one worker during one chunk
_PROBE_SECONDS = 2.0
_TAG = "chunk"

_LOG = logging.getLogger(__name__)


class WorkersLost(RuntimeError):
    """A rollout worker failed for good, or none can be asked; the text is one line."""


def start_workers(group: EnvRunnerGroup, n_workers: int) -> None:
    """Wait until the group's workers, which were added before, are ready to collect.

    Raises:
        ClusterError: one cannot start; the text says why.
    """
    missing = set(range(1, n_workers + 1))
    group.foreach_env_runner_async(start_up, tag="start")
    last = time.monotonic()
    while missing:
        for index, error in group.fetch_ready_async_reqs(tags="start", timeout_seconds=1.0):
            if error:
                raise ClusterError(f"rollout worker {index} cannot start: {error}")
            missing.discard(index)
            last = time.monotonic()
        dead = missing - set(group.healthy_env_runner_ids())
        if dead:
            raise ClusterError(
                f"rollout worker {min(dead)} ended while it started; Ray's logs of the workers "
                "say why (is this package installed on every machine?)"
            )
        if time.monotonic() - last > START_SECONDS:
            n_cpus = ray.cluster_resources().get("CPU", 0)
            raise ClusterError(
                f"{len(missing)} of {n_workers} rollout workers did not start within "
                f"{START_SECONDS:.0f} s; the cluster has {n_cpus:.0f} processors, and each worker "
                "takes one"
            )


class RemoteEpisodes:
    """The environments of a run, in the workers of a group, as the training loop sees them."""

    def __init__(
        self,
        group: EnvRunnerGroup,
        config: RunConfig,
        explore: np.random.Generator,
        put: Callable[[Any], Any] = ray.put,
    ) -> None:
        """Take over the group, whose workers are ready.

        Args:
            group: one worker for each part of the environments.
            config: of the run.
            explore: the run's generator; after each chunk it stands where the workers' do.
            put: makes an object known to all workers.
        """
        self._put = put
        self._group = group
        n, total = config.ray.num_envs_per_worker, config.env.num_envs
        self._shards = {
            index: Shard((index - 1) * n, n, total)
            for index in range(1, config.ray.num_workers + 1)
        }
        self._explore = explore
        self._begin: dict[int, tuple[NDArray[np.uint64] | None, dict[str, Any] | None]] = {}
        self._ready: set[int] = set()  # workers that can go on from the chunk before
        self._number = 0
        self._request: tuple[int, float, Any] | None = None  # decisions, epsilon, weights
        self._sent: set[int] = set()
        self._replies: dict[int, Reply] = {}
        self.n_lost = 0
        """Workers that were lost and replaced so far."""

    def reset(self, seeds: NDArray[np.uint64]) -> None:
        """Begin new episodes, one seed [N] per environment."""
        self._begin = {index: (seeds[shard.slice], None) for index, shard in self._shards.items()}
        self._ready.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return environments and agents for exact continuation, as ``Rollout`` gives them.

        Raises:
            RuntimeError: no chunk has been collected yet.
        """
        states = [state for _, state in self._begin.values() if state is not None]
        if len(states) < len(self._shards):
            msg = "the workers hold no state before the first chunk"
            raise RuntimeError(msg)
        joined = join_states(states)
        agent = {name: torch.from_numpy(value) for name, value in joined["agent"].items()}
        return joined | {"agent": agent}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` gave, for any number of workers.

        Raises:
            ValueError: it was written with another number of environments.
        """
        arrays = as_arrays(dict(state))
        self._begin = {
            index: (None, split_state(arrays, shard)) for index, shard in self._shards.items()
        }
        self._ready.clear()

    def start(self, network: CameraNetwork, n_decisions: int, epsilon: float) -> None:
        """Begin a chunk in all workers, acting with a copy of ``network`` as it is now.

        Raises:
            WorkersLost: Ray cannot take the copy: its object store and the disk behind are full.
        """
        assert self._request is None, "finish the chunk before the next one"
        weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        try:
            reference = self._put(weights)
        except RayError as error:
            msg = f"the workers cannot be given weights: {' '.join(str(error).split())}"
            raise WorkersLost(msg) from error
        self._request = (n_decisions, epsilon, reference)
        self._replies = {}
        self._sent = set()
        self._send_what_is_missing()

    def finish(self) -> Experience:
        """Return the chunk begun by ``start``, environments in the order of their rows.

        Raises:
            NotFiniteError: a worker's network gave numbers that are not.
            WorkersLost: a worker raised another error, was lost and does not come back, or does not
                answer.
        """
        assert self._request is not None, "start a chunk first"
        losses = dict.fromkeys(self._shards, 0)
        last = time.monotonic()
        while len(self._replies) < len(self._shards):
            last = time.monotonic() if self._take_replies() else last
            healthy = set(self._group.healthy_env_runner_ids()) & set(self._shards)
            for index in self._sent - healthy:
                self._sent.discard(index)
                self._ready.discard(index)
                losses[index] += 1
                self.n_lost += 1
                _LOG.warning("rollout worker %d was lost; its chunk is collected again", index)
                if losses[index] > MOST_LOSSES:
                    msg = f"rollout worker {index} was lost {losses[index]} times in one chunk"
                    raise WorkersLost(msg)
            if len(healthy) < len(self._shards):
                self._group.probe_unhealthy_env_runners(timeout_seconds=_PROBE_SECONDS)
            if time.monotonic() - last > ANSWER_SECONDS:
                raise WorkersLost(self._who_is_silent(healthy))
            self._send_what_is_missing()
        self._request = None
        return self._accept()

    def _who_is_silent(self, healthy: set[int]) -> str:
        """Return in one line who has not answered, and why, as far as Ray knows."""
        if lost := set(self._shards) - healthy:
            return f"rollout worker {min(lost)} was lost and did not come back in time"
        silent = min(set(self._shards) - set(self._replies))
        return (
            f"rollout worker {silent} has not answered for {ANSWER_SECONDS:.0f} s; its process or "
            "its machine may be frozen"
        )

    def _take_replies(self) -> bool:
        """Take the chunks that have arrived; return whether there were any."""
        replies = self._group.fetch_ready_async_reqs(tags=_TAG, timeout_seconds=_PROBE_SECONDS)
        for index, reply in replies:
            self._sent.discard(index)
            if reply.error:
                msg = f"rollout worker {index} stopped: {reply.error}"
                raise NotFiniteError(msg) if reply.diverged else WorkersLost(msg)
            if reply.experience is None or reply.number != self._number:
                self._ready.discard(index)  # a new process in the place of one lost in between
            else:
                self._replies[index] = reply
        return bool(replies)

    def _send_what_is_missing(self) -> None:
        """Ask every worker that can be asked, and has not answered yet, for its chunk."""
        assert self._request is not None
        n_decisions, epsilon, weights = self._request
        healthy = set(self._group.healthy_env_runner_ids())
        missing = (healthy & set(self._shards)) - self._sent - set(self._replies)
        for index in sorted(missing):
            begin = None
            if index not in self._ready:
                begin = Begin(*self._begin[index], dict(self._explore.bit_generator.state))
            task = Task(self._number, n_decisions, epsilon, begin)
            n_sent = self._group.foreach_env_runner_async(
                run_task,
                tag=_TAG,
                kwargs={"task": task, "weights": weights},
                remote_worker_ids=[index],
            )
            if n_sent:
                self._sent.add(index)

    def _accept(self) -> Experience:
        """Count the chunk as collected, and return it."""
        replies = [self._replies[index] for index in self._shards]
        self._replies = {}
        self._begin = {
            i: (None, reply.state) for i, reply in zip(self._shards, replies, strict=True)
        }
        self._explore.bit_generator.state = replies[0].explore
        self._ready = set(self._shards)
        self._number += 1
        chunks = [reply.experience for reply in replies if reply.experience is not None]
        if len(chunks) == 1:
            return chunks[0]
        parts = zip(*(chunk.decisions for chunk in chunks), strict=True)
        return Experience(
            DecisionChunk(*(np.concatenate(part, axis=1) for part in parts)),
            sum(chunk.n_frames for chunk in chunks),
            np.concatenate([chunk.episodes for chunk in chunks]),
        )
