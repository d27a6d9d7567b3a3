"""MateEnv and MateVectorEnv: Gymnasium's own checkers, and one class against the other."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as vector_wrappers

from camsim import TeamEnv, TeamOptions, load_scenario
from camsim.envs.adapters.gymnasium_env import MateEnv, MateVectorEnv
from camsim.registration import register_envs

SCENARIOS = ["MATE-4v4-9", "MATE-8v8-9", "MATE-2v4-0", "MATE-Navigation"]
NAVIGATION = SCENARIOS[-1]
TRANSFORMED = {"relative": True, "rescaled": True, "dtype": "float32"}


def discrete(scenario: str) -> dict[str, int]:
    """Action levels of the team that is driven."""
    return {"target_action_levels": 3} if scenario == NAVIGATION else {"camera_action_levels": 5}


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    register_envs()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("kind", ["continuous", "discrete", "transformed"])
def test_stock_checker_passes_without_warnings(scenario: str, kind: str) -> None:
    options = {"continuous": {}, "discrete": discrete(scenario), "transformed": TRANSFORMED}[kind]
    world = gymnasium.make(f"{scenario}-v0", **options)
    check_env(world.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_spaces_have_one_row_per_member(scenario: str) -> None:
    count, size = {"MATE-4v4-9": (4, 106), "MATE-8v8-9": (8, 154), "MATE-2v4-0": (2, 56)}.get(
        scenario, (8, 195)
    )
    world = MateEnv(scenario)
    assert world.observation_space.shape == (count, size)
    assert world.action_space.shape == (count, 2)
    limit = [20.0, 20.0] if scenario == NAVIGATION else [5.0, 2.5]
    assert world.action_space.high.tolist() == [limit] * count
    world = MateEnv(scenario, **discrete(scenario))
    (levels,) = discrete(scenario).values()
    assert world.action_space.nvec.tolist() == [levels**2] * count


def test_results_are_those_of_team_env() -> None:
    reference = TeamEnv(load_scenario("MATE-4v4-9"), TeamOptions(), 1)
    world = MateEnv()
    expected = reference.reset(np.array([11], np.uint64))
    obs, info = world.reset(seed=11)
    world.action_space.seed(0)
    for _ in range(40):
        assert np.array_equal(obs, expected.camera_obs[0])
        action = world.action_space.sample()
        expected = reference.step(action[None])
        obs, reward, terminated, truncated, info = world.step(action)
        assert reward == expected.camera_reward[0, 0] == info["raw_reward"]
        assert (terminated, truncated) == (False, False)


def test_options_and_scenario_keys_are_keywords() -> None:
    world = MateEnv(
        options=TeamOptions(relative=True, targets="random"),
        rescaled=True,
        reward_type="sparse",
        camera={"max_sight_range": 1200},
    )
    env = world.team_env
    assert (env.options.relative, env.options.rescaled) == (True, True)
    assert env.options.targets == "random"
    assert env.scenario.reward_type == "sparse"
    assert env.scenario.camera is not None
    assert env.scenario.camera.max_sight_range == 1200
    assert env.scenario.camera.rotation_step == 5


@pytest.mark.parametrize("team", ["camera", "target"])
def test_the_other_team_is_scripted(team: str) -> None:
    options = MateEnv(team=team, options=TeamOptions(cameras="naive", targets="random"))
    driven = options.team_env.options
    expected = ("external", "random") if team == "camera" else ("naive", "external")
    assert (driven.cameras, driven.targets) == expected
    assert MateEnv(team="target").team_env.options.cameras == "greedy"


def make_pair(n: int, **settings) -> tuple[MateVectorEnv, SyncVectorEnv]:
    """The vector environment, and N single ones stepped one by one."""
    single = [lambda: MateEnv(**settings)] * n
    return MateVectorEnv(num_envs=n, **settings), SyncVectorEnv(single)


def assert_same(first: tuple, second: tuple) -> None:
    """Bit-equal results; infos: the same keys and values."""
    for a, b in zip(first[:-1], second[:-1], strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    assert first[-1].keys() == second[-1].keys()
    for key, value in first[-1].items():
        assert np.array_equal(value, second[-1][key]), key


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        ("MATE-4v4-9", {"more_information": True}),
        ("MATE-8v8-9", {"camera_action_levels": 5, **TRANSFORMED}),
        ("MATE-2v4-0", {}),
        (NAVIGATION, {"target_action_levels": 3}),
    ],
)
def test_vector_rows_are_single_environments(scenario: str, settings: dict) -> None:
    batch, single = make_pair(3, scenario=scenario, max_episode_steps=7, **settings)
    assert batch.single_observation_space == single.single_observation_space
    assert batch.observation_space == single.observation_space
    assert batch.single_action_space == single.single_action_space
    assert batch.action_space == single.action_space
    assert_same(batch.reset(seed=5), single.reset(seed=5))
    batch.action_space.seed(1)
    ends = 0
    for _ in range(25):
        actions = batch.action_space.sample()
        result = batch.step(actions)
        assert_same(result, single.step(actions))
        assert batch.observation_space.contains(result[0])
        ends += int(result[3].sum())
    assert ends == 3 * 3  # frames 7, 15 and 23: each restart takes a step of its own
    seeds = [9, None, 2]
    assert_same(batch.reset(seed=seeds), single.reset(seed=seeds))
    mask = np.array([False, True, True])
    masked = [world.reset(options={"reset_mask": mask.copy()}) for world in (batch, single)]
    assert np.array_equal(masked[0][0], masked[1][0])
    assert masked[0][1]["_raw_reward"].tolist() == mask.tolist()


def test_seeds_fix_the_episodes_that_follow() -> None:
    batch = MateVectorEnv(num_envs=2)
    first, again = [[batch.reset(seed=4)[0], batch.reset()[0]] for _ in range(2)]
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0][0], first[0][1])
    assert np.array_equal(MateEnv().reset(seed=5)[0], first[0][1])
    fresh = [MateVectorEnv(num_envs=2).reset()[0] for _ in range(2)]
    assert not np.array_equal(*fresh)
    for wrong in (1.5, "01", b"01"):
        with pytest.raises(ValueError, match=r"^seed = .*; expected a seed or one for each world"):
            batch.reset(seed=wrong)  # type: ignore[arg-type]


def test_options_are_team_options() -> None:
    with pytest.raises(ValueError, match="options = 'shared'; expected TeamOptions or None"):
        MateEnv(options="shared")  # type: ignore[arg-type]


def test_results_are_not_overwritten() -> None:
    batch = MateVectorEnv(num_envs=2)
    batch.reset(seed=0)
    step = batch.step(batch.action_space.sample())
    copies = [np.copy(part) for part in step[:4]]
    batch.step(batch.action_space.sample())
    assert all(np.array_equal(a, b) for a, b in zip(copies, step[:4], strict=True))


def test_stock_vector_wrappers_work() -> None:
    batch = gymnasium.make_vec(
        "MATE-4v4-9-v0", num_envs=3, vectorization_mode="vector_entry_point", max_episode_steps=6
    )
    assert isinstance(batch, MateVectorEnv)
    assert batch.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    world = vector_wrappers.RecordEpisodeStatistics(batch)
    world = vector_wrappers.FlattenObservation(vector_wrappers.NormalizeReward(world))
    obs, _ = world.reset(seed=0)
    assert obs.shape == (3, 4 * 106)
    lengths = []
    for _ in range(14):
        *_, infos = world.step(world.action_space.sample())
        if "episode" in infos:
            lengths += infos["episode"]["l"].tolist()
    assert lengths == [6] * 6
    world.close()
    world.close()


def test_gymnasium_s_time_limit_counts_like_ours() -> None:
    """`max_episode_steps` never reaches the environment in `make`, and always in `make_vec`."""
    single = gymnasium.make("MATE-4v4-9-v0", max_episode_steps=6)
    single.reset(seed=0)
    ends = [single.step(np.zeros((4, 2)))[3] for _ in range(6)]
    assert ends == [False] * 5 + [True]
    ours = MateEnv(max_episode_steps=6)
    ours.reset(seed=0)
    assert [ours.step(np.zeros((4, 2)))[3] for _ in range(6)] == ends


def test_rewards_are_the_members_mean() -> None:
    settings = {"camera_rewards": {"num_tracked": 1.0, "baseline": 2.0}, "camera_view": "shared"}
    world = MateEnv(more_information=True, **settings)
    world.reset(seed=2)
    rewards = []
    for _ in range(60):
        _, reward, _, _, info = world.step(np.full((4, 2), 2.0))
        assert reward == pytest.approx(2.0 + info["num_tracked"].mean())
        assert "auxiliary_reward_num_tracked" in info
        rewards.append(reward)
    assert max(rewards) > 2.0


BAD_CALLS = [
    (lambda: MateEnv(team="both"), "team = 'both'; expected 'camera' or 'target'"),
    (lambda: MateEnv("MATE-Navigation", "camera"), "the scenario has no cameras"),
    (lambda: MateVectorEnv(render_mode="human"), "render_mode = 'human'"),
    (lambda: MateVectorEnv(num_envs=0), "num_envs = 0; expected an integer from 1"),
    (lambda: MateVectorEnv(num_envs=2).reset(seed=[1]), "1 seeds; expected one for each of 2"),
    (lambda: MateEnv().reset(seed=2**64), "expected an integer from 0"),
    (
        lambda: MateVectorEnv(num_envs=2).reset(options={"reset_mask": np.array([True, False])}),
        "rows that never started",
    ),
    (
        lambda: MateVectorEnv(num_envs=2).reset(options={"reset_mask": np.array([1, 0])}),
        "reset_mask is int64 of shape .2,.; expected 2 flags",
    ),
    (lambda: MateEnv().step(np.zeros((4, 2))), "step before the first reset"),
    (lambda: MateVectorEnv().step(np.zeros((1, 4, 2))), "step before the first reset"),
]


@pytest.mark.parametrize(("call", "message"), BAD_CALLS)
def test_bad_calls_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_stock_checker_passes_with_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    check_env(gymnasium.make("MATE-4v4-9-v0", render_mode="rgb_array").unwrapped)
    pygame.display.quit()


def test_a_vector_of_worlds_gives_a_picture_of_each() -> None:
    batch = gymnasium.make_vec("MATE-4v4-9-v0", num_envs=2, render_mode="rgb_array")
    batch.reset(seed=0)
    pictures = batch.render()
    assert pictures is not None
    assert len(pictures) == 2
    assert not np.array_equal(*pictures)
    single = MateEnv(render_mode="rgb_array")
    single.reset(seed=1)
    assert np.array_equal(single.render(), pictures[1])


def messages_drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """Return a list that fills with the cameras' messages in every picture, [C, C] each."""
    import camsim.render

    drawn, draw = [], camsim.render.draw_frame

    def spy(record, **keywords):
        drawn.append(record.camera_messages.tolist())
        return draw(record, **keywords)

    monkeypatch.setattr(camsim.render, "draw_frame", spy)
    return drawn


def test_pictures_show_what_scripted_teams_say(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = messages_drawn(monkeypatch)
    settings = {"team": "target", "cameras": "greedy", "render_mode": "rgb_array"}
    single = MateEnv(**settings)
    batch = MateVectorEnv(num_envs=2, **settings)
    for world in (single, batch):
        world.reset(seed=0)
        world.render()
        world.step(np.zeros(world.action_space.shape))
        world.render()
    silent, greetings = np.zeros((4, 4)).tolist(), (1 - np.eye(4)).tolist()
    assert drawn == [silent, greetings, silent, silent, greetings, greetings]
