"""Trained cameras in upstream MATE's own environment: the agent class for its evaluation script.

`python -m mate.evaluate --camera-agent qplex_hrl.mate_agent:QPLEXHRLCameraAgent ...`; see
docs/upstream.md. Only that class needs upstream; `TrainedCamera` does the same without it.
"""

import logging
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from camcontrol.onboard_camera import OnboardCamera
from camsim.layout import PRESERVED, CameraObsLayout
from qplex_hrl.agent import Agent
from qplex_hrl.data.make_env import dims_of, observation_mode, selection_options
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.model import camera_network

_LOG = logging.getLogger(__name__)
_CPU = torch.device("cpu")


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
        self._config = self._policy.config
        self._options = selection_options(self._config)
        self._camera: OnboardCamera | None = None
        self._agent: Agent | None = None
        self._perceived = False
        self.selection = 0
        """The selected action under which the camera moves."""

    def reset(self, observation: ArrayLike) -> None:
        """Start an episode; the camera's index and the team sizes stand in its observation [D].

        Raises:
            ValueError: it is not a camera's raw observation, or the checkpoint cannot play it.
        """
        observation = np.asarray(observation, np.float64)
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
        self._policy.check_team(self._path, n_cameras)
        camera, agent = self._camera, self._agent
        if camera is None or agent is None or camera.sizes != sizes or camera.index != index:
            camera = self._make_camera(sizes)
            camera.begin(index)
            agent = self._make_agent(camera)
            self._camera, self._agent = camera, agent
        camera.begin(index)
        agent.reset_rows(np.ones(1, np.bool_))
        self._perceived = False

    def observe(self, observation: ArrayLike) -> None:
        """Take in one frame's observation [D].

        Raises:
            ValueError: the observation has another length than at the reset.
            RuntimeError: there was no reset.
        """
        camera, _ = self._started()
        camera.perceive(np.asarray(observation, np.float64))
        if camera.clock == 0 and self._expects_whole_team() and not camera.knows_whole_team:
            _warn_hidden_team(self._path, observation_mode(self._config.env))
        self._perceived = True

    def act(self, observation: ArrayLike) -> NDArray[np.float64]:
        """Return turn and zoom [2] in degrees for the frame of `observation` [D].

        A new action is selected in every `frame_skip`-th frame of the episode, and may be replaced
        in every `fast_interval`-th.

        Raises:
            ValueError: the observation has another length than at the reset.
            RuntimeError: there was no reset.
        """
        camera, agent = self._started()
        if not self._perceived:
            self.observe(observation)
        self._perceived = False
        frame = camera.clock % self._options.decision_frames
        if frame == 0:
            features, available = camera.features()
            self.selection = int(agent.act(features[None, None], available[None, None])[0, 0])
        elif agent.reaction is not None and frame % self._options.fast_interval == 0:
            glance, available = camera.glance()
            actions = agent.reaction(glance[None, None], available[None, None], frame)
            self.selection = int(actions[0, 0])
        return camera.move(self.selection)

    def _started(self) -> tuple[OnboardCamera, Agent]:
        if self._camera is None or self._agent is None:
            raise RuntimeError("the camera was not reset; call reset with the first observation")
        return self._camera, self._agent

    def _expects_whole_team(self) -> bool:
        return observation_mode(self._config.env) != "own"

    def _make_camera(self, sizes: CameraObsLayout) -> OnboardCamera:
        try:
            return OnboardCamera(self._options, sizes)
        except ValueError as error:
            msg = f"{self._path}: cannot play against {sizes.n_targets} targets: {error}"
            raise ValueError(msg) from error

    def _make_agent(self, camera: OnboardCamera) -> Agent:
        """Return the network with fresh memory, for one camera in one environment."""
        # One camera; the state is the mixer's, which is not used in play.
        dims = dims_of(camera.feature_layout, n_agents=1, state_size=0)
        self._policy.check_sizes(self._path, dims)
        bits = torch.from_numpy(camera.selection_bits.copy())
        cameras = camera_network(dims, bits, self._config.network)
        self._policy.load_into(cameras, self._path, camera.index)
        unused = np.random.default_rng(0)  # draws nothing that matters at epsilon 0
        return Agent(
            cameras,
            n_envs=1,
            n_agents=1,
            rng=unused,
            device=_CPU,
            decision_frames=self._options.decision_frames,
        )


@cache  # once, not for every camera and episode
def _warn_hidden_team(path: Path, regime: str) -> None:
    _LOG.warning(
        "%s was trained with the observation mode '%s', but here teammates are hidden: "
        "was --shared-field-of-view camera forgotten?",
        path,
        regime,
    )


def _make_agent_class() -> type:
    """Return the agent class that upstream's evaluation script accepts.

    Raises:
        ImportError: upstream MATE is not installed, or lacks something itself.
    """
    try:
        from mate import CameraAgentBase
    except ImportError as error:
        msg = f"QPLEXHRLCameraAgent needs upstream MATE ({error}); docs/upstream.md says how"
        raise ImportError(msg) from error

    # Any, in this class: the types are those of upstream, which is not there when types are checked
    class QPLEXHRLCameraAgent(CameraAgentBase):  # type: ignore[misc, unused-ignore]
        """A camera of upstream MATE that plays a checkpoint of ours; sends no messages."""

        def __init__(self, checkpoint_path: str, seed: int | None = None) -> None:
            """Read a checkpoint; `seed` is upstream's and changes nothing: play is greedy."""
            super().__init__(seed=seed)
            self._camera = TrainedCamera(checkpoint_path)

        def reset(self, observation: Any) -> None:
            """Start an episode."""
            super().reset(observation)
            self._camera.reset(observation)

        def observe(self, observation: Any, info: dict[str, Any] | None = None) -> None:
            """Take in one frame."""
            super().observe(observation, info)
            self._camera.observe(observation)

        def act(
            self,
            observation: Any,
            info: dict[str, Any] | None = None,
            deterministic: bool | None = None,
        ) -> Any:
            """Return turn and zoom in degrees; always greedy, whatever `deterministic` is."""
            self.state, observation, _, _ = self.check_inputs(observation, info)
            return self._camera.act(observation)

    QPLEXHRLCameraAgent.__qualname__ = "QPLEXHRLCameraAgent"  # so that it can be pickled
    return QPLEXHRLCameraAgent


def __getattr__(name: str) -> Any:
    """Make the agent class when it is first used: importing this module needs no upstream."""
    if name != "QPLEXHRLCameraAgent":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()[name] = _make_agent_class()
    return globals()[name]
