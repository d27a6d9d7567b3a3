"""The learner: which parts learn, target networks, NaN guard, continuation."""

import copy
import io

import pytest
import torch
from learners import BURN_IN, RATE, end, learner, weights, windows
from small_model import FRAMES, MIXERS, NETWORKS, batch, model, world

from qplex_hrl.config import AlgorithmConfig, HRLConfig
from qplex_hrl.learner import Learner, TrainingDiverged
from qplex_hrl.types import SequenceBatch


def test_a_fast_level_leaves_what_the_slow_one_learns_as_it_was() -> None:
    """Bit for bit: first weights, and after updates whose gradients are clipped."""
    hrl = HRLConfig(frame_skip=FRAMES, fast_interval=1)
    config = AlgorithmConfig(grad_clip=0.1)
    with_fast, without = (
        Learner(model(reacts=reacts), config, hrl, BURN_IN) for reacts in (True, False)
    )
    for seed in range(4):
        metrics = [one.update(windows(one, seed=seed), RATE) for one in (with_fast, without)]
        assert metrics[0]["grad_norm"] == metrics[1]["grad_norm"] > config.grad_clip
    slow = without.model.state_dict()
    found = with_fast.model.state_dict()
    assert {name for name in found if name not in slow} == {
        name for name in found if name.startswith("agent.reaction.")
    }
    for name, value in slow.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("q_type", NETWORKS)
def test_the_team_value_teaches_every_part(q_type: str, mixer: str) -> None:
    one = learner(q_type, mixer, entropy_weight=0.0)
    one.update(windows(one, n_windows=8), RATE)
    uses_state = mixer not in {"none", "vdn"}
    for name, parameter in one.model.named_parameters():
        if name.startswith("state_encoder") and not uses_state:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("algorithm", [{}, {"loss": "mse"}, {"optimizer": "rmsprop"}])
@pytest.mark.parametrize("mixer", MIXERS)
def test_it_fits_a_batch(mixer: str, algorithm: dict[str, object]) -> None:
    one = learner(mixer=mixer, entropy_weight=0.0, gamma=0.1, **algorithm)
    data = windows(one)
    losses = [one.update(data, RATE)["loss"].item() for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.jit
@pytest.mark.parametrize("mixer", MIXERS)
@pytest.mark.parametrize("q_type", ["mlp", "flat_rnn", "attention_rnn"])
def test_values_of_greedy_actions_without_a_graph_change_no_gradient(
    q_type: str, mixer: str
) -> None:
    """Q_tot does not depend on V_i: its gradient is that of sum Q_i' + (lambda_i - 1) sg(A_i')."""
    one = learner(q_type, mixer, entropy_weight=0.0)
    data = windows(one)
    given: list[torch.Tensor] = []
    one.model.mixer.register_forward_hook(lambda *call: given.append(call[1][1]))
    seen = one._inputs(data)
    online = one._evaluate(data, seen)
    assert not given[0].requires_grad
    weight = torch.randn_like(online.mixed.q_tot)
    parameters = list(one.model.parameters())
    found = torch.autograd.grad(
        (online.mixed.q_tot * weight).sum(), parameters, materialize_grads=True
    )

    agent, actions = one.model.agent, data.actions[:, BURN_IN:]
    taken = torch.stack([actions, online.greedy[:, :-1]])
    padded = torch.cat([taken, taken[:, :, -1:]], dim=2)
    agent_qs, max_agent_qs = agent.q_values_of(agent.unroll(*seen), padded)[:, :, :-1]
    assert max_agent_qs.requires_grad
    torch.testing.assert_close(given[0], max_agent_qs)
    q_tot = one.model.mix(agent_qs, max_agent_qs, data.state[:, BURN_IN:-1], actions).q_tot
    expected = torch.autograd.grad((q_tot * weight).sum(), parameters, materialize_grads=True)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_metrics_are_numbers_of_this_batch() -> None:
    one = learner()
    metrics = one.update(windows(one), RATE)
    expected = {"loss", "td_loss", "td_error", "q_tot", "td_target", "grad_norm"}
    expected |= {"selection_entropy", "fast_entropy", "slow_entropy", "gate", "complexity"}
    expected |= {"reaction_loss"}
    assert set(metrics) == expected
    for name, value in metrics.items():
        assert value.shape == (), name
        assert not value.requires_grad, name
        assert torch.isfinite(value), name
    entropy = (metrics["fast_entropy"] + metrics["slow_entropy"]) / 2
    torch.testing.assert_close(metrics["selection_entropy"], entropy)
    slow = metrics["td_loss"] - 0.01 * entropy
    torch.testing.assert_close(metrics["loss"], slow + metrics["reaction_loss"])


@pytest.mark.jit
def test_difference_rewards_teach_every_cameras_own_value() -> None:
    """The loss of the difference reward is that of independent cameras with their own rewards."""
    knobs = {"loss": "mse", "entropy_weight": 0.0}
    with_own = learner(difference_reward_weight=2.0, **knobs)
    data = windows(with_own)
    total = with_own.update(data, RATE)
    loss = total["difference_reward_loss"]
    assert torch.isfinite(loss)
    others = total["td_loss"] + total["reaction_loss"]
    torch.testing.assert_close(total["loss"], others + 2.0 * loss)
    alone = []
    for c in range(
        data.difference_reward.shape[-1]
    ):  # without a mixer every camera learns its own value
        independent = learner(mixer="none", **knobs)
        own = data._replace(reward=data.difference_reward[..., c])
        seen = independent._inputs(own)
        online = independent._evaluate(own, seen)
        targets = independent._td_targets(
            own._replace(**{name: getattr(own, name)[:, BURN_IN:] for name in own._fields[:-1]}),
            seen,
            online.greedy,
        )
        alone.append((online.mixed.q_tot - targets.team)[..., c].square().mean())
    torch.testing.assert_close(loss, torch.stack(alone).sum())


def test_difference_rewards_teach_a_camera_as_strongly_in_a_team_of_any_size() -> None:
    def gradient(n_agents: int) -> torch.Tensor:
        """Return that of the first camera's bias, among cameras with the same experience."""
        sizes = world(n_agents=n_agents)
        config = AlgorithmConfig(difference_reward_weight=1.0, learning_rate=RATE)
        built = model("mlp", "none", sizes=sizes)
        one = Learner(built, config, HRLConfig(frame_skip=1, fast_interval=1), 0)
        data = batch(world(n_agents=1)[0], 0, 3, 4, seed=0)
        repeated = SequenceBatch(
            *(
                field.repeat_interleave(n_agents, dim=2)
                if name in {"obs", "avail_actions", "actions", "difference_reward"}
                else field
                for name, field in data._asdict().items()
            )
        )._replace(hidden_state=torch.zeros(3, n_agents, 0))
        _, metrics = one.loss(repeated)
        metrics["difference_reward_loss"].backward()
        bias = one.model.agent.head.value_layer.bias.grad
        assert bias is not None
        return bias / n_agents  # the cameras share it

    torch.testing.assert_close(gradient(6), gradient(2))


def test_difference_rewards_of_no_weight_change_nothing() -> None:
    one, other = learner(), learner()
    data = windows(one)
    changed = data._replace(difference_reward=data.difference_reward + 5.0)
    torch.testing.assert_close(one.update(data, RATE), other.update(changed, RATE))
    heavy, light = learner(difference_reward_weight=1.0), learner(difference_reward_weight=1.0)
    assert heavy.update(data, RATE)["loss"] != light.update(changed, RATE)["loss"]


def test_difference_rewards_of_the_burn_in_and_of_padding_do_not_count() -> None:
    one, other = learner(difference_reward_weight=1.0), learner(difference_reward_weight=1.0)
    data = end(windows(one), 0, 4)
    changed = data._replace(difference_reward=data.difference_reward.clone())
    changed.difference_reward[:, :BURN_IN] = 99.0
    changed.difference_reward[0, 5:] = 99.0
    torch.testing.assert_close(one.update(data, RATE), other.update(changed, RATE))


def test_target_networks_follow_softly() -> None:
    one = learner(tau=0.25)
    before = copy.deepcopy(one.target_model)
    one.update(windows(one), RATE)
    for old, new, leading in zip(
        before.parameters(), one.target_model.parameters(), one.model.parameters(), strict=True
    ):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * leading)


def test_target_networks_are_copied_at_intervals() -> None:
    one = learner(tau=0.0, target_update_interval=2)
    data, start = windows(one), weights(one)
    one.update(data, RATE)
    for kept, old in zip(one.target_model.parameters(), start, strict=True):
        assert torch.equal(kept, old)
    one.update(data, RATE)
    for kept, new in zip(one.target_model.parameters(), one.model.parameters(), strict=True):
        assert torch.equal(kept, new)


def test_the_average_of_the_weights_is_that_of_the_definition() -> None:
    one = learner(ema_decay=0.3)
    average = [parameter.clone() for parameter in one.ema_agent.parameters()]
    for update in range(1, 5):
        one.update(windows(one, seed=update), RATE)
        kept = min(0.3, update / (update + 4))
        leading = one.model.agent.parameters()
        average = [kept * old + (1 - kept) * new for old, new in zip(average, leading, strict=True)]
    for ours, expected in zip(one.ema_agent.parameters(), average, strict=True):
        torch.testing.assert_close(ours, expected)
    last = learner()
    assert last.ema_agent is last.model.agent


def test_double_q_changes_targets_only_when_the_networks_disagree() -> None:
    def target(*, double_q: bool, n_updates: int) -> torch.Tensor:
        one = learner(double_q=double_q, tau=0.0, target_update_interval=1000)
        data = windows(one)
        return [one.update(data, RATE)["td_target"] for _ in range(n_updates)][-1]

    assert target(double_q=True, n_updates=1) == target(double_q=False, n_updates=1)
    # The target network's own maximum is never below its value of another action.
    single, double = (target(double_q=flag, n_updates=10) for flag in (False, True))
    assert single > double


@pytest.mark.parametrize("poison", ["reward", "obs"])
def test_a_loss_that_is_not_finite_leaves_everything_untouched(poison: str) -> None:
    one = learner()
    data = windows(one)
    one.update(data, RATE)
    before = copy.deepcopy(one.state_dict())
    poisoned = data._replace(**{poison: getattr(data, poison).clone()})
    getattr(poisoned, poison)[0, 3] = torch.nan
    with pytest.raises(TrainingDiverged, match="training diverged in update 2: loss nan"):
        one.update(poisoned, RATE)
    after = one.state_dict()
    assert after["n_updates"] == 1
    for part in ("model", "target_model"):
        for name, tensor in before[part].items():
            assert torch.equal(tensor, after[part][name])
    for number, slots in before["optimizer"]["state"].items():
        for name, value in slots.items():
            assert torch.equal(value, after["optimizer"]["state"][number][name])
    assert torch.isfinite(one.update(data, RATE)["loss"])


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_saving_and_loading_continues_bit_for_bit(optimizer: str) -> None:
    settings = {"optimizer": optimizer, "tau": 0.0, "target_update_interval": 3}
    one = learner(**settings, ema_decay=0.99)
    batches = [windows(one, seed=seed) for seed in range(6)]
    for data in batches[:2]:
        one.update(data, RATE)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other = learner(**settings, ema_decay=0.99, seed=7)
    other.load_state_dict(torch.load(file, weights_only=True))
    for data in batches[2:]:
        ours, theirs = one.update(data, RATE), other.update(data, RATE)
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), name
    averages = (each.ema_agent.parameters() for each in (one, other))
    for a, b in [*zip(weights(one), weights(other), strict=True), *zip(*averages, strict=True)]:
        assert torch.equal(a, b)


def test_the_learning_rate_is_that_of_the_call() -> None:
    one = learner(optimizer="rmsprop")
    before = weights(one)
    one.update(windows(one), 0.0)
    for a, b in zip(before, weights(one), strict=True):
        assert torch.equal(a, b)


def test_the_state_of_another_gradient_method_is_refused() -> None:
    one, other = learner(), learner(optimizer="rmsprop")
    for each in (one, other):
        each.update(windows(each), RATE)
    with pytest.raises(ValueError, match=r"of another gradient method .*; expected"):
        other.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match=r"of another gradient method .*; expected"):
        one.load_state_dict(other.state_dict())
