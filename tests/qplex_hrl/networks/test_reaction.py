"""The fast level: keeping is worth 0, nothing changes at first, it learns from the slow one."""

import pytest
import torch
from small_model import availability, observations, world
from torch import Tensor

from qplex_hrl.networks.reaction import (
    FLOOR,
    HeldPlan,
    ReactionNetwork,
    held_plan,
    reaction_loss,
    without_plan_features,
)
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
    dims, _ = sizes()
    obs, values, actions = rows()
    fast = network()
    advantages = fast(
        without_plan_features(obs, dims), held_plan(obs, values, dims), actions, passed
    )
    assert advantages.shape == values.shape
    assert torch.equal(advantages.gather(-1, actions[:, None]), torch.zeros(ROWS, 1))


def test_nothing_is_replaced_where_nothing_has_passed() -> None:
    dims, _ = sizes()
    obs, values, actions = rows()
    held = held_plan(obs, values, dims)
    advantages = network()(without_plan_features(obs, dims), held, actions, 0.0)
    best = values.amax(dim=-1, keepdim=True)
    torch.testing.assert_close(advantages, (values - best).clamp_min(FLOOR))
    assert (advantages <= 0).all()


def test_a_held_plan_is_what_the_slow_level_said_and_saw() -> None:
    dims, _ = sizes()
    obs, values, _ = rows()
    held = held_plan(obs, values, dims)
    assert held.advantages.amax(dim=-1).tolist() == [0.0] * len(obs)
    assert held.advantages.amin() >= FLOOR
    last = obs[:, -dims.n_actions * dims.action_size :].view(len(obs), dims.n_actions, -1)
    assert torch.equal(held.plan_features, last[..., -PLAN:])


def test_without_plan_features_all_else_stays_in_place() -> None:
    dims, _ = sizes()
    obs, _, _ = rows()
    short = without_plan_features(obs, dims)
    start = dims.context_size + dims.n_targets * dims.target_size
    assert torch.equal(short[:, :start], obs[:, :start])
    of_actions = obs[:, start:].view(len(obs), dims.n_actions, -1)[..., :-PLAN]
    assert torch.equal(short[:, start:].view(of_actions.shape), of_actions)


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
    """What an action is worth now depends on its first feature now; before, action 1 was best."""
    dims, _ = sizes()
    fast = network()
    optimizer = torch.optim.Adam(fast.parameters(), 3e-3)
    rng = torch.Generator().manual_seed(0)

    def sample(n: int) -> tuple[Tensor, Tensor, Tensor]:
        obs = torch.randn(2, n, dims.obs_size, generator=rng)
        before = torch.zeros(n, dims.n_actions)
        before[:, 1] = 1.0
        first_features = obs[1, :, -dims.n_actions * dims.action_size :: dims.action_size]
        return obs, torch.stack([before, before + 2 * first_features]), before.argmax(dim=-1)

    for _ in range(300):
        obs, values, actions = sample(128)
        loss = reaction_loss(fast, obs, values, actions, torch.ones(128, dtype=torch.bool))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    obs, values, actions = sample(500)
    held: HeldPlan = held_plan(obs[0], values[0], dims)
    chosen = fast(without_plan_features(obs[1], dims), held, actions, 1.0).argmax(dim=-1)
    best = values[1].topk(2, dim=-1)
    clear = best.values[:, 0] - best.values[:, 1] > 0.5
    assert (chosen == best.indices[:, 0])[clear].float().mean() > 0.95
    assert (best.indices[:, 0] != actions).float().mean() > 0.3
