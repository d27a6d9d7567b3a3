"""Planner: cameras that plan on their beliefs and choose their actions together.

The joint plan that covers most targets, or most of them in stereo, is played for one decision.
Then cameras plan anew.
"""

import numpy as np
from numpy.typing import NDArray

from camcontrol.options import PlanGoal, baseline_of, check_lookahead
from camcontrol.planning.planner import BeliefState, Lookahead, PlannerOptions
from camcontrol.selection_env import React, SelectionEnv, SelectionOptions
from camsim.arrays import Bools, Float32s
from camsim.bounds import shortened
from camsim.scenario.schema import Scenario

VIEWS = {"own": "own", "shared": "shared", "full": "enhanced"}
"""What planning cameras know: names, and what cameras observe then (SelectionOptions)."""

DECISION_FRAMES = 3
"""Frames between two plans of the environments that `planning_env` makes."""


class Planner:
    """Chooses the actions of all cameras of an environment from their beliefs, without learning.

    Where cameras share their views, all know the same and plan together. With views of their own,
    each plans alone, as if it were the only camera. The planner keeps no state: the same beliefs
    and observations give the same actions. `trajectories`, `sight`, `plans` and `scratch` are
    those of `planning.planner.Lookahead`.
    """

    def __init__(self, env: SelectionEnv, options: PlannerOptions | None = None) -> None:
        """Plan for the cameras of `env`.

        Raises:
            ValueError: the environment has no particle belief, no search actions or another
                executor than `lead`, or an option is out of range.
        """
        check_lookahead(env.options)
        self.reaction: React | None = None
        """Planners replace no action within a decision."""

        self._env = env
        a = env.agent_state
        self._beliefs = BeliefState(a.pose, a.belief, a.particles, a.origins)
        self._lookahead = Lookahead(
            env.catalogue,
            (env.n_envs, env.n_agents, env.n_targets),
            options or PlannerOptions(),
            joint=env.options.observation_mode != "own",
            min_baseline_deg=baseline_of(env.options),
        )
        self.trajectories = self._lookahead.trajectories
        self.sight = self._lookahead.sight
        self.plans = self._lookahead.plans
        self.scratch = self._lookahead.scratch

    def act(self, obs: Float32s, avail_actions: Bools) -> NDArray[np.int64]:
        """Return the actions [N, C] int64 of the decision that comes next in the environment.

        Args:
            obs: [N, C, D], not used: the planner reads the beliefs that it is made from.
            avail_actions: [N, C, U] actions that a plan may begin with.
        """
        camera_obs = self._env.sim.flat_obs.camera_obs
        return self._lookahead.actions(self._beliefs, camera_obs, avail_actions)

    def reset_rows(self, ended: Bools) -> None:
        """Do nothing at the end of episodes, `ended` [N]: the planner keeps no state."""


def planning_env(
    scenario: Scenario,
    num_envs: int,
    *,
    view: str = "shared",
    opponent: str = "greedy",
    goal: PlanGoal = "coverage",
    max_episode_steps: int | None = None,
) -> SelectionEnv:
    """Return environments whose cameras a planner can play.

    Args:
        scenario: the world.
        num_envs: N.
        view: own, shared, or full: every camera observes everything, which is not legal play.
        opponent: policy of the targets.
        goal: what is planned for: coverage, or stereo_coverage, which needs another view than own.
        max_episode_steps: None: the scenario's.

    Raises:
        ValueError: an argument is not valid, or the scenario has no cameras.
    """
    if view not in VIEWS:
        raise ValueError(f"view = {shortened(view)}; expected one of {', '.join(VIEWS)}")
    options = SelectionOptions(
        decision_frames=DECISION_FRAMES,
        belief="particles",
        lookahead=False,  # the planner looks ahead itself
        coverage_per_target=False,
        plan_goal=goal,
        observation_mode=VIEWS[view],
        opponent=opponent,
        max_episode_steps=max_episode_steps,
    )
    return SelectionEnv(scenario, options, num_envs)
