"""Tables of plans against the same motion in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from planned_worlds import Stage

from camcontrol.planning.trajectories import M_AIM, M_BEARING, M_SQUARED_RANGE, M_WIDTH
from camcontrol.tracking.track import B_SPEED, B_VX, B_VY, P_AREA, P_INWARD, P_PHI, P_THETA

OPTIONS = {
    "horizon": 12,
    "first_stage": 4,
    "n_trajectories": 3,
    "first_actions": 6,
    "second_actions": 5,
}


def wrapped(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0


def wanted(stage: Stage, u: int, measured: np.ndarray) -> tuple[float, float]:
    """Orientation and viewing angle that action u wants, from measurements [T, .]."""
    catalogue = stage.env.catalogue
    search = int(catalogue.search[u])
    if search >= 0:
        forward = stage.env.agent_state.pose[0, 0, P_INWARD]
        return wrapped(forward + 45.0 * (search % 8)), (55.0, 110.0)[search // 8]
    chosen = [t for t in catalogue.members[u] if t >= 0]
    offsets = [wrapped(measured[t, M_AIM] - measured[chosen[0], M_AIM]) for t in chosen]
    middle = measured[chosen[0], M_AIM] + 0.5 * (min(offsets) + max(offsets))
    return wrapped(middle), min(measured[t, M_WIDTH] for t in chosen)


def covered(stage: Stage, actions: list[int], k: int) -> np.ndarray:
    """Targets in view [F, T] of trajectory k under one action per frame; world 4.1 and 5.2."""
    pose = stage.env.agent_state.pose[0, 0]
    measurements = stage.planner.trajectories.measurements[0]
    phi, theta, rows = pose[P_PHI], pose[P_THETA], []
    for f, u in enumerate(actions):
        aim, width = wanted(stage, u, measurements[f, k])
        phi += np.clip(wrapped(aim - phi), -5.0, 5.0)
        theta = np.clip(theta + np.clip(width - theta, -2.5, 2.5), 30.0, 180.0)
        seen = measurements[f + 1, k]
        near = seen[:, M_SQUARED_RANGE] <= pose[P_AREA] / theta
        rows.append(near & (2 * np.abs(wrapped(seen[:, M_BEARING] - phi)) <= theta))
    return np.array(rows)


@pytest.mark.slow
def test_every_plan_covers_what_following_it_covers() -> None:
    stage = Stage("MATE-1v2-9", [(-800, 0, 20)], [(250, 280), (300, -280)], [(-300.0, 150.0, 80.0)])
    stage.choices(**OPTIONS)
    plans = stage.planner.plans
    first, then = plans.first[0, 0], plans.then[0]
    assert (first >= 0).all()
    assert (np.diff(plans.score[0][first]) <= 0).all(), "best first"
    for a, u in enumerate(first):
        for b in range(6):
            second = u if b == 0 else then[b - 1]
            words = plans.cover[0, 0, a * 6 + b, :, 0]
            bits = (words[:, None] >> np.arange(6, dtype=np.uint64)) & np.uint64(1)
            if b > 0 and second == u:
                assert not bits[4:].any(), "no second copy of the first plan"
                continue
            expected = np.stack(
                [covered(stage, [u] * 4 + [second] * 8, k) for k in range(3)], axis=-1
            )
            np.testing.assert_array_equal(bits, expected.reshape(12, 6))


@pytest.mark.slow
def test_a_target_that_leaves_the_view_is_led() -> None:
    """It crosses the view at nearly the speed of the camera's turn and stays covered."""
    stage = Stage("MATE-1v2-9", [(0, 0, 0)], [(250, 0), (-900, 0)])
    stage.belief[0, 0, 0, [B_VX, B_VY]] = 5.0, 19.0
    stage.belief[0, 0, 0, B_SPEED] = 20.0
    assert stage.choices() == [{0}]
    choice = int(stage.planner.scratch.choice[0, 0])
    bits = stage.planner.plans.cover[0, 0, choice, :, 0] & np.uint64(0b1111)
    assert (bits == 0b1111).all()
