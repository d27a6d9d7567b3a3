"""3,000 recorded moves among discs and borders, one environment each, in one batched frame."""

from __future__ import annotations

import numpy as np
from parity.golden import DATA, load_arrays

from camsim.parity.teacher_forcing import fields
from camsim.scenario.schema import Scenario
from camsim.sim import BatchSim

TOLERANCE = 1e-9


def test_moves() -> None:
    cases, _ = load_arrays(DATA / "collision_cases.npz")
    n_cases = len(cases["target_xy"])
    scenario = Scenario.from_mapping(
        {
            "num_cargoes_per_target": 8,
            "target": {"location": [[0, 0]], "step_size": 20},
            "obstacle": {"location": [[0, 0]] * 3, "radius": 50},
        }
    )
    sim = BatchSim(scenario, n_cases)
    arrays = fields(sim)
    arrays["target_xy"][:, 0] = cases["target_xy"]
    arrays["target_step_size"][:, 0] = cases["target_step_size"]
    arrays["obstacle_xy"][...] = np.nan_to_num(cases["obstacle_xy"])
    arrays["obstacle_radius"][...] = np.nan_to_num(cases["obstacle_radius"])  # 0: no disc
    sim.refresh()
    sim.move(np.zeros((n_cases, 0, 2)), cases["target_action"][:, None])

    clear = ~cases["move_order_ambiguous"]
    assert clear.sum() == 2802
    ends = arrays["target_xy"][:, 0]
    np.testing.assert_allclose(ends[clear], cases["next_target_xy"][clear], rtol=0, atol=TOLERANCE)
    colliding = arrays["target_is_colliding"][:, 0] > 0
    np.testing.assert_array_equal(colliding[clear], cases["next_is_colliding"][clear])
