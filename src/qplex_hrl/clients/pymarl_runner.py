"""A runner for EPyMARL and PyMARL that steps all of its worlds in one compiled call.

Their own `parallel` runner has one process per world, and every step goes through pipes. This one
has the same calls, and fills the same `EpisodeBatch`.
"""

from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from camsim.arrays import Floats, Ints
from qplex_hrl.clients.pymarl_env import checked_scalarisation, episode_information
from qplex_hrl.clients.pymarl_worlds import WorldsStep, worlds_of_arguments

__all__ = ["ENVIRONMENTS", "BatchRunner"]

ENVIRONMENTS = {"mate": "raw", "mate_selection": "selection"}
"""Names of environments in a run's `env`, and their tasks."""


class BatchRunner:
    """Runs `batch_size_run` episodes at once, one per world.

    Worlds whose episode is over wait for the others: nothing of them is stored. Each call of `run`
    starts new episodes, whose seeds are drawn from a generator of the run's seed.
    """

    # Any: neither EPyMARL nor PyMARL has types.
    def __init__(self, args: Any, logger: Any) -> None:
        """Build the worlds from a run's settings.

        Args:
            args: `env` (one of `ENVIRONMENTS`), `env_args` and what the run's other parts read.
            logger: of EPyMARL or PyMARL.

        Raises:
            ValueError: another environment, or a value that is not allowed.
        """
        if args.env not in ENVIRONMENTS:
            expected = ", ".join(ENVIRONMENTS)
            raise ValueError(f"runner mate_batch with env = {args.env!r}; expected {expected}")
        self.args, self.logger = args, logger
        self.batch_size = int(args.batch_size_run)
        self._worlds, seed = worlds_of_arguments(
            args.env_args, ENVIRONMENTS[args.env], self.batch_size
        )
        self._seeds = np.random.default_rng(seed)
        self.episode_limit = self._worlds.episode_limit
        self._common = bool(getattr(args, "common_reward", True))
        scalarisation = getattr(args, "reward_scalarisation", "mean")
        checked_scalarisation(scalarisation)
        self._by_sum = scalarisation == "sum"
        self.t_env = 0
        """Steps of all training episodes so far; the run counts by it, and may set it."""
        self.log_train_stats_t = -(10**6)
        """`t_env` when training episodes were last logged; the first are logged at once."""
        self._returns: dict[str, list[Floats]] = defaultdict(list)  # by prefix: of each episode
        self._sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def setup(self, scheme: Any, groups: Any, preprocess: Any, mac: Any) -> None:
        """Take what a batch of episodes consists of, and who chooses actions."""
        episode_batch = import_module("components.episode_buffer").EpisodeBatch
        self.mac = mac
        self._new_batch: Callable[[], Any] = lambda: episode_batch(
            scheme,
            groups,
            self.batch_size,
            self.episode_limit + 1,
            preprocess=preprocess,
            device=self.args.device,
        )

    def get_env_info(self) -> dict[str, int]:
        """Return all sizes, under PyMARL's names."""
        worlds = self._worlds
        return {
            "state_shape": worlds.state_size,
            "obs_shape": worlds.obs_size,
            "n_actions": worlds.n_actions,
            "n_agents": worlds.n_agents,
            "episode_limit": worlds.episode_limit,
        }

    def save_replay(self) -> None:
        """Refuse: only the environment of the runner `episode` records.

        Raises:
            ValueError: always.
        """
        raise ValueError("save_replay with runner = mate_batch; expected runner = episode")

    def close_env(self) -> None:
        """Do nothing: there is no process and no window."""

    def run(self, test_mode: bool = False) -> Any:
        """Run an episode in every world; return them as an `EpisodeBatch`."""
        self.batch = self._new_batch()
        self.mac.init_hidden(batch_size=self.batch_size)
        step = self._start()
        acting: Ints = np.arange(self.batch_size)
        self._store_observed(step, acting, 0)
        over = np.zeros(self.batch_size, np.bool_)
        lengths = np.zeros(self.batch_size, np.int64)
        returns = np.zeros((self.batch_size, 1 if self._common else self._worlds.n_agents))
        prefix = "test_" if test_mode else ""
        t = 0
        while True:
            # Those whose episode has just ended choose once more: learners read that action.
            chosen = self.mac.select_actions(
                self.batch, t_ep=t, t_env=self.t_env, bs=acting.tolist(), test_mode=test_mode
            )
            self._store({"actions": chosen.unsqueeze(1)}, acting, t)
            playing: NDArray[np.bool_] = ~over[acting]
            rows = acting[playing]
            if rows.size == 0:
                break
            actions = step.avail_actions.argmax(axis=2)  # of those who wait: any that may be
            actions[rows] = chosen.cpu().numpy()[playing]
            step = self._worlds.step(actions)
            rewards = self._reward(step)
            self._store({"reward": rewards[rows], "terminated": step.terminated[rows]}, rows, t)
            t += 1
            self._store_observed(step, rows, t)
            returns[rows] += rewards[rows]
            lengths[rows] = t
            acting, step = rows, self._end(step, rows, over, prefix)
        if not test_mode:
            self.t_env += int(lengths.sum())
        self._count(prefix, returns, lengths)
        return self.batch

    def _start(self) -> WorldsStep:
        seeds = self._seeds.integers(2**63, size=self.batch_size, dtype=np.uint64)
        return self._worlds.restart(np.ones(self.batch_size, np.bool_), seeds)

    def _end(
        self, step: WorldsStep, rows: Ints, over: NDArray[np.bool_], prefix: str
    ) -> WorldsStep:
        """Mark whose episode is over, add up their infos, and keep all worlds in an episode."""
        ended = step.terminated | step.truncated
        if not ended.any():
            return step
        for row in rows[ended[rows]]:
            for name, value in episode_information(step, int(row)).items():
                self._sums[prefix][name] += value
        over[rows] = ended[rows]
        return self._worlds.restart(ended.copy())

    def _reward(self, step: WorldsStep) -> Floats:
        """Return rewards [N, 1] of the team, or [N, C] of its members."""
        if not self._common:
            return step.reward
        total: Floats = step.reward.sum(axis=1, keepdims=True)
        return total if self._by_sum else total / self._worlds.n_agents

    def _store_observed(self, step: WorldsStep, rows: Ints, t: int) -> None:
        observed = {
            "state": step.state[rows],
            "avail_actions": step.avail_actions[rows],
            "obs": step.obs[rows],
        }
        self._store(observed, rows, t, filled=True)

    def _store(self, data: dict[str, Any], rows: Ints, t: int, *, filled: bool = False) -> None:
        tensors = {
            name: torch.as_tensor(value, dtype=self.batch.scheme[name].get("dtype", torch.float32))
            for name, value in data.items()
        }
        self.batch.update(tensors, bs=rows.tolist(), ts=t, mark_filled=filled)

    def _count(self, prefix: str, returns: Floats, lengths: Ints) -> None:
        """Add up finished episodes, and log when the run's settings say so."""
        self._returns[prefix].append(returns)
        sums = self._sums[prefix]
        sums["n_episodes"] += self.batch_size
        sums["ep_length"] += int(lengths.sum())
        if prefix:
            n_tests = max(1, self.args.test_nepisode // self.batch_size)
            if len(self._returns[prefix]) == n_tests:
                self._log(prefix)
        elif self.t_env - self.log_train_stats_t >= self.args.runner_log_interval:
            self._log(prefix)
            if hasattr(self.mac.action_selector, "epsilon"):
                self.logger.log_stat("epsilon", self.mac.action_selector.epsilon, self.t_env)
            self.log_train_stats_t = self.t_env

    def _log(self, prefix: str) -> None:
        """Log the means of the episodes since the last time, under the names of other runners."""
        returns, sums = np.concatenate(self._returns.pop(prefix)), self._sums.pop(prefix)
        if self._common:
            columns = {"return": returns[:, 0]}
        else:
            columns = {f"agent_{c}_return": column for c, column in enumerate(returns.T)}
            columns["total_return"] = returns.sum(axis=1)
        for name, values in columns.items():
            self.logger.log_stat(f"{prefix}{name}_mean", values.mean(), self.t_env)
            self.logger.log_stat(f"{prefix}{name}_std", values.std(), self.t_env)
        n_episodes = sums.pop("n_episodes")
        for name, total in sums.items():
            self.logger.log_stat(f"{prefix}{name}_mean", total / n_episodes, self.t_env)
