"""SelectionEnv: ends of episodes, the next one's start, stored states of now and of old."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import crafted_states
import numpy as np
import pytest
from selection_worlds import OURS, REGIMES, assert_equal_states, copied, make, seeds

from camcontrol import selection_env as selection
from camcontrol.selection_env import EnvOutput, SelectionEnv
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import Scenario, load_scenario
from camsim.tables import EPISODE_COLUMNS


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
@pytest.mark.parametrize("regime", ["own", "looking ahead"])
def test_crafted_states_are_refused_or_harmless(regime: str) -> None:
    """In a process of its own, whose death is noticed: kernels read memory by these numbers."""
    ran = subprocess.run(
        [sys.executable, crafted_states.__file__, regime],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = re.fullmatch(r"(\d+) tried, (\d+) refused\n", ran.stdout)
    assert told is not None, ran.stdout
    assert int(told[2]) > int(told[1]) // 2


def test_cameras_and_obstacles_at_the_border_are_no_reason_to_refuse_a_state() -> None:
    content = load_scenario("MATE-2v4-0").to_mapping()
    content["camera"] |= {"location": [[-1000, -1000], [1000, 1000]], "radius": 1e-3}
    env = SelectionEnv(Scenario.from_mapping(content), OURS, 1)
    env.reset(seeds(1))
    state = env.state_dict()
    assert abs(state["sim.cameras"][..., :2]).min() > 990
    env.load_state_dict(state)


def test_without_auto_reset_the_last_frame_stays_until_a_restart() -> None:
    options = replace(OURS, max_episode_steps=19)
    env, following = make(replace(options, auto_reset=False), 3), make(options, 3)
    for world in (env, following):
        world.sim.view.world.step[1] += 10.0  # ends two decisions earlier
    rng = np.random.default_rng(104)
    for _ in range(2):
        actions = rng.integers(0, env.n_actions, (3, 4))
        output, wanted = copied(env.step(actions)), copied(following.step(actions))
    assert output.truncated.tolist() == [False, True, False]
    for name in SHOWN:
        np.testing.assert_array_equal(getattr(output, name)[1], getattr(wanted, f"final_{name}")[1])
        np.testing.assert_array_equal(getattr(output, f"final_{name}")[1], getattr(output, name)[1])
        np.testing.assert_array_equal(getattr(output, name)[::2], getattr(wanted, name)[::2])
    with pytest.raises(
        ValueError, match="the episode of environment 1 has ended; expected restart"
    ):
        env.step(actions)
    with pytest.raises(
        ValueError, match="the episode of environment 1 has ended; expected restart"
    ):
        env.step(actions, react=lambda *_: actions)
    again = copied(env.restart(output.truncated))
    for name in SHOWN:
        np.testing.assert_array_equal(getattr(again, name), getattr(wanted, name), name)
    assert not again.truncated.any()
    assert again.frames.tolist() == [5, 0, 5]
    assert again.reward[1] == 0.0
    np.testing.assert_array_equal(again.reward[::2], output.reward[::2])
    for computed, shown in zip(env.step(actions), following.step(actions), strict=True):
        np.testing.assert_array_equal(computed, shown)


def test_rows_restart_from_seeds_of_their_own() -> None:
    env = make(replace(OURS, auto_reset=False), 3)
    env.step(np.zeros((3, 4), np.int64))
    before = copied(env.observe())
    output = copied(env.restart(np.array([True, False, True]), np.array([7, 8, 9], np.uint64)))
    fresh = SelectionEnv(load_scenario("MATE-4v4-9"), OURS, 3)
    wanted = fresh.reset(np.array([7, 8, 9], np.uint64))
    for name in SHOWN:
        shown = getattr(output, name)
        np.testing.assert_array_equal(shown[::2], getattr(wanted, name)[::2], name)
        np.testing.assert_array_equal(shown[1], getattr(before, name)[1], name)


@pytest.mark.parametrize(
    ("which", "message"),
    [(np.ones(2, np.bool_), "expected 3 flags"), (np.ones(3), "float64 .* expected 3 flags")],
)
def test_restart_refuses_what_marks_no_rows(which: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(OURS, 3).restart(which)


def test_restart_needs_a_reset_first() -> None:
    env = SelectionEnv(load_scenario("MATE-4v4-9"), OURS, 3)
    with pytest.raises(ValueError, match="expected reset"):
        env.restart(np.ones(3, np.bool_))


def test_masked_actions_are_refused_unless_they_are_wanted() -> None:
    strict, lax = make(replace(OURS, check_actions=True), 2), make(OURS, 2)
    available = strict.observe().avail_actions
    row, camera, masked = (int(k) for k in np.argwhere(~available)[0])
    actions = available.argmax(-1)
    actions[row, camera] = masked
    expected = np.flatnonzero(available[row, camera]).tolist()
    message = (
        f"action {masked} of camera {camera} in environment {row} is not available;"
        f" expected one of {expected}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        strict.step(actions)
    lax.step(actions)
    strict.step(available.argmax(-1))
