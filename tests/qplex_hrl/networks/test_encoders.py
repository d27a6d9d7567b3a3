"""Observations split into their parts; encoders that pool over targets."""

import dataclasses

import pytest
import torch
from small_model import observations, world

from qplex_hrl.networks.encoders import (
    FlatEncoder,
    StateEncoder,
    TargetEncoder,
    flat_dims,
    split_features,
)


def test_every_number_arrives_in_its_part() -> None:
    """Numbers count up: context, then three targets of four, then eight actions of two."""
    dims, _ = world()
    obs = torch.arange(2.0 * 3 * 2 * dims.obs_size).view(2, 3, 2, dims.obs_size)
    parts = split_features(obs, dims, burn_in=1)
    assert parts.context.shape == (2, 4, 3)
    assert parts.targets.shape == (3, 2, 4, 4)
    assert parts.action_features.shape == (2, 4, dims.n_actions, 2)
    batch, frame, camera, row = 1, 2, 1, 2 * 1 + 1  # rows: cameras vary fastest
    whole = obs[batch, frame, camera]
    assert torch.equal(parts.context[frame - 1, row], whole[:3])
    assert torch.equal(parts.targets[2, frame - 1, row], whole[3 + 2 * 4 : 3 + 3 * 4])
    assert torch.equal(parts.action_features[frame - 1, row, 5], whole[15 + 5 * 2 : 15 + 6 * 2])
    in_time = obs.transpose(0, 1).contiguous().transpose(0, 1)  # as the replay gives them
    read = split_features(in_time, dims, burn_in=1).action_features
    assert read.untyped_storage().data_ptr() == in_time.untyped_storage().data_ptr(), "a copy"
    assert torch.equal(parts.burn_in_context[0, row], obs[batch, 0, camera, :3])
    assert torch.equal(
        parts.burn_in_targets[2, 0, row], obs[batch, 0, camera, 3 + 2 * 4 : 3 + 3 * 4]
    )


def test_flat_sizes_take_everything_for_context() -> None:
    dims, _ = world()
    obs = observations(dims, 2, 3)
    parts = split_features(obs, flat_dims(dims))
    assert parts.context.shape == (3, 2 * dims.n_agents, dims.obs_size)
    assert (parts.targets.numel(), parts.action_features.numel()) == (0, 0)


def test_other_observations_are_refused() -> None:
    dims, _ = world()
    obs = observations(dims, 1, 1)
    with pytest.raises(ValueError, match=r"observations of 1 cameras with \d+ numbers each"):
        split_features(obs[:, :, :1], dims)
    with pytest.raises(ValueError, match=r"the model expects 2 with \d+"):
        split_features(obs[..., :-1], dims)


@torch.no_grad()
def test_the_order_of_targets_does_not_matter_and_empty_rows_do_not_count() -> None:
    dims, _ = world()
    torch.manual_seed(0)
    encoder = TargetEncoder(dims, 6)
    parts = split_features(observations(dims, 2, 3), dims)
    encoding = encoder(parts.context, parts.targets)
    turned = encoder(parts.context, parts.targets.flip(0))
    torch.testing.assert_close(turned.context, encoding.context)
    assert torch.equal(turned.targets.flip(0), encoding.targets)
    more = torch.cat([parts.targets, torch.zeros_like(parts.targets)])
    torch.testing.assert_close(encoder(parts.context, more).context, encoding.context)
    assert torch.equal(encoding.known, parts.targets[..., 0] > 0.5)
    assert not encoding.targets[~encoding.known].any()


@torch.no_grad()
def test_the_flag_tells_how_many_rows_are_averaged() -> None:
    """With a particle belief another feature than 0 says that a row is not empty."""
    dims = dataclasses.replace(world()[0], row_flag=3)
    torch.manual_seed(0)
    encoder = TargetEncoder(dims, 6)
    context, targets = torch.zeros(1, 1, 3), torch.rand(3, 1, 1, 4)
    targets[..., 0], targets[..., 3] = 0.0, 1.0
    encoding = encoder(context, targets)
    pooled = torch.cat(
        [context, encoding.targets.mean(0), encoding.targets.amax(0)], -1
    )  # of three rows, none of which may be selected
    torch.testing.assert_close(encoding.context, encoder.context_layer(pooled).relu())
    assert not encoding.known.any()


@torch.no_grad()
def test_flat_and_state_encoders_are_layers() -> None:
    dims, _ = world()
    torch.manual_seed(0)
    flat = FlatEncoder(flat_dims(dims), 6)
    context = torch.randn(2, 3, dims.obs_size)
    encoding = flat(context, torch.zeros(0, 2, 3, dims.target_size))
    torch.testing.assert_close(encoding.context, flat.context_layer(context).relu())
    assert len(encoding.known) == 0
    state = StateEncoder(5, 4, 7)(torch.randn(2, 3, 5))
    assert state.shape == (2, 3, 7)
    assert (state >= 0).all()
    assert (state > 0).any()


def test_stored_observations_are_read_as_float32() -> None:
    """As they are stored, float16, without the actions of the burn-in."""
    dims, _ = world()
    stored = observations(dims, 2, 5).half()
    for mine, other in zip(
        split_features(stored, dims, 2), split_features(stored.float(), dims, 2), strict=True
    ):
        assert mine.dtype == torch.float32
        assert torch.equal(mine, other)
