"""The particle belief: hand cases on made-up observations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python
from hypothesis import given, settings
from hypothesis import strategies as st
from tracked_target import N_PARTICLES, Tracker, camera, n_observed, observation, surely_observed

from camcontrol.tracking import motion_models
from camcontrol.tracking.motion_models import Q_GOAL, Q_RANDOM_WALK, Q_STEP, Q_X, Q_Y
from camcontrol.tracking.track import B_AGE, B_KNOWN, B_SEEN, B_VX, B_VY, B_X, B_Y

goal_weights = from_python(motion_models.goal_weights)


def test_before_anything_is_seen_targets_are_where_they_start() -> None:
    particle_set = Tracker().take(observation())
    assert (np.abs(particle_set[[Q_X, Q_Y]]) <= 200.0).all()
    assert np.ptp(particle_set[Q_X]) > 200.0
    assert np.ptp(particle_set[Q_Y]) > 200.0
    assert set(particle_set[Q_GOAL]) == {0, 1, 2, 3}
    assert set(particle_set[Q_STEP]) == {10, 20}


def test_a_detection_sets_all_particles_to_its_position() -> None:
    tracker = Tracker()
    tracker.take(observation())
    particle_set = tracker.take(observation((-100.0, 30.0), phi_deg=0.0))
    assert (particle_set[Q_X] == -100.0).all()
    assert (particle_set[Q_Y] == 30.0).all()


@pytest.mark.parametrize(("speed", "step"), [(18.0, 20.0), (9.0, 10.0)])
def test_lost_target_walks_on_to_the_warehouse_it_headed_for(speed: float, step: float) -> None:
    """Seen walking from the centre to the upper right; the camera then turns away."""
    tracker = Tracker()
    side = speed / math.sqrt(2.0)
    tracker.walk_by((0.0, 0.0), (side, side), 10)
    for _ in range(20):
        particle_set = tracker.take(observation())
    assert (particle_set[Q_GOAL] == 0.0).mean() > 0.9
    assert (particle_set[Q_STEP] == step).all()
    estimate = tracker.belief[0, 0, 0]
    assert estimate[[B_X, B_Y]] == pytest.approx(particle_set[[Q_X, Q_Y]].mean(1))
    wanted = side * (9 + 20)
    assert estimate[[B_X, B_Y]] == pytest.approx([wanted, wanted], abs=0.2 * wanted)
    assert estimate[[B_KNOWN, B_SEEN, B_AGE]].tolist() == [1, 0, 20]
    for _ in range(300):  # nothing is forgotten but that it may be selected
        particle_set = tracker.take(observation())
    assert estimate[B_KNOWN] == 0.0
    assert np.isfinite(particle_set[: Q_STEP + 1]).all()


def test_random_walk_particles_do_not_count_in_the_estimate() -> None:
    """Seen walking from the centre to the upper right; the camera then turns away."""
    tracker = Tracker(random_walk_share=1 / 3)
    tracker.walk_by((0.0, 0.0), (12.7, 12.7), 10)
    for _ in range(30):
        particle_set = tracker.take(observation())
    random_walk, directed = particle_set[:, :8], particle_set[:, 8:]
    assert particle_set[Q_RANDOM_WALK].tolist() == [1.0] * 8 + [0.0] * 16
    assert (np.hypot(directed[Q_X] - 495.0, directed[Q_Y] - 495.0) < 250.0).all()
    assert (np.hypot(random_walk[Q_X] - 114.0, random_walk[Q_Y] - 114.0) < 850.0).all()
    assert np.ptp(random_walk[Q_X]) > 2.0 * np.ptp(directed[Q_X])
    estimate = tracker.belief[0, 0, 0]
    assert estimate[[B_X, B_Y]] == pytest.approx(directed[[Q_X, Q_Y]].mean(1))
    assert estimate[[B_VX, B_VY]] == pytest.approx([12.7, 12.7], abs=4.0)


@settings(deadline=None, max_examples=30)
@given(st.floats(-180.0, 180.0), st.sampled_from([30.0, 60.0, 110.0]))
def test_random_walk_particles_of_weight_0_start_outside_the_view(phi: float, theta: float) -> None:
    """And the estimate stays that of the others."""
    tracker = Tracker(random_walk_share=0.5)
    obs = observation(phi_deg=phi, theta_deg=theta)
    for _ in range(40):
        particle_set = tracker.take(obs)
        assert (particle_set[Q_GOAL] >= 0.0).all()
        assert (np.abs(particle_set[[Q_X, Q_Y]]) <= 1000.0).all()
    assert n_observed(obs, particle_set[:, :12]) <= 2
    directed = particle_set[:, 12:]
    assert tracker.belief[0, 0, 0, [B_X, B_Y]] == pytest.approx(directed[[Q_X, Q_Y]].mean(1))
    context = tracker.measured(obs)
    assert (context >= 0.0).all()
    assert (context <= 1.0).all()


def test_goal_directed_particles_have_goal_directed_parents() -> None:
    """Half of the start square is in view; random-walk particles leave it at once for anywhere."""
    tracker = Tracker(random_walk_share=0.5)
    for _ in range(4):
        particle_set = tracker.take(observation(phi_deg=30.0))
    assert (np.abs(particle_set[[Q_X, Q_Y], 12:]) <= 200.0 + 4 * (20.0 + 10.0)).all()
    assert (np.abs(particle_set[[Q_X, Q_Y], :12]).max(0) > 400.0).any()


def test_a_target_is_forgotten_although_random_walk_particles_are_left() -> None:
    tracker = Tracker(random_walk_share=0.5)
    tracker.walk_by((0.0, 0.0), (0.0, 0.0), 4)
    tracker.take(observation(phi_deg=0.0))
    assert tracker.belief[0, 0, 0, B_KNOWN] == 0.0


def test_target_in_a_warehouse_goes_to_another_one() -> None:
    tracker = Tracker()
    tracker.walk_by((900.0, 860.0), (0.0, 9.0), 3)
    weights = goal_weights(tracker.belief, tracker.origins, 0, 0, 0)
    assert weights == pytest.approx((0.0, 1 / 3, 1 / 3, 1 / 3))
    assert 0 not in tracker.take(observation())[Q_GOAL]


@pytest.mark.parametrize("kind", ["own", "teammate", "teammate who does not share"])
def test_negative_information_moves_particles_out_of_views(kind: str) -> None:
    """Half of the start square is in view; the target must be in the other half."""
    mate = None if kind == "own" else camera(45.0, 60.0, -250.0, 0.0)
    obs = observation(phi_deg=30.0 if kind == "own" else 180.0, mate=mate)
    shared = kind != "teammate who does not share"
    tracker = Tracker()
    particle_set = tracker.take(obs, shared=shared)
    for _ in range(3):
        particle_set = tracker.take(obs, shared=shared)
    n_inside = n_observed(obs, particle_set, shared=True)
    if shared:
        assert n_inside <= 2  # resampled in this frame, of weight 0 in the next one
    else:
        assert n_inside >= 4


def test_a_set_of_weight_0_is_initialised_outside_the_view() -> None:
    tracker = Tracker()
    tracker.walk_by((0.0, 0.0), (0.0, 0.0), 4)
    obs = observation(phi_deg=0.0)
    particle_set = tracker.take(obs)
    assert tracker.belief[0, 0, 0, B_KNOWN] == 0.0
    assert n_observed(obs, particle_set) <= 1
    assert len(set(particle_set[Q_X])) == N_PARTICLES


def test_obstacles_hide_and_are_walked_around() -> None:
    disc = (-100.0, 0.0, 90.0)
    tracker = Tracker()
    tracker.walk_by((-220.0, 0.0), (9.0, 0.0), 3)
    obs = observation(phi_deg=180.0, obstacle=disc)
    for _ in range(40):
        particle_set = tracker.take(obs)
        away = np.hypot(particle_set[Q_X] - disc[0], particle_set[Q_Y] - disc[1])
        assert (away >= disc[2] - 1e-9).all()
    assert not surely_observed(observation(phi_deg=0.0, obstacle=disc), 0, False, 100.0, 0.0)
    assert surely_observed(observation(phi_deg=0.0), 0, False, 100.0, 0.0)
