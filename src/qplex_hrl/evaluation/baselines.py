"""What cameras without learning reach in the shipped scenarios: figures to put a training beside.

`python docs/baselines.py` measured them with the command's own evaluation.
"""

import json
from pathlib import Path
from typing import NamedTuple

from qplex_hrl.config import RunConfig
from qplex_hrl.data.make_env import observation_mode

__all__ = ["Baseline", "known_baselines"]

_FILE = Path(__file__).with_name("baselines.json")

_DESCRIPTIONS = {
    "random": "random",
    "greedy": "greedy",
    "best_plan": "the plan among its features, without learning",
    "planner": "planner, without learning",
}


class Baseline(NamedTuple):
    """The coverage of one kind of cameras, mean over episodes."""

    cameras: str  # in words
    coverage: float
    interval: tuple[float, float]  # 95 %, of the coverage
    stereo_coverage: float


def known_baselines(config: RunConfig) -> list[Baseline]:
    """Return the figures for the world of a configuration; none if nobody has measured it."""
    env = config.env
    if env.max_episode_steps is not None or env.message_loss:
        return []
    world = (env.scenario, env.opponent, observation_mode(env))
    rows = json.loads(_FILE.read_text(encoding="utf-8"))["rows"]
    found = {
        row["cameras"]: Baseline(
            _DESCRIPTIONS[row["cameras"]],
            row["mean_coverage_rate"],
            tuple(row["ci95_coverage_rate"]),
            row["mean_stereo_coverage_rate"],
        )
        for row in rows
        if (row["scenario"], row["opponent"], row["regime"]) == world
    }
    if not (config.control.lookahead and config.control.plan_goal == "coverage"):
        found.pop("best_plan", None)  # other plans, or none, are among the features
    return [found[name] for name in _DESCRIPTIONS if name in found]
