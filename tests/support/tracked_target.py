"""One camera's particle filter of one target, and made-up observations for it."""

from __future__ import annotations

import math

import numpy as np
from compiled import from_python

from camcontrol.control import pointing_offset as offsets
from camcontrol.features import belief_features
from camcontrol.features.layout import BELIEF_CONTEXT_FEATURES
from camcontrol.tracking import particle_filter, relative_particles, track, visibility
from camcontrol.tracking.motion_models import Q_X, Q_Y

N_PARTICLES = 24
update_belief = from_python(track.update_belief)
clear_belief = from_python(track.clear_belief)
update_particles = from_python(particle_filter.update_particles)
clear_particles = from_python(particle_filter.clear_particles)
surely_observed = from_python(visibility.surely_observed)
pointing_offset = from_python(offsets.pointing_offset)
measure = from_python(relative_particles.measure)
count_in_view = from_python(relative_particles.count_in_view)
write_context_belief = from_python(belief_features.write_context_belief)
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
