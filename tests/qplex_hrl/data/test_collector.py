"""Chunks of experience: with a thread or without the same numbers, from weights as they were."""

import threading

import numpy as np
import pytest
import torch
from fake_env import FakeEnv
from tiny import tiny_model, tiny_rollout

from qplex_hrl.data.collector import Collector
from qplex_hrl.data.replay import DecisionChunk


def collect(*, in_thread: bool, spoil: bool = False) -> DecisionChunk:
    """A chunk; with `spoil` the weights change after it has begun."""
    env = FakeEnv(2)
    network = tiny_model(env, seed=3).agent
    rollout = tiny_rollout(env)
    rollout.reset(np.arange(2, dtype=np.uint64))
    with Collector(rollout, in_thread=in_thread, prepare_thread=lambda: None) as collector:
        collector.start(network, 12, 0.0)
        if spoil:
            with torch.no_grad():
                for weights in network.parameters():
                    weights.normal_()
        return collector.finish().decisions


def test_a_thread_and_later_weights_change_nothing() -> None:
    plain = collect(in_thread=False)
    for other in (collect(in_thread=True), collect(in_thread=True, spoil=True)):
        for mine, theirs in zip(plain, other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_the_thread_is_prepared_once_and_ends() -> None:
    prepared: list[str] = []
    rooms: list[tuple[int, str]] = []
    env = FakeEnv(2)
    rollout, network = tiny_rollout(env), tiny_model(env).agent
    rollout.reset(np.arange(2, dtype=np.uint64))
    with Collector(
        rollout,
        in_thread=True,
        prepare_thread=lambda: prepared.append(threading.current_thread().name),
        make_room=lambda n: rooms.append((n, threading.current_thread().name)),
    ) as collector:
        for n in (2, 3):
            collector.start(network, n, 1.0)
            collector.finish()
    assert len(prepared) == 1
    assert rooms == [(2, prepared[0]), (3, prepared[0])]
    assert prepared[0] not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("in_thread", [False, True])
def test_start_and_finish_alternate(in_thread: bool) -> None:
    env = FakeEnv(2)
    rollout = tiny_rollout(env)
    rollout.reset(np.arange(2, dtype=np.uint64))
    network = tiny_model(env).agent
    with Collector(rollout, in_thread=in_thread, prepare_thread=lambda: None) as collector:
        with pytest.raises(AssertionError, match="start a chunk first"):
            collector.finish()
        collector.start(network, 2, 1.0)
        with pytest.raises(AssertionError, match="finish the chunk"):
            collector.start(network, 2, 1.0)
        assert len(collector.finish().decisions.reward) == 2
