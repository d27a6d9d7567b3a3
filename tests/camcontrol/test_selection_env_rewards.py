"""SelectionEnv: what a decision earns, each camera's share in it, statistics of episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference_hrl
from reference_bridge import state_of
from reference_stereo import of_world
from selection_worlds import OURS, REGIMES, choose, copied, make, seeds

from camsim.parity.teacher_forcing import read
from camsim.tables import EPISODE_COLUMNS


@pytest.mark.jit
@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-8v8-9"])
def test_difference_reward_is_what_only_one_camera_sees(name: str) -> None:
    """Of every frame of a decision, discounted; the coverage that would be lost without it."""
    n_envs, options = 6, replace(OURS, belief="particles", memory_frames=40)
    whole, by_frame = make(options, n_envs, name), make(options, n_envs, name)
    rng = np.random.default_rng(17)
    output, some = whole.observe(), 0.0
    assert (output.difference_reward == 0.0).all()
    for _ in range(30):
        actions = choose(whole, rng, output.avail_actions)
        output = whole.step(actions)
        expected = np.zeros((n_envs, whole.n_agents))
        for frame in range(options.decision_frames):
            by_frame.run_frames(actions, 1)
            seen = by_frame.sim.tables.camera_target.astype(bool)  # [N, C, T]
            for c in range(whole.n_agents):
                without = np.delete(seen, c, axis=1).any(axis=1).mean(axis=1)
                lost = seen.any(axis=1).mean(axis=1) - without
                expected[:, c] += options.gamma**frame * lost
        by_frame.observe()
        np.testing.assert_allclose(output.difference_reward, expected, atol=1e-12)
        some += expected.sum()
    assert some > 1.0


@pytest.mark.jit
@pytest.mark.parametrize("least", [30.0, 80.0])
def test_stereo_coverage_earns_and_its_difference_reward_is_what_a_camera_adds(
    least: float,
) -> None:
    """Every frame of a decision, discounted; each camera taken out and the rest counted again."""
    n_envs = 6
    weights = {"stereo_coverage_rate": 3.0, "coverage_rate": 0.5}
    options = replace(
        OURS, reward_coefficients=weights, min_baseline_deg=least, observation_mode="shared"
    )
    whole, by_frame = make(options, n_envs), make(options, n_envs)
    rng = np.random.default_rng(19)
    output, earned, some = whole.observe(), 0.0, 0.0
    assert (output.stereo_difference_reward == 0.0).all()
    for _ in range(30):
        actions = choose(whole, rng, output.avail_actions)
        output = whole.step(actions)
        reward, lost = np.zeros(n_envs), np.zeros((n_envs, whole.n_agents))
        for frame in range(options.decision_frames):
            by_frame.run_frames(actions, 1)
            stereo, lost_now = of_world(by_frame.sim, least)
            coverage = read(by_frame.sim, "coverage_rate")
            reward += options.gamma**frame * (3.0 * stereo + 0.5 * coverage)
            lost += options.gamma**frame * lost_now
            earned += stereo.sum()
        by_frame.observe()
        np.testing.assert_allclose(output.reward, reward, atol=1e-12)
        np.testing.assert_allclose(output.stereo_difference_reward, lost, atol=1e-12)
        some += lost.sum()
    assert min(earned, some) > 1.0


@pytest.mark.jit
def test_stereo_coverage_changes_nothing_else() -> None:
    """Its coefficient and angle leave all but reward and stereo figures as they are, bit for bit.

    Without a coefficient there is no stereo difference reward.
    """
    weights = {"coverage_rate": 0.7, "baseline": -0.1, "num_tracked": 0.2}
    plain = replace(OURS, reward_coefficients=weights, max_episode_steps=37)
    others = (
        replace(plain, min_baseline_deg=0.0),
        replace(plain, reward_coefficients=weights | {"stereo_coverage_rate": 0.0}),
        replace(plain, reward_coefficients=weights | {"stereo_coverage_rate": 2.0}),
    )
    envs = [make(options, 4) for options in (plain, *others)]
    rng, stereo = np.random.default_rng(23), [0.0] * len(envs)
    outputs = [env.observe() for env in envs]
    for _ in range(25):
        actions = choose(envs[0], rng, outputs[0].avail_actions)
        outputs = [copied(env.step(actions)) for env in envs]
        for k, other in enumerate(outputs):
            stereo[k] += other.stereo_difference_reward.sum()
            for name, wanted in outputs[0]._asdict().items():
                earns = k == 3 and name in ("reward", "episode", "stereo_difference_reward")
                if not earns:
                    columns = slice(-1) if name == "episode" else slice(None)  # the last is stereo
                    found = getattr(other, name)[..., columns]
                    np.testing.assert_array_equal(found, wanted[..., columns], name)
    assert stereo[:3] == [0.0, 0.0, 0.0]
    assert stereo[3] > 0.1


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_episode_statistics(regime: str) -> None:
    """Every column, counted again from the frames; selections by the oracle's definition."""
    n_envs, limit = 4, 39
    options = replace(REGIMES[regime], decision_frames=1, max_episode_steps=limit, gamma=1.0)
    env = make(options, n_envs)
    rng = np.random.default_rng(96)
    wanted = {name: np.zeros(n_envs) for name in EPISODE_COLUMNS}
    output = env.reset(seeds(n_envs))
    for frame in range(limit + 1):
        actions = choose(env, rng, output.avail_actions)
        if frame == limit:  # the last frame's world is gone after the auto-reset
            env.run_frames(actions)
        else:
            output = env.step(actions)
        result = env.sim.result()
        wanted["length"] += 1
        wanted["coverage_sum"] += read(env.sim, "coverage_rate")
        wanted["reward_sum"] += read(env.sim, "coverage_rate")
        wanted["real_coverage_sum"] += read(env.sim, "real_coverage_rate")
        wanted["stereo_coverage_sum"] += of_world(env.sim)[0]
        wanted["camera_return"] += result.camera_reward
        wanted["mean_transport_rate"] = read(env.sim, "mean_transport_rate").copy()
        for i in range(n_envs):
            state = state_of(env.sim, i)
            for bits, seen in zip(
                env.selection_bits[actions[i]], state.camera_target_mask, strict=True
            ):
                selected, valid, _, _ = reference_hrl.selection_metrics(
                    bits.tolist(), seen.tolist()
                )
                wanted["selected"][i] += selected
                wanted["valid_selected"][i] += valid
    assert result.done.all()
    counted = env.state_dict()["agents.episode"]
    for k, name in enumerate(EPISODE_COLUMNS):
        np.testing.assert_allclose(counted[:, k], wanted[name], rtol=1e-12, err_msg=name)
    assert (wanted["selected"] > 0).all()


def test_reward_terms() -> None:
    """Each term alone, at every frame, from the world's own figures."""
    terms = {
        "raw_reward": lambda env: env.sim.result().camera_reward,
        "coverage_rate": lambda env: read(env.sim, "coverage_rate"),
        "real_coverage_rate": lambda env: read(env.sim, "real_coverage_rate"),
        "mean_transport_rate": lambda env: read(env.sim, "mean_transport_rate"),
        "num_tracked": lambda env: read(env.sim, "camera_target_mask").sum(2).mean(1),
        "baseline": lambda env: np.ones(env.n_envs),
        "stereo_coverage_rate": lambda env: of_world(env.sim)[0],
    }
    rng = np.random.default_rng(97)
    for term, value in terms.items():
        options = replace(OURS, decision_frames=1, reward_coefficients={term: 3.0})
        env = make(options, 4)
        for _ in range(10):
            output = env.step(rng.integers(0, env.n_actions, (4, 4)))
            np.testing.assert_allclose(output.reward, 3.0 * value(env), rtol=1e-12, err_msg=term)


def test_bonus_for_reacquired_targets() -> None:
    """min(time, 50)/50 for each covered target after `time` uncovered frames, mean over targets."""
    env = make(replace(OURS, decision_frames=1), 6)
    revisit_time = 1.0 - (read(env.sim, "tracked_bits") > 0)
    rng = np.random.default_rng(98)
    total = 0.0
    for _ in range(80):
        output = env.step(rng.integers(0, env.n_actions, (6, 4)))
        tracked = read(env.sim, "tracked_bits") > 0
        wanted = (np.minimum(revisit_time, 50.0) / 50.0 * tracked).mean(1)
        revisit_time = np.where(tracked, 0.0, revisit_time + 1.0)
        np.testing.assert_allclose(output.bonus, wanted, atol=1e-12)
        total += wanted.sum()
    assert total > 0.5
