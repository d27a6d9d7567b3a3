"""72 recorded cameras with 256 points each: what they see among opaque obstacles."""

from __future__ import annotations

import numpy as np
import pytest
from parity.golden import DATA, Array, load_arrays

from camsim.parity.teacher_forcing import fields, read
from camsim.scenario.schema import Scenario
from camsim.sim import BatchSim

PAIRS_IN_VIEW = 14_225
ALLOWED_DISAGREEMENTS = 0.001
"""Share of the pairs in view that upstream's polyline may judge differently."""


def seen_points(cases: dict[str, Array], rows: Array, *, opaque: bool) -> Array:
    """What the cameras `rows` see of their points [M, 256]; points are targets here."""
    n_points = cases["points"].shape[1]
    (max_sight_range,) = np.unique(cases["camera_max_sight_range"][rows])
    scenario = Scenario.from_mapping(
        {
            "num_cargoes_per_target": 8,
            "camera": {
                "location": [[0, 0]],
                "min_viewing_angle": 30,
                "max_sight_range": float(max_sight_range),
            },
            "target": {"location": [[0, 0]] * n_points},
            "obstacle": {"location": [[0, 0]] * 9, "radius": 50, "transmittance": int(not opaque)},
        }
    )
    sim = BatchSim(scenario, len(rows))
    arrays = fields(sim)
    arrays["camera_xy"][:, 0] = cases["camera_xy"][rows]
    arrays["camera_orientation"][:, 0] = cases["camera_orientation"][rows]
    arrays["camera_viewing_angle"][:, 0] = cases["camera_viewing_angle"][rows]
    arrays["target_xy"][...] = cases["points"][rows]
    arrays["obstacle_xy"][...] = np.nan_to_num(cases["obstacle_xy"][rows])
    arrays["obstacle_radius"][...] = np.nan_to_num(cases["obstacle_radius"][rows])
    sim.refresh()
    recorded = cases["camera_sight_range"][rows]
    np.testing.assert_allclose(arrays["camera_sight_range"][:, 0], recorded, rtol=0, atol=1e-9)
    sim.see()
    return read(sim, "camera_target_mask")[:, 0]


@pytest.mark.jit
def test_points() -> None:
    cases, _ = load_arrays(DATA / "perception_cases.npz")
    in_view = disagreements = 0
    for max_sight_range in np.unique(cases["camera_max_sight_range"]):
        rows = np.flatnonzero(cases["camera_max_sight_range"] == max_sight_range)
        seen = seen_points(cases, rows, opaque=True)
        in_view += int(seen_points(cases, rows, opaque=False).sum())
        disagreements += int((seen != cases["seen"][rows]).sum())
    assert in_view == PAIRS_IN_VIEW
    assert disagreements <= ALLOWED_DISAGREEMENTS * PAIRS_IN_VIEW
