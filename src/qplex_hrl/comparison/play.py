"""The one world in which all contestants play the same episodes; all is checked before."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from camsim.scenario.schema import Scenario, ScenarioError, load_scenario
from qplex_hrl.comparison.contestants import Contestant, TrainedRun
from qplex_hrl.comparison.metric import Evaluation
from qplex_hrl.config import EnvConfig, RunConfig
from qplex_hrl.data.make_env import observation_mode, opponent_view
from qplex_hrl.evaluation.evaluate import evaluate_scripted
from qplex_hrl.evaluation.players import (
    EVALUATION_ENVS,
    EvaluationSetting,
    is_planner,
    scripted_player,
)
from qplex_hrl.evaluation.policy_file import load_policy
from qplex_hrl.evaluation.trained import evaluate_checkpoint, load_cameras

__all__ = ["play_all", "settle_world"]

_STEREO_DEG = 30.0  # angle from which on views of scripted cameras are stereo coverage
_TARGETS_VIEW = "own"  # of the targets that scripted cameras play against


class _Trained(NamedTuple):
    """A training of a contestant, and its configuration."""

    name: str  # of the contestant
    run: TrainedRun
    config: RunConfig
    scenario: Scenario | None  # world of the training, if its checkpoint tells


def settle_world(
    contestants: Sequence[Contestant],
    setting: EvaluationSetting,
    metric: str,
    device: torch.device,
) -> EvaluationSetting:
    """Return the one world that all play in, after checking that all can.

    What the setting leaves open is as the checkpoints were trained, for scripted cameras, too.
    Cameras of different contestants may see different things; those of one contestant may not, and
    targets see the same everywhere.

    Args:
        contestants: who plays.
        setting: what the user says of the world.
        metric: that decides.
        device: of the networks.

    Raises:
        ValueError: trainings differ in their world, or somebody cannot play there or has no such
            metric.
    """
    trained = [_trained(each.name, run) for each in contestants for run in each.runs]
    wanted: tuple[tuple[str, str, Callable[[EnvConfig], Any]], ...] = (
        ("scenario", "--scenario", lambda env: env.scenario),
        ("opponent", "--target-agent", lambda env: env.opponent),
        ("max_episode_steps", "--max-episode-steps", lambda env: env.max_episode_steps),
    )
    for key, flag, value_of in wanted:
        if getattr(setting, key) is None and trained:
            values = [(each.name, value_of(each.config.env)) for each in trained]
            setting = setting._replace(**{key: _common(f"{flag}: {key}", values, f"give {flag}")})
            if key == "scenario":
                _check_worlds(trained, setting)
    _check_views(contestants, trained, setting)
    _check_metric(contestants, trained, metric)
    for each in contestants:
        if each.rule is not None:
            scripted_player(each.rule, setting, num_envs=1, n_episodes=1)
    for one in trained:
        load_cameras(one.run.checkpoint, setting, num_envs=1, device=device)
    return setting


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


def _trained(name: str, run: TrainedRun) -> _Trained:
    policy = load_policy(run.checkpoint)
    return _Trained(name, run, policy.config, policy.scenario)


def _check_worlds(trained: Sequence[_Trained], setting: EvaluationSetting) -> None:
    """Check that the scenario of the trainings is what it was.

    Raises:
        ValueError: it has changed, or is not here.
    """
    for each in trained:
        if each.scenario is None:
            continue
        advice = f"`qplex-hrl scenarios show {each.run.checkpoint}` prints it; give --scenario"
        try:
            here = load_scenario(setting.scenario or "")
        except ScenarioError as error:
            raise ValueError(f"the world of {each.name}'s training: {error}; {advice}") from error
        if here.fingerprint() != each.scenario.fingerprint():
            raise ValueError(
                f"{each.name} was trained in another world than '{setting.scenario}' is now; "
                f"{advice}"
            )


def _check_views(
    contestants: Sequence[Contestant], trained: Sequence[_Trained], setting: EvaluationSetting
) -> None:
    """Check that targets see the same everywhere, and the cameras of one contestant, too.

    Raises:
        ValueError: they do not.
    """
    views = [(each.name, opponent_view(each.config.env)) for each in trained]
    views += [(each.name, _TARGETS_VIEW) for each in contestants if each.rule is not None]
    _common("env.enhanced_observation: the targets' view", views, "compare these apart")
    changes = {key: value for key, value in setting._asdict().items() if value is not None}
    kinds: tuple[tuple[str, Callable[[EnvConfig], Hashable], str], ...] = (
        ("the cameras' view", observation_mode, "compare these apart, or give a view to all"),
        ("env.message_loss", lambda env: env.message_loss, "compare these apart"),
    )
    for each in contestants:
        played = [
            (str(one.run.checkpoint), one.config.env.model_copy(update=changes))
            for one in trained
            if one.name == each.name
        ]
        for what, value_of, remedy in kinds:
            values = [(path, value_of(env)) for path, env in played]
            _common(f"{each.name}: {what}", values, remedy)


def _check_metric(
    contestants: Sequence[Contestant], trained: Sequence[_Trained], metric: str
) -> None:
    """Check that all have the metric, and mean the same by it.

    Raises:
        ValueError: they do not.
    """
    rules = [each for each in contestants if each.rule is not None]
    if metric == "stereo_coverage_rate":
        angles = [(each.name, each.config.env.min_baseline_deg) for each in trained]
        angles += [(each.name, _STEREO_DEG) for each in rules]
        _common(f"--metric {metric}: env.min_baseline_deg", angles, "compare these apart")
    if metric == "selection_efficiency":
        without = [each.name for each in rules if each.rule and not is_planner(each.rule)]
        without += [each.name for each in trained if each.config.env.action_mode == "discrete"]
        if without:
            raise ValueError(
                f"--metric {metric}: {without[0]} selects no targets; expected another metric"
            )


def _common(what: str, values: Sequence[tuple[str, Hashable]], remedy: str) -> Any:
    """Return the value that all have; None of none.

    Raises:
        ValueError: two differ.
    """
    for other, different in values:
        name, value = values[0]
        if different != value:
            raise ValueError(
                f"{what} is {value} for {name}, but {different} for {other}; expected one for all: "
                f"{remedy}"
            )
    return values[0][1] if values else None
