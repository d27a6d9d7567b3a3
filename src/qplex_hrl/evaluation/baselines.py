"""What cameras without learning reach in the shipped scenarios: figures to put a training beside.

`python docs/baselines.py` measured them with the command's own evaluation.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from qplex_hrl.config import EnvConfig, RunConfig

__all__ = ["Baseline", "decision_of", "known_baselines", "same_world"]

_FILE = Path(__file__).with_name("baselines.json")

_DESCRIPTIONS = {
    "random": "random",
    "greedy": "greedy",
    "best_plan": "the plan among its features, without learning",
    "planner": "planner, without learning",
}


_ACTIONS = {"action_mode", "action_levels"}
_CLOCK = {"frame_skip", "fast_interval", "multi_selection"}


class Baseline(NamedTuple):
    """The coverage of one kind of cameras, mean over episodes."""

    cameras: str  # in words
    coverage: float
    interval: tuple[float, float]  # 95 %, of the coverage
    stereo_coverage: float


def known_baselines(config: RunConfig) -> list[Baseline]:
    """Return the figures for the world of a configuration; none if nobody has measured it.

    That of plans is there only if they are the ones that its cameras observe.
    """
    found = {
        row["cameras"]: Baseline(
            _DESCRIPTIONS[row["cameras"]],
            row["mean_coverage_rate"],
            tuple(row["ci95_coverage_rate"]),
            row["mean_stereo_coverage_rate"],
        )
        for row in json.loads(_FILE.read_text(encoding="utf-8"))["rows"]
        if same_world(config.env, _measured_world(row))
        and row.get("decision") in (None, decision_of(config))
    }
    return [found[name] for name in _DESCRIPTIONS if name in found]


def same_world(one: EnvConfig, other: EnvConfig) -> bool:
    """Tell whether two sections describe one world.

    How many of it run in parallel is no matter, nor what actions are to cameras that learn.
    """
    apart = {"num_envs", *_ACTIONS}
    return one.model_dump(exclude=apart) == other.model_dump(exclude=apart)


# Any: values of the configuration.
def decision_of(config: RunConfig) -> dict[str, Any]:
    """Return what plans depend on beside the world: the camera's side, what is decided and when."""
    return {
        "control": config.control.model_dump(mode="json"),
        "actions": config.env.model_dump(mode="json", include=_ACTIONS),
        "clock": config.network.hrl.model_dump(mode="json", include=_CLOCK),
    }


# Any: a row of the file.
def _measured_world(row: dict[str, Any]) -> EnvConfig:
    """Return the world that a row was measured in: all but what it tells is as shipped."""
    shared = row["regime"] == "shared"
    return EnvConfig(
        scenario=row["scenario"], opponent=row["opponent"], shared_field_of_view=shared
    )
