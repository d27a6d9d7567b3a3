"""The learner: burn-in and padding; windows do not influence each other."""

import pytest
import torch
from learners import BURN_IN, RATE, end, learner, weights, windows
from small_model import NETWORKS, observations, world

from qplex_hrl.types import SequenceBatch


def test_padding_change_nothing() -> None:
    """A window cut by a termination, once with padding and once without, gives the same update."""
    one, other = learner(), learner()
    padded = end(windows(one, n_windows=1), row=0, decision=4)
    short = SequenceBatch(
        *(
            field[:, : 6 if name in {"obs", "state", "avail_actions"} else 5]
            for name, field in list(padded._asdict().items())[:-1]
        ),
        padded.hidden_state,
    )
    with_padding, without = one.update(padded, RATE), other.update(short, RATE)
    for name, value in with_padding.items():
        torch.testing.assert_close(value, without[name], atol=1e-6, rtol=1e-4)
    for a, b in zip(weights(one), weights(other), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-3)


def test_a_batch_of_padding_teaches_nothing() -> None:
    one = learner()
    before = weights(one)
    padding = end(windows(one), 0, 0)._replace(filled=torch.zeros(3, 7, dtype=torch.bool))
    assert one.update(padding, RATE)["loss"] == 0
    for a, b in zip(before, weights(one), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("burn_in", [2, 3, 4])
@pytest.mark.parametrize("q_type", NETWORKS)
def test_what_is_seen_in_the_burn_in_gets_no_gradient(q_type: str, burn_in: int) -> None:
    one = learner(q_type, burn_in=burn_in)
    data = windows(one)
    data.obs.requires_grad_()
    data.hidden_state.requires_grad_()
    loss, _ = one.loss(data)
    loss.backward()
    assert data.obs.grad is not None
    assert (data.obs.grad[:, :burn_in] == 0).all()
    assert (data.obs.grad[:, burn_in:-1] != 0).any()
    assert data.hidden_state.grad is None


def begun_late(full: SequenceBatch, padding: int) -> SequenceBatch:
    """Return the batch with ``padding`` frames before its first decision, cut off at the end."""
    moved = SequenceBatch(*(field.clone() for field in full))
    for name, field in list(moved._asdict().items())[:-1]:
        source = getattr(full, name)
        field[:, padding:] = source[:, : field.shape[1] - padding]
        field[:, :padding] = 0
    moved.avail_actions[:, :padding, :, 0] = True
    moved.hidden_state.zero_()
    return moved


@pytest.mark.parametrize("burn_in", [2, 3, 4])
@pytest.mark.parametrize("q_type", NETWORKS)
def test_padding_before_an_episode_change_nothing(q_type: str, burn_in: int) -> None:
    one, other = (learner(q_type, burn_in=b) for b in (burn_in, 0))
    padding = burn_in
    data = windows(one, length=9)
    data.hidden_state.zero_()
    padded = begun_late(data, padding)
    # Without a burn-in there are no decisions of which the network has only memory.
    short = {name: field[:, : field.shape[1] - padding] for name, field in data._asdict().items()}
    alone = SequenceBatch(**short | {"hidden_state": data.hidden_state})
    expected, found = other.update(alone, RATE), one.update(padded, RATE)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-4)
    for a, b in zip(weights(one), weights(other), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-3)


@pytest.mark.jit
@pytest.mark.parametrize("q_type", NETWORKS)
@torch.no_grad()
def test_an_episode_that_begins_in_the_burn_in_begins_with_the_zero_state(q_type: str) -> None:
    one = learner(q_type, burn_in=4)
    data = windows(one, length=9)
    padded = begun_late(data, 3)
    mixed = SequenceBatch(*(torch.cat(pair) for pair in zip(data, padded, strict=True)))
    online = one._evaluate(mixed, one._inputs(mixed))
    own = one.model.agent(data.obs, torch.zeros_like(data.hidden_state), burn_in=1).q_values
    expected = own[:, :-3][:, :5].gather(-1, padded.actions[:, 4:].unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(online.agent_qs[3:], expected)
    carried = one.model.agent(data.obs, data.hidden_state, burn_in=4).q_values[:, :-1]
    expected = carried.gather(-1, data.actions[:, 4:].unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(online.agent_qs[:3], expected)


def test_rewards_and_actions_of_the_burn_in_do_not_count() -> None:
    one, other = learner(), learner()
    data = windows(one)
    changed = SequenceBatch(*(field.clone() for field in data))
    changed.reward[:, :BURN_IN] = 99.0
    changed.actions[:, :BURN_IN] = 0
    torch.testing.assert_close(one.update(data, RATE), other.update(changed, RATE))


def test_what_the_cameras_saw_in_the_burn_in_counts() -> None:
    one, other = learner(), learner()
    data = windows(one)
    dims, _ = world()
    changed = data._replace(obs=data.obs.clone())
    changed.obs[:, :BURN_IN] = observations(dims, 3, BURN_IN, seed=5)
    assert one.update(data, RATE)["loss"] != other.update(changed, RATE)["loss"]


@pytest.mark.parametrize("mixer", ["none", "vdn"])
def test_windows_do_not_influence_each_others_targets(mixer: str) -> None:
    """The loss of two windows is the mean of their own losses."""
    together, first, second = (learner(mixer=mixer, entropy_weight=0.0) for _ in range(3))
    both = windows(together, n_windows=2)
    loss = together.update(both, RATE)["loss"]
    parts = [
        one.update(SequenceBatch(*(field[i : i + 1] for field in both)), RATE)["loss"]
        for i, one in enumerate((first, second))
    ]
    torch.testing.assert_close(loss, (parts[0] + parts[1]) / 2)
