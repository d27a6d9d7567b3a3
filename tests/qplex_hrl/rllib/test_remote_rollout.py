"""Chunks of many workers, without a cluster: equal to one process's, whoever is lost meanwhile."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray")

from ray.exceptions import OutOfDiskError
from ray_parts import Group, ray_config
from tiny import CPU, make_fake_env

from qplex_hrl.config import RunConfig
from qplex_hrl.data.collector import Collector
from qplex_hrl.rllib import remote_rollout
from qplex_hrl.rllib.cluster import ClusterError
from qplex_hrl.rllib.env_runner import QPLEXHRLEnvRunner, Reply
from qplex_hrl.rllib.remote_rollout import MOST_LOSSES, RemoteEpisodes, WorkersLost, start_workers
from qplex_hrl.storage.stored_values import NotFiniteError
from qplex_hrl.training.loop import Parts, TrainingLoop, build_learner

pytestmark = pytest.mark.ray


class Remote:
    """A training loop with the environments in workers."""

    def __init__(self, config: RunConfig, lose: Sequence[int | None] = ()) -> None:
        self.group = Group(config)
        start_workers(self.group, config.ray.num_workers)  # type: ignore[arg-type]
        self.group.lose = iter(lose)
        self.loop = TrainingLoop(config, make_fake_env(config, 2), CPU, self._parts)  # type: ignore[arg-type]

    def _parts(self, config: RunConfig, env: Any, model: Any, generators: Any) -> Parts:
        self.episodes = RemoteEpisodes(self.group, config, generators.explore, put=copy.deepcopy)  # type: ignore[arg-type]
        return Parts(build_learner(config, model), self.episodes)

    def advance(self, n: int) -> "Remote":
        for _ in range(n):
            self.loop.iterate(self.episodes)
        return self


def local(config: RunConfig, n: int) -> TrainingLoop:
    loop = TrainingLoop(config, make_fake_env(config, config.env.num_envs), CPU)  # type: ignore[arg-type]
    with Collector(loop.local_rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        for _ in range(n):
            loop.iterate(collector)
    return loop


def flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        return {k: v for name in state for k, v in flat(state[name], f"{path}.{name}").items()}
    if isinstance(state, list | tuple):
        return {k: v for i, item in enumerate(state) for k, v in flat(item, f"{path}.{i}").items()}
    return {path: np.asarray(state)}


def same(left: TrainingLoop, right: TrainingLoop) -> bool:
    states = [flat([loop.state_dict(), loop.replay.state_dict()]) for loop in (left, right)]
    assert states[0].keys() == states[1].keys()
    return all(np.array_equal(states[0][k], states[1][k]) for k in states[0])


def test_one_worker_gives_the_numbers_of_standalone_training_to_the_last_bit() -> None:
    config = ray_config(1, 4)
    remote = Remote(config).advance(30)
    assert remote.loop.learner.n_updates > 10
    assert same(remote.loop, local(config, 30))


def test_two_workers_do_what_one_process_does() -> None:
    """All but the last bits, which depend on how many rows a matrix product has."""
    config = ray_config(2, 2)
    remote, whole = Remote(config).advance(8).loop, local(config, 8)
    assert remote.counters == whole.counters
    left, right = remote.replay.state_dict(), whole.replay.state_dict()
    assert np.array_equal(left["decision_index"], right["decision_index"])
    assert np.mean(left["actions"] == right["actions"]) > 0.99


@pytest.mark.parametrize("silently", [False, True])
def test_a_lost_worker_changes_no_number(silently: bool) -> None:
    config = ray_config(2, 2)
    lose: list[int | None] = [None, 1, None, None, 2, 2, None, None, 1]
    remote = Remote(config, lose)
    remote.group.silently = silently
    remote.advance(30)
    assert remote.episodes.n_lost == (0 if silently else 4)
    assert same(remote.loop, Remote(config).advance(30).loop)


def test_a_worker_that_is_lost_again_and_again_ends_the_run() -> None:
    remote = Remote(ray_config(2, 2), [2] * (MOST_LOSSES + 1))
    with pytest.raises(WorkersLost, match="worker 2 was lost 6 times in one chunk"):
        remote.advance(1)


@pytest.mark.parametrize("lost", [False, True])
def test_a_worker_without_an_answer_ends_the_run_in_the_end(
    lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray takes a frozen process for a healthy one."""
    remote = Remote(ray_config(2, 2)).advance(1)
    monkeypatch.setattr(remote_rollout, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(remote.group, "fetch_ready_async_reqs", lambda **_: [])
    monkeypatch.setattr(remote.group, "probe_unhealthy_env_runners", lambda **_: [])
    if lost:
        remote.group.healthy.discard(2)
    pattern = "worker 2 was lost and did not" if lost else "worker 1 has not answered for 0 s"
    with pytest.raises(WorkersLost, match=pattern):
        remote.advance(1)


def test_a_full_object_store_ends_the_run_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote(ray_config(2, 2)).advance(1)

    def full(_: object) -> None:
        raise OutOfDiskError("no space\nleft")

    monkeypatch.setattr(remote.episodes, "_put", full)
    with pytest.raises(WorkersLost, match=r"cannot be given weights: .*no space left") as caught:
        remote.advance(1)
    assert "\n" not in str(caught.value)


def test_an_error_of_a_worker_ends_the_run_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote(ray_config(2, 2)).advance(1)

    def broken(*args: object, **kwargs: object) -> Reply:
        raise OSError("no such\ndevice")

    monkeypatch.setattr(remote.group.runners[2], "sample", broken)
    with pytest.raises(WorkersLost, match=r"rollout worker 2 stopped: .*OSError: no such device"):
        remote.advance(1)


def test_values_that_are_not_finite_are_a_divergence_as_without_workers() -> None:
    remote = Remote(ray_config(2, 2)).advance(1)
    for parameter in remote.loop.learner.model.agent.parameters():
        parameter.data.fill_(float("nan"))
    told = r"worker 1 stopped: .*: the cameras' values of their actions are not finite"
    with pytest.raises(NotFiniteError, match=told):
        remote.advance(1)


def test_a_state_that_a_worker_cannot_go_on_with_is_told_with_its_reason() -> None:
    old = Remote(ray_config(2, 2)).advance(1).loop.state_dict()
    old["rollout"]["agent"]["decision_index"] = np.zeros((4, 7), np.int64)
    new = Remote(ray_config(2, 2))
    new.loop.load_state_dict(old, None)
    with pytest.raises(WorkersLost, match=r"worker 1 stopped: .*ValueError: .*decision_index"):
        new.advance(1)


def test_a_worker_that_cannot_start_is_named_with_its_reason() -> None:
    group = Group(ray_config(2, 2))
    group.runners[1].config.make_env = "json.loads"
    with pytest.raises(ClusterError, match=r"worker 1 cannot start: .*TypeError: loads") as caught:
        start_workers(group, 2)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)

    dying = Group(ray_config(2, 2))
    dying.lose = iter([2])
    with pytest.raises(ClusterError, match="worker 2 ended while it started"):
        start_workers(dying, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [(1, 4), (2, 2), (4, 1)])
def test_a_state_goes_on_with_any_number_of_workers(workers: tuple[int, int]) -> None:
    old = Remote(ray_config(2, 2)).advance(12)
    config = ray_config(*workers, training={"seed": 7})
    new = Remote(config)
    saved = copy.deepcopy((old.loop.state_dict(), old.loop.replay.state_dict()))
    new.loop.load_state_dict(*saved)
    assert same(new.advance(0).loop, old.loop)
    new.advance(6)
    old.advance(6)
    assert new.loop.counters == old.loop.counters
    if workers == (2, 2):
        assert same(new.loop, old.loop)


def test_there_is_no_state_before_the_first_chunk() -> None:
    with pytest.raises(RuntimeError, match="before the first chunk"):
        Remote(ray_config(1, 2)).episodes.state_dict()


def test_a_worker_counts_its_frames() -> None:
    remote = Remote(ray_config(1, 4)).advance(2)
    runner: QPLEXHRLEnvRunner = remote.group.runners[1]
    assert runner.num_env_steps_sampled_lifetime == remote.loop.counters.timestep
