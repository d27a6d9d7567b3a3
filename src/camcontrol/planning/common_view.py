"""The whole team as one camera knows it, for a camera that plans for its whole team by itself.

A teammate in the camera's observation has the pose that it has there, and the camera's own limits
and belief about the targets. Other teammates have no plans. Equal observations give equal plans.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from camcontrol.control.action_set import LEAD, Catalogue
from camcontrol.control.controller import available
from camcontrol.tracking.motion_models import set_of
from camcontrol.tracking.track import (
    B_DISTANCE,
    B_X,
    B_Y,
    BELIEF_COLUMNS,
    P_X,
    P_Y,
    write_public_pose,
)
from camsim.arrays import Bools, Floats, Ints
from camsim.compiled.jit import batch_kernel, device_fn, outlined_fn, row


class TeamViews(NamedTuple):
    """V cameras' views of their teams, in the form in which environments hold their cameras."""

    pose: Floats  # [V, C, POSE_COLUMNS]
    belief: Floats  # [V, C, T, BELIEF_COLUMNS]
    particles: Floats  # [V, 1, T, K, P]
    origins: Floats  # [V, 1, T, 2]
    obs: Floats  # flat buffer of [V, C, D]
    avail_actions: Bools  # [V, C, U]


def allocate_team_views(
    n_views: int, pose: Floats, particles: Floats, obs_size: int, n_actions: int
) -> TeamViews:
    """Return zeroed views of teams like those of `pose` [N, C, .] and `particles` [N, M, T, K, P].

    Args:
        n_views: V.
        pose: of the environments.
        particles: of the environments.
        obs_size: D, length of a raw observation.
        n_actions: U.
    """
    (_, n_cameras, columns), (_, _, t, k, p) = pose.shape, particles.shape
    return TeamViews(
        pose=np.zeros((n_views, n_cameras, columns)),
        belief=np.zeros((n_views, n_cameras, t, BELIEF_COLUMNS)),
        particles=np.zeros((n_views, 1, t, k, p)),
        origins=np.zeros((n_views, 1, t, 2)),
        obs=np.zeros(n_views * n_cameras * obs_size),
        avail_actions=np.zeros((n_views, n_cameras, n_actions), np.bool_),
    )


@device_fn
def _copy_rows(source: Floats, i: int, c: int, target: Floats, v: int, j: int) -> None:
    """Copy row [i, c] of [., ., T, K] to row [v, j]."""
    for t in range(source.shape[2]):
        for n in range(source.shape[3]):
            target[v, j, t, n] = source[i, c, t, n]


@outlined_fn
def _copy_memory(
    memory: tuple[Floats, Floats, Floats, Floats],
    obs: Floats,
    k: int,
    where: tuple[int, int],
    v: int,
    views: TeamViews,
) -> None:
    """Give every camera of view v what camera c of environment i remembers and observes."""
    i, c = where
    pose, belief, particles, origins = memory
    n_cameras = pose.shape[1]
    size = len(views.obs) // (views.pose.shape[0] * n_cameras)
    own = set_of(particles, c)
    _copy_rows(origins, i, own, views.origins, v, 0)
    for t in range(particles.shape[2]):
        for q in range(particles.shape[3]):
            for p in range(particles.shape[4]):
                views.particles[v, 0, t, q, p] = particles[i, own, t, q, p]
    for j in range(n_cameras):
        _copy_rows(belief, i, c, views.belief, v, j)
        for n in range(pose.shape[2]):
            views.pose[v, j, n] = pose[i, c, n]
        first = (v * n_cameras + j) * size
        for n in range(size):
            views.obs[first + n] = obs[k + n]


@outlined_fn
def _view_team(
    catalogue: Catalogue,
    memory: tuple[Floats, Floats, Floats, Floats],
    obs: Floats,
    k: int,
    where: tuple[int, int],
    v: int,
    views: TeamViews,
) -> None:
    """Fill view v with the team as camera c of environment i knows it; its observation is at k."""
    i, c = where
    pose, belief = memory[0], memory[1]
    _copy_memory(memory, obs, k, where, v, views)
    start = k + 22 + 5 * int(obs[k + 1]) + 4 * int(obs[k + 2])
    for j in range(pose.shape[1]):
        m = start + 7 * j
        known = j == c or obs[m + 6] > 0.0
        if j != c and known:
            write_public_pose(obs, m, views.pose, v, j)
            for t in range(belief.shape[2]):
                dx = belief[i, c, t, B_X] - views.pose[v, j, P_X]
                dy = belief[i, c, t, B_Y] - views.pose[v, j, P_Y]
                views.belief[v, j, t, B_DISTANCE] = math.sqrt(dx * dx + dy * dy)
        for u in range(len(catalogue.search)):
            can = available(LEAD, catalogue, views.pose, views.belief, (v, j), u)
            views.avail_actions[v, j, u] = known and can


@batch_kernel
def view_teams(
    catalogue: Catalogue,
    memory: tuple[Floats, Floats, Floats, Floats],
    obs: Floats,
    pairs: Ints,
    views: TeamViews,
) -> None:
    """Fill the views of `pairs` [V, 2], environment and camera each.

    Args:
        catalogue: of the cameras.
        memory: pose, belief, particles and origins of the environments.
        obs: flat buffer of [N, C, D] raw observations.
        pairs: whose views.
        views: is written.
    """
    for v in numba.prange(len(pairs)):
        i, c = pairs[v, 0], pairs[v, 1]
        k = (i * memory[0].shape[1] + c) * (len(obs) // (len(memory[0]) * memory[0].shape[1]))
        _view_team(catalogue, memory, obs, k, (i, c), row(v), views)
