"""2,000 episode starts of ours against upstream's, distribution by distribution.

Entities are shuffled at every reset, so each quantity is pooled over a team. Pooled entities of one
reset are not quite independent, and there are many tests: hence the small significance level.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from parity.golden import DATA, Array, load_arrays
from scipy import stats

from camsim.parity.teacher_forcing import read
from camsim.scenario.schema import load_scenario
from camsim.sim import BatchSim

SIGNIFICANCE = 1e-4
N_RESETS = 2000
SCENARIOS = ("MATE-4v4-9", "MATE-8v8-9")


@cache
def recorded(scenario: str) -> dict[str, Array]:
    """Upstream's start states."""
    arrays, _ = load_arrays(DATA / f"resets_{scenario}.npz")
    return arrays


@cache
def simulated(scenario: str) -> BatchSim:
    """Our start states, one environment each."""
    sim = BatchSim(load_scenario(scenario), N_RESETS)
    sim.reset(np.arange(N_RESETS, dtype=np.uint64))
    return sim


def both(scenario: str, name: str) -> tuple[Array, Array]:
    """Our array of a recorded name, and upstream's, of equal shape."""
    ours, theirs = read(simulated(scenario), name), recorded(scenario)[name]
    assert ours.shape == theirs.shape
    return ours, theirs


def assert_same_values(ours: Array, theirs: Array) -> None:
    """Two samples of a continuous quantity follow one distribution (Kolmogorov-Smirnov)."""
    result = stats.ks_2samp(ours.astype(np.float32).ravel(), theirs.ravel(), method="asymp")
    assert result.pvalue > SIGNIFICANCE


def assert_same_counts(ours: Array, theirs: Array) -> None:
    """Two samples of a discrete quantity follow one distribution (chi-squared)."""
    values, codes = np.unique(np.concatenate([ours.ravel(), theirs.ravel()]), return_inverse=True)
    first = np.bincount(codes[: ours.size], minlength=len(values))
    second = np.bincount(codes[ours.size :], minlength=len(values))
    rare = first + second < 10  # too rare for the chi-squared approximation: pooled
    table = np.stack([first[~rare], second[~rare]], axis=1)
    if rare.any():
        table = np.vstack([table, [[first[rare].sum(), second[rare].sum()]]])
    if len(table) == 1:
        return
    assert stats.chi2_contingency(table + 1e-9).pvalue > SIGNIFICANCE


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["camera_xy", "target_xy", "obstacle_xy"])
def test_positions(scenario: str, name: str, axis: int) -> None:
    ours, theirs = both(scenario, name)
    assert_same_values(ours[..., axis], theirs[..., axis])


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", ["camera_viewing_angle", "obstacle_radius"])
def test_continuous(scenario: str, name: str) -> None:
    assert_same_values(*both(scenario, name))


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("kind", ["camera", "obstacle"])
def test_joint_positions(scenario: str, kind: str) -> None:
    """Distances between neighbours: placement keeps gaps, also between kinds."""
    samples = []
    for cameras, others in zip(
        both(scenario, "camera_xy"), both(scenario, f"{kind}_xy"), strict=True
    ):
        gaps = np.linalg.norm(cameras[:, :, None] - others[:, None], axis=-1)
        gaps[gaps == 0.0] = np.inf  # a camera and itself
        samples.append(gaps.min(axis=(1, 2)))
    assert_same_values(*samples)


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_shuffling(scenario: str) -> None:
    """Each quadrant holds one camera box (4v4): which camera stands there is uniform."""
    ours, theirs = both(scenario, "camera_xy")
    for camera in range(ours.shape[1]):
        quadrant = [2 * (xy[:, camera, 0] > 0) + (xy[:, camera, 1] > 0) for xy in (ours, theirs)]
        assert_same_counts(*quadrant)


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_orientation(scenario: str) -> None:
    ours, theirs = both(scenario, "camera_orientation")
    np.testing.assert_array_equal(ours % 5.0, 0.0)
    assert_same_counts(ours, theirs)


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_capacity(scenario: str) -> None:
    ours, theirs = both(scenario, "target_capacity")
    np.testing.assert_array_equal((ours == 2).sum(1), (theirs == 2).sum(1))
    for target in range(ours.shape[1]):
        assert_same_counts(ours[:, target], theirs[:, target])


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_start_cargo(scenario: str) -> None:
    assert_same_counts(*both(scenario, "target_goal"))
    ours, theirs = both(scenario, "target_goal_bits")
    assert_same_counts(ours.sum(-1), theirs.sum(-1))


@pytest.mark.jit
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_cargo_table(scenario: str) -> None:
    ours, theirs = both(scenario, "remaining_cargoes")
    np.testing.assert_array_equal(np.einsum("nii->n", ours), 0)
    off_diagonal = ~np.eye(4, dtype=np.bool_)
    assert_same_counts(ours[:, off_diagonal], theirs[:, off_diagonal])
    assert_same_counts(ours.sum(2), theirs.sum(2))
    assert_same_counts(*both(scenario, "awaiting_cargo_counts"))
    totals = [read(simulated(scenario), "awaiting_cargo_counts").sum(1)]
    totals.append(recorded(scenario)["awaiting_cargo_counts"].sum(1))
    assert_same_counts(*totals)
