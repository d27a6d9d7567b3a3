"""Loads the recordings of upstream MATE in `tests/data` as arrays, one row per recorded frame.

A trace of K frames is used as a batch of K environments: row k holds the state before frame k,
and one batched frame must give what was recorded after it. Each row starts from the record, so no
error accumulates and one wrong frame cannot hide behind another.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from paths import DATA
from reference_world import State, World

from camsim.parity import trace as traces
from camsim.parity.trace import Array

WORLD_ARRAYS = (
    "camera_xy",
    "camera_radius",
    "camera_max_sight_range",
    "camera_min_viewing_angle",
    "camera_rotation_step",
    "camera_zooming_step",
    "target_step_size",
    "target_capacity",
    "target_sight_range",
    "obstacle_xy",
    "obstacle_radius",
)
FLOAT_STATE_ARRAYS = (
    "camera_orientation",
    "camera_viewing_angle",
    "camera_sight_range",
    "target_xy",
)
INTEGER_STATE_ARRAYS = (
    "target_goal",
    "target_goal_bits",
    "target_steps",
    "tracked_steps",
    "freights",
    "bounties",
    "remaining_cargoes",
    "awaiting_cargo_counts",
)
FLAG_STATE_ARRAYS = ("target_is_colliding", "target_empty_bits", "target_dones")
SCALAR_STATE_ARRAYS = (
    "num_delivered_cargoes",
    "target_team_episode_reward",
    "delayed_target_team_episode_reward",
    "episode_step",
)
MASK_ARRAYS = (
    "camera_target_mask",
    "camera_camera_mask",
    "target_camera_mask",
    "target_target_mask",
    "target_obstacle_mask",
)


def load_arrays(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """All arrays of a recording, and its decoded `meta` record (JSON, hence `Any`)."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(str(arrays.pop("meta")))


def available(pattern: str, folder: Path = DATA) -> list[str]:
    """Names of the recordings that match a glob pattern, sorted."""
    return sorted(path.stem for path in folder.glob(pattern + ".npz"))


TRACES = available("trace_*")
HRL_TRACES = available("hrl_MATE*")


class Trace(traces.Trace):
    """A recorded trace that the oracle can take, too."""

    def world(self) -> World:
        """The constants, as the oracle takes them."""
        constants = {name: np.asarray(self.arrays[name]) for name in WORLD_ARRAYS}
        constants["target_capacity"] = constants["target_capacity"].astype(np.int64)
        return World(
            **constants,
            transmittance=self.transmittance,
            freight_scale=int(self.meta["freight_scale"]),
            bounty_scale=int(self.meta["bounty_scale"]),
            max_episode_steps=int(self.meta["max_episode_steps"]),
            sparse_reward=self.meta["reward_type"] == "sparse",
        )

    def state(self, time: int) -> State:
        """The recorded state at a time 0..K, as the oracle takes it."""
        row = {name: self.arrays[name][time] for name in FLOAT_STATE_ARRAYS}
        row |= {name: self.arrays[name][time].astype(np.int64) for name in INTEGER_STATE_ARRAYS}
        row |= {name: self.arrays[name][time] for name in (*FLAG_STATE_ARRAYS, *MASK_ARRAYS)}
        if "target_orientation" in self.arrays:
            row["target_orientation"] = self.arrays["target_orientation"][time]
        else:
            row["target_orientation"] = np.zeros(len(row["target_goal"]))
        scalars = {name: self.arrays[name][time] for name in SCALAR_STATE_ARRAYS}
        return State(
            **{name: array.copy() for name, array in row.items()},
            num_delivered_cargoes=int(scalars["num_delivered_cargoes"]),
            target_team_episode_reward=float(scalars["target_team_episode_reward"]),
            delayed_target_team_episode_reward=float(scalars["delayed_target_team_episode_reward"]),
            episode_step=int(scalars["episode_step"]),
        )


@cache
def load_recording(name: str) -> Trace:
    """A recording of states of `tests/data` that is no step trace; must not be written to."""
    arrays, meta = load_arrays(DATA / f"{name}.npz")
    return Trace(name, meta, arrays)


@cache
def load_trace(name: str) -> Trace:
    """A trace of `tests/data`, read once per process; its arrays must not be written to."""
    return Trace.from_file(DATA / f"{name}.npz")
