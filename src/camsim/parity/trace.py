"""Step traces, recorded from MATE as `.npz` files: loaded and checked before anyone replays them.

C cameras, T targets, O obstacles, K steps. State arrays have K + 1 rows: row k stands before step
k, row k + 1 after it. Everything a replay needs is in the file: arrays, and `meta`, a JSON object.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from camsim.archives import ArchiveError, read_arrays
from camsim.bounds import shortened
from camsim.errors import OneLineError
from camsim.layout import CameraObsLayout, StateLayout, TargetObsLayout

__all__ = ["Array", "Trace", "TraceError", "load_trace"]

Array = NDArray[Any]  # dtypes differ from array to array

FIXED_ARRAYS = {
    "camera_xy": "C2",
    "camera_radius": "C",
    "camera_max_sight_range": "C",
    "camera_min_viewing_angle": "C",
    "camera_rotation_step": "C",
    "camera_zooming_step": "C",
    "target_step_size": "T",
    "target_capacity": "T",
    "target_sight_range": "T",
    "obstacle_xy": "O2",
    "obstacle_radius": "O",
    "obstacle_transmittance": "O",
    "camera_obstacle_mask": "CO",
    "warehouse_xy": "42",
}
"""Constants of a trace and their shapes; letters as above, digits are sizes."""

STATE_ARRAYS = {
    "camera_orientation": "C",
    "camera_viewing_angle": "C",
    "camera_sight_range": "C",
    "target_xy": "T2",
    "target_orientation": "T",
    "target_is_colliding": "T",
    "target_goal": "T",
    "target_goal_bits": "T4",
    "target_empty_bits": "T4",
    "target_dones": "T",
    "target_steps": "T",
    "tracked_steps": "T",
    "freights": "T",
    "bounties": "T",
    "remaining_cargoes": "44",
    "awaiting_cargo_counts": "4",
    "num_delivered_cargoes": "",
    "target_team_episode_reward": "",
    "delayed_target_team_episode_reward": "",
    "episode_step": "",
    "camera_target_mask": "CT",
    "camera_camera_mask": "CC",
    "target_camera_mask": "TC",
    "target_target_mask": "TT",
    "target_obstacle_mask": "TO",
    "tracked_bits": "T",
    "coverage_rate": "",
    "real_coverage_rate": "",
    "mean_transport_rate": "",
    "camera_target_boundary": "CT",
    "global_state": "S",
}
"""K + 1 rows each."""

STEP_ARRAYS = {
    "camera_action": "C2",
    "target_action": "T2",
    "camera_team_reward": "",
    "target_team_reward": "",
    "done": "",
    "delivered_weight": "T",
    "picked_up": "T",
    "at_warehouse": "T",
    "move_order_ambiguous": "T",
    "move_edge_margin": "T",
    "move_starts_on_edge": "T",
}
"""K rows each."""

OBS_ARRAYS = {"camera_obs": "CD", "target_obs": "TE"}
"""One row per entry of `obs_index`, which holds times 0..K."""

OPTIONAL_ARRAYS = frozenset({"camera_target_boundary", "move_starts_on_edge"})
TRIMMED_ARRAYS = frozenset(
    {"obstacle_transmittance", "warehouse_xy", "target_orientation", "move_edge_margin"}
)
"""What a file may lack that marks moves from an edge itself, in `move_starts_on_edge`."""

EDGE_MARGIN = 1e-6
_COUNTS = {"C": "num_cameras", "T": "num_targets", "O": "num_obstacles", "K": "num_steps"}


class TraceError(OneLineError):
    """A file that is no trace, is damaged, or contradicts itself; the text is one line."""


@dataclass(frozen=True)
class Trace:
    """A recorded trace of K steps."""

    name: str
    meta: dict[str, Any]  # decoded JSON
    arrays: dict[str, Array]

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Return the checked trace stored in a file.

        Raises:
            TraceError: the file cannot be read, is no trace, lacks something or contradicts itself.
        """
        try:
            arrays = _read(path)
            meta = _decode_meta(arrays)
            _check_arrays(arrays, meta)
            _check_values(arrays, meta)
        except TraceError as error:
            raise TraceError(f"{path}: {error}") from error
        return cls(path.stem, meta, arrays)

    @property
    def n_frames(self) -> int:
        """Number of recorded steps K."""
        return len(self.arrays["target_action"])

    @property
    def n_cameras(self) -> int:
        """Number of cameras C."""
        return len(self.arrays["camera_xy"])

    @property
    def n_targets(self) -> int:
        """Number of targets T."""
        return len(self.arrays["target_step_size"])

    @property
    def n_obstacles(self) -> int:
        """Number of obstacles O."""
        return len(self.arrays["obstacle_xy"])

    @property
    def transmittance(self) -> float:
        """Probability of seeing through an obstacle."""
        return _transmittance(self.arrays, self.meta)

    @property
    def edge_starts(self) -> Array:
        """Moves [K, T] that start on a disc's edge, where rounding decides what happens."""
        if "move_edge_margin" in self.arrays:
            starts: Array = self.arrays["move_edge_margin"] < EDGE_MARGIN
            return starts
        return self.arrays["move_starts_on_edge"] > 0

    def before(self, name: str) -> Array:
        """Return a state array before each step [K, ...]."""
        return self.arrays[name][:-1]

    def after(self, name: str) -> Array:
        """Return a state array after each step [K, ...]."""
        return self.arrays[name][1:]

    def frame(self, name: str) -> Array:
        """Return an array of the steps themselves (actions, rewards, ...) [K, ...]."""
        return self.arrays[name]

    def at(self, name: str, times: Array) -> Array:
        """Return a state array at the given times 0..K [M, ...]."""
        return self.arrays[name][times]

    @property
    def times_before(self) -> Array:
        """The time before each step: 0..K-1."""
        return np.arange(self.n_frames)

    @property
    def times_after(self) -> Array:
        """The time after each step: 1..K."""
        return np.arange(1, self.n_frames + 1)

    def picked_destination(self) -> Array:
        """Return the destination of each new cargo [K, T] int64, -1 where none was picked up."""
        return np.where(self.frame("picked_up"), self.after("target_goal"), -1).astype(np.int64)


def load_trace(path: str | Path) -> Trace:
    """Return the trace in a `.npz` file of the golden format.

    Raises:
        TraceError: one line that says what is wrong with the file.
    """
    return Trace.from_file(Path(path))


def _read(path: Path) -> dict[str, Array]:
    try:
        return read_arrays(path, compressed=True)
    except FileNotFoundError:
        raise TraceError("no such file") from None
    except PermissionError:
        raise TraceError("permission denied") from None
    except ArchiveError as error:
        raise TraceError(f"not a trace: {error}") from error
    except OSError as error:
        raise TraceError((error.strerror or "cannot be read").lower()) from error


def _decode_meta(arrays: dict[str, Array]) -> dict[str, Any]:
    if "meta" not in arrays:
        raise TraceError("not a step trace: it lacks the array 'meta'")
    stored = arrays.pop("meta")
    try:
        meta = json.loads(str(stored)) if stored.shape == () else None
    except json.JSONDecodeError as error:
        raise TraceError(f"meta is not JSON: {error}") from error
    if not isinstance(meta, dict):
        raise TraceError("meta is not a JSON object")
    return meta


def _required(arrays: dict[str, Array]) -> list[str]:
    names = [*FIXED_ARRAYS, *STATE_ARRAYS, *STEP_ARRAYS, *OBS_ARRAYS, "obs_index"]
    optional = OPTIONAL_ARRAYS
    if "move_starts_on_edge" in arrays:
        optional |= TRIMMED_ARRAYS
    return [name for name in names if name not in optional]


def _check_arrays(arrays: dict[str, Array], meta: dict[str, Any]) -> None:
    """Names, kinds and shapes."""
    missing = [name for name in _required(arrays) if name not in arrays]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise TraceError(f"not a step trace: it lacks the array '{missing[0]}'{more}")
    for name in (
        "camera_xy",
        "target_step_size",
        "obstacle_xy",
        "target_action",
        "obs_index",
        "global_state",
    ):
        if arrays[name].ndim == 0:
            raise TraceError(f"{name} has shape (); expected an array")
    sizes = {
        "C": len(arrays["camera_xy"]),
        "T": len(arrays["target_step_size"]),
        "O": len(arrays["obstacle_xy"]),
        "K": len(arrays["target_action"]),
    }
    for letter, key in _COUNTS.items():
        if key in meta and meta[key] != sizes[letter]:
            raise TraceError(
                f"meta.{key} = {shortened(meta[key])}; the arrays hold {sizes[letter]}"
            )
    if sizes["T"] < 1 or sizes["K"] < 1:
        raise TraceError(
            f"{sizes['T']} targets and {sizes['K']} steps; expected at least 1 of each"
        )
    for name, shape in _expected_shapes(sizes, arrays).items():
        if name in arrays:
            _check_array(name, arrays[name], shape)


def _expected_shapes(sizes: dict[str, int], arrays: dict[str, Array]) -> dict[str, tuple[int, ...]]:
    counts = (sizes["C"], sizes["T"], sizes["O"])
    sizes = sizes | {
        "D": CameraObsLayout(*counts).size,
        "E": TargetObsLayout(*counts).size,
        "S": StateLayout(*counts).size,
    }
    n_observed, n_times = len(arrays["obs_index"]), sizes["K"] + 1
    groups: list[tuple[dict[str, str], tuple[int, ...]]] = [
        (FIXED_ARRAYS, ()),
        (STATE_ARRAYS, (n_times,)),
        (STEP_ARRAYS, (sizes["K"],)),
        (OBS_ARRAYS, (n_observed,)),
        ({"obs_index": ""}, (n_observed,)),
    ]
    shapes = {
        name: (*rows, *(int(part) if part.isdigit() else sizes[part] for part in letters))
        for group, rows in groups
        for name, letters in group.items()
    }
    if len(arrays["global_state"]) == n_observed:  # a trimmed file keeps it where it is observed
        shapes["global_state"] = (n_observed, sizes["S"])
    return shapes


def _check_array(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.dtype.kind not in "biuf":
        raise TraceError(f"{name} holds {array.dtype}; expected numbers")
    if array.shape != shape:
        raise TraceError(f"{name} has shape {array.shape}; expected {shape}")
    finite = np.isfinite(array)
    if name not in OPTIONAL_ARRAYS and name != "move_edge_margin" and not finite.all():
        where = [int(k) for k in np.argwhere(~finite)[0]]
        raise TraceError(f"{name}{where} = {array[tuple(where)]}; expected a finite number")


def _check_values(arrays: dict[str, Array], meta: dict[str, Any]) -> None:
    """Ranges without which a replay is impossible, and constants that MATE has one of."""
    n_frames = len(arrays["target_action"])
    for name, allowed in (
        ("target_goal", range(-1, 4)),
        ("target_capacity", range(1, 3)),
        ("obs_index", range(n_frames + 1)),
    ):
        wrong = ~np.isin(arrays[name], np.array(allowed))
        if wrong.any():
            where = [int(k) for k in np.argwhere(wrong)[0]]
            bounds = f"an integer from {allowed[0]} to {allowed[-1]}"
            raise TraceError(f"{name}{where} = {arrays[name][tuple(where)]}; expected {bounds}")
    nominal_step = arrays["target_step_size"] * arrays["target_capacity"]
    shared = {name: arrays[name] for name in FIXED_ARRAYS if FIXED_ARRAYS[name] in ("C", "T")}
    shared |= {"target_step_size * target_capacity": nominal_step}
    for name, values in shared.items():
        if name in ("target_step_size", "target_capacity") or len(values) == 0:
            continue
        if not np.allclose(values, values[0], rtol=1e-12, atol=0.0):
            raise TraceError(f"{name} differs within a team; in MATE it is the same for all")
        if not values[0] > 0:
            raise TraceError(f"{name} = {values[0]}; expected a positive number")
    _check_meta(arrays, meta)


def _check_meta(arrays: dict[str, Array], meta: dict[str, Any]) -> None:
    steps, reward = meta.get("max_episode_steps"), meta.get("reward_type")
    if not _is_number(steps) or not 1 <= steps < 2**53:
        raise TraceError(f"meta.max_episode_steps = {shortened(steps)}; expected a positive number")
    if reward not in ("dense", "sparse"):
        raise TraceError(f"meta.reward_type = {shortened(reward)}; expected 'dense' or 'sparse'")
    if not any(_is_number(meta.get(key)) for key in ("bounty_scale", "bounty_factor")):
        raise TraceError("meta holds neither bounty_scale nor bounty_factor")
    scales = ("bounty_scale", "bounty_factor", "freight_scale", "num_cargoes_per_target")
    for key in (*scales, "transmittance"):
        value = meta.get(key, 0.0)
        if not _is_number(value) or not 0 <= value < 2**53:
            raise TraceError(f"meta.{key} = {shortened(value)}; expected a number of at least 0")
    transmittance = _transmittance(arrays, meta)
    stored = arrays.get("obstacle_transmittance", np.zeros(0))
    if not 0 <= transmittance <= 1 or not np.allclose(stored, transmittance, atol=1e-6):
        told = f"{transmittance}, obstacle_transmittance {np.unique(stored).tolist()}"
        raise TraceError(f"transmittance is {told}; expected one number from 0 to 1")


# Any: a JSON value.
def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _transmittance(arrays: dict[str, Array], meta: dict[str, Any]) -> float:
    stored = arrays.get("obstacle_transmittance", np.zeros(0))
    return float(meta.get("transmittance", stored[0] if len(stored) else 0.0))
