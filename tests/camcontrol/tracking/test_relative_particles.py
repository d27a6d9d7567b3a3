"""Masses of particles in views, whatever was observed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python
from hypothesis import given, settings
from hypothesis import strategies as st
from tracked_target import N_PARTICLES, WHERE, Tracker, camera, observation

from camcontrol.features import belief_features
from camcontrol.features.layout import BELIEF_TARGET_FEATURES
from camcontrol.tracking import relative_particles
from camcontrol.tracking.motion_models import Q_GOAL, Q_STEP, Q_X, Q_Y
from camcontrol.tracking.relative_particles import R_DISTANCE, R_UX, R_UY
from camcontrol.tracking.track import B_KNOWN, B_SEEN

write_target_belief = from_python(belief_features.write_target_belief)
Frame = tuple[float, float, tuple[float, float] | None]
frames = st.lists(
    st.tuples(
        st.floats(-180, 180),
        st.floats(30, 180),
        st.none() | st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(frames, st.floats(-180, 180))
def test_particles_and_masses_stay_sound(play: list[Frame], phi_deg: float) -> None:
    """Any observations: positions on the terrain, real goals and steps; masses add up."""
    tracker, twin = Tracker(), Tracker()
    for phi, theta, target in play:
        obs = observation(target, phi_deg=phi, theta_deg=theta, mate=camera(phi, theta, 0.0, 300.0))
        particle_set = tracker.take(obs, shared=True)
        np.testing.assert_array_equal(
            twin.take(obs, shared=True), particle_set
        )  # nothing else counts
    assert (np.abs(particle_set[[Q_X, Q_Y]]) <= 1000.0).all()
    assert np.isin(particle_set[Q_GOAL], range(4)).all()
    context = tracker.measured(obs)
    unseen = 1.0 - tracker.belief[0, 0, 0, B_SEEN]
    assert ((context >= 0.0) & (context <= unseen + 1e-6)).all()
    halves = [tracker.masses(phi_deg + turn, 180.0, 4000.0) for turn in (0.0, 180.0)]
    total, unobserved, unknown, own, slow = np.sum(halves, axis=0)
    assert total == pytest.approx(unseen)
    assert unknown == pytest.approx(unseen * (1.0 - tracker.belief[0, 0, 0, B_KNOWN]))
    assert max(unobserved, own, slow) <= unseen + 1e-9
    out = np.zeros((1, 1, BELIEF_TARGET_FEATURES), np.float32)
    sets = (tracker.particles, tracker.origins, tracker.relative)
    end = write_target_belief(tracker.pose, tracker.belief, *sets, WHERE, 0, 0, out, 0)
    assert end == tracker.n_entries
    row = out[0, 0]
    assert np.isfinite(row).all()
    assert row[0] == 1.0
    assert row[9:13].sum() == pytest.approx(1.0, abs=1e-5)  # quadrants
    assert row[13:17].sum() == pytest.approx(1.0, abs=1e-5)  # goals


def test_masses_of_a_hand_made_particle_set() -> None:
    """Six particles ahead and near, six of them farther, twelve behind; the camera faces inward."""
    tracker = Tracker()
    obs = observation(phi_deg=0.0, mate=camera(0.0, 30.0, -450.0, 0.0))
    particle_set = tracker.take(obs)
    particle_set[Q_X] = [-200.0] * 6 + [800.0] * 6 + [-900.0] * 12
    particle_set[Q_Y] = 1e-9  # on the own side of the middle line
    particle_set[Q_STEP] = ([10.0] * 3 + [20.0] * 3) * 4
    context = tracker.measured(obs)
    near, far = math.sqrt(30.0 / 55.0) * 1500.0, math.sqrt(30.0 / 110.0) * 1500.0
    assert near < 1300.0  # of the second six
    assert far < near
    np.testing.assert_allclose(context[:8], [0.25, 0, 0, 0, 0.5, 0, 0, 0])
    np.testing.assert_allclose(context[8:], [0.25, 0.25, 0, 0.5, 0.5, 0.5, 0, 0.25])
    table, marks = tracker.relative[0][0], tracker.relative[1][0]
    assert tracker.n_entries == N_PARTICLES
    assert table[R_DISTANCE].tolist() == [300.0] * 6 + [1300.0] * 6 + [400.0] * 12
    assert table[R_UX].tolist() == [1.0] * 12 + [-1.0] * 12
    assert (np.abs(table[R_UY]) < 1e-9).all()
    observed = marks & relative_particles.UNOBSERVED == 0
    assert observed.tolist() == [True] * 12 + [False] * 12
    assert tracker.masses(0.0, 40.0, 1400.0) == pytest.approx((0.5, 0.0, 0.5, 0.25, 0.25))
