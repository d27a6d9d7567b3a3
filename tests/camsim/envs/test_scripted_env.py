"""ScriptedEnv: both teams inside the compiled loop; episodes one by one or running on."""

from __future__ import annotations

import numpy as np
import pytest
from reference_stereo import of_world

from camsim.envs.scripted_env import ScriptedEnv
from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import load_scenario
from camsim.state import ObsBuffers
from camsim.tables import EPISODE_COLUMNS


def make(n_envs: int, limit: int, cameras: str = "greedy", name: str = "MATE-4v4-9") -> ScriptedEnv:
    """Scripted teams with a time limit."""
    return ScriptedEnv(load_scenario(name), n_envs, camera_policy=cameras, max_episode_steps=limit)


def seeds(n: int, first: int = 0) -> np.ndarray:
    """Seeds first, first + 1, ... [n]."""
    return np.arange(first, first + n, dtype=np.uint64)


@pytest.mark.parametrize("cameras", ["random", "naive", "greedy"])
def test_running_on_equals_playing_an_episode(cameras: str) -> None:
    """60 frames from a reset leave the world where an episode of 60 frames ends."""
    episodes, frames = make(5, 59, cameras), make(5, 1000, cameras)
    rows = episodes.run_episodes(seeds(5))
    assert (rows[:, EPISODE_COLUMNS.index("length")] == 60).all()
    frames.reset(seeds(5))
    frames.run_frames(25)
    frames.run_frames(35)
    for table in ("cameras", "targets", "obstacles", "rng", "camera_target"):
        wanted = getattr(episodes.sim.tables, table)
        np.testing.assert_array_equal(getattr(frames.sim.tables, table), wanted, table)


def test_episode_depends_on_its_seed_alone() -> None:
    """However many environments play them: also with a short last batch."""
    wanted = make(7, 50).run_episodes(seeds(7))
    for n_envs in (1, 3, 10):
        rows = make(n_envs, 50).run_episodes(seeds(7))
        np.testing.assert_array_equal(rows, wanted)
    np.testing.assert_array_equal(make(2, 50).run_episodes(seeds(3, 4)), wanted[4:])
    assert len(np.unique(wanted[:, 1])) > 3


@pytest.mark.parametrize("least", [30.0, 75.0])
def test_statistics_are_sums_over_all_frames(least: float) -> None:
    limit, n_envs = 30, 4
    playing = ScriptedEnv(
        load_scenario("MATE-4v4-9"),
        n_envs,
        camera_policy="greedy",
        max_episode_steps=limit,
        min_baseline_deg=least,
    )
    rows = playing.run_episodes(seeds(n_envs))
    env = make(n_envs, 1000)
    env.reset(seeds(n_envs))
    wanted = np.zeros((n_envs, len(EPISODE_COLUMNS)))
    for _ in range(limit + 1):
        env.run_frames(1)
        wanted[:, 0] += 1
        wanted[:, 1] += read(env.sim, "tracked_bits").mean(1)
        wanted[:, 2] += read(env.sim, "real_coverage_rate")
        wanted[:, 3] = read(env.sim, "mean_transport_rate")
        wanted[:, 4] += env.sim.result().camera_reward
        wanted[:, 8] += of_world(env.sim, least)[0]
    assert (wanted[:, 8] > 0.0).any()
    np.testing.assert_allclose(rows, wanted, rtol=1e-12)


def test_auto_reset_and_observations() -> None:
    """After the limit the next episode runs, and the observations written belong to it."""
    env = make(3, 9)
    env.reset(seeds(3))
    out = env.sim.flat_obs
    env.run_frames(10, out)
    assert (read(env.sim, "episode_step") == 0).all()
    written = env.sim.obs.camera_obs.copy()
    np.testing.assert_array_equal(env.sim.observe().camera_obs, written)
    env.run_frames(4, ObsBuffers(*out))
    assert (read(env.sim, "episode_step") == 4).all()
    written = env.sim.obs.camera_obs.copy()
    np.testing.assert_array_equal(env.sim.observe().camera_obs, written)


def test_scenario_without_cameras() -> None:
    rows = make(2, 20, name="MATE-Navigation").run_episodes(seeds(2))
    assert (rows[:, EPISODE_COLUMNS.index("coverage_sum")] == 0).all()


@pytest.mark.parametrize("key", ["camera_policy", "target_policy"])
def test_unknown_rule(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} = 'clever'; expected one of"):
        ScriptedEnv(load_scenario("MATE-4v4-9"), 1, **{key: "clever"})


def test_an_angle_out_of_range() -> None:
    with pytest.raises(ValueError, match="min_baseline_deg = 181; expected a number from 0 to 180"):
        ScriptedEnv(load_scenario("MATE-4v4-9"), 1, min_baseline_deg=181)


def test_frames_before_an_episode() -> None:
    env = make(2, 5)
    with pytest.raises(ValueError, match="before the first episode; expected reset"):
        env.run_frames(1)
    with pytest.raises(ValueError, match=r"n_frames = 1\.5; expected an integer from 0"):
        env.run_frames(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [[-1, 0], [0.0, 1.0], [True, False], [1], ["a", "b"], [[1, 2]]])
def test_seeds_of_a_wrong_kind(wrong: list[object]) -> None:
    with pytest.raises(ValueError, match="seeds "):
        make(2, 5).reset(np.asarray(wrong))


def test_no_seeds_no_episodes() -> None:
    assert make(2, 5).run_episodes(seeds(0)).shape == (0, len(EPISODE_COLUMNS))
