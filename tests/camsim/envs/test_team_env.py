"""TeamEnv: equal to BatchSim, auto-reset, restarts, actions, continuation, buffers."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from paths import DOCS
from random_worlds import random_actions
from team_worlds import BOTH, assert_equal_rows, copied, make, nothing, seeds

from camsim import BatchSim, TeamOptions, load_scenario
from camsim.envs import team_env as team
from camsim.envs.discrete_actions import camera_grid, target_grid
from camsim.envs.scripted_env import ScriptedEnv
from camsim.envs.team_env import TeamOutput
from camsim.parity.teacher_forcing import read

TABLES = ("cameras", "targets", "obstacles", "world", "camera_target", "target_camera", "rng")


@pytest.mark.parametrize("name", ["MATE-4v4-9", "MATE-Navigation"])
def test_equals_batch_sim(name: str) -> None:
    env = make(4, name=name)
    sim = BatchSim(load_scenario(name), 4, target_obs=True)
    rng = np.random.default_rng(1)
    obs = sim.reset(seeds(4))
    out = env.reset(seeds(4))
    for _ in range(40):
        np.testing.assert_array_equal(out.camera_obs, obs.camera_obs)
        np.testing.assert_array_equal(out.target_obs, obs.target_obs)
        np.testing.assert_array_equal(out.state, obs.state)
        actions = random_actions(sim, rng)
        result = sim.step(*actions)
        out = env.step(*actions)
        shape = (4, env.n_cameras)
        np.testing.assert_array_equal(
            out.camera_reward, np.broadcast_to(result.camera_reward[:, None], shape)
        )
        np.testing.assert_array_equal(out.target_reward[:, 0], result.target_reward)
    for table in TABLES:
        np.testing.assert_array_equal(getattr(env.sim.tables, table), getattr(sim.tables, table))


@pytest.mark.parametrize("cameras", ["random", "greedy"])
def test_scripted_teams_equal_scripted_env(cameras: str) -> None:
    env = make(3, cameras=cameras, targets="greedy")
    wanted = ScriptedEnv(load_scenario("MATE-4v4-9"), 3, camera_policy=cameras)
    env.reset(seeds(3))
    wanted.reset(seeds(3))
    for _ in range(30):
        env.step()
        wanted.run_frames(1)
    for table in ("cameras", "targets", "world", "camera_target", "rng"):
        mine, theirs = getattr(env.sim.tables, table), getattr(wanted.sim.tables, table)
        np.testing.assert_array_equal(mine, theirs, table)


def test_rows_are_independent() -> None:
    """Row 2 of a batch is the episode that a batch of one plays, through automatic resets."""
    options = replace(BOTH, targets="greedy", max_episode_steps=6, relative=True, rescaled=True)
    batch, single = make(4, options), make(1, options)
    rng = np.random.default_rng(2)
    many, one = batch.reset(seeds(4)), single.reset(seeds(1, 2))
    for _ in range(20):
        for a, b, name in zip(many, one, TeamOutput._fields, strict=True):
            np.testing.assert_array_equal(a[2], b[0], name)
        action = rng.uniform(-5, 5, (4, 4, 2))
        many, one = batch.step(action), single.step(action[2:3])


def test_time_limit_and_automatic_reset() -> None:
    """A limit of 4 gives 5 frames; the step after that starts the next episode and pays nothing."""
    env = make(2, targets="greedy", max_episode_steps=4)
    out = env.reset(seeds(2))
    assert env.episode_id.tolist() == [0, 0]
    idle = nothing(env)[0]
    for frame in range(1, 6):
        out = env.step(idle)
        assert (read(env.sim, "episode_step") == frame).all()
        assert out.truncated.tolist() == [frame == 5] * 2
        assert (out.camera_done == (frame == 5)).all()
        assert (out.target_done == (frame == 5)).all()
    assert not out.terminated.any()
    last = copied(out)
    out = env.step(np.full((2, 4, 2), 3.0))
    assert env.episode_id.tolist() == [1, 1]
    assert (read(env.sim, "episode_step") == 0).all()
    assert not out.truncated.any()
    assert not out.camera_done.any()
    assert (out.camera_reward == 0.0).all()
    assert (out.target_reward == 0.0).all()
    assert (out.camera_obs[:, :, 13:15] != last.camera_obs[:, :, 13:15]).all()  # a new layout
    np.testing.assert_array_equal(out.camera_obs, env.sim.obs.camera_obs)


def test_without_automatic_reset_worlds_run_on() -> None:
    env = make(2, targets="greedy", max_episode_steps=2, auto_reset=False)
    env.reset(seeds(2))
    for frame in range(1, 6):
        out = env.step(nothing(env)[0])
        assert (out.truncated == (frame > 2)).all()
        assert (read(env.sim, "episode_step") == frame).all()
    out = env.restart(out.truncated.copy())
    assert (read(env.sim, "episode_step") == 0).all()


def test_delivery_of_everything_terminates() -> None:
    env = make(3, max_episode_steps=3)
    env.reset(seeds(3))
    for _ in range(2):
        env.step(*nothing(env))
    env.sim.view.world.awaiting[1] = 0.0
    out = env.step(*nothing(env))
    assert out.terminated.tolist() == [False, True, False]
    assert out.truncated.tolist() == [False, False, False]
    env.sim.view.world.awaiting[0] = 0.0  # delivered in the very frame of the time limit
    out = env.step(*nothing(env))
    assert out.terminated.tolist() == [True, False, False]
    assert out.truncated.tolist() == [False, False, True]


def test_restart_leaves_other_rows_alone() -> None:
    rewards = {"coverage_rate": 1.0}
    env = make(4, targets="greedy", camera_rewards=rewards, relative=True, max_episode_steps=6)
    env.reset(seeds(4))
    for _ in range(6):
        env.step(nothing(env)[0])
    which = np.array([False, True, False, True])
    before, out = env.state_dict(), copied(env.output)
    new = env.restart(which)
    assert_equal_rows(new, out, ~which)
    after = env.state_dict()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name][~which], array[~which], name)
    for row in (1, 3):
        assert (after["sim.cameras"][row] != before["sim.cameras"][row]).any()
        assert (after["sim.world"][row, 28:30] == 0.0).all()
    assert env.episode_id.tolist() == [0, 1, 0, 1]
    assert (new.camera_reward[which] == 0.0).all()
    unchanged = copied(new)
    assert_equal_rows(env.restart(np.zeros(4, np.bool_)), unchanged)


def test_rows_restart_from_seeds_of_their_own() -> None:
    env, fresh = make(3, targets="greedy"), make(3, targets="greedy")
    env.reset(seeds(3))
    env.step(nothing(env)[0])
    which, given = np.array([True, False, True]), np.array([7, 8, 9], np.uint64)
    assert_equal_rows(env.restart(which, given), copied(fresh.reset(given)), which)
    with pytest.raises(ValueError, match="expected 3 integers"):
        env.restart(which, given[:2])


def test_a_single_world_leaves_the_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(numba, "get_num_threads", lambda: 4)
    monkeypatch.setattr(numba, "set_num_threads", asked.append)
    make(1).reset(seeds(1))
    assert asked == [1, 4]


def test_the_threads_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise KeyboardInterrupt

    asked: list[int] = []
    env = make(1)
    monkeypatch.setattr(numba, "get_num_threads", lambda: 4)
    monkeypatch.setattr(numba, "set_num_threads", asked.append)
    monkeypatch.setattr(team, "run_batch", broken)
    with pytest.raises(KeyboardInterrupt):
        env.reset(seeds(1))
    assert asked == [1, 4]


@pytest.mark.parametrize("which", [np.zeros(3), np.zeros(4, np.bool_)])
def test_bad_restart(which: NDArray[np.float64]) -> None:
    env = make(3)
    env.reset(seeds(3))
    with pytest.raises(ValueError, match="expected 3 flags"):
        env.restart(which)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "cameras", "targets", "error"),
    [
        ({}, None, (3, 4, 2), "camera_action is missing; the team is external"),
        ({}, (3, 4, 2), None, "target_action is missing; the team is external"),
        ({"targets": "greedy"}, (3, 4, 2), (3, 4, 2), "target_action was given, but a rule drives"),
        ({}, (3, 4), (3, 4, 2), r"camera_action has shape \(3, 4\); expected \(3, 4, 2\)"),
        ({}, (3, 4, 2), (4, 4, 2), r"target_action has shape \(4, 4, 2\); expected \(3, 4, 2\)"),
        ({"camera_action_levels": 5}, (3, 4), (3, 4, 2), "camera_action is float64 of shape"),
    ],
)
def test_bad_actions(
    changes: dict[str, object],
    cameras: tuple[int, ...] | None,
    targets: tuple[int, ...] | None,
    error: str,
) -> None:
    env = make(3, **changes)
    env.reset(seeds(3))
    before = env.state_dict()
    with pytest.raises(ValueError, match=error) as caught:
        env.step(*(None if shape is None else np.zeros(shape) for shape in (cameras, targets)))
    assert "\n" not in str(caught.value)
    for name, array in env.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_actions_that_are_not_finite() -> None:
    env = make(3)
    env.reset(seeds(3))
    cameras, targets = nothing(env)
    targets[2, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"target_action\[2, 1, 0\] = nan; expected a finite"):
        env.step(cameras, targets)


def test_discrete_actions_are_points_of_the_grid() -> None:
    rng = np.random.default_rng(3)
    discrete = make(3, camera_action_levels=5, target_action_levels=3)
    continuous = make(3)
    discrete.reset(seeds(3))
    continuous.reset(seeds(3))
    steps = continuous.sim.view.targets.step_size
    for _ in range(10):
        cameras, targets = rng.integers(0, 25, (3, 4)), rng.integers(0, 9, (3, 4))
        wanted = continuous.step(
            camera_grid(5)[cameras] * [5.0, 2.5], target_grid(3)[targets] * steps[..., None]
        )
        assert_equal_rows(discrete.step(cameras, targets.astype(np.int32)), wanted)
    with pytest.raises(ValueError, match=r"target_action\[0, 0\] = 9; expected 0 to 8"):
        discrete.step(cameras, np.full((3, 4), 9))


def test_step_needs_an_episode() -> None:
    env = make(2)
    with pytest.raises(ValueError, match="step before the first episode; expected reset"):
        env.step(*nothing(env))


def test_action_bounds() -> None:
    env = make(1)
    assert env.camera_action_bounds.tolist() == [5.0, 2.5]
    assert env.target_action_bounds.tolist() == [20.0, 20.0]


@pytest.mark.jit
@pytest.mark.parametrize(
    "options",
    [
        TeamOptions(cameras="greedy=0.5,random=0.5", targets="greedy", max_episode_steps=20),
        TeamOptions(
            targets={"random": 1.0, "greedy": 1.0},
            relative=True,
            rescaled=True,
            dtype="float32",
            camera_rewards={"soft_coverage_score": 1.0},
            max_episode_steps=12,
        ),
    ],
)
def test_exact_continuation(options: TeamOptions) -> None:
    one, other = make(3, options), make(3, options)
    one.reset(seeds(3))
    other.reset(seeds(3, 50))
    action = None if options.cameras != "external" else np.full((3, 4, 2), 0.7)
    for _ in range(9):
        one.step(action)
        other.step(action)
    assert_equal_rows(other.load_state_dict(one.state_dict()), one.output)
    for _ in range(30):
        assert_equal_rows(other.step(action), one.step(action))
    np.testing.assert_array_equal(one.episode_id, other.episode_id)


def test_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="stored shape"):
        make(2).load_state_dict(make(3).state_dict())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rescaled", [False, True])
def test_torch_shares_the_buffers(dtype: str, rescaled: bool) -> None:
    torch = pytest.importorskip("torch")
    env = make(2, targets="greedy", dtype=dtype, rescaled=rescaled)
    out = env.reset(seeds(2))
    tensors = [torch.from_numpy(array) for array in out]
    for _ in range(5):
        out = env.step(torch.ones((2, 4, 2)))
        for tensor, array in zip(tensors, out, strict=True):
            assert tensor.data_ptr() == array.ctypes.data
            np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensors[0].dtype == getattr(torch, dtype)


def test_unwanted_vectors() -> None:
    lean = make(2, with_camera_obs=False, with_target_obs=False, with_state=False, rescaled=True)
    full = make(2)
    out, wanted = lean.reset(seeds(2)), full.reset(seeds(2))
    assert out.camera_obs.shape == (0, 4, 106)
    assert out.target_obs.shape == (0, 4, 111)
    assert out.state.shape == (0, 156)
    for _ in range(5):
        out, wanted = lean.step(*nothing(lean)), full.step(*nothing(full))
        np.testing.assert_array_equal(out.camera_reward, wanted.camera_reward)
    np.testing.assert_array_equal(lean.information()["state"], wanted.state)


def test_world_without_cameras() -> None:
    env = make(2, TeamOptions(), "MATE-Navigation")
    out = env.reset(seeds(2))
    out = env.step()
    assert out.camera_obs.shape[1] == out.camera_reward.shape[1] == 0
    assert out.target_obs.shape == (2, 8, 195)
    info = env.information()
    assert not info["target.is_tracked"].any()
    env = make(2, cameras="greedy", name="MATE-Navigation")
    env.reset(seeds(2))
    assert env.step(None, np.zeros((2, 8, 2))).state.shape == (2, 253)


def test_example_of_the_documentation_runs() -> None:
    page = (DOCS / "environments.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[1].split("```")[0].replace("256", "2")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "environments.md", "exec"), {})
    assert printed.getvalue().startswith("(2, 4, 106) ")
