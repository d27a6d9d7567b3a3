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
from camcontrol.features.track_features import write_features
from camcontrol.options import ControlOptions, catalogue_of, executor_of, n_particles_of
from camcontrol.planning.planner import Memories
from camcontrol.tracking.particle_filter import allocate_clouds, clear_clouds, update_clouds
from camcontrol.tracking.track import allocate_belief, clear_belief, update_belief, update_looks
from camsim.arrays import Bools, Floats, Ints, Singles, Words
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.layout import CAMERA_PUBLIC, CameraObsLayout


class Senses(NamedTuple):
    """What N single cameras perceive, remember and do; row n is camera `camera[n]` of its team."""

    camera: Ints  # [N]
    clock: Floats  # [N] frames since the episode began
    obs: Floats  # flat buffer of [N, D] raw observations
    pose: Floats  # [N, C, POSE_COLUMNS], of which row n uses [n, camera[n]], here and below
    belief: Floats  # [N, C, T, BELIEF_COLUMNS]
    looks: Floats  # [N, C, N_SECTORS]
    particles: Floats  # this and the next two: camcontrol.tracking.motion_models.Clouds
    origins: Floats
    stream: Words
    selection: Ints  # [N] selected action
    motion: Floats  # [N, C, 2] turn and zoom of the next frame, degrees
    features: Singles  # [N, C, F]
    avail_actions: Bools  # [N, C, U]


class Conduct(NamedTuple):
    """Constants of a camera's behaviour, as in `camcontrol.decision_kernel.Rules`."""

    executor: int  # camcontrol.control.action_set.EXECUTORS, or GRID
    memory_frames: int  # how long an unseen target stays known
    shared: bool  # the observations hold what any camera in them sees


FORGET, PERCEIVE, SHOW, MOVE = 0, 1, 2, 3
"""Jobs of `sense_batch`: clear the memory; take in a frame; write features; write the motion."""


@device_fn
def _sense_one(n: int, job: int, conduct: Conduct, catalogue: Catalogue, s: Senses) -> None:
    c = s.camera[n]
    k = n * (len(s.obs) // len(s.camera))
    if job == FORGET:
        clear_belief(s.belief, s.looks, n, c)
        clear_clouds(s.particles, s.stream, n, c)
    elif job == PERCEIVE:
        update_belief(s.obs, k, s.pose, s.belief, (n, c), conduct.memory_frames)
        update_looks(s.pose, s.looks, n, c)
        update_clouds(
            s.obs,
            k,
            s.pose,
            s.belief,
            s.particles,
            s.origins,
            s.stream,
            (n, c),
            conduct.shared,
        )
    elif job == SHOW:
        memory = (s.pose, s.belief, s.looks)
        write_features(
            conduct.executor,
            catalogue,
            s.obs,
            k,
            memory,
            s.particles,
            s.origins,
            (n, c),
            s.clock[n],
            s.features,
            s.avail_actions,
        )
    else:
        execute(
            conduct.executor,
            catalogue,
            s.pose,
            s.belief,
            s.particles,
            (n, c),
            s.selection[n],
            s.motion,
        )


@batch_kernel
def sense_batch(job: int, conduct: Conduct, catalogue: Catalogue, s: Senses) -> None:
    """Do one job for every camera."""
    for n in numba.prange(len(s.camera)):
        _sense_one(row(n), job, conduct, catalogue, s)


class CameraMind:
    """Perception, memory and executor of one camera that gets its raw observations from elsewhere.

    Per episode `begin`; then per frame `perceive` once, `features` when a selection is due, and
    `move`.
    """

    def __init__(self, options: ControlOptions, sizes: CameraObsLayout) -> None:
        """Allocate a camera's memory.

        Args:
            options: what the camera chooses from, how it remembers and aims; what else
                `SelectionOptions` say plays no role.
            sizes: numbers of cameras, targets and obstacles.

        Raises:
            ValueError: the options do not fit the number of targets.
        """
        self.sizes = sizes
        n_cameras, n_targets = sizes.n_cameras, sizes.n_targets
        self._catalogue = catalogue_of(options, n_targets)
        n_actions = len(self._catalogue.look)
        self.selection_bits = selection_bits(self._catalogue, n_targets)  # [U, T]
        clouds = options.belief == "particles"
        self.feature_layout = feature_layout(
            n_targets,
            n_actions,
            clouds=clouds,
            lookahead=options.lookahead,
            by_target=options.coverage_per_target,
        )
        self._conduct = Conduct(
            executor=executor_of(options),
            memory_frames=0 if options.belief == "none" else options.memory_frames,
            shared=options.observation_mode == "shared",
        )
        pose, belief, looks = allocate_belief(1, n_cameras, n_targets)
        particles, origins, stream = allocate_clouds(
            1, n_cameras, n_targets, n_particles_of(options), options.random_walk_share
        )
        layout = self.feature_layout
        self._lookahead = None
        if options.lookahead:
            self._viewer = np.zeros((1, 2), np.int64)
            self._lookahead = FeatureLookahead(
                self._catalogue,
                (1, n_cameras if self._conduct.shared else 1, n_targets),
                layout,
                joint=self._conduct.shared,
                viewers=self._viewer,
            )
            layout = self._lookahead.base_layout
        self._senses = Senses(
            camera=np.zeros(1, np.int64),
            clock=np.zeros(1),
            obs=np.zeros(sizes.size),
            pose=pose,
            belief=belief,
            looks=looks,
            particles=particles,
            origins=origins,
            stream=stream,
            selection=np.zeros(1, np.int64),
            motion=np.zeros((1, n_cameras, 2)),
            features=np.zeros((1, n_cameras, layout.size), np.float32),
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
        return int(self._senses.camera[0])

    @property
    def knows_whole_team(self) -> bool:
        """Whether the newest observation shows all teammates, as in a shared field of view."""
        teammates = self._senses.obs[self.sizes.cameras :].reshape(-1, CAMERA_PUBLIC + 1)
        return bool((teammates[:, CAMERA_PUBLIC] > 0).all())

    def begin(self, index: int) -> None:
        """Forget everything and be camera `index` of the team in the episode that follows.

        Raises:
            ValueError: the team has no such camera.
        """
        if not 0 <= index < self.sizes.n_cameras:
            raise ValueError(
                f"camera index {index}; expected 0 to {self.sizes.n_cameras - 1} in this team"
            )
        self._senses.camera[0] = index
        self._frames = 0
        self._run(FORGET)

    def perceive(self, observation: NDArray[np.float64]) -> None:
        """Take in the camera's raw observation [D] (spec 7.2) of one more frame.

        Raises:
            ValueError: the length is not that of this team's observations.
        """
        if observation.shape != (self.sizes.size,):
            raise ValueError(
                f"observation has shape {observation.shape}; expected ({self.sizes.size},)"
            )
        self._senses.obs[:] = observation
        self._senses.clock[0] = self._frames
        self._frames += 1
        self._run(PERCEIVE)

    def features(self) -> tuple[Singles, Bools]:
        """Return features [F] and available actions [U] now; views of reused buffers."""
        self._run(SHOW)
        camera, senses = self._senses.camera[0], self._senses
        features, available = senses.features[0, camera], senses.avail_actions[0, camera]
        return features if self._lookahead is None else self._look_ahead(), available

    def _look_ahead(self) -> Singles:
        """Return the features with what looking ahead adds to them."""
        assert self._lookahead is not None
        senses, camera = self._senses, int(self._senses.camera[0])
        own = slice(camera, camera + 1)
        team = Memories(senses.pose, senses.belief, senses.particles, senses.origins)
        if self._conduct.shared:
            self._viewer[0, 1] = camera
            raw = np.tile(senses.obs, self.sizes.n_cameras)
            self._lookahead.write(team, raw, senses.features, senses.avail_actions)
        else:
            alone = Memories(*(array[:, own] for array in team))
            available = senses.avail_actions[:, own]
            self._lookahead.write(alone, senses.obs, senses.features[:, own], available)
        features: Singles = self._lookahead.obs[0, camera if self._conduct.shared else 0]
        return features

    def move(self, selection: int) -> Floats:
        """Return turn and zoom [2] in degrees of the selected action now.

        Raises:
            ValueError: there is no such action.
        """
        n_actions = len(self._catalogue.look)
        if not 0 <= selection < n_actions:
            raise ValueError(f"selection {selection}; expected 0 to {n_actions - 1}")
        self._senses.selection[0] = selection
        self._run(MOVE)
        motion: Floats = self._senses.motion[0, self._senses.camera[0]]
        return motion.copy()

    def _run(self, job: int) -> None:
        sense_batch(job, self._conduct, self._catalogue, self._senses)
