"""Chunks of experience: contents, counting, independence of chunk size, continuation."""

import copy

import numpy as np
import pytest
import torch
from fake_env import FakeEnv
from tiny import CPU, tiny_agent, tiny_model, tiny_rollout, tiny_shaping, tiny_sizes

from camsim.tables import EPISODE_COLUMNS
from qplex_hrl.config import HRLConfig, RewardCoefficients
from qplex_hrl.data.replay import DecisionChunk, ReplayBuffer
from qplex_hrl.data.rollout import Rollout

SEEDS = np.array([3, 5, 8], np.uint64)


def world(**options: float) -> FakeEnv:
    return FakeEnv(3, **options)  # type: ignore[arg-type]


def started(**options: float) -> Rollout:
    rollout = tiny_rollout(world(**options))
    rollout.reset(SEEDS)
    return rollout


def joined(chunks: list[DecisionChunk]) -> DecisionChunk:
    return DecisionChunk(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))


def assert_equal(left: DecisionChunk, right: DecisionChunk) -> None:
    for name in left._fields:
        assert np.array_equal(getattr(left, name), getattr(right, name)), name


@pytest.mark.parametrize("stereo", [0.0, 2.0])
def test_a_chunk_is_what_agent_and_environment_did(stereo: float) -> None:
    """The same loop written out by hand, whether stereo coverage earns something or not."""
    weights = RewardCoefficients(stereo_coverage_rate=stereo)
    env, agent = world(), tiny_agent(world())
    shaping = tiny_shaping(HRLConfig(reward_coefficients=weights))
    rollout = Rollout(world(), tiny_agent(world()), shaping, tiny_sizes(env))  # type: ignore[arg-type]
    rollout.reset(SEEDS)
    chunk = rollout.collect(30, epsilon=0.3).decisions
    output = env.reset(SEEDS)
    for row in range(30):
        assert np.array_equal(chunk.obs[row], output.obs.astype(np.float16))
        assert np.array_equal(chunk.state[row], output.state.astype(np.float16))
        assert np.array_equal(chunk.avail_actions[row], output.avail_actions)
        assert np.array_equal(chunk.decision_index[row], agent.decision_index)
        memory = agent.recurrent_state.numpy().astype(np.float16)
        assert np.array_equal(chunk.recurrent_state[row], memory)
        actions = agent.act(output.obs, output.avail_actions, 0.3)
        assert np.array_equal(chunk.actions[row], actions)
        before = output.initial_coverage
        output = env.step(actions)
        reward, own = shaping(
            output.reward,
            (output.difference_reward, output.stereo_difference_reward),
            (before, output.coverage),
            output.bonus,
            output.terminated,
        )
        assert np.array_equal(chunk.reward[row], reward.astype(np.float32))
        assert np.array_equal(chunk.difference_reward[row], own.astype(np.float32))
        lost = output.difference_reward + stereo * output.stereo_difference_reward
        np.testing.assert_allclose(own - reward[:, None], 0.2 * (lost - output.reward[:, None]))
        assert np.array_equal(chunk.terminated[row], output.terminated)
        assert np.array_equal(chunk.truncated[row], output.truncated)
        agent.reset_rows(output.terminated | output.truncated)


def test_clock_and_memory_restart_after_an_episode() -> None:
    chunk = started(max_decisions=6, p_terminate=0.1).collect(60, 0.1).decisions
    ended = (chunk.terminated | chunk.truncated)[:-1]
    assert ended.sum() > 20
    assert (chunk.decision_index[1:][ended] == 0).all()
    assert (chunk.recurrent_state[1:][ended] == 0).all()
    going_on = chunk.decision_index[1:][~ended] - chunk.decision_index[:-1][~ended]
    assert (going_on == 1).all()
    assert (np.abs(chunk.recurrent_state[1:][~ended]).max(axis=-1) > 0).all()


def test_chunks_join_to_the_same_experience() -> None:
    whole = started().collect(24, 0.2).decisions
    rollout = started()
    assert_equal(whole, joined([rollout.collect(n, 0.2).decisions for n in (1, 7, 16)]))


def test_frames_and_episodes_are_counted() -> None:
    rollout = started(max_decisions=6, p_terminate=0.1)
    experience = rollout.collect(200, 0.5)
    ended = experience.decisions.terminated | experience.decisions.truncated
    assert experience.episodes.shape == (ended.sum(), len(EPISODE_COLUMNS))
    length = experience.episodes[:, EPISODE_COLUMNS.index("length")]
    unfinished = rollout._env._statistics[:, EPISODE_COLUMNS.index("length")]  # type: ignore[attr-defined]
    assert experience.n_frames == length.sum() + unfinished.sum()
    assert 0 < experience.n_frames < 200 * 3 * 5  # terminated episodes end within a decision


def test_stored_memory_reproduces_the_acting_values_in_a_window() -> None:
    """The replay's windows, unrolled by the same weights, give the greedy actions taken."""
    env = world(max_decisions=50, p_terminate=0.0)
    rollout = tiny_rollout(env)
    rollout.reset(SEEDS)
    replay = ReplayBuffer(
        tiny_sizes(env),
        capacity=300,
        sequence_length=7,
        burn_in=0,
        rng=np.random.default_rng(0),
    )
    replay.add(rollout.collect(100, epsilon=0.0).decisions)
    batch = replay.sample(32, CPU)
    with torch.no_grad():
        q_values = tiny_model(env).agent(batch.obs, batch.hidden_state).q_values[:, :-1]
    masked = torch.where(batch.avail_actions[:, :-1], q_values, -torch.inf)
    taken = masked.gather(-1, batch.actions.unsqueeze(-1)).squeeze(-1)
    gap = (masked.amax(dim=-1) - taken)[batch.filled]
    assert gap.max() < 1e-2  # float16 storage


def test_a_restored_rollout_goes_on_bit_for_bit() -> None:
    old = started()
    old.collect(13, 0.3)
    saved = copy.deepcopy(old.state_dict())
    random_state = old.agent._rng.bit_generator.state
    expected = old.collect(20, 0.3)
    new = tiny_rollout(world(), seed=99)
    new.load_state_dict(saved)
    new.agent._rng.bit_generator.state = random_state
    again = new.collect(20, 0.3)
    assert_equal(expected.decisions, again.decisions)
    assert np.array_equal(expected.episodes, again.episodes)


def test_collecting_needs_a_start() -> None:
    with pytest.raises(RuntimeError, match="reset the rollout"):
        tiny_rollout(world()).collect(1, 0.0)
