"""Tables of plans against plans rolled out one after the other, in degrees (`reference_plans`)."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import reference_plans
from planned_worlds import Stage, lanes_of
from reference_plans import allocate_reference, enumerate_reference

from camcontrol.control.action_set import SEARCH_BEARINGS
from camcontrol.control.controller import LEAD_FRAMES
from camcontrol.planning import rollouts, sight, trajectories
from camcontrol.planning.plan_tables import plan_lanes
from camcontrol.planning.planner import BeliefState, Lookahead, PlannerOptions
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camcontrol.tracking.motion_models import Q_RANDOM_WALK
from camcontrol.tracking.track import B_SPEED, B_VX, B_VY, P_PHI, P_THETA
from camsim.scenario.schema import load_scenario

OPTIONS = PlannerOptions(
    horizon=14, first_stage=4, n_trajectories=3, first_actions=20, second_actions=5
)


@numba.njit
def opposite(catalogue, u, v):  # type: ignore[no-untyped-def]
    """Whether two actions search in opposite directions: rounding decides which way to turn."""
    one, other = catalogue.search[u], catalogue.search[max(v, 0)]
    return one >= 0 and other >= 0 and (one - other) % SEARCH_BEARINGS == SEARCH_BEARINGS // 2


@numba.njit(nogil=True, error_model="numpy", _nrt=False)  # as all that it calls
def differing_bits(  # type: ignore[no-untyped-def]  # noqa: C901  # loops over all bits
    options, catalogue, beliefs, obs, avail, tables, reference
):
    """Differing bits and differing first or second actions of all cameras' plans, and all bits."""
    first_stage, k_all = options
    ways, views, plans, nothing, everything = tables
    measurements, positions, walks, old = reference
    n_envs, n_cameras, n_targets = beliefs.belief.shape[:3]
    size, per_word = len(obs) // (n_envs * n_cameras), 32 // k_all
    n_frames, n_options = plans.slots.shape[1], 1 + plans.then.shape[1]
    bits, actions, total = 0, 0, 0
    for i in range(n_envs):
        for c in range(n_cameras):
            n, where = (i * n_cameras + c) * size, (i, c)
            trajectories.sample_trajectories(
                obs,
                n,
                beliefs.belief,
                beliefs.particles,
                beliefs.origins,
                where,
                False,
                k_all,
                ways,
                0,
            )
            sight.predict_sight(obs, n, beliefs.pose, beliefs.belief, where, ways, k_all, views, 0)
            lanes = plan_lanes(plans, rollouts.count_available(avail, i, c, c + 1), 0)
            first = lanes.first[0]
            rollouts.enumerate_plans(
                catalogue.members, catalogue.search, beliefs.pose, beliefs.belief, avail, where,
                first_stage, views, 0, nothing, everything, plans, lanes, 0,
            )  # fmt: skip
            for t in range(n_targets):
                for k in range(k_all):
                    walks[t, k] = ways.lanes[0, Q_RANDOM_WALK, t * k_all + k]
                    for f in range(len(positions)):
                        positions[f, k, t, 0] = ways.positions[0, 0, f, t * k_all + k]
                        positions[f, k, t, 1] = ways.positions[0, 1, f, t * k_all + k]
            reference_plans.predict_measurements(
                obs, n, beliefs.pose, beliefs.belief, positions, walks, measurements, where
            )
            enumerate_reference(
                catalogue.members, catalogue.search, beliefs.pose, beliefs.belief, measurements,
                avail, where, first_stage, old,
            )  # fmt: skip
            for a in range(old.first.shape[2]):
                actions += (first[a] if a < len(first) else -1) != old.first[i, c, a]
            for b in range(plans.then.shape[1]):
                actions += plans.then[0, b] != old.then[i, b]
            for a in range(len(first)):
                if first[a] < 0:
                    break
                for b in range(n_options):
                    if b > 0 and opposite(catalogue, first[a], plans.then[0, b - 1]):
                        continue
                    for f in range(n_frames):
                        for t in range(n_targets):
                            for k in range(k_all):
                                slot = f * n_targets + t
                                word = lanes.cover[0, slot // per_word, b * len(first) + a]
                                one = word >> np.uint32(slot % per_word * k_all + k) & 1
                                m = t * k_all + k
                                words = old.cover[i, c, a * n_options + b, f, m >> 6]
                                bits += one != words >> np.uint64(m & 63) & np.uint64(1)
                                total += 1
    return bits, actions, total


@pytest.mark.slow
@pytest.mark.jit
def test_tables_are_those_of_plans_rolled_out_one_by_one() -> None:
    """100,000 random situations: of 1.5 billion bits at most as many differ as rounding explains.

    A bit may differ where a target is within 2e-6 degrees of the edge of a view.
    """
    n_envs, n_decisions = 250, 100
    scenario = load_scenario("MATE-4v4-9")
    options = SelectionOptions(lookahead=False, coverage_per_target=False)
    env = SelectionEnv(scenario, options, n_envs)
    lookahead = Lookahead(env.catalogue, (1, 4, 4), OPTIONS, joint=False)
    scratch = lookahead.scratch
    worlds = (lookahead.trajectories, lookahead.sight, lookahead.plans)
    tables = (*worlds, scratch.nothing, scratch.everything)
    k = OPTIONS.n_trajectories
    reference = (
        np.zeros((OPTIONS.horizon + 1, k, 4, 4)),
        np.zeros((OPTIONS.horizon + 1 + LEAD_FRAMES, k, 4, 2)),
        np.zeros((4, k)),
        allocate_reference((n_envs, 4, 4, env.n_actions), k, OPTIONS.horizon, (20, 5)),
    )
    rng = np.random.default_rng(0)
    output = env.reset(np.arange(n_envs, dtype=np.uint64))
    found = np.zeros(3, np.int64)
    for _ in range(n_decisions):
        drawn = rng.random(output.avail_actions.shape) * output.avail_actions
        output = env.step(drawn.argmax(-1))
        memory = env.agent_state
        pose = memory.pose.copy()
        pose[..., P_PHI] = rng.uniform(-180, 180, pose.shape[:2])
        pose[..., P_THETA] = rng.uniform(30, 180, pose.shape[:2])
        beliefs = BeliefState(pose, memory.belief, memory.particles, memory.origins)
        found += differing_bits(
            (OPTIONS.first_stage, k), env.catalogue, beliefs, env.sim.flat_obs.camera_obs,
            output.avail_actions, tables, reference,
        )  # fmt: skip
    bits, actions, total = found
    assert total > 1_000_000_000
    assert bits <= 200, f"{bits} of {total} bits differ"
    assert actions <= 20


@pytest.mark.slow
def test_a_target_that_leaves_the_view_is_led() -> None:
    """It crosses the view at nearly the speed of the camera's turn and stays covered."""
    stage = Stage("MATE-1v2-9", [(0, 0, 0)], [(250, 0), (-900, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 5.0, 19.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    assert stage.choices(n_trajectories=4) == [{0}]
    plans = stage.planner.plans
    choice = int(stage.planner.scratch.choice[0, 0])
    cover = lanes_of(plans, stage.avail[0]).cover[0]
    target_0 = cover[:, choice] & plans.target_bits[:, 0]
    np.testing.assert_array_equal(target_0, plans.target_bits[:, 0])
