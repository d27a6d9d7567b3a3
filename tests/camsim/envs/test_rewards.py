"""What members of driven teams earn, and when they are done."""

from __future__ import annotations

import numpy as np
from reference_stereo import of_world
from team_worlds import assert_equal_rows, make, nothing, seeds

from camsim.kernels.reward_terms import CAMERA_TERMS, TARGET_TERMS
from camsim.parity.teacher_forcing import read


def test_target_done_at_destination() -> None:
    env = make(2, target_done_at_destination=True)
    env.reset(seeds(2))
    env.sim.view.targets.xy[0, 2] = [900.0, 900.0]
    env.sim.view.targets.goal[0, 2] = 0
    env.sim.view.targets.load[0, 2] = 1.0
    out = env.step(*nothing(env))
    assert out.target_done.tolist() == [[False, False, True, False], [False] * 4]
    assert not out.camera_done.any()
    assert not env.step(*nothing(env)).target_done.any()


def test_rewards_are_weighted_terms() -> None:
    weights = {
        "coverage_rate": 2.0,
        "num_tracked": 0.5,
        "raw_reward": np.float32(0.25),
        "baseline": -1,
    }
    plain = make(6, targets="greedy")
    shaped = make(6, targets="greedy", camera_rewards=weights)
    shared = make(6, targets="greedy", camera_rewards=weights, camera_reduction="max")
    for env in (plain, shaped, shared):
        env.reset(seeds(6))
    assert (shaped.output.camera_reward == 0.0).all()
    for _ in range(10):
        raw = plain.step(nothing(plain)[0]).camera_reward
        own = shaped.step(nothing(plain)[0]).camera_reward
        everybody = shared.step(nothing(plain)[0]).camera_reward
        seen = read(plain.sim, "camera_target_mask").sum(2)
        rate = read(plain.sim, "coverage_rate")[:, None]
        np.testing.assert_allclose(own, 2.0 * rate + 0.5 * seen + 0.25 * raw - 1.0, rtol=1e-12)
        np.testing.assert_array_equal(everybody, np.broadcast_to(own.max(1)[:, None], own.shape))
        np.testing.assert_array_equal(shaped.output.target_reward, plain.output.target_reward)
    info = shared.information()
    np.testing.assert_array_equal(info["camera.reward"], own)
    np.testing.assert_array_equal(info["camera.shared_reward"], everybody)
    np.testing.assert_array_equal(info["camera.auxiliary_reward_num_tracked"], seen)
    np.testing.assert_array_equal(info["camera.reward_coefficient_num_tracked"], 0.5)
    np.testing.assert_array_equal(info["camera.baseline"], 1.0)
    assert "target.reward" not in info
    assert "camera.shared_reward" not in shaped.information()


def test_all_terms_of_both_teams() -> None:
    """Every term alone, through resets; soft coverage keeps to each episode's obstacles."""
    env = make(
        3,
        cameras="greedy",
        targets="greedy",
        camera_rewards=dict.fromkeys(CAMERA_TERMS, 1.0),
        target_rewards=dict.fromkeys(TARGET_TERMS, 1.0),
        max_episode_steps=5,
        min_baseline_deg=45.0,
    )
    env.reset(seeds(3))
    for frame in range(1, 15):
        out = env.step()
        info = env.information()
        for team, terms, reward in (
            ("camera", CAMERA_TERMS, out.camera_reward),
            ("target", TARGET_TERMS, out.target_reward),
        ):
            total = sum(info[f"{team}.auxiliary_reward_{term}"] for term in terms)
            if frame % 7 == 0:  # episodes have six frames
                total = np.zeros_like(reward)
            np.testing.assert_allclose(reward, total, atol=1e-12)
        stereo = info["camera.auxiliary_reward_stereo_coverage_rate"]
        np.testing.assert_array_equal(stereo, np.repeat(of_world(env.sim, 45.0)[0][:, None], 4, 1))
        np.testing.assert_array_equal(info["camera.stereo_coverage_rate"], stereo)
    again = make(3, options=env.options)
    restored = again.load_state_dict(env.state_dict())
    assert_equal_rows(restored, env.output)
    for name, array in env.information().items():
        np.testing.assert_array_equal(again.information()[name], array, name)


def test_coefficients_as_functions() -> None:
    """They get agent, episode, frame after the step, raw reward and the term's value."""
    seen: list[tuple[object, ...]] = []

    def coefficient(*arguments: object) -> object:
        seen.append(arguments)
        return np.asarray(arguments[1]) + 1.0

    env = make(2, camera_rewards={"baseline": coefficient}, max_episode_steps=2)
    env.reset(seeds(2))
    rewards = [env.step(*nothing(env)).camera_reward[0, 0] for _ in range(6)]
    assert rewards == [1.0, 1.0, 1.0, 0.0, 2.0, 2.0]
    agents, episode, step, raw, value = (np.asarray(a) for a in seen[-1])
    assert agents.tolist() == [[0, 1, 2, 3]] * 2
    assert (episode == 1).all()
    assert (step == 2).all()
    assert raw.shape == value.shape == (2, 4)
    assert (value == 1.0).all()
