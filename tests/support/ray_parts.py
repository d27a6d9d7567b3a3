"""RLlib's parts of a tiny run without a cluster: settings, runners, a group of them, a learner."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tiny import tiny_config

from qplex_hrl.config import RunConfig
from qplex_hrl.rllib.env_runner import QPLEXHRLEnvRunner
from qplex_hrl.rllib_policy import QPLEXHRLConfig, sharded

MAKE_ENV = "tiny.make_fake_env"


def ray_config(n_workers: int, n_envs: int, **sections: dict[str, object]) -> RunConfig:
    """A tiny run with so many workers and environments of each."""
    workers = {"num_workers": n_workers, "num_envs_per_worker": n_envs}
    content = tiny_config(Path("unused"), **sections).model_dump(mode="json") | {"ray": workers}
    return sharded(RunConfig.model_validate(content))


def settings(config: RunConfig) -> QPLEXHRLConfig:
    """RLlib's settings of a run in the fake world."""
    made = QPLEXHRLConfig().training(run=config, make_env=MAKE_ENV)
    made.validate()
    return made


class Group:
    """Workers in this process, as RLlib's group of actors behaves: calls, losses, replacements."""

    def __init__(self, config: RunConfig) -> None:
        self.made = settings(config)
        self.runners = {i: self._new(i) for i in range(1, config.ray.num_workers + 1)}
        self.healthy = set(self.runners)
        self.calls: dict[int, Callable[[], Any]] = {}
        self.lose: Iterator[int | None] = iter(())
        """Who is lost during each coming round of calls."""
        self.silently = False
        """Replace the lost one before anybody has noticed."""

    def _new(self, index: int) -> QPLEXHRLEnvRunner:
        return QPLEXHRLEnvRunner(config=self.made, worker_index=index)

    def healthy_env_runner_ids(self) -> list[int]:
        return sorted(self.healthy)

    def foreach_env_runner_async(
        self,
        func: Callable[..., Any],
        tag: str,
        kwargs: dict[str, Any] | None = None,
        remote_worker_ids: list[int] | None = None,
    ) -> int:
        for index in remote_worker_ids or self.runners:
            assert index in self.healthy
            assert index not in self.calls, "one call at a time"
            self.calls[index] = lambda i=index: func(self.runners[i], **kwargs or {})
        return len(remote_worker_ids or self.runners)

    def fetch_ready_async_reqs(self, tags: str, timeout_seconds: float) -> list[tuple[int, Any]]:
        lost = next(self.lose, None)
        if lost is not None:
            self.runners[lost] = self._new(lost)
            if not self.silently:
                self.healthy.discard(lost)
                self.calls.pop(lost, None)
        calls, self.calls = self.calls, {}
        return [(index, call()) for index, call in calls.items()]

    def probe_unhealthy_env_runners(self, timeout_seconds: float) -> list[int]:
        back = sorted(set(self.runners) - self.healthy)
        self.healthy |= set(back)
        return back
