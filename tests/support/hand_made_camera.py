"""A camera that perceives observations made by hand; tests of features see its rows through it.

All names of the camera's side that those tests need stand here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camcontrol.onboard_camera import OnboardCamera
from camcontrol.selection_env import SelectionOptions
from camcontrol.tracking.motion_models import Q_GOAL, Q_RANDOM_WALK, Q_STEP, Q_X, Q_Y
from camcontrol.tracking.track import B_KNOWN, B_SEEN
from camsim.layout import CameraObsLayout

AREA = 30.0 * 1500.0**2
"""Viewing angle in degrees times squared sight range: that of MATE's presets."""


class Public(NamedTuple):
    """A camera as others see it."""

    x: float
    y: float
    phi_deg: float
    theta_deg: float = 60.0
    visible: bool = True

    def row(self) -> list[float]:
        """The entry [7] of an observation."""
        reach, phi = math.sqrt(AREA / self.theta_deg), math.radians(self.phi_deg)
        ahead = [reach * math.cos(phi), reach * math.sin(phi)]
        return [self.x, self.y, 40.0, *ahead, self.theta_deg, float(self.visible)]


class Seen(NamedTuple):
    """A target in view."""

    x: float
    y: float
    loaded: bool = False


class HandMadeCamera:
    """Camera 0 of a team, which turns at most 5 degrees a frame and zooms at most 2.5."""

    def __init__(self, n_targets: int, n_cameras: int = 1, **options: object) -> None:
        plain = {"belief": "last_seen", "lookahead": False, "coverage_per_target": False}
        plain |= {"memory_frames": 20, "n_particles": 4}
        settings = SelectionOptions(**(plain | options))  # type: ignore[arg-type]
        self.n_targets = n_targets
        self._sizes = CameraObsLayout(n_cameras, n_targets, 1)
        self._camera = OnboardCamera(settings, self._sizes)
        self._camera.begin(0)
        self.layout = self._camera.feature_layout
        self.bits = self._camera.selection_bits

    def perceive(
        self,
        own: Public,
        targets: Sequence[Seen | None],
        mates: Sequence[Public] = (),
        obstacle: tuple[float, float, float] | None = None,
    ) -> None:
        """Take in one more frame."""
        sizes = self._sizes
        obs = np.zeros(sizes.size)
        obs[:4] = [sizes.n_cameras, sizes.n_targets, 1, 0]
        obs[13:22] = [*own.row()[:6], 1500.0, 5.0, 2.5]
        for t, target in enumerate(targets):
            if target is not None:
                j = sizes.targets + 5 * t
                obs[j : j + 5] = [target.x, target.y, 500.0, target.loaded, 1.0]
        if obstacle is not None:
            obs[sizes.obstacles : sizes.obstacles + 4] = [*obstacle, 1.0]
        obs[sizes.cameras :] = np.ravel([camera.row() for camera in (own, *mates)])
        self._camera.perceive(obs)

    def put_particles(
        self,
        target: int,
        places: Sequence[tuple[float, float]],
        goals: Sequence[int],
        steps: Sequence[float],
        *,
        known: bool,
    ) -> None:
        """Replace what is believed of a target that is not in view."""
        state = self._camera._state
        particle_set = state.particles[0, 0, target]
        particle_set[[Q_X, Q_Y]] = np.transpose(places)
        particle_set[Q_GOAL], particle_set[Q_STEP], particle_set[Q_RANDOM_WALK] = goals, steps, 0.0
        state.belief[0, 0, target, [B_KNOWN, B_SEEN]] = [float(known), 0.0]

    def action(self, *targets: int) -> int:
        """The number of the action that selects these targets."""
        wanted = np.isin(np.arange(self.n_targets), targets)
        return int(np.flatnonzero((self.bits == wanted).all(axis=1))[0])

    @property
    def first_search(self) -> int:
        """The number of the first action that searches."""
        return int((~self.bits.any(axis=1)).argmax())

    def _features(self) -> NDArray[np.float64]:
        return self._camera.features()[0].astype(np.float64)

    def context(self) -> NDArray[np.float64]:
        """The context's features."""
        return self._features()[: self.layout.context_size]

    def targets(self) -> NDArray[np.float64]:
        """The rows of all targets [T, .]."""
        start, n = self.layout.context_size, self.n_targets * self.layout.target_size
        return self._features()[start : start + n].reshape(self.n_targets, -1)

    def actions(self) -> NDArray[np.float64]:
        """The rows of all actions [U, .]."""
        rows = self._features()[-self.layout.n_actions * self.layout.action_size :]
        return rows.reshape(self.layout.n_actions, -1)


def check_row(row: NDArray[np.float64], expected: dict[int, float], first: int, end: int) -> None:
    """Check features ``first`` to ``end`` - 1 of a row; a feature without a value fails."""
    assert sorted(expected) == list(range(first, end)), "a feature without a value of its own"
    wrong = {n: (row[n], v) for n, v in expected.items() if abs(row[n] - v) > 2e-6}
    assert not wrong, f"feature: (written, by hand) = {wrong}"
