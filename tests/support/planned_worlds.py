"""Worlds made by hand for planners: what cameras believe is written, not perceived."""

from __future__ import annotations

import math

import numpy as np

from camcontrol.options import PlanGoal
from camcontrol.planning.plan_tables import PlanLanes, Plans, plan_lanes
from camcontrol.planning.planner import PlannerOptions
from camcontrol.planning_cameras import Planner, planning_env
from camcontrol.tracking.track import (
    B_AGE,
    B_KNOWN,
    B_SEEN,
    B_SPEED,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    P_AREA,
    P_INWARD,
    P_PHI,
    P_RANGE,
    P_THETA,
    P_X,
    P_Y,
)
from camsim.scenario.schema import load_scenario


def lanes_of(plans: Plans, avail_actions: np.ndarray) -> PlanLanes:
    """The first worker's plans of cameras with actions [C, U] that a plan may begin with."""
    n_first = int(avail_actions.sum(-1).max())
    lanes: PlanLanes = getattr(plan_lanes, "py_func", plan_lanes)(plans, n_first, 0)
    return lanes


class Stage:
    """A world made by hand: cameras (x, y, orientation), targets (x, y), obstacles (x, y, radius).

    All targets are in view at viewing angles of 30 degrees, and have been standing still.
    """

    def __init__(
        self,
        preset: str,
        cameras: list[tuple[float, float, float]],
        targets: list[tuple[float, float]],
        obstacles: list[tuple[float, float, float]] | None = None,
        goal: PlanGoal = "coverage",
    ) -> None:
        self.env = planning_env(load_scenario(preset), 1, view="full", goal=goal)
        self.env.reset(np.zeros(1, np.uint64))
        pose, self.belief = self.env.agent_state.pose, self.env.agent_state.belief
        for c, (x, y, phi) in enumerate(cameras):
            pose[0, c, [P_X, P_Y, P_PHI, P_THETA]] = x, y, phi, 30.0
            pose[0, c, P_RANGE] = math.sqrt(pose[0, c, P_AREA] / 30.0)
            pose[0, c, P_INWARD] = math.degrees(math.atan2(-y, -x))
        for t, (x, y) in enumerate(targets):
            self.belief[0, :, t, B_X], self.belief[0, :, t, B_Y] = x, y
            self.belief[0, :, t, [B_VX, B_VY, B_AGE]] = 0.0
            self.belief[0, :, t, [B_KNOWN, B_SEEN]] = 1.0
            self.belief[0, :, t, B_SPEED] = 5.0  # a heavy one
        start = 22 + 5 * self.env.n_targets
        self.obs = self.env.sim.obs.camera_obs
        self.obs[0, :, start + 3 : start + 36 : 4] = 0.0  # no obstacles
        for o, (x, y, radius) in enumerate(obstacles or []):
            self.obs[0, :, start + 4 * o : start + 4 * o + 4] = x, y, radius, 1.0

    def choices(self, **options: int) -> list[set[int]]:
        """The targets that each camera selects; everything may be selected."""
        self.planner = Planner(self.env, PlannerOptions(**options))
        self.avail = np.ones((1, self.env.n_agents, self.env.n_actions), np.bool_)
        actions = self.planner.act(np.zeros(0, np.float32), self.avail)[0]
        return [set(np.flatnonzero(self.env.selection_bits[u]).tolist()) for u in actions]
