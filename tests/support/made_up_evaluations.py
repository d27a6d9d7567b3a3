"""Evaluations with coverage that is given, for comparisons without playing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qplex_hrl.comparison.contestants import Contestant, TrainedRun
from qplex_hrl.comparison.metric import Evaluation, metric_named
from qplex_hrl.comparison.ranking import PlayedContestant, Ranking, rank


def evaluation(coverage: ArrayLike, timestep: int | None = None, **about: object) -> dict[str, Any]:
    """An evaluation as far as comparisons read it; `transport_rate` is the opposite."""
    values = np.asarray(coverage, np.float64).tolist()
    episodes = [
        {
            "seed": n,
            "coverage_rate": value,
            "transport_rate": None if value is None else 1 - value,
            "selection_efficiency": None,
        }
        for n, value in enumerate(values)
    ]
    provenance = {
        "scenario": "MATE-4v4-9",
        "opponent": "greedy",
        "regime": "own",
        "max_episode_steps": None,
        "message_loss": 0.0,
        "commit": None,
    }
    return {
        "timestep": timestep,
        "n_episodes": len(values),
        "seeds": list(range(len(values))),
        "episodes": episodes,
        "provenance": provenance | about,
    }


def scripted(name: str, coverage: ArrayLike, **about: object) -> PlayedContestant:
    """Cameras that do not learn."""
    return PlayedContestant(Contestant(name, name, ()), (evaluation(coverage, **about),), ())


def trained(
    name: str, coverage: ArrayLike, history: Sequence[Sequence[Evaluation]] | None = None
) -> PlayedContestant:
    """Runs with coverage [R, S]."""
    rows = np.atleast_2d(np.asarray(coverage, np.float64))
    runs = tuple(TrainedRun(Path(f"run{n}.pth"), None) for n in range(len(rows)))
    histories = tuple(map(tuple, history)) if history else ((),) * len(rows)
    return PlayedContestant(
        Contestant(name, None, runs), tuple(evaluation(r, 9000) for r in rows), histories
    )


def example(n_episodes: int = 32) -> Ranking:
    """Three contestants: two runs with curves, a rule, and a worse one whose name needs care."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 0.8, n_episodes)
    noise = 0.02 * rng.normal(size=(3, n_episodes))
    history = [
        [evaluation(base[:4] - 0.1 * (2 - k), 1000 * (k + 1)) for k in range(3)] for _ in range(2)
    ]
    return rank(
        [
            scripted("greedy", base + noise[0]),
            trained("good <b>", [base + 0.1 + noise[1], base + 0.12 + noise[2]], history),
            scripted("a=0.5,b=0.5", base - 0.2, regime="shared"),
        ],
        metric_named("coverage_rate"),
    )
