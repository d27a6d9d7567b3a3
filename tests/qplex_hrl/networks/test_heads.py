"""Encoders and action head, against formulas written out row by row."""

import dataclasses

import pytest
import torch
from small_model import observations, world

from qplex_hrl.networks.cores import FeedForwardCore, RecurrentCore, over_time
from qplex_hrl.networks.encoders import (
    FlatEncoder,
    StateEncoder,
    TargetEncoder,
    flat_dims,
    split_features,
)
from qplex_hrl.networks.heads import ActionHead, HeadInputs, LinearHead

L, ROWS, H = 3, 4, 8


def test_features_are_split_by_position() -> None:
    dims, _ = world()
    obs = observations(dims, 2, L)
    features = split_features(obs, dims, burn_in=1)
    first_option = dims.context_size + dims.n_targets * dims.target_size
    for b in range(2):
        for c in range(dims.n_agents):
            row = b * dims.n_agents + c
            before = obs[b, 0, c]
            context, targets = features.burn_in_context[0, row], features.burn_in_targets[:, 0, row]
            assert torch.equal(context, before[: dims.context_size])
            assert torch.equal(targets.flatten(), before[dims.context_size : first_option])
            for t in range(L - 1):
                values = obs[b, t + 1, c]
                parts = (
                    features.context[t, row],
                    features.targets[:, t, row].flatten(),
                    features.action_features[t, row].flatten(),
                )
                assert torch.equal(torch.cat(parts), values)


@torch.no_grad()
def test_encoder_pools_known_targets_only() -> None:
    dims, _ = world()
    encoder = TargetEncoder(dims, H)
    context = torch.randn(L, ROWS, dims.context_size)
    targets = torch.randn(3, L, ROWS, dims.target_size)
    targets[..., 0] = 1.0
    targets[1] = 0.0  # unknown
    encoding = encoder(context, targets)
    assert encoding.known[:, 0, 0].tolist() == [True, False, True]
    assert (encoding.targets[1] == 0).all()
    known = encoding.targets[[0, 2]]
    pooled = torch.cat([context, known.mean(dim=0), known.amax(dim=0)], dim=-1)
    expected = torch.relu(encoder.context_layer(pooled))
    torch.testing.assert_close(encoding.context, expected)
    torch.testing.assert_close(known, encoder.target_mlp(targets[[0, 2]]))


@torch.no_grad()
def test_encoder_pools_all_rows_that_say_something() -> None:
    """A particle belief tells of every target; feature 0 is then only which may be selected."""
    dims, _ = world()
    encoder = TargetEncoder(dataclasses.replace(dims, row_flag=2), H)
    context = torch.randn(L, ROWS, dims.context_size)
    targets = torch.randn(3, L, ROWS, dims.target_size)
    targets[..., 0] = 0.0
    targets[0, ..., 0] = 1.0
    targets[..., 2] = 1.0
    encoding = encoder(context, targets)
    assert encoding.known[:, 0, 0].tolist() == [True, False, False]
    pooled = [context, encoding.targets.mean(dim=0), encoding.targets.amax(dim=0)]
    expected = torch.relu(encoder.context_layer(torch.cat(pooled, dim=-1)))
    torch.testing.assert_close(encoding.context, expected)


@torch.no_grad()
def test_encoder_without_any_known_target_is_finite() -> None:
    dims, _ = world()
    encoding = TargetEncoder(dims, H)(
        torch.randn(L, ROWS, dims.context_size), torch.zeros(3, L, ROWS, dims.target_size)
    )
    assert torch.isfinite(encoding.context).all()


@pytest.mark.parametrize("tells_coverages", [True, False])
@pytest.mark.parametrize("prioritised", [True, False])
@torch.no_grad()
def test_action_head_equals_its_formula(prioritised: bool, tells_coverages: bool) -> None:
    dims, bits = world(tells_coverages=tells_coverages)
    head = ActionHead(
        H, dims.action_size, bits, prioritised=prioritised, tells_coverages=tells_coverages
    )
    inputs = HeadInputs(
        memory=torch.randn(L, ROWS, H),
        context=torch.randn(L, ROWS, H),
        targets=torch.randn(3, L, ROWS, H),
        priorities=torch.rand(3, L, ROWS, 2) if prioritised else None,
        action_features=torch.randn(L, ROWS, len(bits), dims.action_size),
    )
    q_values = head(inputs)
    state = torch.cat([inputs.memory, inputs.context], dim=-1)
    for action, selected in enumerate(bits):
        own, covered = inputs.action_features[:, :, action].split(
            [2, dims.n_target_coverages], dim=-1
        )
        hidden = head.action_layer(own) + head.state_layer(state)
        for t in torch.nonzero(selected).flatten():
            hidden += head.target_layer(inputs.targets[t])
            if inputs.priorities is not None:
                hidden += head.priority_layer(inputs.priorities[t])
        expected = head.output(torch.relu(hidden)) + head.value_layer(state)
        for t in range(dims.n_target_coverages):
            layers = head.target_value
            hidden = layers.target_layer(inputs.targets[t]) + layers.state_layer(state)
            expected += covered[..., t : t + 1] * layers.output(torch.relu(hidden))
        torch.testing.assert_close(q_values[..., action], expected.squeeze(-1))


@torch.no_grad()
def test_an_action_head_that_starts_from_plans_ranks_actions_by_them() -> None:
    _, bits = world()
    head = ActionHead(H, 2, bits, prioritised=False)
    head.start_from_plans(1, 0.7)
    inputs = HeadInputs(
        memory=torch.randn(L, ROWS, H),
        context=torch.randn(L, ROWS, H),
        targets=torch.randn(3, L, ROWS, H),
        priorities=None,
        action_features=torch.randn(L, ROWS, len(bits), 2),
    )
    terms = head.terms(inputs)
    q_values = head.values(terms)
    advantages = 0.7 * inputs.action_features[..., 1]
    torch.testing.assert_close(q_values - q_values[..., :1], advantages - advantages[..., :1])
    torch.nn.init.normal_(head.output.weight)
    torch.nn.init.normal_(head.plan_layer.weight)
    actions = torch.randint(len(bits), (2, L, ROWS))
    expected = head(inputs).gather(-1, actions.movedim(0, -1)).movedim(-1, 0)
    torch.testing.assert_close(head.values_of(terms, actions), expected)
    whole = head(inputs)
    plans = head.plan_layer(inputs.action_features).squeeze(-1)
    head.plan_layer.weight.zero_()
    torch.testing.assert_close(whole, head(inputs) + plans)


@torch.no_grad()
def test_flat_encoder_and_linear_head_are_one_layer_each() -> None:
    dims, _ = world()
    obs = observations(dims, 2, L)
    features = split_features(obs, flat_dims(dims), burn_in=1)
    encoder, head = FlatEncoder(flat_dims(dims), H), LinearHead(H, 5)
    encoding = encoder(features.context, features.targets)
    hidden = torch.relu(encoder.context_layer(obs[:, 1:]))
    hidden = hidden.transpose(0, 1).flatten(1, 2)  # [L - 1, B * C, H]
    torch.testing.assert_close(encoding.context, hidden)
    assert encoding.targets.shape[:3] == encoding.known.shape == (0, L - 1, ROWS)
    assert features.action_features.shape[:3] == (L - 1, ROWS, 0)
    inputs = HeadInputs(hidden, hidden, encoding.targets, None, features.action_features)
    torch.testing.assert_close(head(inputs), head.layer(hidden))


@torch.no_grad()
def test_recurrent_core_can_be_cut_anywhere() -> None:
    core = RecurrentCore(5, H)
    inputs, hidden = torch.randn(6, ROWS, 5), torch.randn(ROWS, H)
    whole, last = core(inputs, hidden)
    head, between = core(inputs[:2], hidden)
    tail, end = core(inputs[2:], between)
    torch.testing.assert_close(torch.cat([head, tail]), whole)
    torch.testing.assert_close(end, last)


@torch.no_grad()
def test_rows_that_restart_have_the_zero_state_there_and_no_others() -> None:
    core = RecurrentCore(5, H)
    inputs, hidden = torch.randn(6, ROWS, 5), torch.randn(ROWS, H)
    first = torch.tensor([True, False, True, False]).unsqueeze(-1)
    third = torch.tensor([False, False, True, True]).unsqueeze(-1)
    outputs, last = over_time(core, inputs, hidden, ((0, first), (3, third)))
    assert torch.equal(last, outputs[-1])
    for row, begin in enumerate([0, None, 3, 3]):
        state = hidden[row : row + 1]
        expected, _ = core(inputs[:, row : row + 1], state * 0 if begin == 0 else state)
        if begin:
            expected, _ = core(inputs[begin:, row : row + 1], state * 0)
            torch.testing.assert_close(outputs[begin:, row : row + 1], expected)
        else:
            torch.testing.assert_close(outputs[:, row : row + 1], expected)


@torch.no_grad()
def test_feed_forward_core_has_no_memory() -> None:
    core = FeedForwardCore(5, H)
    outputs, hidden = core(torch.randn(6, ROWS, 5), torch.zeros(ROWS, 0))
    assert outputs.shape == (6, ROWS, H)
    assert hidden.shape == (ROWS, core.recurrent_size) == (ROWS, 0)


def test_state_encoder_has_the_configured_output() -> None:
    assert StateEncoder(5, 7, 6)(torch.randn(2, 3, 5)).shape == (2, 3, 6)
