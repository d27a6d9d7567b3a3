"""SelectionEnv: held selections frame by frame, auto-reset, statistics, batches, continuation."""

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
from reference_stereo import of_world

from camcontrol import selection_env as selection
from camcontrol.selection_env import EnvOutput, SelectionEnv, SelectionOptions
from camsim.layout import StateLayout
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import load_scenario
from camsim.tables import EPISODE_COLUMNS

UPSTREAM = SelectionOptions(
    fast_interval=1,
    belief="none",
    max_selected=9,
    search_actions=0,
    executor="upstream",
    lookahead=False,
    gamma=1.0,
)
OURS = SelectionOptions(
    belief="last_seen", memory_frames=20, lookahead=False, coverage_per_target=False, gamma=0.98
)
REGIMES = {
    "upstream": replace(UPSTREAM, fast_interval=5),
    "own": OURS,
    "shared": replace(OURS, observation_mode="shared"),
    "lossy": replace(OURS, observation_mode="shared", message_loss=0.4),
    "particles": replace(OURS, belief="particles"),
    "shared particles": replace(OURS, belief="particles", observation_mode="shared"),
    "looking ahead": replace(OURS, belief="particles", observation_mode="shared", lookahead=True),
}

PLAY = """
import hashlib, numpy as np
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.scenario.schema import load_scenario

env = SelectionEnv(load_scenario("MATE-4v4-9"), SelectionOptions(max_episode_steps=33), 4)
env.reset(np.arange(4, dtype=np.uint64))
rng = np.random.default_rng(5)
for _ in range(12):
    env.step(rng.integers(0, env.n_actions, (4, 4)))
for name, array in env.state_dict().items():
    print(name, hashlib.sha256(array.tobytes()).hexdigest())
"""


def seeds(n: int, first: int = 0) -> np.ndarray:
    """Seeds first, first + 1, ... [n]."""
    return np.arange(first, first + n, dtype=np.uint64)


def make(options: SelectionOptions, n_envs: int, name: str = "MATE-4v4-9") -> SelectionEnv:
    """An environment after its reset."""
    env = SelectionEnv(load_scenario(name), options, n_envs)
    env.reset(seeds(n_envs))
    return env


def choose(env: SelectionEnv, rng: np.random.Generator, avail: np.ndarray) -> np.ndarray:
    """Random available actions [N, C]."""
    return np.where(avail, rng.random(avail.shape), -1.0).argmax(-1)


def target_features(env: SelectionEnv, output: EnvOutput) -> np.ndarray:
    """The targets' part of the observations [N, C, T, Ft]; feature 0 tells whether it is known."""
    layout = env.feature_layout
    end = layout.context_size + layout.n_targets * layout.target_size
    part = output.obs[..., layout.context_size : end]
    return part.reshape(*part.shape[:2], layout.n_targets, layout.target_size)


def copied(output: EnvOutput) -> EnvOutput:
    """The output, out of reach of the next decision."""
    return EnvOutput(*(array.copy() for array in output))


def assert_equal_states(a: SelectionEnv, b: SelectionEnv, rows: slice = slice(None)) -> None:
    """All of b equals rows `rows` of a, bit for bit."""
    mine, theirs = a.state_dict(), b.state_dict()
    for name, array in theirs.items():
        if len(array):
            np.testing.assert_array_equal(mine[name][rows], array, name)


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
        for frame in range(options.fast_interval):
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
        for frame in range(options.fast_interval):
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
    quick = make(replace(options, fast_interval=1), n_envs)
    rng = np.random.default_rng(92)
    for _ in range(8):
        actions = rng.integers(0, slow.n_actions, (n_envs, 4))
        whole = copied(slow.step(actions))
        parts = [copied(quick.step(actions)) for _ in range(options.fast_interval)]
        discounts = options.gamma ** np.arange(options.fast_interval)
        for field in ("reward", "bonus"):
            total = sum(
                discount * getattr(part, field)
                for discount, part in zip(discounts, parts, strict=True)
            )
            np.testing.assert_allclose(getattr(whole, field), total, rtol=1e-12)
        np.testing.assert_array_equal(whole.frames, options.fast_interval)
        for field in ("obs", "state", "avail_actions", "coverage", "initial_coverage"):
            np.testing.assert_array_equal(getattr(whole, field), getattr(parts[-1], field))
        for name, array in slow.sim.state_dict().items():
            np.testing.assert_array_equal(quick.sim.state_dict()[name], array, name)


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


def test_threads_do_not_matter() -> None:
    one = play_elsewhere(NUMBA_NUM_THREADS="1")
    assert one.count("\n") > 10
    assert play_elsewhere(NUMBA_NUM_THREADS="2") == one


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_stored_state_continues_exactly(regime: str) -> None:
    options = replace(REGIMES[regime], max_episode_steps=47)
    env, other = make(options, 3), make(options, 3)
    rng = np.random.default_rng(94)
    last = copied(env.step(rng.integers(0, env.n_actions, (3, 4))))
    for computed, wanted in zip(other.load_state_dict(env.state_dict()), last, strict=True):
        np.testing.assert_array_equal(computed, wanted)
    for _ in range(12):
        actions = rng.integers(0, env.n_actions, (3, 4))
        for computed, wanted in zip(other.step(actions), env.step(actions), strict=True):
            np.testing.assert_array_equal(computed, wanted)
    assert_equal_states(env, other)


def test_time_limit_truncates_and_the_next_episode_starts_at_once() -> None:
    """A limit of 11 lasts 12 frames: two decisions of 5 and one of 2 (world 6.5)."""
    env = make(replace(OURS, max_episode_steps=11), 3)
    fresh = SelectionEnv(load_scenario("MATE-4v4-9"), OURS, 3)
    rng = np.random.default_rng(95)
    frames = []
    for decision in range(6):
        output = copied(env.step(rng.integers(0, env.n_actions, (3, 4))))
        frames.append(output.frames.tolist())
        assert (output.truncated == (decision % 3 == 2)).all()
        assert not output.terminated.any()
        if decision == 2:
            first = dict(zip(EPISODE_COLUMNS, output.episode.T, strict=True))
            assert (first["length"] == 12).all()
            assert (read(env.sim, "episode_step") == 0).all()
            positions = read(env.sim, "target_xy").copy()
    assert frames == [[5] * 3, [5] * 3, [2] * 3] * 2
    fresh.reset(seeds(3))
    assert (positions != read(fresh.sim, "target_xy")).all()  # not the first episode again


def deliver_everything(env: SelectionEnv, rows: slice = slice(None)) -> None:
    """Leave no cargo in some worlds: their episodes terminate with the next frame."""
    world, targets = env.sim.view.world, env.sim.view.targets
    world.remaining[rows] = 0.0
    world.awaiting[rows] = 0.0
    targets.goal[rows] = -1.0
    targets.load[rows] = 0.0


def test_last_delivery_terminates() -> None:
    env = make(OURS, 2)
    deliver_everything(env)
    output = env.step(np.zeros((2, 4), np.int64))
    assert output.terminated.all()
    assert not output.truncated.any()
    assert (output.frames == 1).all()


SHOWN = ("obs", "state", "avail_actions")
"""Fields of an output that `final_*` gives of the frame before the automatic reset."""


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_final_fields_are_what_a_longer_episode_would_have_shown(regime: str) -> None:
    """In rows that end, at different decisions; elsewhere they stay what they were."""
    n_envs, limit = 4, 24  # 25 frames: five decisions
    ending, longer, restored = (
        make(replace(REGIMES[regime], max_episode_steps=steps), n_envs)
        for steps in (limit, 10 * limit, limit)
    )
    for env in (ending, longer):
        env.sim.view.world.step[1::2] += 10.0  # these rows end after three decisions
    rng = np.random.default_rng(102)
    before = copied(ending.observe())
    longer.observe()
    ended_after = np.zeros(n_envs, np.int64)
    for decision in range(1, 6):
        actions = rng.integers(0, longer.n_actions, (n_envs, 4))
        wanted, output = copied(longer.step(actions)), copied(ending.step(actions))
        ends, on = output.truncated, ended_after == 0
        ended_after[ends] = decision
        for name in SHOWN:
            final, shown = getattr(output, f"final_{name}"), getattr(wanted, name)
            np.testing.assert_array_equal(final[ends], shown[ends], name)
            np.testing.assert_array_equal(final[~ends], getattr(before, f"final_{name}")[~ends])
            on_shown = getattr(output, name)[on & ~ends]
            np.testing.assert_array_equal(on_shown, shown[on & ~ends], name)
        assert (output.obs[ends] != output.final_obs[ends]).any((1, 2)).all()
        for field, value in zip(
            EnvOutput._fields, restored.load_state_dict(ending.state_dict()), strict=True
        ):
            np.testing.assert_array_equal(value, getattr(output, field), field)
        before = output
    assert ended_after.tolist() == [5, 3, 5, 3]


def test_final_fields_after_the_last_delivery() -> None:
    """One row terminates after a frame: it shows that frame, the other row goes on."""
    env, other = make(OURS, 2), make(OURS, 2)
    actions = np.full((2, 4), 3)
    for each in (env, other):
        deliver_everything(each, slice(0, 1))
    output = env.step(actions)
    assert output.terminated.tolist() == [True, False]
    assert output.frames.tolist() == [1, 5]
    other.run_frames(actions)
    other.sim.view.world.done[...] = 0.0  # so that `observe` shows the frame without a reset
    wanted = other.observe()
    for name in SHOWN:
        final, shown = getattr(output, f"final_{name}"), getattr(wanted, name)
        np.testing.assert_array_equal(final[0], shown[0], name)
        np.testing.assert_array_equal(getattr(output, name)[1], shown[1], name)
        assert not final[1].any()  # nothing has ended there yet
    assert (output.obs[0] != wanted.obs[0]).any()


def test_a_state_from_before_the_final_fields_still_loads() -> None:
    env = make(replace(OURS, max_episode_steps=4), 2)
    actions = np.zeros((2, 4), np.int64)
    wanted = copied(env.step(actions))
    assert wanted.truncated.all()
    old = {name: array for name, array in env.state_dict().items() if "final" not in name}
    output = env.load_state_dict(old)
    assert not output.final_obs.any()
    assert not output.final_state.any()
    np.testing.assert_array_equal(output.obs, wanted.obs)
    np.testing.assert_array_equal(output.truncated, wanted.truncated)
    del old["out.obs"]
    with pytest.raises(ValueError, match=r"stored state lacks 'out\.obs'"):
        env.load_state_dict(old)


def test_a_state_from_before_stereo_coverage_goes_on_as_it_was() -> None:
    """Nobody knows the stereo coverage of the episode that it stopped in; the next one is whole."""
    env, again = (make(replace(OURS, max_episode_steps=11), 2) for _ in range(2))
    actions = np.zeros((2, 4), np.int64)
    env.step(actions)
    old = env.state_dict()
    del old["out.stereo_difference_reward"]
    for name in ("agents.episode", "out.episode"):
        old[name] = old[name][:, :8]
    assert not again.load_state_dict(old).stereo_difference_reward.any()
    ends = 0
    for _ in range(6):
        wanted, output = env.step(actions), again.step(actions)
        np.testing.assert_array_equal(output.obs, wanted.obs)
        np.testing.assert_array_equal(output.reward, wanted.reward)
        if wanted.truncated.any():
            ends += 1
            np.testing.assert_array_equal(output.episode[:, :8], wanted.episode[:, :8])
            assert np.isnan(output.episode[:, 8]).all() == (ends == 1)
    assert ends == 2
    assert_equal_states(env, again)
    old["agents.episode"] = old["agents.episode"][:, :5]
    with pytest.raises(
        ValueError, match=r"agents\.episode: stored shape \(2, 5\); expected \(2, 9\)"
    ):
        again.load_state_dict(old)


def test_only_a_decision_that_ends_an_episode_runs_the_kernel_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = make(replace(OURS, max_episode_steps=11), 2)
    jobs, run_batch = [], selection.kernels.run_batch

    def counted(job: int, *args: object) -> None:
        jobs.append(job)
        run_batch(job, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(selection.kernels, "run_batch", counted)
    n_calls = []
    for _ in range(4):
        jobs.clear()
        env.step(np.zeros((2, 4), np.int64))
        n_calls.append(len(jobs))
    assert n_calls == [1, 1, 2, 1]


@pytest.mark.jit
@pytest.mark.parametrize("regime", REGIMES)
def test_episode_statistics(regime: str) -> None:
    """Every column, counted again from the frames; selections by the oracle's definition."""
    n_envs, limit = 4, 39
    options = replace(REGIMES[regime], fast_interval=1, max_episode_steps=limit, gamma=1.0)
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
        options = replace(OURS, fast_interval=1, reward_coefficients={term: 3.0})
        env = make(options, 4)
        for _ in range(10):
            output = env.step(rng.integers(0, env.n_actions, (4, 4)))
            np.testing.assert_allclose(output.reward, 3.0 * value(env), rtol=1e-12, err_msg=term)


def test_bonus_for_reacquired_targets() -> None:
    """min(time, 50)/50 for each covered target after `time` uncovered frames, mean over targets."""
    env = make(replace(OURS, fast_interval=1), 6)
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
        env = make(replace(OURS, fast_interval=1, memory_frames=memory_frames), 6)
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
    options = replace(OURS, fast_interval=1)
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"belief": "psychic"}, "belief = 'psychic'; expected one of"),
        ({"executor": "magic"}, "executor = 'magic'; expected one of upstream, lead"),
        ({"opponent": "lazy"}, "opponent = 'lazy'; expected one of"),
        ({"fast_interval": 0}, "fast_interval = 0; expected at least 1"),
        ({"reward_coefficients": {"fame": 1.0}}, "reward coefficient 'fame'; expected one of"),
        ({"observation_mode": "all"}, "observation_mode = 'all'"),
        ({"search_actions": 99}, "search_actions = 99"),
        ({"random_walk_share": 0.6}, "random_walk_share = 0.6; expected a share from 0 to 0.5"),
        ({"min_baseline_deg": -5.0}, "min_baseline_deg = -5.0; expected 0 to 180"),
    ],
)
def test_bad_options(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SelectionEnv(load_scenario("MATE-4v4-9"), replace(OURS, **changes), 1)


def test_scenario_without_cameras() -> None:
    with pytest.raises(ValueError, match="has no cameras"):
        SelectionEnv(scenario_with("MATE-Navigation"), OURS, 1)


def test_bad_actions() -> None:
    env = make(OURS, 2)
    with pytest.raises(ValueError, match=r"shape \(2, 3\); expected \(2, 4\)"):
        env.step(np.zeros((2, 3), np.int64))
    for bad in (-1, env.n_actions):
        with pytest.raises(ValueError, match="actions range from"):
            env.step(np.full((2, 4), bad))
