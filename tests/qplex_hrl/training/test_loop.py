"""The training loop: equal numbers for equal seeds, whatever runs where; exact continuation."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CPU, make_fake_env, tiny_config

from qplex_hrl.config import RunConfig
from qplex_hrl.data.collector import Collector
from qplex_hrl.runtime.devices import limit_threads
from qplex_hrl.storage.checkpoint import load_arrays, load_checkpoint, save_arrays, save_checkpoint
from qplex_hrl.training.loop import TrainingLoop

LONG = {"total_timesteps": 10_000, "train_freq": 50.0}
CONFIG = tiny_config(Path("unused"), training=LONG)


def new_loop(config: RunConfig = CONFIG) -> TrainingLoop:
    return TrainingLoop(config, make_fake_env(config, config.env.num_envs), CPU)  # type: ignore[arg-type]


def advance(loop: TrainingLoop, n_updates: int, *, in_thread: bool = False) -> TrainingLoop:
    """Iterate until the learner has done at least that many updates."""
    prepare = partial(limit_threads, 1)
    with Collector(loop.rollout, in_thread=in_thread, prepare_thread=prepare) as collector:
        while loop.learner.n_updates < n_updates:
            assert not loop.done
            loop.iterate(collector)
    return loop


def same(left: object, right: object) -> bool:
    """Whether two trees of tensors, arrays and values are equal bit for bit."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)  # type: ignore[arg-type]
    if isinstance(left, np.ndarray):
        return np.array_equal(left, right)  # type: ignore[arg-type]
    if isinstance(left, dict):
        assert isinstance(right, dict)
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))  # type: ignore[arg-type]
    return left == right


def with_seed(seed: int) -> RunConfig:
    return tiny_config(Path("unused"), training=LONG | {"seed": seed})


def test_equal_seeds_give_equal_training_and_others_do_not() -> None:
    first = advance(new_loop(), 20).state_dict()
    assert same(first, advance(new_loop(), 20).state_dict())
    other = advance(new_loop(with_seed(1)), 20).state_dict()
    assert not same(first["learner"]["model"], other["learner"]["model"])


def test_a_state_with_the_fifth_generator_of_old_still_loads() -> None:
    wanted = advance(new_loop(), 5).state_dict()
    old = wanted | {"generators": [*wanted["generators"], wanted["generators"][0]]}
    loop = new_loop(with_seed(1))
    loop.load_state_dict(old, None)
    assert same(loop.state_dict()["generators"], wanted["generators"])


def test_collecting_in_a_thread_changes_no_bit() -> None:
    alone = advance(new_loop(), 30)
    overlapped = advance(new_loop(), 30, in_thread=True)
    assert same(alone.state_dict(), overlapped.state_dict())
    assert same(alone.replay.state_dict(), overlapped.replay.state_dict())


@pytest.mark.parametrize("in_thread", [False, True])
def test_fifty_updates_after_a_resume_equal_the_uninterrupted_ones(
    tmp_path: Path, in_thread: bool
) -> None:
    old = advance(new_loop(), 12)
    save_checkpoint(tmp_path / "c.pth", old.state_dict())
    save_arrays(tmp_path / "c.npz", old.replay.state_dict())
    advance(old, 62, in_thread=in_thread)
    new = new_loop(with_seed(7))  # everything comes from the files
    new.load_state_dict(load_checkpoint(tmp_path / "c.pth"), load_arrays(tmp_path / "c.npz"))
    advance(new, 62, in_thread=in_thread)
    new_state, old_state = new.state_dict(), old.state_dict()
    assert new.learner.n_updates == old.learner.n_updates >= 62
    save_checkpoint(tmp_path / "old.pth", old_state)  # tuples become lists on disk
    save_checkpoint(tmp_path / "new.pth", new_state)
    assert same(load_checkpoint(tmp_path / "old.pth"), load_checkpoint(tmp_path / "new.pth"))
    assert same(old.replay.state_dict(), new.replay.state_dict())


def test_a_resumed_run_steps_at_the_rate_of_its_own_configuration() -> None:
    old = advance(new_loop(), 2)
    rate = CONFIG.algorithm.learning_rate / 4
    algorithm = CONFIG.algorithm.model_copy(update={"learning_rate": rate, "learning_rate_end": 0})
    new = new_loop(CONFIG.model_copy(update={"algorithm": algorithm}))
    new.load_state_dict(old.state_dict(), old.replay.state_dict())
    expected = new.learning_rate
    assert expected < rate
    with Collector(new.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        new.iterate(collector)
    assert [group["lr"] for group in new.learner.optimizer.param_groups] == [expected]


def test_without_the_saved_replay_learning_waits_until_it_is_filled_again() -> None:
    old = advance(new_loop(), 12)
    new = new_loop()
    new.load_state_dict(old.state_dict(), None)
    with Collector(new.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        before = new.counters.timestep
        while new.learner.n_updates == old.learner.n_updates:
            new.iterate(collector)
    assert new.counters.timestep - before >= CONFIG.training.learning_starts
    assert len(new.replay) > 0


def test_train_freq_is_updates_per_thousand_timesteps() -> None:
    for train_freq in (5.0, 20.0):
        config = tiny_config(
            Path("unused"), training={"train_freq": train_freq, "total_timesteps": 1500}
        )
        loop = new_loop(config)
        with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
            first = None
            while not loop.done:
                loop.iterate(collector)
                if first is None and loop.counters.updates_owed > 0:
                    first = loop.counters.timestep
        assert first is not None
        assert loop.counters.timestep >= config.training.total_timesteps
        expected = (loop.counters.timestep - first) * train_freq / 1000
        assert loop.learner.n_updates == pytest.approx(expected, abs=train_freq * 0.4)


def test_no_update_before_learning_starts() -> None:
    loop = new_loop()
    with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        while loop.counters.timestep <= CONFIG.training.learning_starts:
            assert loop.learner.n_updates == 0
            loop.iterate(collector)


def test_rates_follow_their_schedules() -> None:
    loop = new_loop()
    algorithm = CONFIG.algorithm
    assert loop.epsilon == algorithm.epsilon_start
    assert loop.learning_rate == algorithm.learning_rate
    advance(loop, 5)
    assert loop.epsilon < algorithm.epsilon_start
    assert loop.learning_rate < algorithm.learning_rate


def test_a_state_of_another_network_is_refused_in_one_line() -> None:
    saved = new_loop().state_dict()
    network = CONFIG.network.model_dump()
    network["q_network"]["hidden_size"] = 16
    other = new_loop(tiny_config(Path("unused"), network=network))
    with pytest.raises(ValueError, match="belong to another network") as caught:
        other.load_state_dict(saved, None)
    assert "\n" not in str(caught.value)


def test_a_state_of_another_number_of_environments_is_refused() -> None:
    saved = new_loop().state_dict()
    other = new_loop(tiny_config(Path("unused"), env={"num_envs": 3}))
    with pytest.raises(ValueError, match="shape"):
        other.load_state_dict(saved, None)


def test_an_error_while_collecting_reaches_the_caller() -> None:
    loop = new_loop()

    def fail(*_: object) -> None:
        raise OSError("broken world")

    loop.rollout._env.step = fail  # type: ignore[method-assign, assignment]
    with (
        Collector(loop.rollout, in_thread=True, prepare_thread=lambda: None) as collector,
        pytest.raises(OSError, match="broken world"),
    ):
        loop.iterate(collector)
