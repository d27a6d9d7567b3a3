"""Runs belief, action mask and executor of selecting cameras on given observations."""

from __future__ import annotations

import numba
import numpy as np
from parity.golden import Array

from camcontrol.control.action_set import EXECUTORS, Catalogue, make_catalogue
from camcontrol.control.controller import available, execute
from camcontrol.tracking.track import allocate_belief, clear_belief, update_belief

UPSTREAM = EXECUTORS["upstream"]
MEMORY_FRAMES = 0  # only targets in view are known, as in upstream


def upstream_catalogue(n_targets: int, *, multi_selection: bool) -> Catalogue:
    """The actions of upstream's selection wrapper: all subsets, or one target or none."""
    return make_catalogue(
        n_targets, multi_selection=multi_selection, max_selected=n_targets, search_actions=0
    )


def selection_bits(catalogue: Catalogue, n_targets: int) -> Array:
    """The targets that every action selects [U, T] bool."""
    bits: Array = (catalogue.members[:, :, None] == np.arange(n_targets)).any(axis=1)
    return bits


@numba.njit
def _see_and_act(  # type: ignore[no-untyped-def]  # Numba infers the types
    obs, size, catalogue, selected, pose, belief, sector_ages, no_particles, action, allowed
):
    """Let every camera take in its observation, judge all actions and execute the selected one."""
    for i in range(selected.shape[0]):
        for c in range(selected.shape[1]):
            where = (i, c)
            clear_belief(belief, sector_ages, i, c)
            offset = (i * selected.shape[1] + c) * size
            update_belief(obs, offset, pose, belief, where, MEMORY_FRAMES, True)
            for u in range(allowed.shape[2]):
                allowed[i, c, u] = available(UPSTREAM, catalogue, pose, belief, where, u)
            nothing = (no_particles, no_particles)
            execute(UPSTREAM, catalogue, pose, belief, *nothing, where, selected[i, c], action)


def see_and_act(camera_obs: Array, catalogue: Catalogue, selected: Array) -> tuple[Array, Array]:
    """Camera actions [N, C, 2] in degrees and available selections [N, C, U].

    Args:
        camera_obs: [N, C, D] raw observations.
        catalogue: the U actions.
        selected: [N, C] int64 the action that each camera carries out.
    """
    n_envs, n_cameras, size = camera_obs.shape
    n_targets = round(float(camera_obs[0, 0, 1]))
    allowed = np.zeros((n_envs, n_cameras, len(catalogue.search)), np.bool_)
    action = np.zeros((n_envs, n_cameras, 2))
    memory = allocate_belief(n_envs, n_cameras, n_targets)
    obs = np.ascontiguousarray(camera_obs).reshape(-1)
    _see_and_act(obs, size, catalogue, selected, *memory, np.zeros(0), action, allowed)
    return action, allowed
