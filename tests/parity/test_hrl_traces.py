"""Recorded target selections: camera actions, masks, and what a held selection adds up to."""

from __future__ import annotations

import numpy as np
import pytest
import reference_hrl
from parity.golden import HRL_TRACES, Array, Trace, load_trace
from parity.selecting import see_and_act, selection_bits, upstream_catalogue

from camsim.parity.teacher_forcing import POSE_FIELDS, VIEW_FIELDS, read, simulator_at, write

TOLERANCE = 1e-9


def observation_mode(trace: Trace) -> str:
    """What the selecting cameras were shown."""
    return "own" if trace.meta["enhanced_observation"] is None else "enhanced"


def decision_of_frame(trace: Trace) -> Array:
    """The decision that each frame belongs to [K]."""
    return np.repeat(np.arange(len(trace.arrays["hrl_num_frames"])), trace.arrays["hrl_num_frames"])


def selected_action(trace: Trace) -> Array:
    """The action of every decision and camera [H, C] int64, as one index."""
    selection = trace.arrays["hrl_selection"].astype(np.int64)
    if not trace.meta["multi_selection"]:
        return selection
    return selection @ (1 << np.arange(selection.shape[-1])[::-1])


def selected_bits(trace: Trace) -> Array:
    """Selected targets of every decision and camera [H, C, T] bool."""
    catalogue = upstream_catalogue(
        trace.meta["num_targets"], multi_selection=trace.meta["multi_selection"]
    )
    return selection_bits(catalogue, trace.meta["num_targets"])[selected_action(trace)]


def observed(trace: Trace, times: Array) -> Array:
    """Camera observations [M, C, D] of our simulator in the recorded states."""
    sim = simulator_at(trace, times, observation_mode(trace))
    return sim.observe().camera_obs


def over_frames(trace: Trace, per_frame: Array) -> Array:
    """Sums over the frames of each decision [H, ...] of an array over frames [K, ...]."""
    return np.add.reduceat(per_frame, trace.arrays["hrl_first_frame"], axis=0)


def mean_over_frames(trace: Trace, per_frame: Array) -> Array:
    """Means over the frames of each decision [H, C]."""
    mean: Array = over_frames(trace, per_frame) / trace.arrays["hrl_num_frames"][:, None]
    return mean


def assert_close(computed: Array, recorded: Array) -> None:
    """Equal but for rounding; a scalar per decision [H, 1] stands for all cameras."""
    computed = np.broadcast_to(computed, recorded.shape)
    np.testing.assert_allclose(computed, recorded, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", HRL_TRACES)
def test_camera_actions(name: str) -> None:
    """At every frame the executor gives the recorded action, from mask and pose before it."""
    trace = load_trace(name)
    catalogue = upstream_catalogue(
        trace.meta["num_targets"], multi_selection=trace.meta["multi_selection"]
    )
    selected = selected_action(trace)[decision_of_frame(trace)]
    action, _ = see_and_act(observed(trace, trace.times_before), catalogue, selected)
    assert_close(action, trace.frame("camera_action"))


@pytest.mark.parametrize("name", HRL_TRACES)
def test_action_masks(name: str) -> None:
    trace = load_trace(name)
    multi = trace.meta["multi_selection"]
    catalogue = upstream_catalogue(trace.meta["num_targets"], multi_selection=multi)
    obs = observed(trace, trace.arrays["hrl_first_frame"])
    _, allowed = see_and_act(obs, catalogue, selected_action(trace))
    recorded = trace.arrays["hrl_action_mask"]
    if multi:  # recorded per target: not selecting, selecting
        visible = recorded[..., 1::2]
        wanted = [
            [reference_hrl.joint_index_mask(camera) for camera in decision]
            for decision in visible.tolist()
        ]
        np.testing.assert_array_equal(allowed, wanted)
    else:
        np.testing.assert_array_equal(allowed, recorded)


@pytest.mark.parametrize("name", HRL_TRACES)
def test_rewards_and_rates_of_a_decision(name: str) -> None:
    """Sums and means over a decision's frames, each frame settled by the kernels."""
    trace = load_trace(name)
    sim = simulator_at(trace, trace.times_before)
    write(sim, trace, trace.times_after, POSE_FIELDS + VIEW_FIELDS)
    result = sim.settle(trace.picked_destination())
    coverage = read(sim, "coverage_rate")[:, None]
    assert_close(over_frames(trace, coverage), trace.arrays["hrl_rewards"])
    raw_reward = over_frames(trace, result.camera_reward[:, None])
    assert_close(raw_reward, trace.arrays["hrl_info_raw_reward"])
    scale = trace.meta["max_target_team_episode_reward"]
    assert_close(raw_reward / scale, trace.arrays["hrl_info_normalized_raw_reward"])
    assert_close(
        over_frames(trace, coverage), trace.arrays["hrl_info_auxiliary_reward_coverage_rate"]
    )
    assert_close(mean_over_frames(trace, coverage), trace.arrays["hrl_info_coverage_rate"])
    real_coverage = read(sim, "real_coverage_rate")[:, None]
    assert_close(
        mean_over_frames(trace, real_coverage), trace.arrays["hrl_info_real_coverage_rate"]
    )
    last = trace.arrays["hrl_first_frame"] + trace.arrays["hrl_num_frames"] - 1
    for field, info in (
        ("mean_transport_rate", "hrl_info_mean_transport_rate"),
        ("num_delivered_cargoes", "hrl_info_num_delivered_cargoes"),
    ):
        assert_close(read(sim, field)[last][:, None], trace.arrays[info])
    done = np.broadcast_to(result.done[last][:, None], trace.arrays["hrl_dones"].shape)
    np.testing.assert_array_equal(done, trace.arrays["hrl_dones"])


@pytest.mark.parametrize("name", HRL_TRACES)
def test_selection_metrics(name: str) -> None:
    """Valid = in the camera's view after the frame; the oracle's definition against upstream's."""
    trace = load_trace(name)
    bits = selected_bits(trace)[decision_of_frame(trace)]
    visible = trace.after("camera_target_mask") | (observation_mode(trace) == "enhanced")
    metrics = np.array(
        [
            [
                reference_hrl.selection_metrics(selected, seen)
                for selected, seen in zip(selected_frame, seen_frame, strict=True)
            ]
            for selected_frame, seen_frame in zip(bits.tolist(), visible.tolist(), strict=True)
        ]
    )
    for k, key in enumerate(
        (
            "num_selected_targets",
            "num_valid_selected_targets",
            "num_invalid_selected_targets",
            "invalid_target_selection_rate",
        )
    ):
        recorded = trace.arrays[f"hrl_info_{key}"]
        assert_close(mean_over_frames(trace, metrics[..., k]), recorded)
