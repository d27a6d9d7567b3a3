"""One camera on its own: from its raw observations to the learner's features and its motion.

For playing a trained camera outside of this simulator. Belief, features and executor are those of
`SelectionEnv`, called from a kernel of their own.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from camcontrol.control.action_set import Catalogue, selection_bits
from camcontrol.control.controller import execute
from camcontrol.features.layout import feature_layout
from camcontrol.features.plan_features import FeatureLookahead
from camcontrol.features.track_features import write_features, write_glance
from camcontrol.options import (
    ControlOptions,
    baseline_of,
    catalogue_of,
    check_control,
    executor_of,
    n_particles_of,
)
from camcontrol.planning.planner import BeliefState
from camcontrol.tracking.particle_filter import (
    allocate_particles,
    clear_particles,
    has_particles,
    update_particles,
)
from camcontrol.tracking.relative_particles import allocate_relative_particles
from camcontrol.tracking.track import (
    allocate_belief,
    clear_belief,
    update_belief,
    update_sector_ages,
)
from camsim.arrays import Bools, Float32s, Floats, Ints, UInt64s
from camsim.bounds import is_whole, shortened
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.layout import CAMERA_PUBLIC, CameraObsLayout


class OnboardState(NamedTuple):
    """State of N single cameras; row n is camera `camera[n]` of its team."""

    camera: Ints  # [N]
    clock: Floats  # [N] frames since the episode began
    obs: Floats  # flat buffer of [N, D] raw observations
    pose: Floats  # [N, C, POSE_COLUMNS], of which row n uses [n, camera[n]], here and below
    belief: Floats  # [N, C, T, BELIEF_COLUMNS]
    sector_ages: Floats  # [N, C, N_SECTORS]
    particles: (
        Floats  # this and the next two: camcontrol.tracking.motion_models.ParticleSets, M = 1
    )
    origins: Floats
    stream: UInt64s
    relative: Floats  # this and the next: camcontrol.tracking.relative_particles
    marks: Ints
    selection: Ints  # [N] selected action
    motion: Floats  # [N, C, 2] turn and zoom of the next frame, degrees
    features: Float32s  # [N, C, F]
    glance: Float32s  # [N, C, G]
    avail_actions: Bools  # [N, C, U]


class OnboardConfig(NamedTuple):
    """Constants of a camera, as in `camcontrol.decision_arrays.Rules`."""

    executor: int  # camcontrol.control.action_set.EXECUTORS, or GRID
    memory_frames: int  # how long an unseen target stays known
    shared: bool  # the observations hold what any camera in them sees


FORGET, PERCEIVE, SHOW, GLANCE, MOVE = 0, 1, 2, 3, 4
"""Jobs of `onboard_batch`: clear the memory; take in a frame; write features; write a glance; write
the motion."""


@device_fn
def _onboard_one(
    n: int, job: int, config: OnboardConfig, catalogue: Catalogue, s: OnboardState
) -> None:
    c = s.camera[n]
    k = n * (len(s.obs) // len(s.camera))
    if job == FORGET:
        clear_belief(s.belief, s.sector_ages, n, c)
        clear_particles(s.particles, s.stream, n, c)
    elif job == PERCEIVE:
        lacks = not has_particles(s.particles)
        update_belief(s.obs, k, s.pose, s.belief, (n, c), config.memory_frames, lacks)
        update_sector_ages(s.pose, s.sector_ages, n, c)
        update_particles(
            s.obs,
            k,
            s.pose,
            s.belief,
            s.particles,
            s.origins,
            s.stream,
            (n, c),
            config.shared,
        )
    elif job == SHOW:
        memory = (s.pose, s.belief, s.sector_ages)
        write_features(
            config.executor,
            catalogue,
            s.obs,
            k,
            memory,
            s.particles,
            s.origins,
            (s.relative, s.marks),
            (n, c),
            s.clock[n],
            s.features,
            s.avail_actions,
        )
    elif job == GLANCE:
        write_glance(
            config.executor,
            catalogue,
            s.obs,
            k,
            s.pose,
            s.belief,
            s.particles,
            s.relative,
            (n, c),
            s.clock[n],
            s.glance,
            s.avail_actions,
        )
    else:
        execute(
            config.executor,
            catalogue,
            s.pose,
            s.belief,
            s.particles,
            s.relative,
            (n, c),
            s.selection[n],
            s.motion,
        )


@batch_kernel
def onboard_batch(job: int, config: OnboardConfig, catalogue: Catalogue, s: OnboardState) -> None:
    """Do one job for every camera."""
    for n in numba.prange(len(s.camera)):
        _onboard_one(row(n), job, config, catalogue, s)


class OnboardCamera:
    """Belief, features and executor of one camera that gets its raw observations from elsewhere.

    Per episode `begin`; then per frame `perceive` once, `features` when a selection is due, and
    `move`.
    """

    def __init__(self, options: ControlOptions, sizes: CameraObsLayout) -> None:
        """Allocate a camera's state.

        Args:
            options: what the camera chooses from, how it remembers and aims; what else
                `SelectionOptions` say has no effect.
            sizes: numbers of cameras, targets and obstacles.

        Raises:
            ValueError: an option is out of range, or they do not fit the number of targets.
        """
        check_control(options)
        self.sizes = sizes
        n_cameras, n_targets = sizes.n_cameras, sizes.n_targets
        self._catalogue = catalogue_of(options, n_targets)
        n_actions = len(self._catalogue.search)
        self.selection_bits = selection_bits(self._catalogue, n_targets)  # [U, T]
        self.feature_layout = feature_layout(
            n_targets,
            n_actions,
            n_search=int((self._catalogue.search >= 0).sum()),
            particles=options.belief == "particles",
            lookahead=options.lookahead,
            by_target=options.coverage_per_target,
        )
        self._config = OnboardConfig(
            executor=executor_of(options),
            memory_frames=0 if options.belief == "none" else options.memory_frames,
            shared=options.observation_mode != "own",
        )
        pose, belief, sector_ages = allocate_belief(1, n_cameras, n_targets)
        n_particles = n_particles_of(options)
        particles, origins, stream = allocate_particles(
            1, 1, n_targets, n_particles, options.random_walk_share
        )
        relative, marks = allocate_relative_particles(1, n_targets, n_particles)
        layout = self.feature_layout
        self._lookahead = None
        if options.lookahead:
            self._viewer = np.zeros((1, 2), np.int64)
            self._lookahead = FeatureLookahead(
                self._catalogue,
                (1, n_cameras if self._config.shared else 1, n_targets),
                layout,
                joint=self._config.shared,
                viewers=self._viewer,
                min_baseline_deg=baseline_of(options),
            )
            layout = self._lookahead.base_layout
        self._state = OnboardState(
            camera=np.zeros(1, np.int64),
            clock=np.zeros(1),
            obs=np.zeros(sizes.size),
            pose=pose,
            belief=belief,
            sector_ages=sector_ages,
            particles=particles,
            origins=origins,
            stream=stream,
            relative=relative,
            marks=marks,
            selection=np.zeros(1, np.int64),
            motion=np.zeros((1, n_cameras, 2)),
            features=np.zeros((1, n_cameras, layout.size), np.float32),
            glance=np.zeros((1, n_cameras, len(layout.glance_columns)), np.float32),
            avail_actions=np.zeros((1, n_cameras, n_actions), np.bool_),
        )
        self._frames = 0

    @property
    def clock(self) -> int:
        """Frames since the episode's first observation; -1 before it."""
        return self._frames - 1

    @property
    def index(self) -> int:
        """Which camera of its team this is."""
        return int(self._state.camera[0])

    @property
    def knows_whole_team(self) -> bool:
        """Whether the newest observation shows all teammates, as in a shared field of view."""
        teammates = self._state.obs[self.sizes.cameras :].reshape(-1, CAMERA_PUBLIC + 1)
        return bool((teammates[:, CAMERA_PUBLIC] > 0).all())

    def begin(self, index: int) -> None:
        """Forget everything and be camera `index` of the team in the episode that follows.

        Raises:
            ValueError: the team has no such camera.
        """
        if not is_whole(index) or not 0 <= index < self.sizes.n_cameras:
            raise ValueError(
                f"camera index {index}; expected 0 to {self.sizes.n_cameras - 1} in this team"
            )
        self._state.camera[0] = index
        self._frames = 0
        self._run(FORGET)

    def perceive(self, observation: NDArray[np.float64]) -> None:
        """Take in the camera's raw observation [D] (world 7.2) of one more frame.

        Raises:
            ValueError: the length is not that of this team's observations, or an entry is no real
                number or not finite.
        """
        observation = np.asarray(observation)
        if observation.shape != (self.sizes.size,):
            raise ValueError(
                f"observation has shape {observation.shape}; expected ({self.sizes.size},)"
            )
        if observation.dtype.kind not in "iuf" or not np.isfinite(observation).all():
            raise ValueError(
                f"observation is {observation.dtype}; expected finite real numbers only"
            )
        self._state.obs[:] = observation
        self._state.clock[0] = self._frames
        self._frames += 1
        self._run(PERCEIVE)

    def features(self) -> tuple[Float32s, Bools]:
        """Return features [F] and available actions [U] now; views of reused buffers."""
        self._run(SHOW)
        camera, state = self._state.camera[0], self._state
        features, available = state.features[0, camera], state.avail_actions[0, camera]
        return features if self._lookahead is None else self._plan_features(), available

    def glance(self) -> tuple[Float32s, Bools]:
        """Return what the camera reacts to now: a glance [G] and available actions [U].

        See `selection_env.React`. Both are views of reused buffers.
        """
        self._run(GLANCE)
        camera, state = self._state.camera[0], self._state
        return state.glance[0, camera], state.avail_actions[0, camera]

    def _plan_features(self) -> Float32s:
        """Return the features with those of plans."""
        assert self._lookahead is not None
        state, camera = self._state, int(self._state.camera[0])
        own = slice(camera, camera + 1)
        team = BeliefState(state.pose, state.belief, state.particles, state.origins)
        if self._config.shared:
            self._viewer[0, 1] = camera
            raw = np.tile(state.obs, self.sizes.n_cameras)
            self._lookahead.write(team, raw, state.features, state.avail_actions)
        else:
            alone = team._replace(pose=state.pose[:, own], belief=state.belief[:, own])
            available = state.avail_actions[:, own]
            self._lookahead.write(alone, state.obs, state.features[:, own], available)
        features: Float32s = self._lookahead.obs[0, camera if self._config.shared else 0]
        return features

    def move(self, selection: int) -> Floats:
        """Return turn and zoom [2] in degrees of the selected action now.

        Raises:
            ValueError: there is no such action.
        """
        n_actions = len(self._catalogue.search)
        if not is_whole(selection) or not 0 <= selection < n_actions:
            raise ValueError(f"selection {shortened(selection)}; expected 0 to {n_actions - 1}")
        self._state.selection[0] = selection
        self._run(MOVE)
        motion: Floats = self._state.motion[0, self._state.camera[0]]
        return motion.copy()

    def _run(self, job: int) -> None:
        onboard_batch(job, self._config, self._catalogue, self._state)
