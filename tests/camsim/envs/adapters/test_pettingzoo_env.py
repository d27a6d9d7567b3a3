"""MateParallelEnv: PettingZoo's own checkers, and the adapter against TeamEnv."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)
from pettingzoo.test.state_test import state_test

from camsim import TeamEnv, TeamOptions, load_scenario
from camsim.envs.adapters import pettingzoo_env
from camsim.envs.adapters.pettingzoo_env import MateParallelEnv, env, parallel_env
from camsim.envs.message_board import CAMERA, TARGET, Message
from camsim.layout import WAREHOUSES

CASES = [
    ("MATE-4v4-9", "both"),
    ("MATE-4v4-9", "camera"),
    ("MATE-8v8-9", "both"),
    ("MATE-2v4-0", "both"),
    ("MATE-2v4-0", "target"),
    ("MATE-Navigation", "target"),
]
DISCRETE = {
    "camera": {"camera_action_levels": 5},
    "target": {"target_action_levels": 3},
    "both": {"camera_action_levels": 5, "target_action_levels": 3},
}
TRANSFORMED = {"relative": True, "rescaled": True, "dtype": "float32"}
# What PettingZoo's checkers say of every environment whose teams differ.
EXPECTED = "Agents have different observation space sizes|Observations are different shapes"


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", EXPECTED)
        yield


def play(world: MateParallelEnv, n_steps: int, seed: int = 0) -> list[tuple]:
    """Step with random actions of a fixed seed; return what every step returned."""
    for k, agent in enumerate(world.possible_agents):
        world.action_space(agent).seed(seed + k)
    results = []
    while world.agents and len(results) < n_steps:
        actions = {agent: world.action_space(agent).sample() for agent in world.agents}
        results.append(world.step(actions))
    return results


def same(a: object, b: object) -> bool:
    """Whether two nested results are bit-equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(np.array_equal(a, b))


@pytest.mark.parametrize(("scenario", "team"), CASES)
@pytest.mark.parametrize("discrete", [False, True])
def test_stock_checkers_pass(scenario: str, team: str, discrete: bool) -> None:
    settings = {"scenario": scenario, "team": team, "max_episode_steps": 12}
    settings |= DISCRETE[team] if discrete else {}
    parallel_api_test(MateParallelEnv(**settings), num_cycles=15)
    parallel_seed_test(lambda: MateParallelEnv(**settings), num_cycles=15)
    settings["max_cycles"] = settings.pop("max_episode_steps")
    api_test(env(**settings), num_cycles=15)
    seed_test(lambda: env(**settings), num_cycles=15)


def test_stock_checkers_of_length_and_state_pass() -> None:
    max_cycles_test(pettingzoo_env)
    # MATE's table of waiting cargo has no largest value: batches come until no row is empty.
    warnings.filterwarnings("ignore", "Environment's maximum state space value is infinity")
    state_test(env(team="both"), parallel_env(team="both"))


@pytest.mark.parametrize(("scenario", "team"), CASES)
@pytest.mark.parametrize("options", [{}, TRANSFORMED, {"camera_view": "enhanced"}])
def test_observations_and_state_lie_in_their_spaces(
    scenario: str, team: str, options: dict
) -> None:
    world = MateParallelEnv(scenario, team, **options)
    spaces = {agent: world.observation_space(agent) for agent in world.possible_agents}
    assert all(np.isfinite([space.low, space.high]).all() for space in spaces.values())
    for seed in range(3):
        observations, _ = world.reset(seed)
        assert world.state_space.contains(world.state())
        for step in [(observations,), *play(world, 40, seed)]:
            assert all(spaces[agent].contains(obs) for agent, obs in step[0].items())


def test_bounds_hold_beyond_the_ranges_that_mate_declares() -> None:
    camera = {"max_sight_range": 5000, "radius": 30, "rotation_step": 270}
    for rescaled in (False, True):
        world = MateParallelEnv(camera=camera, rescaled=rescaled)
        for obs in (world.reset(seed=1)[0], play(world, 1)[0][0]):
            assert all(world.observation_space(a).contains(o) for a, o in obs.items())


@pytest.mark.parametrize("team", ["camera", "target", "both"])
def test_results_are_those_of_team_env(team: str) -> None:
    scenario = load_scenario("MATE-4v4-9")
    policies = {
        "cameras": "greedy" if team == "target" else "external",
        "targets": "greedy" if team == "camera" else "external",
    }
    reference = TeamEnv(scenario, TeamOptions(**policies), 1)
    world = MateParallelEnv(scenario, team)
    expected = reference.reset(np.array([7], np.uint64))
    observations, infos = world.reset(seed=7)
    for k in range(30):
        cameras, targets = list(expected.camera_obs[0]), list(expected.target_obs[0])
        joint = {f"camera_{i}": obs for i, obs in enumerate(cameras)}
        joint |= {f"target_{i}": obs for i, obs in enumerate(targets)}
        assert all(np.array_equal(joint[a], obs) for a, obs in observations.items())
        assert np.array_equal(world.state(), expected.state[0])
        world.action_space(world.agents[0]).seed(k)
        actions = {a: world.action_space(a).sample() for a in world.agents}
        moves = {
            f"{side}_action": np.array([[actions[f"{side}_{i}"] for i in range(4)]])
            for side in ("camera", "target")
            if f"{side}_0" in actions
        }
        expected = reference.step(**moves)
        observations, rewards, _, _, infos = world.step(actions)
        for agent, reward in rewards.items():
            index = int(agent[-1])
            side = expected.camera_reward if agent[0] == "c" else expected.target_reward
            assert reward == side[0, index] == infos[agent]["raw_reward"]
            assert infos[agent]["coverage_rate"] == reference.sim.view.world.coverage_rate[0]


def test_agents_are_named_and_counted() -> None:
    world = MateParallelEnv("MATE-2v4-0", "both")
    names = [*(f"camera_{k}" for k in range(2)), *(f"target_{k}" for k in range(4))]
    assert world.possible_agents == names
    assert world.max_num_agents == 6
    assert world.agents == []
    world.reset()
    assert world.agents == names
    assert world.num_agents == 6
    assert str(world) == world.metadata["name"] == "mate_v0"
    assert MateParallelEnv("MATE-Navigation", "both").max_num_agents == 8


def test_a_seed_fixes_this_episode_and_those_that_follow() -> None:
    worlds = [MateParallelEnv(max_episode_steps=5) for _ in range(2)]
    first, second = (
        [world.reset(seed=3), play(world, 9), world.reset(), play(world, 9)] for world in worlds
    )
    assert same(first, second)
    assert not same(first[0], first[2])
    assert not same(worlds[0].reset(), worlds[0].reset(seed=3))
    assert not same(MateParallelEnv().reset(), MateParallelEnv().reset())


def test_the_time_limit_truncates_and_empties_the_agents() -> None:
    world = MateParallelEnv(team="both", max_episode_steps=6)
    world.reset(seed=0)
    results = play(world, 99)
    assert len(results) == 6
    assert not any(results[4][3].values())
    assert all(results[5][3].values())
    assert not any(results[5][2].values())
    assert world.agents == []
    assert world.step({}) == ({}, {}, {}, {}, {})


def test_the_end_of_all_cargo_terminates() -> None:
    world = MateParallelEnv()
    world.reset(seed=0)
    world.team_env.sim.view.world.awaiting[:] = 0.0
    _, _, terminations, truncations, _ = play(world, 1)[0]
    assert all(terminations.values())
    assert not any(truncations.values())
    assert world.agents == []


def test_targets_leave_at_their_destination_if_asked() -> None:
    world = MateParallelEnv(team="target", target_done_at_destination=True)
    world.reset(seed=0)
    targets = world.team_env.sim.view.targets
    targets.xy[0, 1] = WAREHOUSES[int(targets.goal[0, 1])]
    _, _, terminations, truncations, _ = world.step({agent: np.zeros(2) for agent in world.agents})
    assert terminations == {f"target_{k}": k == 1 for k in range(4)}
    assert not any(truncations.values())
    assert world.agents == ["target_0", "target_2", "target_3"]
    place = targets.xy[0, 1].copy()
    results = world.step({agent: np.ones(2) for agent in world.agents})
    assert all(set(part) == set(world.agents) for part in results)
    assert np.array_equal(targets.xy[0, 1], place)


def test_infos_hold_what_the_specification_lists() -> None:
    basic = {
        "raw_reward",
        "normalized_raw_reward",
        "messages",
        "out_communication_edges",
        "in_communication_edges",
        "coverage_rate",
        "real_coverage_rate",
        "mean_transport_rate",
        "num_delivered_cargoes",
    }
    world = MateParallelEnv(team="both")
    infos = world.reset(seed=0)[1]
    assert all(set(info) == basic for info in infos.values())
    world = MateParallelEnv(team="both", more_information=True)
    world.reset(seed=0)
    infos = play(world, 3)[-1][4]
    camera, target = infos["camera_2"], infos["target_1"]
    common = set(camera) & set(target)
    assert basic < common
    assert set(camera) - common == {"num_tracked", "is_sensed"}
    assert set(target) - common == {
        "goal",
        "warehouse_distances",
        "goal_distance",
        "individual_done",
        "is_tracked",
        "is_colliding",
    }
    assert np.array_equal(camera["state"], world.state())
    assert camera["num_tracked"] == camera["camera_target_view_mask"][2].sum()
    assert target["warehouse_distances"].shape == (4,)
    assert type(target["goal"]) is int
    assert camera["raw_reward"] == -target["raw_reward"]
    assert camera["normalized_raw_reward"] == camera["raw_reward"] / (200 * 8 * 4)


def test_messages_arrive_at_once_and_stand_in_infos() -> None:
    world = MateParallelEnv(team="camera")
    world.reset(seed=0)
    world.send_messages(Message(0, 2, "hello", CAMERA))
    world.send_messages([Message(1, None, [1, 2], CAMERA)])
    assert [m.content for m in world.receive_messages("camera_2")] == ["hello", [1, 2]]
    assert world.receive_messages("camera_2") == []
    everybody = world.receive_messages()
    assert [len(everybody[agent]) for agent in world.agents] == [1, 1, 0, 1]
    infos = play(world, 1)[0][4]
    assert [len(infos[agent]["messages"]) for agent in world.agents] == [1, 1, 2, 1]
    assert [infos[agent]["out_communication_edges"] for agent in world.agents] == [1, 4, 0, 0]
    assert [infos[agent]["in_communication_edges"] for agent in world.agents] == [1, 1, 2, 1]
    infos = play(world, 1)[0][4]
    assert all(info["messages"] == [] for info in infos.values())
    with pytest.raises(ValueError, match="message of team 1; expected one of"):
        world.send_messages(Message(0, 1, None, TARGET))


@pytest.mark.parametrize("sight", [500.0, 2600.0])
def test_states_are_in_their_space(sight: float) -> None:
    world = MateParallelEnv(team="both", camera={"max_sight_range": sight}, dtype="float32")
    world.reset(seed=0)
    assert world.state_space.contains(world.state())


def test_links_limit_messages_of_driven_teams() -> None:
    from camsim import Link

    world = MateParallelEnv(camera_link=Link(reach=1.0))
    world.reset(seed=0)
    world.send_messages(Message(1, None, "all", CAMERA))
    assert [len(box) for box in world.receive_messages().values()] == [0, 1, 0, 0]


BAD_SETTINGS = [
    ({"team": "cameras"}, "team = 'cameras'; expected one of camera, target, both"),
    ({"scenario": "MATE-Navigation"}, "the scenario has no cameras"),
    ({"scenario": "MATE-4v4"}, "no such preset or file"),
    ({"rescale": True}, "rescale: neither an option nor a key.*rescaled"),
    ({"camera": {"radius": "big"}}, "camera.radius"),
    ({"max_episode_steps": 1}, "max_episode_steps = 1; expected an integer of at least 2"),
    ({"render_mode": "ansi"}, "render_mode = 'ansi'; expected None or human, rgb_array"),
    ({"targets": "clever"}, "'clever'; expected one of"),
    ({"target_action_levels": 3}, "target_action_levels = 3, but a rule drives the targets"),
    ({"camera_action_levels": 4}, "levels = 4; expected an odd number"),
    ({"config": "MATE-4v4-9.yaml"}, "config: neither.*did you mean 'scenario'"),
    ({"camera": {"location": [[0, 0], [5, 5]]}}, r"camera.location\[1\] overlaps camera.loc"),
]


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MateParallelEnv(**settings)


def test_bad_calls_are_named() -> None:
    world = MateParallelEnv()
    with pytest.raises(ValueError, match="step before the first reset"):
        world.step({})
    with pytest.raises(ValueError, match="seed = -1; expected an integer from 0"):
        world.reset(seed=-1)
    world.reset(seed=0)
    still = {agent: np.zeros(2) for agent in world.agents}
    with pytest.raises(ValueError, match="actions lack camera_3"):
        world.step({agent: still[agent] for agent in world.agents[:3]})
    with pytest.raises(ValueError, match=r"action of camera_1 is int64 of shape \(\); expected 2"):
        world.step(still | {"camera_1": 3})
    with pytest.raises(ValueError, match=r"camera_action\[0, 1, 0\] = nan"):
        world.step(still | {"camera_1": np.array([np.nan, 0.0])})
    with pytest.raises(ValueError, match="agent = 'target_0'; expected one of possible_agents"):
        world.receive_messages("target_0")
    discrete = MateParallelEnv(**DISCRETE["camera"])
    discrete.reset(seed=0)
    with pytest.raises(ValueError, match="expected an integer"):
        discrete.step(still)
    with pytest.raises(ValueError, match="expected 0 to 24"):
        discrete.step(dict.fromkeys(still, 25))


@pytest.fixture
def _display(monkeypatch: pytest.MonkeyPatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.mark.usefixtures("_display")
def test_stock_render_test_passes() -> None:
    render_test(env)


def test_pictures_follow_the_frames() -> None:
    world = MateParallelEnv(render_mode="rgb_array")
    with pytest.raises(ValueError, match="render before the first reset"):
        world.render()
    world.reset(seed=0)
    first = world.render()
    assert first is not None
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert np.array_equal(world.render(), first)
    world.send_messages(Message(0, None, None, CAMERA))
    play(world, 5)
    assert not np.array_equal(world.render(), first)
    world.reset(seed=0)
    assert np.array_equal(world.render(), first)
    plain = MateParallelEnv()
    plain.reset(seed=0)
    with pytest.warns(UserWarning, match="without a render_mode"):
        assert plain.render() is None
