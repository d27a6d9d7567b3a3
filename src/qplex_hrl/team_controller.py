"""Trained cameras without an environment: a whole team, or one camera, from raw observations.

`TeamController` drives a team that somebody else simulates, or real cameras; `TrainedCamera` is one
camera alone. Both play greedily, and every camera decides from its own observations alone.
"""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from camcontrol.onboard_camera import OnboardCamera
from camsim.bounds import shortened
from camsim.layout import PRESERVED, CameraObsLayout
from camsim.scenario.schema import Scenario, load_scenario
from qplex_hrl.agent import Agent
from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import dims_of, observation_mode, selection_options
from qplex_hrl.evaluation.policy_file import TrainedPolicy, load_policy
from qplex_hrl.model import camera_network

__all__ = ["TeamController", "TrainedCamera"]

_LOG = logging.getLogger(__name__)
_CPU = torch.device("cpu")


class _Cameras:
    """Some cameras of one team: what they know, and the network that decides for them."""

    def __init__(
        self, path: Path, policy: TrainedPolicy, sizes: CameraObsLayout, indices: Sequence[int]
    ) -> None:
        """Build cameras of `indices` with the weights of `policy`, which come from `path`.

        Raises:
            ValueError: the weights cannot play with these sizes.
        """
        policy.check_team(path, sizes.n_cameras)
        self.sizes, self.indices = sizes, tuple(indices)
        self._path, self._config = path, policy.config
        self._options = selection_options(policy.config)
        try:
            self._cameras = [OnboardCamera(self._options, sizes) for _ in self.indices]
        except ValueError as error:
            msg = f"{path}: cannot play against {sizes.n_targets} targets: {error}"
            raise ValueError(msg) from error
        self._agent = self._make_agent(policy)
        self.selections = np.zeros(len(self.indices), np.int64)
        """The selected actions [K] under which the cameras move."""

    def begin(self) -> None:
        """Forget everything: an episode starts."""
        for camera, index in zip(self._cameras, self.indices, strict=True):
            camera.begin(index)
        self._agent.reset_rows(np.ones(1, np.bool_))

    def perceive(self, observations: NDArray[np.generic]) -> None:
        """Take in one frame's observations [K, D]."""
        for camera, observation in zip(self._cameras, observations, strict=True):
            camera.perceive(observation)
        first = self._cameras[0]
        if first.clock == 0 and self._expects_whole_team() and not first.knows_whole_team:
            _warn_hidden_team(self._path, observation_mode(self._config.env))

    def move(self) -> NDArray[np.float64]:
        """Return turns and zooms [K, 2] in degrees for the frame that was taken in last."""
        frame = self._cameras[0].clock % self._options.decision_frames
        if frame == 0:
            features, available = self._stacked([camera.features() for camera in self._cameras])
            self.selections = self._agent.act(features, available)[0]
        elif self._agent.reaction is not None and frame % self._options.fast_interval == 0:
            glance, available = self._stacked([camera.glance() for camera in self._cameras])
            self.selections = self._agent.reaction(glance, available, frame)[0]
        moves = zip(self._cameras, self.selections.tolist(), strict=True)
        return np.stack([camera.move(selection) for camera, selection in moves])

    @staticmethod
    def _stacked(
        seen: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return what cameras see and may choose as [1, K, .]."""
        observed, available = zip(*seen, strict=True)
        return np.stack(observed)[None], np.stack(available)[None]

    def _expects_whole_team(self) -> bool:
        return observation_mode(self._config.env) != "own"

    def _make_agent(self, policy: TrainedPolicy) -> Agent:
        """Return the network with fresh memory, for these cameras in one environment."""
        camera, count = self._cameras[0], len(self.indices)
        # The state is the mixer's, which is not used in play.
        dims = dims_of(camera.feature_layout, n_agents=count, state_size=0)
        policy.check_sizes(self._path, dims)
        bits = torch.from_numpy(camera.selection_bits.copy())
        network = camera_network(dims, bits, self._config.network)
        whole = count == self.sizes.n_cameras
        policy.load_into(network, self._path, None if whole else self.indices[0])
        unused = np.random.default_rng(0)  # draws nothing that matters at epsilon 0
        return Agent(
            network,
            n_envs=1,
            n_agents=count,
            rng=unused,
            device=_CPU,
            decision_frames=self._options.decision_frames,
        )


class TeamController:
    """All cameras of a team, from their raw observations to pan and zoom, frame by frame.

    What one camera does depends on its own observations alone. The weights are those of a
    checkpoint, and nothing is explored.
    """

    def __init__(
        self, checkpoint: str | Path, scenario: Scenario | str | Path | None = None
    ) -> None:
        """Read a checkpoint, a run's file or an exported one.

        Args:
            checkpoint: the file.
            scenario: says how many cameras, targets and obstacles there are: a scenario, a preset's
                name or a file's path; None: the world of the training.

        Raises:
            CheckpointError: the file is missing, damaged or foreign.
            ValueError: the scenario does not exist, or the weights cannot play there.
        """
        path = Path(checkpoint)
        policy = load_policy(path)
        if scenario is None:
            scenario = policy.world(path)
        world = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.sizes = CameraObsLayout(world.n_cameras, world.n_targets, world.n_obstacles)
        self.config: RunConfig = policy.config
        self._cameras = _Cameras(path, policy, self.sizes, range(world.n_cameras))
        self._begins = True

    @property
    def selections(self) -> NDArray[np.int64]:
        """The actions [C] that the cameras have selected, among those of their training."""
        return self._cameras.selections.copy()

    def reset(self) -> None:
        """Forget everything: the next step is an episode's first."""
        self._begins = True

    def step(
        self, observations: ArrayLike, messages: Sequence[object] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return pan and zoom of all cameras for one frame.

        Args:
            observations: [C, D], each camera's raw observation of this frame (world 7.2); lengths
                in units of the terrain, angles in degrees.
            messages: that arrived. No policy of today reads any: None or an empty sequence.

        Returns:
            Turns of the lines of sight [C] and changes of the viewing angles [C], both in degrees
            per frame.

        Raises:
            ValueError: the shape is not that of this team's observations, a number is not finite,
                an observation is another camera's, or there are messages.
        """
        if messages is not None and len(messages):
            raise ValueError(f"{len(messages)} messages; expected none: this policy reads none")
        shown = self._checked(observations)
        if self._begins:
            self._cameras.begin()
            self._begins = False
        self._cameras.perceive(shown)
        moves = self._cameras.move()
        return moves[:, 0], moves[:, 1]

    def _checked(self, observations: ArrayLike) -> NDArray[np.float64]:
        shown = np.asarray(observations)
        expected = (self.sizes.n_cameras, self.sizes.size)
        if shown.shape != expected or shown.dtype.kind not in "iuf":
            raise ValueError(
                f"observations are {shown.dtype} of shape {shown.shape};"
                f" expected {expected} numbers"
            )
        shown = shown.astype(np.float64)
        if not np.isfinite(shown).all():
            where = [int(k) for k in np.argwhere(~np.isfinite(shown))[0]]
            number = shortened(shown[tuple(where)])
            raise ValueError(f"observations{where} = {number}; expected a finite number")
        for index, row in enumerate(shown[:, :4].tolist()):
            wanted = [self.sizes.n_cameras, self.sizes.n_targets, self.sizes.n_obstacles, index]
            if row != wanted:
                raise ValueError(
                    f"observations[{index}] begins with {row}; expected {wanted}: numbers of"
                    " cameras, targets and obstacles, and the camera's own index"
                )
        return shown


class TrainedCamera:
    """One camera that plays a checkpoint greedily from its raw observations (world 7.2).

    The order of calls is that of upstream's agents (world 10): `reset` with an episode's first
    observation; then per frame `observe` and `act`, both with that frame's observation. A frame is
    perceived once, in `observe`, or in `act` if there was no `observe`.
    """

    def __init__(self, checkpoint_path: str | Path) -> None:
        """Read a checkpoint; the sizes of the team follow from the first observation.

        Raises:
            CheckpointError: the file is missing, damaged or foreign.
        """
        self._path = Path(checkpoint_path)
        self._policy = load_policy(self._path)
        self._camera: _Cameras | None = None
        self._perceived = False

    @property
    def selection(self) -> int:
        """The selected action under which the camera moves; 0 before the first."""
        return 0 if self._camera is None else int(self._camera.selections[0])

    def reset(self, observation: ArrayLike) -> None:
        """Start an episode; the camera's index and the team sizes stand in its observation [D].

        Raises:
            ValueError: it is not a camera's raw observation, or the checkpoint cannot play it.
        """
        observation = np.asarray(observation)
        if observation.dtype.kind not in "iuf" or not np.isfinite(observation).all():
            raise ValueError(
                f"observation is {observation.dtype}; expected finite real numbers only"
            )
        observation = observation.astype(np.float64)
        if observation.ndim != 1 or len(observation) < PRESERVED:
            raise ValueError(
                f"observation has shape {observation.shape}; expected a camera's raw observation"
            )
        n_cameras, n_targets, n_obstacles, index = (round(n) for n in observation[:4].tolist())
        sizes = CameraObsLayout(n_cameras, n_targets, n_obstacles)
        if len(observation) != sizes.size:
            raise ValueError(
                f"observation has {len(observation)} numbers; expected {sizes.size} for"
                f" {n_cameras} cameras, {n_targets} targets and {n_obstacles} obstacles"
            )
        camera = self._camera
        if camera is None or camera.sizes != sizes or camera.indices != (index,):
            camera = _Cameras(self._path, self._policy, sizes, [index])
        camera.begin()
        self._camera, self._perceived = camera, False

    def observe(self, observation: ArrayLike) -> None:
        """Take in one frame's observation [D].

        Raises:
            ValueError: the observation has another length than at the reset.
            RuntimeError: there was no reset.
        """
        self._started().perceive(np.asarray(observation)[None])
        self._perceived = True

    def act(self, observation: ArrayLike) -> NDArray[np.float64]:
        """Return turn and zoom [2] in degrees for the frame of `observation` [D].

        A new action is selected in every `frame_skip`-th frame of the episode, and may be replaced
        in every `fast_interval`-th.

        Raises:
            ValueError: the observation has another length than at the reset.
            RuntimeError: there was no reset.
        """
        camera = self._started()
        if not self._perceived:
            self.observe(observation)
        self._perceived = False
        motion: NDArray[np.float64] = camera.move()[0]
        return motion

    def _started(self) -> _Cameras:
        if self._camera is None:
            raise RuntimeError("the camera was not reset; call reset with the first observation")
        return self._camera


@cache  # once, not for every camera and episode
def _warn_hidden_team(path: Path, regime: str) -> None:
    _LOG.warning(
        "%s was trained with the observation mode '%s', but here teammates are hidden: "
        "was --shared-field-of-view camera forgotten?",
        path,
        regime,
    )
