"""What a camera may choose: sets of targets and search actions, or grid moves (world 12, 9.6).

A catalogue lists the U actions of a camera. `controller` turns a chosen one into pan and zoom.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np

from camsim.arrays import Bools, Floats, Ints
from camsim.envs.discrete_actions import camera_grid

UPSTREAM, LEAD = 0, 1
EXECUTORS = {"upstream": UPSTREAM, "lead": LEAD}
"""How a camera aims: MATE's rule (centroid, incentre zoom), or ahead with the widest view."""
GRID = 2
"""Executor of a catalogue of moves, which aims at nothing."""

MAX_ACTIONS = 65536

SEARCH_BEARINGS = 8  # bearings of search actions, counted from the camera's own forward
SEARCH_VIEWS_DEG = (55.0, 110.0, 34.0)  # viewing angles of search actions, all bearings of each


class Catalogue(NamedTuple):
    """The actions of a camera."""

    members: Ints  # [U, M] selected targets, padded with -1
    search: Ints  # [U] number of a search action (`controller.search_pose`), or -1
    moves: Floats  # [U, 2] shares of the largest turn and zoom, zero unless the executor is GRID
    move_frames: int  # how long a move is held


def make_catalogue(
    n_targets: int, *, multi_selection: bool, max_selected: int, search_actions: int
) -> Catalogue:
    """Return the actions of a camera among `n_targets`.

    Single selection: every target, then "nothing" (MATE's order, world 12.1). Multi with
    `max_selected` >= T: all 2^T subsets in MATE's flattening (world 12.5). Otherwise all sets of 1
    to `max_selected` targets, so that the number grows as a power and not exponentially, then
    "nothing" if there is no search action to fall back on. Search actions come last.

    Raises:
        ValueError: more than 65,536 actions, or more search actions than there are search poses.
    """
    n_search_poses = SEARCH_BEARINGS * len(SEARCH_VIEWS_DEG)
    if not 0 <= search_actions <= n_search_poses:
        raise ValueError(f"search_actions = {search_actions}; expected 0 to {n_search_poses}")
    if not multi_selection:
        sets: list[tuple[int, ...]] = [(t,) for t in range(n_targets)] + [()]
    elif max_selected >= n_targets:
        if n_targets > 16:
            raise ValueError(
                f"max_selected = {max_selected} of {n_targets} targets gives 2^{n_targets} actions;"
                " expected a smaller max_selected"
            )
        sets = [
            tuple(t for t in range(n_targets) if index >> (n_targets - 1 - t) & 1)
            for index in range(2**n_targets)
        ]
    else:
        sizes = range(1, max_selected + 1)
        sets = [chosen for size in sizes for chosen in combinations(range(n_targets), size)]
        if search_actions == 0:
            sets.append(())
    n_actions = len(sets) + search_actions
    if n_actions > MAX_ACTIONS:
        raise ValueError(f"{n_actions} selectable actions; expected at most {MAX_ACTIONS}")
    members = np.full((n_actions, max(1, *(len(chosen) for chosen in sets))), -1, np.int64)
    for u, chosen in enumerate(sets):
        members[u, : len(chosen)] = chosen
    search = np.full(n_actions, -1, np.int64)
    search[len(sets) :] = np.arange(search_actions)
    return Catalogue(members, search, np.zeros((n_actions, 2)), 0)


def make_moves(levels: int, move_frames: int) -> Catalogue:
    """Return the levels**2 moves of MATE's discrete camera (world 9.6), held for `move_frames`.

    Raises:
        ValueError: levels is even, below 3, or gives more than 65,536 moves.
    """
    if levels * levels > MAX_ACTIONS:
        raise ValueError(f"action levels = {levels}; expected at most {math.isqrt(MAX_ACTIONS)}")
    moves = camera_grid(levels)
    members = np.full((len(moves), 1), -1, np.int64)
    return Catalogue(members, members[:, 0].copy(), moves, move_frames)


def selection_bits(catalogue: Catalogue, n_targets: int) -> Bools:
    """Return the targets that each action selects, [U, T]."""
    bits: Bools = (catalogue.members[:, :, None] == np.arange(n_targets)).any(axis=1)
    return bits
