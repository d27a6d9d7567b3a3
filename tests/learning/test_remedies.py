"""The remedies of docs/troubleshooting.md: each moves what it promises to move.

Every knob is turned in the configuration and its effect seen in the real parts. More on
single parts: that coverage shaping telescopes exactly is in test_shaping.py, how exploration draws
is in test_agent.py.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import CPU, make_fake_env, tiny_config

from camcontrol.selection_env import SelectionEnv
from qplex_hrl.config import NetworkConfig, RunConfig
from qplex_hrl.data.collector import Collector
from qplex_hrl.data.make_env import build_env
from qplex_hrl.data.replay import DecisionChunk
from qplex_hrl.evaluation.players import AgentPlayer
from qplex_hrl.evaluation.trained import greedy_agent
from qplex_hrl.training.loop import TrainingLoop

WORLD = {"scenario": "MATE-4v2-9", "max_episode_steps": 2000, "num_envs": 4}


def fake_loop(**sections: dict[str, object]) -> TrainingLoop:
    """A loop in the fake world."""
    config = tiny_config(Path("unused"), **sections)
    return TrainingLoop(config, make_fake_env(config, config.env.num_envs), CPU)  # type: ignore[arg-type]


def real(**hrl: object) -> RunConfig:
    network = tiny_config(Path("unused")).network.model_dump()
    network["hrl"] |= {"coverage_reward_weight": 0.0, "exploration_bonus": 0.0} | hrl
    content = NetworkConfig.model_validate(network).model_dump()
    return tiny_config(Path("unused"), env=WORLD, network=content)


def real_loop(**hrl: object) -> TrainingLoop:
    """A loop in the compiled world, without terms of reward but those given."""
    config = real(**hrl)
    return TrainingLoop(config, build_env(config, config.env.num_envs), CPU)


def iterate(loop: TrainingLoop, n_iterations: int) -> TrainingLoop:
    with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
        for _ in range(n_iterations):
            loop.iterate(collector)
    return loop


def collected(n_decisions: int = 60, **hrl: object) -> DecisionChunk:
    """The same random decisions in the compiled world, whatever the terms of reward."""
    return real_loop(**hrl).rollout.collect(n_decisions, 1.0).decisions


# Low coverage


def test_coverage_reward_weight_up_rewards_coverage_gained_in_proportion() -> None:
    without, once, twice = (collected(coverage_reward_weight=w).reward for w in (0.0, 0.5, 1.0))
    term = once - without
    assert (term > 0.02).any(), "gained"
    assert (term < -0.02).any(), "lost"
    np.testing.assert_allclose(twice - without, 2 * term, atol=1e-6)
    # What it adds to an episode depends on its ends alone: at most the weight times the scale.
    algorithm = tiny_config(Path("unused")).algorithm
    discounts = (algorithm.gamma**5) ** np.arange(len(term))
    assert (np.abs(discounts @ term) <= 0.5 * algorithm.reward_scale + 1e-6).all()
    assert np.abs(term).sum(axis=0).min() > 0.5 * algorithm.reward_scale


def test_exploration_bonus_up_rewards_finding_what_nobody_saw() -> None:
    without, with_bonus = (collected(exploration_bonus=w).reward for w in (0.0, 0.5))
    gain = with_bonus - without
    assert (gain >= 0).all()
    assert 0.0 < (gain > 0.01).mean() < 0.5  # where a target is found, not everywhere


@pytest.mark.parametrize("knob", ["coverage_reward_weight", "exploration_bonus"])
def test_both_terms_count_as_much_in_every_cameras_difference_reward(knob: str) -> None:
    without, twice = (collected(**{knob: weight}) for weight in (0.0, 1.0))
    gained = twice.reward - without.reward
    assert np.abs(gained).max() > 0.01
    own = twice.difference_reward - without.difference_reward
    np.testing.assert_allclose(own, np.repeat(gained[..., None], own.shape[-1], -1), atol=1e-6)


@pytest.mark.jit
def test_the_exploration_bonus_is_none_in_evaluation() -> None:
    def rewards(weight: float) -> NDArray[np.float64]:
        config = real(exploration_bonus=weight)
        env = build_env(config, 2)
        network = TrainingLoop(config, build_env(config, 4), CPU).learner.model.agent
        player = AgentPlayer(env, greedy_agent(network, env, CPU))
        return player.run_episodes(np.arange(2, dtype=np.uint64))

    np.testing.assert_array_equal(rewards(0.0), rewards(5.0))


def test_frame_skip_down_lets_the_slow_level_decide_more_often() -> None:
    def n_decisions(frame_skip: int) -> int:
        config = real(frame_skip=frame_skip, fast_interval=1)
        env: SelectionEnv = build_env(config, 1)
        network = TrainingLoop(config, build_env(config, 4), CPU).learner.model.agent
        agent = greedy_agent(network, env, CPU)
        output, n_frames = env.reset(np.zeros(1, np.uint64)), 0
        while n_frames < 200:
            output = env.step(agent.act(output.obs, output.avail_actions), agent.reaction)
            n_frames += int(output.frames[0])
        return int(agent.decision_index[0])

    assert [n_decisions(frame_skip) for frame_skip in (20, 10, 5)] == [10, 20, 40]


# Unstable training


def step_size(learning_rate: float) -> float:
    """How far the first update moves the weights; everything before it is equal."""
    algorithm = {"learning_rate": learning_rate, "learning_rate_end": 0.0}
    loop = fake_loop(algorithm=algorithm, training={"train_freq": 5.0})
    parameters = list(loop.learner.model.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    while loop.learner.n_updates < 1:
        iterate(loop, 1)
    assert loop.learner.n_updates == 1
    moved = [(p.detach() - old).square().sum() for p, old in zip(parameters, before, strict=True)]
    return float(torch.stack(moved).sum().sqrt())


def test_learning_rate_down_takes_smaller_steps_and_up_larger_ones() -> None:
    usual = step_size(7e-4)
    assert step_size(7e-5) == pytest.approx(usual / 10, rel=1e-3)
    assert step_size(1.4e-3) == pytest.approx(usual * 2, rel=1e-3)


def test_batch_size_up_gives_gradients_that_vary_less() -> None:
    loop = fake_loop(algorithm={"grad_clip": 1e9, "tau": 0.0})
    loop.replay.add(loop.rollout.collect(90, 1.0).decisions)

    def variance(batch_size: int) -> float:
        gradients = []
        for _ in range(24):
            loop.learner.update(loop.replay.sample(batch_size, CPU), 0.0)  # moves no weight
            parts = [
                p.grad.flatten() for p in loop.learner.model.parameters() if p.grad is not None
            ]
            gradients.append(torch.cat(parts))
        return float(torch.stack(gradients).var(dim=0).sum())

    assert variance(32) < 0.3 * variance(4)  # one eighth if windows were independent


def test_selection_entropy_weight_down_gives_choices_that_are_less_diverse() -> None:
    def entropy(weight: float) -> float:
        network = tiny_config(Path("unused")).network.model_dump()
        network["hrl"]["selection_entropy_weight"] = weight
        algorithm = {"learning_rate": 1e-2}
        loop = fake_loop(network=network, algorithm=algorithm)
        selector = loop.learner.model.agent.selector
        assert selector is not None
        with torch.no_grad():  # choices that are not uniform to begin with
            selector.fast_attention.query.weight.mul_(5)
            selector.slow_attention.query.weight.mul_(5)
        entropies: list[torch.Tensor] = []
        with Collector(loop.rollout, in_thread=False, prepare_thread=lambda: None) as collector:
            while loop.learner.n_updates < 30:
                updates = loop.iterate(collector).updates
                entropies += [update["selection_entropy"] for update in updates]
        return float(torch.stack(entropies[-5:]).mean())

    assert entropy(0.0) < entropy(10.0)


# Slow convergence


def test_epsilon_decay_down_explores_longer() -> None:
    slow, fast = (
        iterate(fake_loop(algorithm={"epsilon_decay": decay}), 10) for decay in (1e-4, 1e-3)
    )
    assert slow.counters.timestep == pytest.approx(fast.counters.timestep, rel=0.05)
    assert slow.epsilon > fast.epsilon + 0.1


def test_train_freq_up_updates_more_often() -> None:
    def updates_per_timestep(train_freq: float) -> float:
        loop = fake_loop(training={"train_freq": train_freq})
        while not loop.done:
            iterate(loop, 1)
        return loop.learner.n_updates / loop.counters.timestep

    few, many = updates_per_timestep(5.0), updates_per_timestep(20.0)
    assert many == pytest.approx(4 * few, rel=0.1)
