"""The pointing offset: towards particles, but never off the chosen target."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python
from tracked_target import N_PARTICLES, WHERE, Tracker, measure, observation

from camcontrol.control import action_set, controller
from camcontrol.tracking import particle_filter, relative_particles, track
from camcontrol.tracking.motion_models import Q_X, Q_Y
from camcontrol.tracking.track import B_DISTANCE, B_KNOWN, B_SEEN, B_X, P_X, P_Y

aim = from_python(controller.aim)
update_pose = from_python(track.read_pose)


@pytest.mark.parametrize(
    ("bearings", "wanted"),
    [
        ([0.0], 0),
        ([50.0], 2),
        ([-50.0], -2),
        ([37.0], 1),
        ([50.0, -34.0, -36.0], -1),
        ([0.0, 50.0], 2),  # both
        ([-120.0], 0),
    ],
)
def test_pointing_offset_is_to_where_most_particles_are(bearings: list[float], wanted: int) -> None:
    """A view of 70 degrees may turn by 10 or 20 degrees; the target is not among the chosen."""
    tracker = Tracker()
    particle_set = tracker.take(observation(phi_deg=0.0))
    angle = np.radians(np.resize(bearings, N_PARTICLES))
    particle_set[Q_X], particle_set[Q_Y] = -500.0 + 300.0 * np.cos(angle), 300.0 * np.sin(angle)
    assert tracker.offset(-1, 70.0, 900.0) == wanted
    assert tracker.offset(-1, 70.0, 299.0) == 0
    assert tracker.offset(0, 70.0, 900.0) == 0


@pytest.mark.parametrize(("bearing", "wanted"), [(0.0, 0), (50.0, 2), (-50.0, -2), (37.0, 1)])
def test_pointing_offset_counts_a_target_in_view_like_its_particles(
    bearing: float, wanted: int
) -> None:
    tracker = Tracker()
    x, y = 300.0 * math.cos(math.radians(bearing)), 300.0 * math.sin(math.radians(bearing))
    tracker.take(observation((x - 500.0, y), phi_deg=0.0))
    assert tracker.offset(-1, 70.0, 900.0) == wanted
    assert tracker.offset(-1, 70.0, 299.0) == 0
    assert tracker.offset(0, 70.0, 900.0) == 0


def test_pointing_offset_keeps_the_chosen_target_well_inside() -> None:
    """One target chosen, the other's particles to the left: the aim turns left of the first."""
    pose, belief, _ = track.allocate_belief(1, 1, 2)
    sets, _, _ = particle_filter.allocate_particles(1, 1, 2, N_PARTICLES)
    tables, _ = relative_particles.allocate_relative_particles(1, 2, N_PARTICLES)
    belief[0, 0, 0, [B_KNOWN, B_SEEN, B_X, B_DISTANCE]] = 1.0, 1.0, 400.0, 400.0
    update_pose(observation(phi_deg=0.0), 0, pose, 0, 0)
    pose[0, 0, [P_X, P_Y]] = 0.0
    catalogue = action_set.make_catalogue(2, multi_selection=True, max_selected=1, search_actions=1)
    sets[0, 0, 1, Q_X], sets[0, 0, 1, Q_Y] = 0.0, 400.0
    measure(pose, belief, sets, WHERE, tables[0])
    aims = [
        aim(action_set.EXECUTORS[executor], catalogue, pose, belief, *particles, WHERE, 0)
        for executor, particles in (
            ("lead", (sets, tables)),
            ("lead", (np.zeros(0), np.zeros(0))),
            ("upstream", (sets, tables)),
        )
    ]
    (spread, phi, theta, direction), plain, upstream = aims
    assert (spread, theta) == plain[:3:2]
    assert plain[1] == upstream[1] == 0.0
    assert phi == pytest.approx(0.5 * (0.5 * theta - 14.0))
    angle, half = math.radians(phi), math.radians(0.5 * theta)
    assert direction == pytest.approx((math.cos(angle), math.sin(angle), math.cos(half)))
