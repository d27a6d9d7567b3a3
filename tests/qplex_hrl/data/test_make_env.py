"""The configuration's keys arrive in the environments."""

import pytest

from camcontrol.selection_env import SelectionOptions
from camcontrol.tracking.motion_models import Q_RANDOM_WALK
from qplex_hrl.config import EnvConfig, RunConfig
from qplex_hrl.data.make_env import (
    build_env,
    model_dims,
    observation_mode,
    opponent_view,
    selection_options,
)

PLAIN = {"lookahead": False, "coverage_per_target": False, "search_actions": 4}


def config(hrl: dict[str, object] | None = None, **control: object) -> RunConfig:
    return RunConfig.model_validate(
        {
            "env": {"scenario": "MATE-4v2-9", "max_episode_steps": 30, "min_baseline_deg": 50.0},
            "control": PLAIN | control,
            "network": {"hrl": hrl or {}},
        }
    )


def test_the_defaults_are_one_system_everywhere() -> None:
    assert selection_options(RunConfig()) == SelectionOptions()


def test_options_are_those_of_the_configuration() -> None:
    hrl: dict[str, object] = {"frame_skip": 4, "fast_interval": 2, "multi_selection": False}
    wanted = config(hrl, belief="none", n_particles=7, executor="upstream", random_walk_share=0.2)
    env = build_env(wanted, 3)
    assert (env.n_envs, env.n_agents, env.n_targets) == (3, 4, 2)
    assert env.n_actions == build_env(config(), 1).n_actions - 1  # without the pair
    coefficients = env.options.reward_coefficients
    assert {name: value for name, value in coefficients.items() if value} == {"coverage_rate": 1.0}
    assert env.options == SelectionOptions(
        decision_frames=4,
        fast_interval=2,
        belief="none",
        n_particles=7,
        random_walk_share=0.2,
        memory_frames=wanted.control.memory_frames,
        multi_selection=False,
        max_selected=wanted.control.max_selected,
        search_actions=4,
        executor="upstream",
        lookahead=False,
        coverage_per_target=False,
        observation_mode="own",
        opponent="greedy",
        max_episode_steps=30,
        min_baseline_deg=50.0,
        gamma=wanted.algorithm.gamma,
        reward_coefficients=coefficients,
    )


def test_a_target_has_as_many_particles_as_configured() -> None:
    assert (
        build_env(config(belief="particles", n_particles=7), 1).agent_state.particles.shape[-1] == 7
    )
    assert build_env(config(belief="last_seen", n_particles=7), 1).agent_state.particles.size == 0
    walking = config(belief="particles", n_particles=8, random_walk_share=0.25)
    particles = build_env(walking, 1).agent_state.particles
    assert particles[..., Q_RANDOM_WALK, :].mean((0, 1, 2)).tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("shared", "enhanced", "mode", "targets"),
    [
        (False, "none", "own", "own"),
        (False, "target", "own", "enhanced"),
        (True, "none", "shared", "own"),
        (False, "camera", "enhanced", "own"),
        (True, "both", "enhanced", "enhanced"),
    ],
)
def test_what_teams_observe(shared: bool, enhanced: str, mode: str, targets: str) -> None:
    env = EnvConfig.model_validate(
        {"shared_field_of_view": shared, "enhanced_observation": enhanced}
    )
    assert observation_mode(env) == mode
    assert opponent_view(env) == targets


def test_dims_fit_the_observations() -> None:
    env = build_env(config(), 1)
    dims = model_dims(env)
    assert dims.obs_size == env.obs_size
    assert (dims.n_agents, dims.n_targets, dims.n_actions) == (4, 2, env.n_actions)
    assert dims.state_size == env.state_size
