"""Verification of traces: recordings agree, every single tampered number is found and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paths import DATA

from camsim.parity.trace import Trace, TraceError, load_trace
from camsim.parity.verify import Verification, sight_share_allowed, verify_trace

TRACE = DATA / "trace_MATE-2v4-0_hug_s4111.npz"
WITH_OBSTACLES = DATA / "trace_MATE-1v1-9_greedy_s4106.npz"
TRANSPARENT = DATA / "trace_MATE-4v4-9_greedy_t01_s4103.npz"


def contents(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def saved(folder: Path, arrays: dict[str, Any]) -> Path:
    path = folder / "changed.npz"
    np.savez(path, **arrays)
    return path


def changed_meta(arrays: dict[str, Any], **changes: object) -> dict[str, Any]:
    meta = json.loads(str(arrays["meta"])) | changes
    return arrays | {"meta": np.array(json.dumps(meta))}


def wrong(report: Verification) -> dict[str, str]:
    """Reasons by quantity that disagrees."""
    return {c.quantity: c.first_failure for c in report.comparisons.values() if c.first_failure}


def with_change(path: Path, name: str, where: tuple[int, ...], value: float | None) -> Trace:
    """A trace with one number changed; a flag is turned if no value is given."""
    trace = load_trace(path)
    array = trace.arrays[name].copy()
    value = not array[where] if value is None else value
    assert array[where] != value
    array[where] = value
    return Trace(trace.name, trace.meta, trace.arrays | {name: array})


@pytest.mark.parametrize(
    ("name", "where", "value", "quantity", "place"),
    [
        ("camera_orientation", (8, 1), 1.25, "camera orientations", "step 7, camera 1"),
        ("camera_viewing_angle", (8, 1), 31.0, "camera viewing angles", "step 7, camera 1"),
        ("camera_sight_range", (8, 0), 31.0, "camera sight ranges", "step 7, camera 0"),
        ("target_xy", (8, 3, 1), 1.0, "target positions", "step 7, target 3"),
        ("target_goal", (8, 2), -1, "goals and loads", "step 7, target 2"),
        ("target_goal_bits", (8, 2, 0), 7, "goals and loads", "step 7, target 2"),
        ("target_empty_bits", (8, 2, 0), 1, "known empty warehouses", "step 7, target 2"),
        ("target_dones", (8, 2), 1, "deliveries", "step 7, target 2"),
        ("target_steps", (8, 2), 99, "trip counters", "step 7, target 2"),
        ("tracked_steps", (8, 2), 99, "trip counters", "step 7, target 2"),
        ("freights", (8, 2), 99, "freights and bounties", "step 7, target 2"),
        ("bounties", (8, 2), 99, "freights and bounties", "step 7, target 2"),
        ("remaining_cargoes", (8, 2, 1), 99, "waiting cargo", "step 7, from warehouse 2"),
        ("awaiting_cargo_counts", (8, 2), 99, "deliveries", "step 7, warehouse 2"),
        ("num_delivered_cargoes", (8,), 99, "deliveries", "step 7"),
        ("target_team_episode_reward", (8,), 0.5, "reward sums", "step 7"),
        ("delayed_target_team_episode_reward", (8,), 0.5, "reward sums", "step 7"),
        ("episode_step", (8,), 99, "step counter", "step 7"),
        ("tracked_bits", (8, 1), None, "tracked", "step 7, target 1"),
        ("coverage_rate", (8,), 0.1, "rates", "step 7"),
        ("real_coverage_rate", (8,), 0.1, "rates", "step 7"),
        ("mean_transport_rate", (8,), 0.1, "rates", "step 7"),
        ("camera_team_reward", (7,), 0.5, "rewards", "step 7"),
        ("target_team_reward", (7,), 0.5, "rewards", "step 7"),
        ("done", (7,), 1, "end of the episode", "step 7"),
        ("picked_up", (7, 0), 1, "pick-ups", "step 7, target 0"),
        ("at_warehouse", (7, 0), 3, "deliveries", "step 7, target 0"),
        ("delivered_weight", (7, 0), 2, "deliveries", "step 7, target 0"),
        ("camera_obs", (1, 0, 5), 9.0, "camera observations", "camera 0, number 5"),
        ("target_obs", (1, 2, 5), 9.0, "target observations", "target 2, number 5"),
        ("global_state", (1, 5), 9.0, "global states", "number 5"),
    ],
)
def test_a_changed_number_is_found_and_named(
    name: str, where: tuple[int, ...], value: float | None, quantity: str, place: str
) -> None:
    reasons = wrong(verify_trace(with_change(TRACE, name, where, value)))
    assert reasons[quantity].startswith(name)
    assert place in reasons[quantity]


@pytest.mark.parametrize(
    "mask",
    [
        "camera_target_mask",
        "camera_camera_mask",
        "target_camera_mask",
        "target_target_mask",
        "target_obstacle_mask",
    ],
)
@pytest.mark.parametrize("path", [TRACE, WITH_OBSTACLES, TRANSPARENT], ids=lambda path: path.stem)
def test_a_changed_mask_is_found_and_named(path: Path, mask: str) -> None:
    shape = load_trace(path).arrays[mask].shape
    if 0 in shape or (shape[1] == 1 and mask in ("camera_camera_mask", "target_target_mask")):
        pytest.skip("the trace has no such pair")
    where = (20, 0, shape[2] - 1)
    reasons = wrong(verify_trace(with_change(path, mask, where, None)))
    quantity = mask.removesuffix("_mask").replace("_", "-") + " mask"
    assert reasons[quantity].startswith(f"{mask} at step 19")


def test_obstacles_that_a_camera_knows() -> None:
    trace = with_change(WITH_OBSTACLES, "camera_obstacle_mask", (0, 3), None)
    told = "camera_obstacle_mask at camera 0, obstacle 3"
    assert wrong(verify_trace(trace))["camera-obstacle mask"].startswith(told)


def test_a_goal_without_cargo_is_found() -> None:
    trace = load_trace(TRANSPARENT)
    k, t = np.argwhere(trace.frame("picked_up"))[0].tolist()
    arrays = {name: array.copy() for name, array in trace.arrays.items()}
    origin = int(arrays["at_warehouse"][k, t])
    arrays["target_goal"][k + 1, t] = origin  # nothing is sent from a warehouse to itself
    reasons = wrong(verify_trace(Trace("changed", trace.meta, arrays)))
    assert f"step {k}, target {t}" in reasons["drawn goals have cargo"]


def test_wrong_constants_are_found() -> None:
    trace = load_trace(TRACE)
    other = Trace("changed", trace.meta | {"freight_scale": 99}, trace.arrays)
    assert "meta.freight_scale" in wrong(verify_trace(other))["warehouses and scales"]
    other = Trace("changed", trace.meta | {"reward_type": "sparse"}, trace.arrays)
    assert "rewards" in wrong(verify_trace(other))


def test_hidden_pairs_that_are_seen_too_often() -> None:
    """A trace whose hidden pairs are all seen contradicts its transmittance of 0.1."""
    trace = load_trace(TRANSPARENT)
    opaque = Trace("changed", trace.meta | {"transmittance": 0.5}, trace.arrays)
    told = wrong(verify_trace(opaque))["camera-target mask"]
    assert told == "7 of 122 pairs seen through obstacles at transmittance 0.5"


def test_order_ambiguous_moves_are_left_out() -> None:
    trace = with_change(TRACE, "target_xy", (8, 3, 1), 1.0)
    flags = np.zeros_like(trace.arrays["move_order_ambiguous"])
    flags[7, 3] = flags[8, 3] = True
    other = Trace("changed", trace.meta, trace.arrays | {"move_order_ambiguous": flags})
    report = verify_trace(other)
    assert "target positions" not in wrong(report)
    assert report.of("target positions").skipped == 4


def test_a_start_on_an_edge_may_turn_around() -> None:
    """A move from a disc's edge that upstream turned around counts as the other outcome."""
    trace = load_trace(DATA / "trace_MATE-4v4-9_hug_s4102.npz")
    ends = trace.after("target_xy") - trace.before("target_xy")
    inward = trace.edge_starts & (np.abs(ends + trace.frame("target_action")) > 1e-6).any(-1)
    k, t = np.argwhere(inward & (np.linalg.norm(ends, axis=-1) > 1.0))[0].tolist()
    limit = trace.arrays["target_step_size"][t]
    action = trace.frame("target_action")[k, t]
    step = action * min(1.0, limit / np.linalg.norm(action))
    turned = trace.before("target_xy")[k, t] - step
    moved = {"target_xy": trace.arrays["target_xy"].copy()}
    moved["target_xy"][k + 1, t] = turned
    report = verify_trace(Trace("changed", trace.meta, trace.arrays | moved))
    told = wrong(report).get("target positions", "")
    assert f"step {k}, target {t}" not in told
    moved["target_xy"][k + 1, t] = turned + 1.0
    report = verify_trace(Trace("changed", trace.meta, trace.arrays | moved))
    assert f"step {k}, target {t}" in wrong(report)["target positions"]


def test_the_share_of_differing_pairs_over_all_files() -> None:
    few = Verification(pairs_in_view=5000, tangent_pairs=2)
    many = Verification(pairs_in_view=5000, tangent_pairs=20)
    assert sight_share_allowed([few, few])
    assert not sight_share_allowed([few, many])
    assert sight_share_allowed([many])  # one file has its own, wider limit


def test_files_that_are_no_traces(tmp_path: Path) -> None:
    whole = TRACE.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "array.npz", np.zeros(3))
    (tmp_path / "array.npz.npy").rename(tmp_path / "array.npz")
    for name, words in (
        ("cut.npz", "not a trace: truncated, damaged or no archive"),
        ("text.npz", "not a trace: truncated, damaged or no archive"),
        ("empty.npz", "not a trace: truncated, damaged or no archive"),
        ("array.npz", "no archive"),
        ("none.npz", "no such file"),
        (".", "a folder"),
    ):
        with pytest.raises(TraceError, match=words) as caught:
            load_trace(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(caught.value)


def test_damaged_bytes_are_found(tmp_path: Path) -> None:
    whole = bytearray(TRACE.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(whole)
    with pytest.raises(TraceError, match="damaged"):
        load_trace(tmp_path / "flipped.npz")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target_xy": None}, "lacks the array 'target_xy'"),
        ({"camera_action": None, "done": None}, "lacks the array 'camera_action' (and 1 more)"),
        ({"meta": None}, "lacks the array 'meta'"),
        ({"meta": np.array("{")}, "meta is not JSON"),
        ({"meta": np.array("[1]")}, "meta is not a JSON object"),
        ({"target_xy": np.zeros((5, 4, 2))}, "target_xy has shape (5, 4, 2); expected ("),
        ({"camera_radius": np.zeros(3)}, "camera_radius has shape (3,); expected (2,)"),
        ({"camera_xy": np.zeros(())}, "camera_xy has shape ()"),
        ({"coverage_rate": np.array(["a"])}, "coverage_rate holds <U1; expected numbers"),
        ({"camera_radius": np.array([40.0, 41.0])}, "camera_radius differs within a team"),
        ({"camera_radius": np.array([np.nan, 40.0])}, "camera_radius[0] = nan"),
        ({"target_sight_range": np.zeros(4)}, "target_sight_range = 0.0; expected a positive"),
        ({"target_capacity": np.array([3, 1, 1, 1])}, "target_capacity[0] = 3; expected an"),
    ],
)
def test_contradictions_are_told(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    arrays = contents(TRACE) | changes
    path = saved(tmp_path, {name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(TraceError) as caught:
        load_trace(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_cameras": 3}, "meta.num_cameras = 3; the arrays hold 2"),
        ({"max_episode_steps": None}, "meta.max_episode_steps = None"),
        ({"reward_type": "much"}, "meta.reward_type = 'much'; expected 'dense' or 'sparse'"),
        ({"bounty_factor": "1"}, "meta.bounty_factor = '1'"),
        ({"bounty_factor": None, "bounty_scale": None}, "neither bounty_scale nor bounty_factor"),
        ({"transmittance": 1.5}, "transmittance is 1.5"),
        ({"num_obstacles": [[1] * 900]}, "meta.num_obstacles = a value of type list"),
        ({"max_episode_steps": 10**400}, "meta.max_episode_steps = an integer of"),
    ],
)
def test_contradictions_of_meta_are_told(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(TraceError) as caught:
        load_trace(saved(tmp_path, changed_meta(contents(TRACE), **changes)))
    assert words in str(caught.value)


def test_the_scenario_of_a_trace_need_not_be_known() -> None:
    trace = load_trace(WITH_OBSTACLES)
    unknown = Trace("changed", trace.meta | {"scenario": "somebody's own"}, trace.arrays)
    assert verify_trace(unknown).agrees
