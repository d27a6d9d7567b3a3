"""3,000 recorded selections of one camera among four targets, and the mapping of selections."""

from __future__ import annotations

import numpy as np
import pytest
from parity.golden import DATA, Array, load_arrays
from parity.selecting import see_and_act, selection_bits, upstream_catalogue

N_TARGETS = 4
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def cases() -> dict[str, Array]:
    arrays, _ = load_arrays(DATA / "hrl_cases.npz")
    return arrays


def index_of(bits: Array) -> Array:
    """Joint indices [...] of selections [..., T]; target 0 is the most significant bit."""
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[-1])[::-1])


def observations(cases: dict[str, Array], visible: Array) -> Array:
    """The camera's observation in each case [K, 1, D], without obstacles (world 7.2)."""
    n_cases = len(visible)
    obs = np.zeros((n_cases, 22 + 5 * N_TARGETS + 7))
    phi = np.radians(cases["camera_orientation"])
    obs[:, :4] = [1, N_TARGETS, 0, 0]
    obs[:, 13:15] = cases["camera_xy"]
    obs[:, 15] = 40.0
    obs[:, 16] = cases["camera_sight_range"] * np.cos(phi)
    obs[:, 17] = cases["camera_sight_range"] * np.sin(phi)
    obs[:, 18] = cases["camera_viewing_angle"]
    obs[:, 19] = cases["camera_max_sight_range"]
    obs[:, 20] = cases["camera_rotation_step"]
    obs[:, 21] = cases["camera_zooming_step"]
    entries = np.zeros((n_cases, N_TARGETS, 5))
    entries[..., :2] = cases["target_xy"]
    entries[..., 2] = 500.0
    entries[..., 4] = 1.0
    obs[:, 22 : 22 + 5 * N_TARGETS] = (entries * visible[..., None]).reshape(n_cases, -1)
    return obs[:, None]


def test_actions(cases: dict[str, Array]) -> None:
    catalogue = upstream_catalogue(N_TARGETS, multi_selection=True)
    selected = index_of(cases["selection"])[:, None]
    action, _ = see_and_act(observations(cases, cases["view_mask"]), catalogue, selected)
    np.testing.assert_allclose(action[:, 0], cases["action"], rtol=0, atol=TOLERANCE)


def test_actions_with_all_followed(cases: dict[str, Array]) -> None:
    catalogue = upstream_catalogue(N_TARGETS, multi_selection=True)
    everything = np.ones((len(cases["selection"]), N_TARGETS), np.bool_)
    selected = index_of(everything)[:, None]
    action, _ = see_and_act(observations(cases, everything), catalogue, selected)
    np.testing.assert_allclose(action[:, 0], cases["action_track_all"], rtol=0, atol=TOLERANCE)


def test_single_selection_acts_like_a_set_of_one(cases: dict[str, Array]) -> None:
    few = cases["selection"].sum(1) <= 1
    assert few.sum() > 500
    some = {name: array[few] for name, array in cases.items() if len(array) == len(few)}
    catalogue = upstream_catalogue(N_TARGETS, multi_selection=False)
    chosen = some["selection"]
    selected = np.where(chosen.any(1), chosen.argmax(1), N_TARGETS)[:, None]
    action, _ = see_and_act(observations(some, some["view_mask"]), catalogue, selected)
    np.testing.assert_allclose(action[:, 0], some["action"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("multi_selection", [True, False])
def test_masks(cases: dict[str, Array], multi_selection: bool) -> None:
    """Which selections are available when a camera sees each of the 16 sets of targets."""
    catalogue = upstream_catalogue(N_TARGETS, multi_selection=multi_selection)
    visible = cases["mask_view"]
    some = {name: array[: len(visible)] for name, array in cases.items()}
    nothing = np.zeros((len(visible), 1), np.int64)
    _, allowed = see_and_act(observations(some, visible), catalogue, nothing)
    wanted = cases["mask_joint_index" if multi_selection else "mask_single"]
    np.testing.assert_array_equal(allowed[:, 0], wanted)


def test_joint_indices(cases: dict[str, Array]) -> None:
    catalogue = upstream_catalogue(N_TARGETS, multi_selection=True)
    bits = selection_bits(catalogue, N_TARGETS)
    np.testing.assert_array_equal(bits[cases["mapper_index"]], cases["mapper_bits"])
    np.testing.assert_array_equal(index_of(cases["mapper_bits"]), cases["mapper_index"])
