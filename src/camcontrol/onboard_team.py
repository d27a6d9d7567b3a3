"""Some cameras of one team, or all: what each of them knows, and what decides for them."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from camcontrol.onboard_camera import OnboardCamera
from camcontrol.options import ControlOptions
from camsim.arrays import Bools, Float32s, Floats, Ints
from camsim.layout import CameraObsLayout

__all__ = ["Decider", "OnboardTeam"]


class Decider(Protocol):
    """Chooses actions for K cameras, in one environment."""

    @property
    def reaction(self) -> Callable[[Float32s, Bools, int], Ints] | None:
        """Replaces actions within a decision; `camcontrol.selection_env.React`; None: nobody."""

    def act(self, obs: Float32s, avail_actions: Bools) -> Ints:
        """Return actions [1, K] for features [1, K, D] and available actions [1, K, U]."""

    def reset_rows(self, ended: Bools) -> None:
        """Forget everything where `ended` [1] is true: a new episode."""


class OnboardTeam:
    """Cameras that get their raw observations from elsewhere, each its own.

    Per episode `begin`; then per frame `perceive` and `move`.
    """

    def __init__(
        self,
        options: ControlOptions,
        sizes: CameraObsLayout,
        indices: Sequence[int],
        make_decider: Callable[[OnboardCamera], Decider],
    ) -> None:
        """Build the cameras.

        Args:
            options: what they choose from, how they remember and aim.
            sizes: numbers of cameras, targets and obstacles.
            indices: which cameras [K] of the team these are.
            make_decider: gets one of them, whose layouts are those of all.

        Raises:
            ValueError: an option is out of range, or they do not fit the number of targets.
        """
        self.sizes, self.indices = sizes, tuple(indices)
        self._options = options
        self._cameras = [OnboardCamera(options, sizes) for _ in self.indices]
        self._decider = make_decider(self._cameras[0])
        self.selections: Ints = np.zeros(len(self.indices), np.int64)
        """The selected actions [K] under which the cameras move."""

    def begin(self) -> None:
        """Forget everything: an episode starts."""
        for camera, index in zip(self._cameras, self.indices, strict=True):
            camera.begin(index)
        self._decider.reset_rows(np.ones(1, np.bool_))

    def perceive(self, observations: NDArray[np.generic]) -> None:
        """Take in one frame's observations [K, D]."""
        for camera, observation in zip(self._cameras, observations, strict=True):
            camera.perceive(observation)

    def lacks_its_team(self) -> bool:
        """Tell whether an episode's first frame hides teammates that should be in view."""
        first = self._cameras[0]
        shared = self._options.observation_mode != "own"
        return first.clock == 0 and shared and not first.knows_whole_team

    def move(self) -> Floats:
        """Return turns and zooms [K, 2] in degrees for the frame that was taken in last.

        A new action is selected in every `decision_frames`-th frame of the episode, and may be
        replaced in every `fast_interval`-th.
        """
        frame = self._cameras[0].clock % self._options.decision_frames
        reaction = self._decider.reaction
        if frame == 0:
            seen = self._stacked([camera.features() for camera in self._cameras])
            self.selections = self._decider.act(*seen)[0]
        elif reaction is not None and frame % self._options.fast_interval == 0:
            seen = self._stacked([camera.glance() for camera in self._cameras])
            self.selections = reaction(*seen, frame)[0]
        moves = zip(self._cameras, self.selections.tolist(), strict=True)
        return np.stack([camera.move(selection) for camera, selection in moves])

    @staticmethod
    def _stacked(seen: Sequence[tuple[Float32s, Bools]]) -> tuple[Float32s, Bools]:
        """Return what cameras see and may choose as [1, K, .]."""
        observed, available = zip(*seen, strict=True)
        return np.stack(observed)[None], np.stack(available)[None]
