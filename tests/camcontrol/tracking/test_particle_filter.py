"""The particle belief: hand cases on made-up observations, and what holds for all of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from compiled import from_python
from hypothesis import given, settings
from hypothesis import strategies as st

from camcontrol.control import action_set, controller
from camcontrol.control import pointing_offset as offsets
from camcontrol.features import belief_features
from camcontrol.features.layout import (
    ACTION_FEATURES,
    BELIEF_ACTION_FEATURES,
    BELIEF_CONTEXT_FEATURES,
    BELIEF_TARGET_FEATURES,
    CONTEXT_FEATURES,
    TARGET_FEATURES,
)
from camcontrol.selection_env import SelectionEnv, SelectionOptions
from camcontrol.tracking import (
    motion_models,
    particle_filter,
    relative_particles,
    track,
    visibility,
)
from camcontrol.tracking.motion_models import (
    Q_GOAL,
    Q_RANDOM_WALK,
    Q_STEP,
    Q_X,
    Q_Y,
)
from camcontrol.tracking.relative_particles import R_DISTANCE, R_UX, R_UY
from camcontrol.tracking.track import (
    B_AGE,
    B_DISTANCE,
    B_KNOWN,
    B_SEEN,
    B_VX,
    B_VY,
    B_X,
    B_Y,
    P_X,
    P_Y,
)
from camsim.layout import WAREHOUSES
from camsim.scenario.schema import load_scenario

N_PARTICLES = 24

update_belief = from_python(track.update_belief)
clear_belief = from_python(track.clear_belief)
update_particles = from_python(particle_filter.update_particles)
clear_particles = from_python(particle_filter.clear_particles)
goal_weights = from_python(motion_models.goal_weights)
warehouse_at = from_python(motion_models.warehouse_at)
surely_observed = from_python(visibility.surely_observed)
noise_towards = from_python(motion_models.noise_towards)
pointing_offset = from_python(offsets.pointing_offset)
aim = from_python(controller.aim)
update_pose = from_python(track.read_pose)
measure = from_python(relative_particles.measure)
count_in_view = from_python(relative_particles.count_in_view)
write_context_belief = from_python(belief_features.write_context_belief)
write_target_belief = from_python(belief_features.write_target_belief)

OURS = SelectionOptions(lookahead=False, coverage_per_target=False, max_episode_steps=60)
MEMORY = 30
WHERE = (0, 0)


def camera(phi_deg: float, theta_deg: float, x: float = -500.0, y: float = 0.0) -> list[float]:
    """Public state [6] of a camera of MATE's presets."""
    reach, phi = math.sqrt(30.0 * 1500.0**2 / theta_deg), math.radians(phi_deg)
    return [x, y, 40, reach * math.cos(phi), reach * math.sin(phi), theta_deg]


def observation(
    target: tuple[float, float] | None = None,
    *,
    phi_deg: float = 180.0,
    theta_deg: float = 60.0,
    obstacle: tuple[float, float, float] | None = None,
    mate: list[float] | None = None,
) -> np.ndarray:
    """The observation [45] of a camera at (-500, 0), one of two, of one target."""
    obs = np.zeros(22 + 5 + 4 + 2 * 7)
    obs[:4] = [2, 1, 1, 0]
    obs[13:22] = [*camera(phi_deg, theta_deg), 1500, 5, 2.5]
    if target is not None:
        obs[22:27] = [*target, 500, 1, 1]
    if obstacle is not None:
        obs[27:31] = [*obstacle, 1]
    obs[31:38] = [*obs[13:19], 1]
    if mate is not None:
        obs[38:45] = [*mate, 1]
    return obs


class Tracker:
    """One camera's particle filter of one target."""

    def __init__(self, random_walk_share: float = 0.0) -> None:
        self.pose, self.belief, self.sector_ages = track.allocate_belief(1, 1, 1)
        sets = particle_filter.allocate_particles(1, 1, 1, N_PARTICLES, random_walk_share)
        self.particles, self.origins, self.stream = sets
        self.relative = relative_particles.allocate_relative_particles(1, 1, N_PARTICLES)
        self.n_entries = 0
        clear_belief(self.belief, self.sector_ages, 0, 0)
        clear_particles(self.particles, self.stream, 0, 0)

    def take(self, obs: np.ndarray, *, shared: bool = False) -> np.ndarray:
        """Update with an observation; return the particle set [K, P]."""
        update_belief(obs, 0, self.pose, self.belief, WHERE, MEMORY, False)
        sets = (self.particles, self.origins, self.stream)
        update_particles(obs, 0, self.pose, self.belief, *sets, WHERE, shared)
        particle_set: np.ndarray = self.particles[0, 0, 0]
        return particle_set

    def walk_by(self, start: tuple[float, float], step: tuple[float, float], frames: int) -> None:
        """See the target walk in a straight line."""
        for n in range(frames):
            self.take(observation((start[0] + n * step[0], start[1] + n * step[1]), phi_deg=0.0))

    def measured(self, obs: np.ndarray) -> np.ndarray:
        """Return the context's features of the particles, after measuring them."""
        out = np.zeros((1, 1, BELIEF_CONTEXT_FEATURES), np.float32)
        sets = (self.particles, self.relative)
        self.n_entries = write_context_belief(obs, 0, self.pose, self.belief, *sets, WHERE, out, 0)
        context: np.ndarray = out[0, 0]
        return context

    def masses(self, phi_deg: float, theta_deg: float, reach: float) -> np.ndarray:
        """Return the five masses in a view, after `measured`."""
        phi, half = math.radians(phi_deg), math.radians(0.5 * theta_deg)
        view = (math.cos(phi), math.sin(phi), math.cos(half), reach)
        table, marks = self.relative[0][0], self.relative[1][0]
        return np.array(count_in_view(table, marks, self.n_entries, view)) / N_PARTICLES

    def offset(self, chosen: int, theta_deg: float, reach: float) -> int:
        """Return the pointing offset of a view ahead that may turn by 20 degrees."""
        measure(self.pose, self.belief, self.particles, WHERE, self.relative[0][0])
        ten = math.radians(10.0)
        return pointing_offset(
            self.belief,
            self.relative[0][0],
            N_PARTICLES,
            WHERE,
            np.array([chosen, -1]),
            (1.0, 0.0, math.cos(math.radians(0.5 * theta_deg)), reach),
            (math.cos(ten), math.sin(ten)),
        )


def n_observed(obs: np.ndarray, particle_set: np.ndarray, *, shared: bool = False) -> int:
    """How many particles would surely be in the observation."""
    return sum(
        surely_observed(obs, 0, shared, x, y) for x, y in particle_set[[Q_X, Q_Y]].T.tolist()
    )


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


@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_warehouse_at(x: float, y: float) -> None:
    inside = np.flatnonzero((np.abs(WAREHOUSES - [x, y]) <= 75.0).all(1))
    assert warehouse_at(x, y) == (inside[0] if len(inside) else -1)


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


@given(
    st.floats(-800, 800),
    st.floats(-800, 800),
    st.sampled_from([10.0, 20.0]),
    st.integers(0, 3),
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
)
def test_noise_explains_how_a_target_moves(
    x: float, y: float, step: float, goal: int, nx: float, ny: float
) -> None:
    """A frame of a greedy target that walks to the goal fits to it and is repeated (world 11.3)."""
    gx, gy = WAREHOUSES[goal] - [x, y]
    way = math.hypot(gx, gy)
    ax = min(max(step * (gx / way + nx), -step), step)
    ay = min(max(step * (gy / way + ny), -step), step)
    shorter = min(1.0, step / max(math.hypot(ax, ay), 1e-9))
    vx, vy = ax * shorter, ay * shorter
    found_x, found_y, misfit = noise_towards(x, y, vx, vy, step, goal)
    assert max(abs(found_x), abs(found_y)) <= 0.5 * step + 1e-9
    assert misfit < 0.15
    again = np.clip([step * gx / way + found_x, step * gy / way + found_y], -step, step)
    again *= min(1.0, step / max(math.hypot(*again), 1e-9))
    assert again == pytest.approx([vx, vy], abs=0.2 * step)


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


def make(options: SelectionOptions, n_envs: int) -> SelectionEnv:
    """An environment after its reset."""
    env = SelectionEnv(load_scenario("MATE-4v4-9"), options, n_envs)
    env.reset(np.arange(n_envs, dtype=np.uint64))
    return env


def test_worlds_do_not_depend_on_the_belief() -> None:
    """The same seeds and moves give the same worlds: the belief has random numbers of its own."""
    envs = [
        make(replace(OURS, belief=belief, action_mode="discrete"), 3)
        for belief in ("last_seen", "particles")
    ]
    rng = np.random.default_rng(1)
    for _ in range(14):
        actions = rng.integers(0, envs[0].n_actions, (3, 4))
        for env in envs:
            env.step(actions)
    mine, theirs = (env.sim.state_dict() for env in envs)
    for name in mine:
        np.testing.assert_array_equal(theirs[name], mine[name], name)


@pytest.mark.jit
def test_what_is_hidden_does_not_change_the_belief() -> None:
    """Unseen targets are moved about and unloaded; as long as nobody sees them nothing changes."""
    env, other = make(OURS, 8), make(OURS, 8)
    rng = np.random.default_rng(2)
    n_compared = 0
    for _ in range(40):
        targets = other.sim.view.targets
        hidden = targets.tracked == 0.0
        place = rng.uniform(-900.0, 900.0, (*hidden.shape, 2))
        targets.xy[hidden] = place[hidden]
        targets.load[hidden] = 0.0
        actions = rng.integers(0, env.n_actions, (8, 4))
        for one in (env, other):
            one.run_frames(actions, 1)
        same = (env.sim.obs.camera_obs == other.sim.obs.camera_obs).all(-1)  # [N, C]
        mine, theirs = env.state_dict(), other.state_dict()
        for name in ("particles", "origins", "stream", "belief"):
            np.testing.assert_array_equal(
                mine[f"agents.{name}"][same], theirs[f"agents.{name}"][same], name
            )
        n_compared += int((same & hidden.any(1)[:, None]).sum())
        other.load_state_dict(mine)
    assert n_compared > 300


@pytest.mark.jit
@pytest.mark.parametrize("mode", ["own", "shared"])
def test_features_are_finite_and_of_moderate_size(mode: str) -> None:
    options = replace(OURS, observation_mode=mode, executor="upstream")  # it has no pointing offset
    env = make(options, 4)
    layout = env.feature_layout
    assert layout.context_size == CONTEXT_FEATURES + BELIEF_CONTEXT_FEATURES
    assert layout.target_size == TARGET_FEATURES + BELIEF_TARGET_FEATURES
    assert layout.action_size == ACTION_FEATURES + BELIEF_ACTION_FEATURES
    rng = np.random.default_rng(3)
    start = layout.context_size
    for _ in range(25):
        obs = env.step(rng.integers(0, env.n_actions, (4, 4))).obs
        assert np.isfinite(obs).all()
        assert np.abs(obs).max() < 20.0
        rows = obs[..., start : start + 4 * layout.target_size].reshape(4, 4, 4, -1)
        assert (rows[..., layout.row_flag] == 1.0).all()
        search = obs[..., -16 * layout.action_size :].reshape(4, 4, 16, -1)
        np.testing.assert_allclose(
            search[..., ACTION_FEATURES], obs[..., CONTEXT_FEATURES:start], atol=1e-6
        )
