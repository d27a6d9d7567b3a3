"""Environments and model sizes from the configuration: the one factory."""

from camcontrol.features.layout import FeatureLayout
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camsim.scenario.schema import Scenario, load_scenario
from qplex_hrl.config import EnvConfig, RunConfig
from qplex_hrl.types import ModelDims


def build_env(config: RunConfig, num_envs: int, scenario: Scenario | None = None) -> SelectionEnv:
    """Return ``num_envs`` environments as the configuration describes them.

    Args:
        config: of a run.
        num_envs: environments.
        scenario: that it means; None: the one that it names, as it is now.

    Raises:
        ValueError: the scenario does not exist or has no cameras, or a setting is out of range.
    """
    world = scenario or load_scenario(config.env.scenario)
    return SelectionEnv(world, selection_options(config), num_envs)


def selection_options(config: RunConfig) -> SelectionOptions:
    """Return what cameras choose from, how they remember and aim, and what the team earns."""
    hrl, control = config.network.hrl, config.control
    return SelectionOptions(
        action_mode=config.env.action_mode,
        action_levels=config.env.action_levels,
        decision_frames=hrl.frame_skip,
        fast_interval=hrl.fast_interval,
        belief=control.belief,
        n_particles=control.n_particles,
        random_walk_share=control.random_walk_share,
        memory_frames=control.memory_frames,
        multi_selection=hrl.multi_selection,
        max_selected=control.max_selected,
        search_actions=control.search_actions,
        executor=control.executor,
        lookahead=control.lookahead,
        coverage_per_target=control.coverage_per_target,
        plan_goal=control.plan_goal,
        observation_mode=observation_mode(config.env),
        opponent=config.env.opponent,
        opponent_view=opponent_view(config.env),
        message_loss=config.env.message_loss,
        max_episode_steps=config.env.max_episode_steps,
        min_baseline_deg=config.env.min_baseline_deg,
        gamma=config.algorithm.gamma,
        reward_coefficients=hrl.reward_coefficients.model_dump(),
    )


def observation_mode(config: EnvConfig) -> str:
    """Return what the cameras observe: own, shared or enhanced."""
    if config.enhanced_observation in ("camera", "both"):
        return "enhanced"
    return "shared" if config.shared_field_of_view else "own"


def opponent_view(config: EnvConfig) -> str:
    """Return what the targets observe: own or enhanced."""
    return "enhanced" if config.enhanced_observation in ("target", "both") else "own"


def model_dims(env: SelectionEnv) -> ModelDims:
    """Return the sizes that ``env`` dictates to the networks."""
    return dims_of(env.feature_layout, env.n_agents, env.state_size)


def dims_of(layout: FeatureLayout, n_agents: int, state_size: int) -> ModelDims:
    """Return the sizes of networks for observations laid out in this way.

    Args:
        layout: of a camera's observation.
        n_agents: cameras C.
        state_size: of the mixer's input, S.
    """
    return ModelDims(
        n_agents=n_agents,
        n_targets=layout.n_targets,
        n_actions=layout.n_actions,
        context_size=layout.context_size,
        target_size=layout.target_size,
        action_size=layout.action_size,
        row_flag=layout.row_flag,
        plan_advantage=layout.plan_advantage,
        n_target_coverages=layout.n_target_coverages,
        plan_size=layout.plan_size,
        glance_columns=tuple(layout.glance_columns),
        glance_sizes=layout.glance_sizes,
        n_search=layout.n_search,
        state_size=state_size,
    )
