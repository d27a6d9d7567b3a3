"""Puts recorded states into a `BatchSim`: one environment per recorded time of a trace.

The simulator's phases (move, see, settle, observe) then run one at a time, each from recorded
input, so that a wrong rule shows in its own phase and nowhere else.
"""

from __future__ import annotations

from functools import cache

from parity.golden import Array, Trace, load_trace
from reference_bridge import (
    ACCOUNT_FIELDS,
    LAYOUT_FIELDS,
    POSE_FIELDS,
    VIEW_FIELDS,
    fields,
    read,
)

from camsim.scenario import Scenario, load_scenario
from camsim.sim import BatchSim


def write(sim: BatchSim, trace: Trace, times: Array, names: tuple[str, ...]) -> None:
    """Write the recorded arrays `names` of time `times[i]` into row i, for every i."""
    arrays = fields(sim)
    for name in names:
        if name in LAYOUT_FIELDS:
            arrays[name][...] = trace.arrays[name]
        elif name == "target_goal_bits":
            sim.view.targets.load[...] = trace.at(name, times).sum(-1)
        else:
            arrays[name][...] = trace.at(name, times)
    sim.refresh()


def scenario_of(trace: Trace) -> Scenario:
    """The scenario that a trace was recorded in, with its overrides."""
    mapping = load_scenario(trace.meta["scenario"]).to_mapping()
    for key in (
        "max_episode_steps",
        "reward_type",
        "num_cargoes_per_target",
        "bounty_factor",
        "targets_start_with_cargoes",
    ):
        mapping[key] = trace.meta[key]
    if "obstacle" in mapping:
        mapping["obstacle"]["transmittance"] = trace.transmittance
    return Scenario.from_mapping(mapping)


def simulator_at(trace: Trace, times: Array, observation_mode: str = "own") -> BatchSim:
    """A simulator with one environment per recorded time [M], each in the state of that time."""
    sim = BatchSim(
        scenario_of(trace), len(times), observation_mode=observation_mode, target_obs=True
    )
    write(sim, trace, times, LAYOUT_FIELDS + POSE_FIELDS + ACCOUNT_FIELDS + VIEW_FIELDS)
    return sim


@cache
def replay_views(name: str) -> dict[str, Array]:
    """Phase 2 of every frame of a trace, from the recorded poses after it, by recorded name."""
    trace = load_trace(name)
    sim = simulator_at(trace, trace.times_after)
    for view in VIEW_FIELDS:  # so that a mask which is not computed cannot pass
        read(sim, view)[...] = False
    sim.see()
    return {view: read(sim, view) for view in VIEW_FIELDS}
