"""The fast level: keeping is worth 0, nothing changes at first, it learns from the slow one."""

import pytest
import torch
from small_model import availability, observations, world
from torch import Tensor

from qplex_hrl.networks.reaction import FLOOR, ReactionNetwork, reaction_loss
from qplex_hrl.types import ModelDims

ROWS = 6
PLAN = 1


def sizes() -> tuple[ModelDims, Tensor]:
    dims, bits = world()
    return ModelDims(**vars(dims) | {"plan_size": PLAN}), bits


def network(seed: int = 0) -> ReactionNetwork:
    torch.manual_seed(seed)
    return ReactionNetwork(*sizes(), width=16)


def rows(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations [n, D], slow values [n, U] and actions in force [n]."""
    dims, _ = sizes()
    obs = observations(dims, ROWS // dims.n_agents, seed=seed).flatten(0, 1)
    avail = availability(dims, ROWS // dims.n_agents, seed=seed).flatten(0, 1)
    values = torch.randn(avail.shape, generator=torch.Generator().manual_seed(seed))
    values = values.masked_fill(~avail, -torch.inf)
    return obs, values, values.argmax(dim=-1)


@pytest.mark.parametrize("passed", [0.0, 0.3, 1.0])
def test_keeping_is_worth_nothing(passed: float) -> None:
    obs, values, actions = rows()
    fast = network()
    advantages = fast(fast.glance(rows(seed=1)[0]), fast.hold(obs, values), actions, passed)
    assert advantages.shape == values.shape
    assert torch.equal(advantages.gather(-1, actions[:, None]), torch.zeros(ROWS, 1))


def test_nothing_is_replaced_where_nothing_has_passed() -> None:
    obs, values, actions = rows()
    fast = network()
    advantages = fast(fast.glance(obs), fast.hold(obs, values), actions, 0.0)
    best = values.amax(dim=-1, keepdim=True)
    torch.testing.assert_close(advantages, (values - best).clamp_min(FLOOR))
    assert (advantages <= 0).all()


def test_a_held_plan_is_what_the_slow_level_said_and_saw() -> None:
    obs, values, _ = rows()
    fast = network()
    held = fast.hold(obs, values)
    assert held.advantages.amax(dim=-1).tolist() == [0.0] * len(obs)
    assert held.advantages.amin() >= FLOOR
    assert torch.equal(held.glance, fast.glance(obs))


def test_plans_depend_on_the_plan_features_and_search_actions_on_their_rows() -> None:
    """Feature 0 of an action is part of a glance, the last is of the plan."""
    dims, _ = sizes()
    obs, values, _ = rows()
    fast = network()
    plan = fast.hold(obs, values).plan
    for feature, matters_to in ((-1, "all"), (0, "search")):
        changed = obs.clone()
        of_actions = changed[:, -dims.n_actions * dims.action_size :]
        of_actions.view(ROWS, dims.n_actions, -1)[..., feature] += 1.0
        same = (fast.hold(changed, values).plan == plan).all(dim=-1).all(dim=0)
        n_search = 0 if matters_to == "all" else dims.n_actions - dims.n_search
        assert same.tolist() == [u < n_search for u in range(dims.n_actions)]


def test_the_advantages_are_those_of_the_formula() -> None:
    """Action by action, with a loop over the targets that it selects."""
    dims, bits = sizes()
    obs, values, actions = rows()
    later = rows(seed=1)[0]
    fast = network()
    held = fast.hold(obs, values)
    found = fast(fast.glance(later), held, actions, 0.6)
    start, length = dims.context_size, dims.target_size
    end = start + dims.n_targets * length
    for n in range(ROWS):
        now, then = later[n], obs[n]
        pairs = [
            torch.cat([part[start + length * t :][:3] for part in (now, then)])
            for t in range(dims.n_targets)
        ]
        embeddings = torch.stack([fast.target_mlp(pair) for pair in pairs])
        pooled = [embeddings.mean(0), embeddings.amax(0), held.plan[n, actions[n]]]
        state = fast.context_mlp(torch.cat([now[:2], then[:2], *pooled]))
        worth = []
        for u in range(dims.n_actions):
            hidden = held.plan[n, u] + state
            if u < dims.n_actions - dims.n_search:
                hidden = hidden + fast.action_layer(now[end + dims.action_size * u :][:1])
            for t in range(dims.n_targets):
                if bits[u, t]:
                    hidden = hidden + fast.target_layer(embeddings[t])
            worth.append(held.advantages[n, u] + 0.6 * fast.output(torch.relu(hidden))[0])
        expected = torch.stack(worth) - worth[actions[n]]
        torch.testing.assert_close(found[n], expected)


def test_only_possible_actions_of_rows_that_go_on_are_learned_from() -> None:
    obs, values, actions = (torch.stack([a, b]) for a, b in zip(rows(0), rows(1), strict=True))
    goes_on = torch.tensor([True, False, True, True, False, True])
    fast = network()
    values[1].scatter_(-1, actions[0][:, None], 0.5)  # the actions in force are available
    loss = reaction_loss(fast, obs, values, actions[0], goes_on)
    changed = values.clone()
    changed[1, ~goes_on] += 7.0
    assert torch.equal(reaction_loss(fast, obs, changed, actions[0], goes_on), loss)
    changed[1, 0] += 7.0 * torch.arange(values.shape[-1])
    assert reaction_loss(fast, obs, changed, actions[0], goes_on) != loss
    nothing = reaction_loss(fast, obs, values, actions[0], torch.zeros_like(goes_on))
    assert nothing == 0


def test_an_action_that_is_impossible_now_teaches_nothing() -> None:
    obs, values, actions = (torch.stack([a, b]) for a, b in zip(rows(0), rows(1), strict=True))
    values[1].scatter_(-1, actions[0][:, None], -torch.inf)
    loss = reaction_loss(network(), obs, values, actions[0], torch.ones(ROWS, dtype=torch.bool))
    assert loss == 0
    assert torch.isfinite(loss)


def test_it_learns_to_replace_an_action_that_has_become_worse() -> None:
    """What a target is worth now depends on what is seen of it; before, action 1 was best."""
    dims, bits = sizes()
    fast = network()
    optimizer = torch.optim.Adam(fast.parameters(), 3e-3)
    rng = torch.Generator().manual_seed(0)
    seen = slice(dims.context_size, dims.context_size + dims.n_targets * dims.target_size)

    def sample(n: int) -> tuple[Tensor, Tensor, Tensor]:
        obs = torch.randn(2, n, dims.obs_size, generator=rng)
        before = torch.zeros(n, dims.n_actions)
        before[:, 1] = 1.0
        worth = obs[1, :, seen].reshape(n, dims.n_targets, dims.target_size)[..., 0]
        return obs, torch.stack([before, before + worth @ bits.T.float()]), before.argmax(dim=-1)

    for _ in range(300):
        obs, values, actions = sample(128)
        loss = reaction_loss(fast, obs, values, actions, torch.ones(128, dtype=torch.bool))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    obs, values, actions = sample(500)
    chosen = fast(fast.glance(obs[1]), fast.hold(obs[0], values[0]), actions, 1.0).argmax(dim=-1)
    best = values[1].topk(2, dim=-1)
    clear = best.values[:, 0] - best.values[:, 1] > 0.5
    assert (chosen == best.indices[:, 0])[clear].float().mean() > 0.95
    assert (best.indices[:, 0] != actions).float().mean() > 0.3
