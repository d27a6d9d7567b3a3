"""The runner that steps all worlds at once: what it stores, counts and logs."""

import numpy as np
import pytest
import torch
from pymarl_parts import SCHEME, EpisodeTable, LastAction, Log, pymarl_modules, run_settings

from qplex_hrl.clients.pymarl_env import EpymarlEnv
from qplex_hrl.clients.pymarl_runner import BatchRunner
from qplex_hrl.clients.pymarl_worlds import WorldsStep


def made(log: Log | None = None, **changes: object) -> BatchRunner:
    runner = BatchRunner(run_settings(**changes), log or Log())
    with pymarl_modules():
        runner.setup(SCHEME, {"agents": 4}, {}, LastAction())
        runner.batch = runner._new_batch()
    return runner


@pytest.mark.parametrize("env", ["mate", "mate_selection"])
@pytest.mark.parametrize("common", [True, False])
def test_every_row_is_the_episode_of_one_environment(env: str, common: bool) -> None:
    runner = made(env=env, common_reward=common, reward_scalarisation="sum")
    seeds = np.random.default_rng(3).integers(2**63, size=3, dtype=np.uint64)
    batch: EpisodeTable = runner.run()
    task = "raw" if env == "mate" else "selection"
    for row, seed in enumerate(seeds.tolist()):
        one = EpymarlEnv(task=task, common_reward=common, time_limit=4, seed=seed)
        one.reset()
        stored = {name: values[row] for name, values in batch.data.items()}
        for t in range(5):
            np.testing.assert_array_equal(stored["obs"][t], one.get_obs())
            np.testing.assert_array_equal(stored["state"][t], one.get_state())
            np.testing.assert_array_equal(stored["avail_actions"][t], one.get_avail_actions())
            if t == 4:
                break
            _, reward, terminated, _, _ = one.step(stored["actions"][t].reshape(-1).numpy())
            np.testing.assert_allclose(stored["reward"][t], np.atleast_1d(reward), rtol=1e-6)
            assert stored["terminated"][t] == terminated
    assert batch.filled.all()
    assert batch.data["avail_actions"].gather(3, batch.data["actions"].transpose(2, 3)).all()


def test_a_world_that_ends_early_is_stored_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = made()
    play, n_steps = runner._worlds.step, [0]

    def ending_early(actions: np.ndarray) -> WorldsStep:
        n_steps[0] += 1
        step = play(actions)
        ended = np.array([False, n_steps[0] == 2, False])
        return step._replace(terminated=step.terminated | ended)

    monkeypatch.setattr(runner._worlds, "step", ending_early)
    batch: EpisodeTable = runner.run()
    assert batch.filled.sum(dim=1).tolist() == [5, 3, 5]
    assert batch.data["terminated"].sum(dim=1).tolist() == [0, 1, 0]
    assert (batch.data["reward"][1, 2:] == 0.0).all()
    assert runner.t_env == 4 + 2 + 4


def test_the_same_seed_gives_the_same_batches() -> None:
    first, second = made(), made()
    for _ in range(2):
        one, other = first.run(), second.run()
        assert all(torch.equal(one.data[name], other.data[name]) for name in one.data)
    another = made(env_args={"seed": 4, "time_limit": 4}).run()
    assert not torch.equal(another.data["obs"], one.data["obs"])


def test_training_and_tests_are_counted_and_logged_apart() -> None:
    log = Log()
    runner = made(log)
    runner.run(test_mode=True)
    assert runner.t_env == 0
    assert log.values == {}
    runner.run(test_mode=True)
    assert set(log.values) == {
        f"test_{name}_mean"
        for name in ("return", "coverage_rate", "mean_transport_rate", "episode_limit", "ep_length")
    } | {"test_return_std"}
    assert log.values["test_ep_length_mean"] == [4.0]
    assert log.values["test_episode_limit_mean"] == [1.0]
    for _ in range(3):
        runner.run()
    assert runner.t_env == 36
    assert log.values["epsilon"] == [0.25, 0.25]  # at once, then after 20 steps
    assert len(log.values["return_mean"]) == 2


def test_members_rewards_are_logged_one_by_one() -> None:
    log = Log()
    made(log, common_reward=False).run()
    assert {"agent_3_return_mean", "total_return_std"} <= set(log.values)


def test_sizes_are_those_of_the_environment() -> None:
    runner = made()
    assert runner.get_env_info() == EpymarlEnv(time_limit=4).get_env_info()
    runner.close_env()
    with pytest.raises(ValueError, match="expected runner = episode"):
        runner.save_replay()


def test_other_environments_are_refused() -> None:
    with pytest.raises(ValueError, match="env = 'gymma'; expected mate, mate_selection"):
        BatchRunner(run_settings(env="gymma"), Log())
