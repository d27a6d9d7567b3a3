"""SelectionEnv: held selections frame by frame, masks, batches, threads, what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import reference_hrl
import reference_sim
from random_worlds import scenario_with
from reference_bridge import state_of, world_of
from selection_worlds import (
    OURS,
    REGIMES,
    UPSTREAM,
    assert_equal_states,
    choose,
    copied,
    make,
    seeds,
)

from camcontrol.selection_env import EnvOutput, SelectionEnv
from camsim.layout import StateLayout
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import load_scenario

PLAY = """
import hashlib, numpy as np
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.scenario.schema import load_scenario

options = SelectionOptions(max_episode_steps=33, check_actions=False)
env = SelectionEnv(load_scenario("MATE-4v4-9"), options, 4)
env.reset(np.arange(4, dtype=np.uint64))
rng = np.random.default_rng(5)
for _ in range(12):
    env.step(rng.integers(0, env.n_actions, (4, 4)))
for name, array in env.state_dict().items():
    print(name, hashlib.sha256(array.tobytes()).hexdigest())
"""


def target_features(env: SelectionEnv, output: EnvOutput) -> np.ndarray:
    """The targets' part of the observations [N, C, T, Ft]; feature 0 tells whether it is known."""
    layout = env.feature_layout
    end = layout.context_size + layout.n_targets * layout.target_size
    part = output.obs[..., layout.context_size : end]
    return part.reshape(*part.shape[:2], layout.n_targets, layout.target_size)


@pytest.mark.parametrize("mode", ["own", "enhanced"])
def test_upstream_regime_equals_the_oracle(mode: str) -> None:
    """Memory 0 and MATE's executor: poses, masks and coverage of every frame (world 12)."""
    n_envs = 6
    env = make(replace(UPSTREAM, observation_mode=mode), n_envs)
    rng = np.random.default_rng(91)
    output = env.reset(seeds(n_envs))
    for _ in range(40):
        actions = rng.integers(0, env.n_actions, (n_envs, 4))
        before = [(world_of(env.sim, i), state_of(env.sim, i)) for i in range(n_envs)]
        check_masks(output, before, mode)
        output = env.step(actions)
        for i, (world, state) in enumerate(before):
            move_selecting_cameras(world, state, env.selection_bits[actions[i]], mode)
            for field in ("camera_orientation", "camera_viewing_angle"):
                computed = read(env.sim, field)[i]
                np.testing.assert_allclose(computed, getattr(state, field), rtol=0, atol=1e-9)
        coverage = read(env.sim, "tracked_bits").mean(1)
        np.testing.assert_allclose(output.coverage, coverage, atol=1e-12)
        np.testing.assert_allclose(output.reward, coverage, atol=1e-12)
        assert not (output.terminated | output.truncated).any()


def visible_to(state: reference_sim.State, camera: int, mode: str) -> list[bool]:
    """Targets that a camera is shown."""
    flags: list[bool] = (state.camera_target_mask[camera] | (mode == "enhanced")).tolist()
    return flags


def check_masks(
    output: EnvOutput, states: list[tuple[reference_sim.World, reference_sim.State]], mode: str
) -> None:
    """Available selections are the subsets of what each camera sees."""
    for i, (world, state) in enumerate(states):
        for c in range(world.n_cameras):
            wanted = reference_hrl.joint_index_mask(visible_to(state, c, mode))
            assert output.avail_actions[i, c].tolist() == wanted


def move_selecting_cameras(
    world: reference_sim.World, state: reference_sim.State, bits: np.ndarray, mode: str
) -> None:
    """One frame of the oracle's executor for all cameras; `bits` [C, T] are selected."""
    action = np.zeros((world.n_cameras, 2))
    for c in range(world.n_cameras):
        followed = bits[c] & visible_to(state, c, mode)
        x, y = world.camera_xy[c].tolist()
        action[c] = reference_hrl.executor_action(
            (x, y),
            (
                float(state.camera_orientation[c]),
                float(state.camera_viewing_angle[c]),
                float(state.camera_sight_range[c]),
            ),
            (30.0, 1500.0, 5.0, 2.5),
            [(float(p[0]), float(p[1])) for p in state.target_xy[followed]],
        )
    reference_sim.move_cameras(world, state, action)


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_decision_of_five_frames_is_five_decisions_of_one(regime: str) -> None:
    """Same states, discounted rewards and bonuses added up."""
    options, n_envs = REGIMES[regime], 5
    slow = make(options, n_envs)
    quick = make(replace(options, decision_frames=1), n_envs)
    rng = np.random.default_rng(92)
    for _ in range(8):
        actions = rng.integers(0, slow.n_actions, (n_envs, 4))
        whole = copied(slow.step(actions))
        parts = [copied(quick.step(actions)) for _ in range(options.decision_frames)]
        discounts = options.gamma ** np.arange(options.decision_frames)
        for field in ("reward", "bonus"):
            total = sum(
                discount * getattr(part, field)
                for discount, part in zip(discounts, parts, strict=True)
            )
            np.testing.assert_allclose(getattr(whole, field), total, rtol=1e-12)
        np.testing.assert_array_equal(whole.frames, options.decision_frames)
        for field in ("obs", "state", "avail_actions", "coverage", "initial_coverage"):
            np.testing.assert_array_equal(getattr(whole, field), getattr(parts[-1], field))
        for name, array in slow.sim.state_dict().items():
            np.testing.assert_array_equal(quick.sim.state_dict()[name], array, name)


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("interval", [1, 5])
def test_cameras_that_react_by_keeping_change_nothing(regime: str, interval: int) -> None:
    """Bit for bit, through the ends of episodes; they are asked every `fast_interval` frames."""
    options = replace(REGIMES[regime], max_episode_steps=23, decision_frames=10)
    plain, reacting = make(options, 4), make(replace(options, fast_interval=interval), 4)
    rng = np.random.default_rng(93)
    output = plain.observe()
    n_ends = 0
    for _ in range(9):
        actions = choose(plain, rng, output.avail_actions)
        asked: list[int] = []

        def keep(
            glance: np.ndarray,
            avail_actions: np.ndarray,
            frame: int,
            kept: np.ndarray = actions,
            asked: list[int] = asked,
        ) -> np.ndarray:
            asked.append(frame)
            assert len(glance) == len(avail_actions) == 4
            return kept

        found = copied(reacting.step(actions, keep))
        output = copied(plain.step(actions))
        assert asked == list(range(interval, 10, interval))
        for field in output._fields:
            np.testing.assert_array_equal(getattr(found, field), getattr(output, field), field)
        n_ends += int((output.terminated | output.truncated).sum())
    assert n_ends > 4


@pytest.mark.jit
def test_a_replaced_action_is_played_from_its_frame_on() -> None:
    """As if the decision had been two; what cameras react to is part of what they would observe."""
    options = replace(OURS, decision_frames=6, fast_interval=2)
    whole, parts = make(options, 4), make(replace(options, decision_frames=2), 4)
    rng = np.random.default_rng(94)
    for _ in range(6):
        first, second = (choose(whole, rng, whole.observe().avail_actions) for _ in range(2))
        seen: list[tuple[np.ndarray, np.ndarray]] = []

        def react(
            glance: np.ndarray,
            avail_actions: np.ndarray,
            frame: int,
            new: np.ndarray = second,
            seen: list[tuple[np.ndarray, np.ndarray]] = seen,
        ) -> np.ndarray:
            seen.append((glance.copy(), avail_actions.copy()))
            return new

        found = copied(whole.step(first, react))
        outputs = [copied(parts.step(actions)) for actions in (first, second, second)]
        for (glance, avail_actions), output in zip(seen, outputs, strict=False):
            expected = output.obs[..., whole.feature_layout.glance_columns]
            np.testing.assert_array_equal(glance, expected)
            np.testing.assert_array_equal(avail_actions, output.avail_actions)
        np.testing.assert_array_equal(found.obs, outputs[-1].obs)
        discounts = options.gamma ** np.array([0, 2, 4])
        reward = sum(d * o.reward for d, o in zip(discounts, outputs, strict=True))
        np.testing.assert_allclose(found.reward, reward, rtol=1e-12)
        np.testing.assert_array_equal(found.frames, 6)


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_frames_one_by_one_are_a_decision(regime: str) -> None:
    """Bit for bit, through the end of an episode; only the reward of the decision is not given."""
    options = replace(REGIMES[regime], max_episode_steps=23)
    whole, single = (make(options, 1) for _ in range(2))
    rng = np.random.default_rng(97)
    output = whole.reset(seeds(1))
    single.reset(seeds(1))
    n_ends = 0
    for _ in range(9):
        actions = choose(whole, rng, output.avail_actions)
        output = whole.step(actions)
        for _ in range(int(output.frames[0])):
            single.run_frames(actions, 1)
        other = single.observe()
        for name in ("obs", "state", "avail_actions", "coverage", "initial_coverage"):
            np.testing.assert_array_equal(getattr(other, name), getattr(output, name), name)
        np.testing.assert_array_equal(other.truncated, output.truncated)
        n_ends += int(output.truncated[0])
        if output.truncated[0]:
            np.testing.assert_array_equal(other.episode, output.episode)
        assert (other.reward, other.frames) == (0.0, 0)
    assert n_ends == 1
    mine, theirs = whole.state_dict(), single.state_dict()
    for name in (name for name in mine if not name.startswith("out.")):
        np.testing.assert_array_equal(mine[name], theirs[name], name)


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_environment_in_a_batch_equals_itself_alone(regime: str) -> None:
    options, n_envs = replace(REGIMES[regime], max_episode_steps=31), 4
    batch = make(options, n_envs)
    alone = [SelectionEnv(load_scenario("MATE-4v4-9"), options, 1) for _ in range(n_envs)]
    for i, env in enumerate(alone):
        env.reset(seeds(1, i))
    rng = np.random.default_rng(93)
    for _ in range(15):
        actions = rng.integers(0, batch.n_actions, (n_envs, 4))
        batch.step(actions)
        for i, env in enumerate(alone):
            env.step(actions[i : i + 1])
    for i, env in enumerate(alone):
        assert_equal_states(batch, env, slice(i, i + 1))


def play_elsewhere(**environment: str) -> str:
    """Digests of all arrays after a short play in another process."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PLAY],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout


@pytest.mark.jit
def test_threads_do_not_matter() -> None:
    one = play_elsewhere(NUMBA_NUM_THREADS="1")
    assert one.count("\n") > 10
    assert play_elsewhere(NUMBA_NUM_THREADS="2") == one


def test_state_is_the_rescaled_global_state() -> None:
    env = make(OURS, 3)
    output = env.step(np.zeros((3, 4), np.int64))
    layout = StateLayout(4, 4, 9)
    raw = env.sim.observe().state
    state = output.state
    assert state.shape == (3, layout.size)
    np.testing.assert_allclose(state[:, 4:12], raw[:, 4:12] / 2000.0, rtol=1e-6)
    for c in range(4):
        at = layout.cameras + 9 * c
        np.testing.assert_allclose(state[:, at : at + 2], raw[:, at : at + 2] / 2000, rtol=1e-6)
        np.testing.assert_allclose(state[:, at + 5], raw[:, at + 5] / 90 - 1, atol=1e-6)
    assert np.abs(state).max() <= 8.0


@pytest.mark.parametrize("name", ["MATE-1v1-0", "MATE-4v2-9", "MATE-4v8-9", "MATE-8v8-9"])
def test_any_team_size(name: str) -> None:
    """Shapes, finite features, some action always available; the masks hold no impossible pair."""
    env = make(OURS, 3, name)
    output = env.reset(seeds(3))
    rng = np.random.default_rng(99)
    for _ in range(6):
        assert output.obs.shape == (3, env.n_agents, env.obs_size)
        assert output.obs.dtype == np.float32
        assert output.avail_actions.shape == (3, env.n_agents, env.n_actions)
        assert np.isfinite(output.obs).all()
        assert np.abs(output.obs).max() < 10.0
        assert output.avail_actions.any(-1).all()
        targets = target_features(env, output)
        known = targets[..., 0] > 0
        needed = env.selection_bits[None, None] & ~known[:, :, None]
        assert not (output.avail_actions & needed.any(-1)).any()
        assert not targets[~known].any()
        output = env.step(choose(env, rng, output.avail_actions))


@pytest.mark.jit
def test_memory_keeps_targets_known_and_ends() -> None:
    """A target out of view stays known for `memory_frames` at most; with 0, only those in view."""
    for memory_frames in (0, 4, 20):
        env = make(replace(OURS, decision_frames=1, memory_frames=memory_frames), 6)
        rng = np.random.default_rng(100)
        unseen = np.full((6, 4, 4), 10**6)
        longest = 0
        output = env.reset(seeds(6))
        for _ in range(80):
            visible = read(env.sim, "camera_target_mask")
            unseen = np.where(visible, 0, unseen + 1)
            known = target_features(env, output)[..., 0] > 0
            assert (known[visible]).all()
            assert (unseen[known] <= memory_frames).all()
            longest = max(longest, int(unseen[known].max(initial=0)))
            output = env.step(rng.integers(0, env.n_actions, (6, 4)))
        assert longest == memory_frames


def test_own_observation_tells_nothing_about_what_is_out_of_sight() -> None:
    """Accounts of targets that no camera sees change no feature and no mask ("own view")."""
    options = replace(OURS, decision_frames=1)
    env, other = make(options, 8), make(options, 8)
    rng = np.random.default_rng(101)
    compared = 0
    for _ in range(30):
        actions = rng.integers(0, env.n_actions, (8, 4))
        other.load_state_dict(env.state_dict())
        hidden = ~(read(env.sim, "tracked_bits") > 0)
        targets, world = other.sim.view.targets, other.sim.view.world
        targets.bounty[...] = np.where(hidden, 1.0, targets.bounty)
        targets.freight[...] = np.where(hidden, 1.0, targets.freight)
        targets.capacity[...] = np.where(hidden, 3.0 - targets.capacity, targets.capacity)
        targets.load[...] = np.where(hidden, 0.5, targets.load)
        world.remaining[...] += 3.0
        world.awaiting[...] += 3.0
        wanted, computed = env.step(actions), other.step(actions)
        still = ~(hidden & (read(env.sim, "tracked_bits") > 0)).any(1)
        np.testing.assert_array_equal(computed.obs[still], wanted.obs[still])
        np.testing.assert_array_equal(computed.avail_actions[still], wanted.avail_actions[still])
        assert (computed.state != wanted.state).any()
        compared += int(hidden[still].sum())
    assert compared > 100


def test_scenario_without_cameras() -> None:
    with pytest.raises(ValueError, match="has no cameras"):
        SelectionEnv(scenario_with("MATE-Navigation"), OURS, 1)


def test_bad_actions() -> None:
    env = SelectionEnv(load_scenario("MATE-4v4-9"), OURS, 2)
    with pytest.raises(ValueError, match="before the first episode; expected reset"):
        env.step(np.zeros((2, 4), np.int64))
    with pytest.raises(ValueError, match="before the first episode; expected reset"):
        env.observe()
    env.reset(seeds(2))
    for kind in (np.float64, np.bool_, np.complex128, "datetime64[s]", object, str):
        with pytest.raises(ValueError, match=r"actions are .*; expected \(2, 4\) integers"):
            env.step(np.zeros((2, 4)).astype(kind))
    with pytest.raises(ValueError, match=r"shape \(2, 3\); expected \(2, 4\)"):
        env.step(np.zeros((2, 3), np.int64))
    for bad in (-1, env.n_actions):
        with pytest.raises(ValueError, match="actions range from"):
            env.step(np.full((2, 4), bad))
    for bad_number in (-1, 1.0, True, "1", 10**8):
        with pytest.raises(ValueError, match=r"n_frames = .*; expected an integer from 0 to"):
            env.run_frames(np.zeros((2, 4), np.int64), bad_number)  # type: ignore[arg-type]
