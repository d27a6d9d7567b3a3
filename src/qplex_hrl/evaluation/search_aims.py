"""Where cameras that search turn to: what the controller aims at, for pictures."""

import numpy as np

from camcontrol.control.action_set import SEARCH_BEARINGS, SEARCH_VIEWS_DEG, Catalogue
from camcontrol.selection_env import SelectionEnv
from camcontrol.tracking.motion_models import Q_X, Q_Y
from camcontrol.tracking.track import B_SEEN, B_X, B_Y, P_AREA, P_INWARD, P_MAX_RANGE, P_X, P_Y
from camsim.arrays import Floats, Ints

__all__ = ["search_aims_deg", "search_poses_deg"]

_OFFSETS_DEG = np.array([0.0, 10.0, -10.0, 20.0, -20.0])
"""Pointing offsets of a search, in the order in which the first of the best ones is taken."""


def search_poses_deg(catalogue: Catalogue) -> Floats:
    """Return direction and viewing angle [U, 2] of each search action, NaN for other actions.

    In degrees; the direction is counted from the camera's own forward, the terrain's centre.
    """
    search = catalogue.search
    poses = np.stack(
        [
            search % SEARCH_BEARINGS * (360.0 / SEARCH_BEARINGS),
            np.array(SEARCH_VIEWS_DEG)[search // SEARCH_BEARINGS],
        ],
        axis=-1,
    )
    poses[search < 0] = np.nan
    return poses


def search_aims_deg(env: SelectionEnv, actions: Ints) -> Floats:
    """Return the direction and viewing angle [C, 2] that the next frame's searches aim at.

    In degrees, of environment 0, NaN where a camera does not search. With a particle belief the
    executor `lead` turns up to 20 degrees beside the direction of the action: to where the view
    holds most particles. No view is narrower than the camera's narrowest.

    Args:
        env: in the state that the cameras act in.
        actions: [C] in force, -1 for none.
    """
    pose, particles = env.agent_state.pose[0], env.agent_state.particles
    aims = search_poses_deg(env.catalogue)[actions]
    aims[:, 0] += pose[:, P_INWARD]
    aims[actions < 0] = np.nan
    if env.options.executor == "lead" and particles.ndim == 5:
        for c in np.flatnonzero(np.isfinite(aims[:, 0])):
            aims[c, 0] += _pointing_offset_deg(env, int(c), *aims[c])
    narrowest = pose[:, P_AREA] / pose[:, P_MAX_RANGE] ** 2
    aims[:, 1] = np.maximum(aims[:, 1], narrowest)
    return aims


def _pointing_offset_deg(env: SelectionEnv, c: int, direction: float, view: float) -> float:
    """Return the offset with which camera c's view holds most particles, as the controller does.

    Particles of a target in view all count where it is.
    """
    pose, belief = env.agent_state.pose[0, c], env.agent_state.belief[0, c]
    sets = env.agent_state.particles[0, c if env.agent_state.particles.shape[1] > 1 else 0]
    places = sets[:, Q_X : Q_Y + 1].swapaxes(1, 2).copy()  # [T, P, 2]
    seen = belief[:, B_SEEN] > 0.0
    places[seen] = belief[seen, None, B_X : B_Y + 1]
    way = places - pose[[P_X, P_Y]]
    distance = np.hypot(way[..., 0], way[..., 1])
    bearings = np.radians(direction + _OFFSETS_DEG)
    ahead = way @ np.stack([np.cos(bearings), np.sin(bearings)])  # [T, P, offsets]
    inside = ahead >= np.cos(np.radians(0.5 * view)) * distance[..., None]
    inside &= (distance <= np.sqrt(pose[P_AREA] / view))[..., None]
    return float(_OFFSETS_DEG[inside.sum(axis=(0, 1)).argmax()])
