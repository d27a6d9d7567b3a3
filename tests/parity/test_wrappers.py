"""Observation options against what upstream's wrappers made of the same states."""

from __future__ import annotations

import numpy as np
import pytest
from parity.golden import Array, Trace, load_recording

from camsim.envs.team_env import TeamEnv, TeamOptions
from camsim.envs.transforms import normalized_state
from camsim.parity.teacher_forcing import (
    ACCOUNT_FIELDS,
    LAYOUT_FIELDS,
    POSE_FIELDS,
    VIEW_FIELDS,
    scenario_of,
    write,
)

TOLERANCE = 1e-9
OPTIONS: dict[str, dict[str, object]] = {
    "raw": {},
    "relative": {"relative": True},
    "rescaled": {"rescaled": True},
    "relative_rescaled": {"relative": True, "rescaled": True},
    "enhanced_camera": {"camera_view": "enhanced"},
    "enhanced_both": {"camera_view": "enhanced", "target_view": "enhanced"},
    "shared_camera": {"camera_view": "shared"},
    "shared_both": {"camera_view": "shared", "target_view": "shared"},
    "enhanced_camera_relative_rescaled": {
        "camera_view": "enhanced",
        "relative": True,
        "rescaled": True,
    },
    "shared_both_relative_rescaled": {
        "camera_view": "shared",
        "target_view": "shared",
        "relative": True,
        "rescaled": True,
    },
}


def recording() -> Trace:
    return load_recording("wrappers_MATE-4v4-9_s4132")


def env_at(trace: Trace, times: Array, options: TeamOptions) -> TeamEnv:
    """One environment per recorded time, each in the state of that time, outputs written."""
    env = TeamEnv(scenario_of(trace), options, len(times))
    write(env.sim, trace, times, LAYOUT_FIELDS + POSE_FIELDS + ACCOUNT_FIELDS + VIEW_FIELDS)
    env.observe()
    return env


def recorded_times() -> Array:
    return np.arange(len(recording().arrays["time_index"]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("variant", OPTIONS)
def test_observations(variant: str, dtype: str) -> None:
    trace = recording()
    options = TeamOptions(**OPTIONS[variant], dtype=dtype)  # type: ignore[arg-type]
    out = env_at(trace, recorded_times(), options).output
    tolerance = TOLERANCE if dtype == "float64" else 1e-4
    compared = 0
    for team, computed in (("camera", out.camera_obs), ("target", out.target_obs)):
        if f"{variant}__{team}" in trace.arrays:
            wanted = trace.arrays[f"{variant}__{team}"]
            assert computed.dtype == dtype
            np.testing.assert_allclose(computed, wanted, rtol=0.0, atol=tolerance, err_msg=team)
            compared += 1
    assert compared == (1 if variant.startswith(("enhanced_camera", "shared_camera")) else 2)


def test_every_recorded_variant_is_compared() -> None:
    recorded = {name.split("__")[0] for name in recording().arrays if "__" in name}
    assert recorded == set(OPTIONS)


def test_camera_variants_leave_targets_raw() -> None:
    trace = recording()
    for variant in ("enhanced_camera", "shared_camera"):
        options = TeamOptions(**OPTIONS[variant])  # type: ignore[arg-type]
        out = env_at(trace, recorded_times(), options).output
        wanted = trace.arrays["raw__target"]
        np.testing.assert_allclose(out.target_obs, wanted, rtol=0.0, atol=TOLERANCE)


def test_normalized_state() -> None:
    trace = recording()
    wanted = trace.arrays["normalized_state"]
    env = env_at(trace, recorded_times(), TeamOptions())
    np.testing.assert_allclose(env.normalized_state(), wanted, rtol=0.0, atol=TOLERANCE)
    computed = normalized_state(trace.arrays["global_state"], env.sizes)
    np.testing.assert_allclose(computed, wanted, rtol=0.0, atol=TOLERANCE)


def test_single_team_stack() -> None:
    """What upstream's stack of MultiCamera, relative, rescaled and reward wrappers returned."""
    trace = load_recording("aux_MATE-4v4-9_s4128")
    options = TeamOptions(relative=True, rescaled=True)
    out = env_at(trace, trace.arrays["stack_obs_index"], options).output
    wanted = trace.arrays["stack_camera_obs"]
    np.testing.assert_allclose(out.camera_obs, wanted, rtol=0.0, atol=TOLERANCE)
