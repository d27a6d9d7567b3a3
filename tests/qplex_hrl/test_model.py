"""The cameras' network: acting equals the window pass, independence, any T and U."""

import pytest
import torch
from small_model import (
    MIXERS,
    NETWORKS,
    Q_TYPES,
    availability,
    model,
    observations,
    world,
)

from qplex_hrl.algorithm.returns import mask_unavailable
from qplex_hrl.types import AgentOutput

LENGTH = 8


def act(network: torch.nn.Module, obs: torch.Tensor, avail: torch.Tensor) -> list[AgentOutput]:
    """Return the decisions of one episode, observation by observation ([N, L, C, D])."""
    hidden = obs.new_zeros(*obs[:, 0].shape[:2], network.recurrent_size)
    outputs = []
    for t in range(obs.shape[1]):
        outputs.append(network.step(obs[:, t], avail[:, t], hidden))
        hidden = outputs[-1].hidden_state
    return outputs


@pytest.mark.parametrize("q_type", NETWORKS)
@torch.no_grad()
def test_acting_step_by_step_equals_the_window_pass(q_type: str) -> None:
    dims, _ = world()
    agent = model(q_type).agent
    obs, avail = observations(dims, 2, LENGTH), availability(dims, 2, LENGTH)
    window = agent(obs, obs.new_zeros(2, dims.n_agents, agent.recurrent_size))
    steps = act(agent, obs, avail)
    expected = window._replace(q_values=mask_unavailable(window.q_values, avail))
    for name in ("q_values", "fast_probs", "slow_probs"):
        stepwise = torch.stack([getattr(step, name) for step in steps], dim=1)
        torch.testing.assert_close(stepwise, getattr(expected, name), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(steps[-1].hidden_state, window.hidden_state, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("q_type", NETWORKS)
@torch.no_grad()
def test_a_window_continues_from_the_recurrent_state_acting_had_there(q_type: str) -> None:
    dims, _ = world()
    agent = model(q_type).agent
    obs, avail = observations(dims, 2, LENGTH), availability(dims, 2, LENGTH)
    whole = agent(obs, obs.new_zeros(2, dims.n_agents, agent.recurrent_size))
    start = 5
    state = act(agent, obs, avail)[start - 1].hidden_state
    tail = agent(obs[:, start:], state)
    torch.testing.assert_close(tail.q_values, whole.q_values[:, start:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("q_type", NETWORKS)
@torch.no_grad()
def test_burn_in_frames_are_left_out_and_change_nothing_else(q_type: str) -> None:
    dims, _ = world()
    agent = model(q_type).agent
    obs = observations(dims, 2, LENGTH)
    hidden = obs.new_zeros(2, dims.n_agents, agent.recurrent_size)
    whole, warmed = agent(obs, hidden), agent(obs, hidden, burn_in=2)
    for name in ("q_values", "fast_probs", "slow_probs"):
        torch.testing.assert_close(getattr(warmed, name), getattr(whole, name)[:, 2:])
    torch.testing.assert_close(warmed.hidden_state, whole.hidden_state)


@pytest.mark.parametrize("q_type", NETWORKS)
@torch.no_grad()
def test_environments_do_not_influence_each_other(q_type: str) -> None:
    dims, _ = world()
    agent = model(q_type).agent
    obs, avail = observations(dims, 3), availability(dims, 3)
    hidden = torch.randn(3, dims.n_agents, agent.recurrent_size)
    before = agent.step(obs, avail, hidden)
    obs[1], avail[1], hidden[1] = observations(dims, seed=9), True, 0.0
    after = agent.step(obs, avail, hidden)
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(old[[0, 2]], new[[0, 2]])
    assert not torch.equal(before.q_values[1], after.q_values[1])


@pytest.mark.parametrize("q_type", NETWORKS)
@torch.no_grad()
def test_cameras_share_weights_and_do_not_influence_each_other(q_type: str) -> None:
    dims, _ = world()
    agent = model(q_type).agent
    obs = observations(dims, 1, LENGTH)
    hidden = torch.zeros(1, dims.n_agents, agent.recurrent_size)
    straight = agent(obs, hidden).q_values
    swapped = agent(obs.flip(2), hidden).q_values
    torch.testing.assert_close(swapped.flip(2), straight)


@pytest.mark.parametrize("tells_coverages", [True, False])
@pytest.mark.parametrize("q_type", Q_TYPES)
@torch.no_grad()
def test_the_same_weights_run_on_other_numbers_of_cameras_targets_and_actions(
    q_type: str, tells_coverages: bool
) -> None:
    sizes = world(n_targets=5, n_search=4, n_agents=3, tells_coverages=tells_coverages)
    small = model(q_type, sizes=world(tells_coverages=tells_coverages)).agent
    large = model(q_type, sizes=sizes, seed=1).agent
    large.load_state_dict(small.state_dict())
    dims = sizes[0]
    obs = observations(dims, 2, LENGTH)
    output = large(obs, obs.new_zeros(2, dims.n_agents, large.recurrent_size))
    assert output.q_values.shape == (2, LENGTH, 3, 19)


@pytest.mark.parametrize("q_type", ["flat_mlp", "flat_rnn"])
@torch.no_grad()
def test_a_flat_network_reads_every_number_of_an_observation(q_type: str) -> None:
    dims, _ = world()
    agent = model(q_type).agent
    obs = observations(dims, 1, 1)
    hidden = torch.zeros(1, dims.n_agents, agent.recurrent_size)
    before = agent(obs, hidden).q_values[0, 0, 1]
    for i in range(dims.obs_size):
        changed = obs.clone()
        changed[0, 0, 1, i] += 3.0
        assert not torch.equal(agent(changed, hidden).q_values[0, 0, 1], before)


@torch.no_grad()
def test_further_unknown_targets_change_nothing() -> None:
    sizes, larger = world(n_targets=2, n_search=1), world(n_targets=3, n_search=1)
    few, many = model(sizes=sizes).agent, model(sizes=larger).agent
    many.load_state_dict(few.state_dict())
    obs = observations(sizes[0], 2, LENGTH)
    # context 3 | targets 2 x 4 | actions {0}, {1}, {0, 1}, search, 2 numbers each
    context, targets, actions = obs.split([3, 8, 8], dim=-1)
    unknown = obs.new_zeros(*obs.shape[:-1], 4)
    singles, pair, search = actions.split([4, 2, 2], dim=-1)
    # actions {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, search
    actions = torch.cat([singles, pair, pair, pair, pair, search], dim=-1)
    wide = torch.cat([context, targets, unknown, actions], dim=-1)
    hidden = obs.new_zeros(2, 2, few.recurrent_size)
    narrow_q, wide_q = few(obs, hidden).q_values, many(wide, hidden).q_values
    torch.testing.assert_close(wide_q[..., [0, 1, 3, 6]], narrow_q)


@pytest.mark.parametrize(
    ("q_type", "tells_coverages"), [*((name, False) for name in NETWORKS), ("attention_rnn", True)]
)
def test_values_of_single_actions_and_their_gradients_equal_those_of_all(
    q_type: str, tells_coverages: bool
) -> None:
    sizes = world(tells_coverages=tells_coverages)
    dims, agent = sizes[0], model(q_type, sizes=sizes).agent
    obs = observations(dims, 2, LENGTH)
    hidden = torch.zeros(2, dims.n_agents, agent.recurrent_size)
    actions = torch.randint(dims.n_actions, (2, 2, LENGTH, dims.n_agents))
    every = agent(obs, hidden).q_values
    gathered = torch.stack([every.gather(-1, k.unsqueeze(-1)).squeeze(-1) for k in actions])
    single = agent.q_values_of(agent.unroll(agent.features(obs), hidden), actions)
    torch.testing.assert_close(single, gathered)
    weight = torch.randn_like(single)
    parameters = [p for name, p in agent.named_parameters() if not name.startswith("reaction")]
    expected = torch.autograd.grad((gathered * weight).sum(), parameters)
    found = torch.autograd.grad((single * weight).sum(), parameters)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mixer", MIXERS)
def test_every_mixer_can_be_built_and_mixes_a_batch(mixer: str) -> None:
    dims, _ = world()
    built = model(mixer=mixer)
    qs, state = torch.randn(2, 4, dims.n_agents), torch.randn(2, 4, dims.state_size)
    mixed = built.mix(qs, qs, state, torch.zeros(2, 4, dims.n_agents, dtype=torch.int64))
    assert mixed.q_tot.shape == (2, 4, dims.n_agents if mixer == "none" else 1)


def test_other_sizes_than_the_models_are_refused() -> None:
    dims, bits = world()
    agent = model().agent
    hidden = torch.zeros(1, dims.n_agents, agent.recurrent_size)
    with pytest.raises(ValueError, match=r"2 cameras with 32 numbers.*expects 2 with 31"):
        agent(torch.zeros(1, 2, 2, dims.obs_size + 1), hidden)
    with pytest.raises(ValueError, match=r"selection_bits has shape \(8, 2\), expected \(8, 3\)"):
        model(sizes=(dims, bits[:, :2]))
