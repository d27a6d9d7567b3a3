"""Our worlds as TorchRL environments: specs, whole and partial resets, seeds, masks, ends."""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("torchrl", reason="TorchRL is not installed")

from torchrl.envs import EnvBase
from torchrl.envs.utils import check_env_specs

from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim import TeamEnv, TeamOptions, load_scenario
from qplex_hrl.clients.torchrl_envs import MateTorchEnv, SelectionTorchEnv

OPTIONS = SelectionOptions(lookahead=False, coverage_per_target=False, max_episode_steps=20)


def raw(num_envs: int = 3, **keywords: object) -> MateTorchEnv:
    return MateTorchEnv(num_envs=num_envs, relative=True, rescaled=True, **keywords)


def selections(num_envs: int = 3, **changes: object) -> SelectionTorchEnv:
    return SelectionTorchEnv(num_envs=num_envs, options=replace(OPTIONS, **changes))


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(lambda: raw(max_episode_steps=8), id="raw"),
        pytest.param(lambda: raw(camera_action_levels=5, state="raw"), id="grid"),
        pytest.param(lambda: raw(team="both", state="none"), id="both teams"),
        pytest.param(lambda: raw(1, scenario="MATE-Navigation"), id="no cameras"),
        pytest.param(selections, id="selections"),
        pytest.param(lambda: selections(1, action_mode="discrete"), id="moves"),
    ],
)
def test_specs_are_kept(env: object) -> None:
    check_env_specs(env(), seed=0)  # type: ignore[operator]


def test_a_rollout_of_raw_worlds_is_that_of_the_native_environment() -> None:
    env = raw(max_episode_steps=12)
    env.set_seed(7)
    shown = env.rollout(30, break_when_any_done=False)
    options = TeamOptions(
        relative=True, rescaled=True, dtype="float32", max_episode_steps=11, auto_reset=False
    )
    native = TeamEnv(load_scenario("MATE-4v4-9"), options, 3)
    out = native.reset(np.arange(7, 10, dtype=np.uint64))
    for step in range(30):
        now = shown[:, step]
        np.testing.assert_array_equal(now["cameras", "observation"], out.camera_obs)
        np.testing.assert_allclose(now["state"], native.normalized_state(), rtol=1e-6)
        out = native.step(now["cameras", "action"].numpy())
        np.testing.assert_array_equal(now["next", "cameras", "observation"], out.camera_obs)
        np.testing.assert_allclose(
            now["next", "cameras", "reward"][..., 0], out.camera_reward, rtol=1e-6
        )
        assert now["next", "truncated"][:, 0].tolist() == out.truncated.tolist()
        assert not now["next", "terminated"].any()
        if out.truncated.any():
            out = native.restart(out.truncated)
    assert shown["next", "done"].sum() == 3 * 2


def test_a_rollout_of_selections_is_that_of_the_native_environment() -> None:
    """Masks hold for random actions; the frame after an end is the next episode's first."""
    env = selections()
    env.set_seed(7)
    shown = env.rollout(12, break_when_any_done=False)
    native = SelectionEnv(load_scenario("MATE-4v4-9"), replace(OPTIONS, auto_reset=False), 3)
    out = native.reset(np.arange(7, 10, dtype=np.uint64))
    for step in range(12):
        now = shown[:, step]
        for name, array in (("observation", out.obs), ("action_mask", out.avail_actions)):
            np.testing.assert_array_equal(now["cameras", name], array)
        np.testing.assert_array_equal(now["state"], out.state)
        out = native.step(now["cameras", "action"].numpy())
        reward = now["next", "cameras", "reward"][..., 0]
        np.testing.assert_allclose(reward, np.tile(out.reward[:, None], 4), rtol=1e-6)
        coverage = now["next", "cameras", "info", "coverage_rate"][:, 0, 0]
        np.testing.assert_allclose(coverage, out.coverage, rtol=1e-6)
        np.testing.assert_array_equal(now["next", "cameras", "observation"], out.obs)
        if out.truncated.any():
            out = native.restart(out.truncated)
    assert shown["next", "done"][0, :, 0].nonzero()[:, 0].tolist() == [4, 9]


@pytest.mark.parametrize("make", [raw, selections])
def test_a_partial_reset_leaves_the_other_rows_alone(make: object) -> None:
    env: EnvBase = make()  # type: ignore[operator]
    env.set_seed(3)
    before = env.step(env.rand_action(env.reset()))["next"].exclude("reward")
    before["_reset"] = torch.tensor([[True], [False], [True]])
    after = env.reset(before.clone())
    same = (after["cameras", "observation"] == before["cameras", "observation"]).flatten(1).all(1)
    assert same.tolist() == [False, True, False]


def test_seeds_repeat_rollouts_and_so_does_the_generator_of_pytorch() -> None:
    def seeded(seed: int | None) -> torch.Tensor:
        torch.manual_seed(5)
        return raw(seed=seed).reset()["cameras", "observation"]

    assert torch.equal(seeded(1), seeded(1))
    assert torch.equal(seeded(None), seeded(None))
    assert not torch.equal(seeded(1), seeded(2))


def test_masked_actions_are_refused() -> None:
    env = selections()
    now = env.reset()
    masked = ~now["cameras", "action_mask"]
    now["cameras", "action"] = masked.int().argmax(-1)
    assert masked.any()
    with pytest.raises(ValueError, match="is not available; expected one of"):
        env.step(now)


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="state = 'all'; expected one of normalized, raw, none"):
        raw(state="all")
