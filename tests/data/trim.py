"""Write the trimmed golden data of this folder from a folder with the full recordings.

    python tests/data/trim.py PATH_TO_GOLDEN [OUTPUT_FOLDER]

What is dropped, and why nothing that a test needs is lost, stands in README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EDGE_MARGIN = 1e-6
DROPPED_TRACE_ARRAYS = frozenset(
    {
        "boundary_angles",
        "camera_boundary_inner",
        "camera_boundary_outer",
        "camera_target_boundary",
        "move_edge_margin",
        "move_num_obstructing",
        "move_starts_inside",
        "target_orientation",
        "warehouse_xy",
    }
)
KEPT_RESET_ARRAYS = (
    "camera_xy",
    "camera_orientation",
    "camera_viewing_angle",
    "target_xy",
    "target_capacity",
    "target_goal",
    "target_goal_bits",
    "remaining_cargoes",
    "awaiting_cargo_counts",
    "obstacle_xy",
    "obstacle_radius",
    "meta",
)
PATTERNS = (
    "trace_*",
    "hrl_*",
    "aux_*",
    "wrappers_*",
    "collision_cases",
    "discrete_actions",
    "perception_cases",
    "resets_*",
)
Arrays = dict[str, NDArray[Any]]  # dtypes differ from array to array


def trim_trace(full: Arrays) -> Arrays:
    """A step trace without what no test reads; the global state only where observations are."""
    kept = {name: array for name, array in full.items() if name not in DROPPED_TRACE_ARRAYS}
    kept["global_state"] = full["global_state"][full["obs_index"]]
    kept["move_starts_on_edge"] = full["move_edge_margin"] < EDGE_MARGIN
    return kept


def trim_rewards(full: Arrays) -> Arrays:
    """A step trace with auxiliary rewards, and with upstream's polylines, which these rest on."""
    kept = trim_trace(full)
    for name in ("boundary_angles", "camera_boundary_inner", "camera_boundary_outer"):
        kept[name] = full[name]
    return kept


def trim_collision(full: Arrays) -> Arrays:
    """The collision cases, with the margin reduced to the one bit that tests read."""
    dropped = {"move_edge_margin", "move_num_obstructing", "move_starts_inside"}
    kept = {name: array for name, array in full.items() if name not in dropped}
    kept["move_starts_on_edge"] = full["move_edge_margin"] < EDGE_MARGIN
    return kept


def trim(name: str, full: Arrays) -> Arrays:
    """The arrays that the tests need of one recording."""
    if name.startswith(("trace_", "hrl_MATE")):
        return trim_trace(full)
    if name.startswith("wrappers_"):
        return {key: array for key, array in full.items() if key not in DROPPED_TRACE_ARRAYS}
    if name.startswith("aux_"):
        return trim_rewards(full)
    if name == "collision_cases":
        return trim_collision(full)
    if name.startswith("resets_"):
        return {key: full[key] for key in KEPT_RESET_ARRAYS}
    return {key: array for key, array in full.items() if key != "boundary"}


def trim_statistics(text: str) -> str:
    """The reference statistics without the lists of single episodes."""
    content = json.loads(text)
    for entry in content["entries"]:
        del entry["episodes"]
    return json.dumps(content, indent=1) + "\n"


def main(arguments: list[str]) -> None:
    """Trim every recording that the tests of this repository use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("golden", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    for pattern in PATTERNS:
        for path in sorted(options.golden.glob(pattern + ".npz")):
            with np.load(path, allow_pickle=False) as file:
                kept = trim(path.stem, {name: file[name] for name in file.files})
            np.savez_compressed(options.output / path.name, allow_pickle=False, **kept)
    statistics = (options.golden / "reference_stats.json").read_text()
    (options.output / "reference_stats.json").write_text(trim_statistics(statistics))


if __name__ == "__main__":
    main(sys.argv[1:])
