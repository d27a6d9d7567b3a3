"""What a camera remembers of targets: hand cases on made-up observations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import from_python

from camcontrol.tracking import track
from camcontrol.tracking.track import (
    B_AGE,
    B_BEARING,
    B_DISTANCE,
    B_KNOWN,
    B_SEEN,
    B_SPEED,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    P_AREA,
    P_INWARD,
    P_PHI,
    P_RANGE,
    P_X,
    P_Y,
)

update_belief = from_python(track.update_belief)
write_bearings = from_python(track.write_bearings)
update_sector_ages = from_python(track.update_sector_ages)
clear_belief = from_python(track.clear_belief)
line_clearance = from_python(track.line_clearance)
WHERE = (0, 0)
MEMORY_FRAMES = 10


def observation(
    target: tuple[float, float] | None,
    *,
    phi_deg: float = 0.0,
    theta_deg: float = 60.0,
    obstacle: tuple[float, float, float] | None = None,
) -> np.ndarray:
    """The observation [38] of a camera at (-500, 0) of one target and at most one obstacle."""
    obs = np.zeros(22 + 5 + 4 + 7)
    obs[:4] = [1, 1, 1, 0]
    reach = math.sqrt(30.0 * 1500.0**2 / theta_deg)
    phi = math.radians(phi_deg)
    obs[13:22] = [
        -500,
        0,
        40,
        reach * math.cos(phi),
        reach * math.sin(phi),
        theta_deg,
        1500,
        5,
        2.5,
    ]
    if target is not None:
        obs[22:27] = [*target, 500, 1, 1]
    if obstacle is not None:
        obs[27:31] = [*obstacle, 1]
    return obs


class Tracker:
    """One camera's track of one target."""

    def __init__(self) -> None:
        self.pose, self.table, self.sector_ages = track.allocate_belief(1, 1, 1)
        clear_belief(self.table, self.sector_ages, 0, 0)

    def take(self, obs: np.ndarray, memory_frames: int = MEMORY_FRAMES) -> np.ndarray:
        """Update with an observation; return the belief about the target."""
        update_belief(obs, 0, self.pose, self.table, WHERE, memory_frames, True)
        belief: np.ndarray = self.table[0, 0, 0]
        return belief


def test_pose_is_read_from_the_observation() -> None:
    tracker = Tracker()
    tracker.take(observation(None, phi_deg=-170.0, theta_deg=90.0))
    pose = tracker.pose[0, 0]
    assert pose[[P_X, P_Y]].tolist() == [-500.0, 0.0]
    assert pose[P_PHI] == pytest.approx(-170.0, abs=1e-12)
    assert pose[P_RANGE] == pytest.approx(1500.0 / math.sqrt(3.0), abs=1e-9)
    assert pose[P_AREA] == pytest.approx(30.0 * 1500.0**2, rel=1e-12)
    assert pose[P_INWARD] == 0.0


def test_target_in_view_is_known_exactly() -> None:
    tracker = Tracker()
    belief = tracker.take(observation((-400.0, 100.0)))
    assert belief[[B_KNOWN, B_SEEN, B_AGE, B_X, B_Y]].tolist() == [1, 1, 0, -400, 100]
    assert belief[B_DISTANCE] == pytest.approx(math.hypot(100.0, 100.0))
    write_bearings(tracker.pose, tracker.table, WHERE)
    assert belief[B_BEARING] == pytest.approx(45.0)


def test_nothing_is_known_at_first_or_without_memory() -> None:
    tracker = Tracker()
    assert tracker.take(observation(None))[B_KNOWN] == 0.0
    tracker.take(observation((0.0, 0.0)), memory_frames=0)
    assert tracker.take(observation(None, phi_deg=180.0), memory_frames=0)[B_KNOWN] == 0.0


def test_unseen_target_moves_on_and_is_forgotten() -> None:
    """Seen walking by (-4, 10) a frame; the camera then turns away."""
    tracker = Tracker()
    for k in range(4):
        tracker.take(observation((-4.0 * k, 10.0 * k)))
    belief = tracker.take(observation(None, phi_deg=180.0)).copy()
    assert belief[[B_X, B_Y]].tolist() == [-16.0, 40.0]
    assert belief[B_SPEED] == pytest.approx(math.hypot(4.0, 10.0))
    previous = belief
    for age in range(2, MEMORY_FRAMES + 1):
        belief = tracker.take(observation(None, phi_deg=180.0)).copy()
        assert belief[[B_KNOWN, B_SEEN, B_AGE]].tolist() == [1, 0, age]
        step = belief[[B_X, B_Y]] - previous[[B_X, B_Y]]
        np.testing.assert_allclose(step, previous[[B_VX, B_VY]], rtol=1e-12)
        assert np.hypot(*step) <= math.hypot(4.0, 10.0)  # it slows down
        previous = belief
    assert tracker.take(observation(None, phi_deg=180.0))[B_KNOWN] == 0.0


def test_estimate_stays_on_the_terrain() -> None:
    tracker = Tracker()
    tracker.take(observation((-500.0, 980.0), phi_deg=90.0))
    tracker.take(observation((-500.0, 999.0), phi_deg=90.0))
    assert tracker.take(observation(None, phi_deg=-90.0))[B_Y] == 1000.0


@pytest.mark.parametrize(("obstacle", "forgotten"), [(None, True), ((-300.0, 0.0, 50.0), False)])
def test_target_missing_where_it_should_be_is_forgotten_early(
    obstacle: tuple[float, float, float] | None, forgotten: bool
) -> None:
    """After three missed detections; not if an obstacle may hide it there."""
    tracker = Tracker()
    tracker.take(observation((0.0, 0.0)))
    known = [tracker.take(observation(None, obstacle=obstacle))[B_KNOWN] for _ in range(3)]
    assert known == [1.0, 1.0, 0.0 if forgotten else 1.0]


def test_sector_ages_count_frames_since_each_direction_was_in_view() -> None:
    tracker = Tracker()
    for phi_deg in (0.0, 90.0, 180.0):
        tracker.take(observation(None, phi_deg=phi_deg))
        update_sector_ages(tracker.pose, tracker.sector_ages, 0, 0)
    age = tracker.sector_ages[0, 0]
    assert [age[n] for n in (0, 2, 4)] == [2.0, 1.0, 0.0]  # forward, left, back
    assert age[6] == 63.0  # right: never


@pytest.mark.parametrize(
    ("point", "wanted"),
    [
        ((0.0, 0.0), -50.0),  # through the middle of a disc of radius 50 at (-300, 0)
        ((-500.0, 500.0), 100.0),  # sideways: nothing on the way
        ((-400.0, 0.0), 100.0),  # before the disc
        ((-100.0, 120.0), math.sin(math.atan2(120.0, 400.0)) * 200.0 - 50.0),
        ((-500.0, 0.0), 100.0),  # the camera's own place
    ],
)
def test_line_clearance(point: tuple[float, float], wanted: float) -> None:
    obs = observation(None, obstacle=(-300.0, 0.0, 50.0))
    clearance = line_clearance(obs, 0, -500.0, 0.0, *point)
    assert clearance == pytest.approx(wanted, abs=1e-9)
