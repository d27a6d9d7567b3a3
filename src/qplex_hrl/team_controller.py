"""Trained cameras without an environment: a whole team, or one camera, from raw observations.

`TeamController` drives a team that somebody else simulates, or real cameras; `TrainedCamera` is one
camera alone. Both play greedily, and every camera decides from its own observations alone. Files
are checkpoints, which PyTorch plays, or what `qplex-hrl export --onnx` wrote, which needs neither
PyTorch nor pydantic.
"""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camcontrol.onboard_camera import OnboardCamera
from camcontrol.onboard_team import Decider, OnboardTeam
from camcontrol.onnx_policy import OnnxPolicy
from camcontrol.options import ControlOptions
from camsim.bounds import shortened
from camsim.layout import PRESERVED, CameraObsLayout

if TYPE_CHECKING:
    from camsim.scenario.schema import Scenario

__all__ = ["TeamController", "TrainedCamera"]

_LOG = logging.getLogger(__name__)


class _Policy(Protocol):
    """A file of trained cameras, whatever is in it."""

    options: ControlOptions

    def sizes(self) -> CameraObsLayout:
        """Return the numbers of cameras, targets and obstacles that it is for."""

    def team(self, sizes: CameraObsLayout, indices: Sequence[int]) -> OnboardTeam:
        """Return cameras of `indices` in a team of these sizes.

        Raises:
            ValueError: the weights cannot play there.
        """


class _Checkpoint:
    """Weights that PyTorch plays."""

    def __init__(self, path: Path) -> None:
        from qplex_hrl.data.make_env import selection_options
        from qplex_hrl.evaluation.policy_file import load_policy

        self._path, self._policy = path, load_policy(path)
        self.options: ControlOptions = selection_options(self._policy.config)

    def sizes(self) -> CameraObsLayout:
        """Return the sizes of the world of the training."""
        world = self._policy.world(self._path)
        return CameraObsLayout(world.n_cameras, world.n_targets, world.n_obstacles)

    def team(self, sizes: CameraObsLayout, indices: Sequence[int]) -> OnboardTeam:
        """Return cameras of `indices` in a team of these sizes."""
        self._policy.check_team(self._path, sizes.n_cameras)
        whole = len(indices) == sizes.n_cameras

        def decider(camera: OnboardCamera) -> Decider:
            return self._decider(camera, len(indices), None if whole else indices[0])

        return OnboardTeam(self.options, sizes, indices, decider)

    def _decider(self, camera: OnboardCamera, count: int, index: int | None) -> Decider:
        """Return the network with fresh memory, for `count` cameras in one environment."""
        import torch

        from qplex_hrl.agent import Agent
        from qplex_hrl.data.make_env import dims_of
        from qplex_hrl.model import camera_network

        # The state is the mixer's, which is not used in play.
        dims = dims_of(camera.feature_layout, n_agents=count, state_size=0)
        self._policy.check_sizes(self._path, dims)
        bits = torch.from_numpy(camera.selection_bits.copy())
        network = camera_network(dims, bits, self._policy.config.network)
        self._policy.load_into(network, self._path, index)
        return Agent(
            network,
            n_envs=1,
            n_agents=count,
            rng=np.random.default_rng(0),  # draws nothing that matters at epsilon 0
            device=torch.device("cpu"),
            decision_frames=self.options.decision_frames,
        )


class _OnnxFile:
    """Networks that onnxruntime plays."""

    def __init__(self, path: Path) -> None:
        self._policy = OnnxPolicy(path)
        self.options = self._policy.options

    def sizes(self) -> CameraObsLayout:
        """Return the sizes that the file was exported for."""
        return self._policy.sizes

    def team(self, sizes: CameraObsLayout, indices: Sequence[int]) -> OnboardTeam:
        """Return cameras of `indices` in a team of these sizes."""
        self._policy.check_sizes(sizes)
        return OnboardTeam(
            self.options, sizes, indices, lambda _: self._policy.decider(len(indices))
        )


def _read(path: Path) -> _Policy:
    return _OnnxFile(path) if path.suffix == ".onnx" else _Checkpoint(path)


def _sizes_of(scenario: "Scenario | str | Path") -> CameraObsLayout:
    from camsim.scenario.schema import Scenario, load_scenario

    world = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    return CameraObsLayout(world.n_cameras, world.n_targets, world.n_obstacles)


def _team_of(path: Path, policy: _Policy, sizes: CameraObsLayout, index: int | None) -> OnboardTeam:
    indices = range(sizes.n_cameras) if index is None else [index]
    try:
        return policy.team(sizes, indices)
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        msg = f"{path}: cannot play against {sizes.n_targets} targets: {error}"
        raise ValueError(msg) from error


class TeamController:
    """All cameras of a team, from their raw observations to pan and zoom, frame by frame.

    What one camera does depends on its own observations alone. The weights are those of a
    checkpoint, and nothing is explored.
    """

    def __init__(
        self, checkpoint: str | Path, scenario: "Scenario | str | Path | None" = None
    ) -> None:
        """Read a checkpoint, a run's file or an exported one.

        Args:
            checkpoint: the file; one of ONNX ends in `.onnx`.
            scenario: says how many cameras, targets and obstacles there are: a scenario, a preset's
                name or a file's path; None: those of the training.

        Raises:
            CheckpointError, OnnxFileError: the file is missing, damaged or foreign.
            ValueError: the scenario does not exist, or the weights cannot play there.
            ImportError: the file is one of ONNX, and onnxruntime is not installed.
        """
        self._path = Path(checkpoint)
        policy = _read(self._path)
        self.sizes = policy.sizes() if scenario is None else _sizes_of(scenario)
        self._cameras = _team_of(self._path, policy, self.sizes, None)
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
        if self._cameras.lacks_its_team():
            _warn_hidden_team(self._path)
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
        self._policy = _read(self._path)
        self._camera: OnboardTeam | None = None
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
            camera = _team_of(self._path, self._policy, sizes, index)
        camera.begin()
        self._camera, self._perceived = camera, False

    def observe(self, observation: ArrayLike) -> None:
        """Take in one frame's observation [D].

        Raises:
            ValueError: the observation has another length than at the reset.
            RuntimeError: there was no reset.
        """
        camera = self._started()
        camera.perceive(np.asarray(observation)[None])
        if camera.lacks_its_team():
            _warn_hidden_team(self._path)
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

    def _started(self) -> OnboardTeam:
        if self._camera is None:
            raise RuntimeError("the camera was not reset; call reset with the first observation")
        return self._camera


@cache  # once, not for every camera and episode
def _warn_hidden_team(path: Path) -> None:
    _LOG.warning(
        "%s was trained with a shared view, but here teammates are hidden: "
        "was --shared-field-of-view camera forgotten?",
        path,
    )
