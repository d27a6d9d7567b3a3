"""The same episodes for every contestant, and what each run reaches in each of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qplex_hrl.comparison.contestants import Contestant
from qplex_hrl.evaluation.evaluate import evaluate_scripted
from qplex_hrl.evaluation.players import EVALUATION_ENVS, EvaluationSetting
from qplex_hrl.evaluation.trained import evaluate_checkpoint

__all__ = ["Evaluation", "play_all", "table_of_metric"]

# Any: an evaluation is a JSON object of numbers, lists and text.
Evaluation = Mapping[str, Any]


def play_all(
    contestants: Sequence[Contestant],
    setting: EvaluationSetting,
    seeds: NDArray[np.uint64],
    device: torch.device,
    tell: Callable[[str], None],
) -> list[list[Evaluation]]:
    """Return the evaluations of each contestant, one per run, all on the same episodes.

    Args:
        contestants: who plays.
        setting: where, the same for all.
        seeds: [S], one per episode.
        device: of the networks.
        tell: is given a line of text before each evaluation.
    """
    played: list[list[Evaluation]] = []
    for each in contestants:
        evaluations: list[Evaluation] = []
        if each.rule is not None:
            tell(f"playing {len(seeds)} episodes of {each.name} ...")
            evaluations.append(
                evaluate_scripted(each.rule, setting, seeds, num_envs=EVALUATION_ENVS)
            )
        for n, run in enumerate(each.runs, start=1):
            part = f", run {n} of {len(each.runs)}" if len(each.runs) > 1 else ""
            tell(f"playing {len(seeds)} episodes of {each.name}{part} ...")
            evaluations.append(
                evaluate_checkpoint(
                    run.checkpoint, setting, seeds, num_envs=EVALUATION_ENVS, device=device
                )
            )
        played.append(evaluations)
    return played


def table_of_metric(evaluations: Sequence[Evaluation], metric: str) -> NDArray[np.float64]:
    """Return a metric of R runs in S episodes [R, S], NaN where an episode does not define it."""
    rows = [[episode.get(metric) for episode in each["episodes"]] for each in evaluations]
    return np.array(rows, dtype=np.float64)  # None becomes NaN
