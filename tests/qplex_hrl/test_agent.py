"""Acting: greedy and exploring choices, memory and clock per environment, continuation."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qplex_hrl.agent import Agent
from qplex_hrl.types import AgentOutput

CPU = torch.device("cpu")
N, C, U = 3, 2, 4


class CountingNetwork(nn.Module):
    """Q-values are the observation times a weight; the memory counts decisions."""

    recurrent_size = 1
    reaction = None

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def step(self, obs: Tensor, avail_actions: Tensor, hidden_state: Tensor) -> AgentOutput:
        zeros = obs.new_zeros(obs.shape[:2])
        return AgentOutput(
            q_values=torch.where(avail_actions, self.weight * obs, -torch.inf),
            hidden_state=hidden_state + 1,
            fast_probs=zeros,
            slow_probs=zeros,
        )


def agent(n_envs: int = N, seed: int = 0, network: nn.Module | None = None) -> Agent:
    return Agent(
        network or CountingNetwork(),  # type: ignore[arg-type]
        n_envs=n_envs,
        n_agents=C,
        rng=np.random.default_rng(seed),
        device=CPU,
    )


def inputs(n_envs: int = N, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    avail = rng.random((n_envs, C, U)) < 0.6
    avail[..., 2] |= ~avail.any(axis=-1)
    return rng.normal(size=(n_envs, C, U)).astype(np.float32), avail


def test_greedy_takes_the_best_available_action() -> None:
    obs, avail = inputs()
    actions = agent().act(obs, avail)
    assert actions.dtype == np.int64
    for n in range(N):
        for c in range(C):
            best = max((u for u in range(U) if avail[n, c, u]), key=lambda u: obs[n, c, u])
            assert actions[n, c] == best


def test_exploring_draws_every_available_action_equally_often() -> None:
    explorer = agent(n_envs=1)
    obs = np.zeros((1, C, U), np.float32)
    avail = np.array([[[True, False, True, True], [False, True, False, False]]])
    drawn = np.array([explorer.act(obs, avail, epsilon=1.0)[0] for _ in range(3000)])
    counts = np.bincount(drawn[:, 0], minlength=U)
    assert counts[1] == 0
    assert np.abs(counts[[0, 2, 3]] - 1000).max() < 130  # 5 standard deviations
    assert (drawn[:, 1] == 1).all()


def test_epsilon_is_the_rate_of_exploration() -> None:
    explorer = agent(n_envs=500)
    obs = np.zeros((500, C, U), np.float32)
    obs[..., 0] = 1.0
    avail = np.ones((500, C, U), np.bool_)
    other = np.mean([(explorer.act(obs, avail, 0.2) != 0).mean() for _ in range(10)])
    assert other == pytest.approx(0.2 * 3 / 4, abs=0.02)


def test_the_random_stream_does_not_depend_on_epsilon() -> None:
    obs, avail = inputs()
    one, other = agent(seed=7), agent(seed=7)
    one.act(obs, avail, epsilon=0.0)
    other.act(obs, avail, epsilon=0.9)
    assert (one.act(obs, avail, 1.0) == other.act(obs, avail, 1.0)).all()


def test_clock_and_memory_run_per_environment_and_restart_with_the_episode() -> None:
    acting = agent()
    obs, avail = inputs()
    for _ in range(4):
        acting.act(obs, avail)
    acting.reset_rows(np.array([False, True, False]))
    assert acting.decision_index.tolist() == [4, 0, 4]
    assert acting.recurrent_state[:, 0, 0].tolist() == [4.0, 0.0, 4.0]
    acting.act(obs, avail)
    assert acting.decision_index.tolist() == [5, 1, 5]
    assert acting.recurrent_state[:, 0, 0].tolist() == [5.0, 1.0, 5.0]


def test_rows_do_not_influence_each_other() -> None:
    obs, avail = inputs(n_envs=3)
    together = agent(n_envs=3).act(obs, avail)
    alone = [agent(n_envs=1).act(obs[i : i + 1], avail[i : i + 1])[0] for i in range(3)]
    assert (together == np.array(alone)).all()


def test_acting_weights_are_a_copy_until_loaded_anew() -> None:
    network = CountingNetwork()
    acting = agent(network=network)
    obs, avail = inputs()
    before = acting.act(obs, avail)
    with torch.no_grad():
        network.weight.fill_(-1.0)
    assert (acting.act(obs, avail) == before).all()
    acting.load_weights(network)
    assert (acting.act(obs, avail) == agent().act(-obs, avail)).all()
    assert network.weight.requires_grad


def test_a_restored_agent_acts_as_the_old_one() -> None:
    obs, avail = inputs()
    old = agent(seed=3)
    for _ in range(2):
        old.act(obs, avail, 0.5)
    saved = old.state_dict()
    expected = [old.act(obs, avail, 0.5) for _ in range(5)]
    new = agent(seed=3)
    new._rng.random((2, 2, N, C))  # the generator's owner restores it: two decisions were taken
    new.load_state_dict(saved)
    assert all((new.act(obs, avail, 0.5) == actions).all() for actions in expected)
    assert torch.equal(new.recurrent_state, old.recurrent_state)


def test_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(5, 2, 1\).*needs \(3, 2, 1\)"):
        agent().load_state_dict(agent(n_envs=5).state_dict())
