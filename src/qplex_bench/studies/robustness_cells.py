"""The worlds of the robustness table: other targets, obstacles, teams and lost messages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from camsim.scenario.schema import Scenario, load_scenario
from camsim.scripted.spec import TARGET_POLICIES
from qplex_hrl.evaluation.players import EvaluationSetting

BASE_SCENARIO, BASE_OPPONENT = "MATE-4v4-9", "greedy"
"""What everything is a variation of."""

OPPONENTS, TRANSMITTANCE, OBSTACLES, TEAMS, MESSAGES = (
    "targets",
    "transmittance",
    "obstacles",
    "teams",
    "lost messages",
)
"""Kinds of variation, in the order of the table."""

_TRANSMITTANCES = (0.0, 0.1, 0.3, 0.5)
_OBSTACLE_COUNTS = (0, 4, 9, 15)
_TEAM_SCENARIOS = ("MATE-4v2-9", "MATE-4v8-9", "MATE-8v8-9")
_MESSAGE_LOSSES = (0.0, 0.1, 0.3, 0.5)
_ANYWHERE = [-1000.0, 1000.0, -1000.0, 1000.0]


class Variation(NamedTuple):
    """A row of the table: one thing that differs from what policies were trained in."""

    kind: str
    value: str  # of what differs
    cell: str  # name of its evaluations; rows of the same world share them
    scenario: Scenario
    preset: str | None  # that the scenario is; None: a variant, to be written to a file
    opponent: str = BASE_OPPONENT
    message_loss: float = 0.0

    def world(self, folder: Path, max_episode_steps: int) -> EvaluationSetting:
        """Return where the cameras play; variants of scenarios stand in `folder`."""
        return EvaluationSetting(
            scenario=self.preset or str(self.file(folder)),
            opponent=self.opponent,
            max_episode_steps=max_episode_steps,
            message_loss=self.message_loss,
        )

    def file(self, folder: Path) -> Path:
        """Return where a variant of the scenario stands."""
        return folder / f"{self.cell}.yaml"


def variations() -> list[Variation]:
    """Return all rows of the table; the world of the training is one of several kinds."""
    base = load_scenario(BASE_SCENARIO)
    return [*_other_targets(base), *_other_obstacles(base), *_other_teams(), *_lost_messages(base)]


def mixture() -> str:
    """Return the opponent that plays each rule of targets equally often."""
    return ",".join(f"{name}=1" for name in TARGET_POLICIES)


def _other_targets(base: Scenario) -> Iterator[Variation]:
    names = [BASE_OPPONENT, *sorted(set(TARGET_POLICIES) - {BASE_OPPONENT})]
    for name in names:
        cell = "base" if name == BASE_OPPONENT else f"targets_{name}"
        yield Variation(OPPONENTS, name, cell, base, BASE_SCENARIO, name)
    yield Variation(OPPONENTS, "mixture", "targets_mixture", base, BASE_SCENARIO, mixture())


def _other_obstacles(base: Scenario) -> Iterator[Variation]:
    for value in _TRANSMITTANCES:
        scenario = with_transmittance(base, value)
        yield _varied(base, scenario, TRANSMITTANCE, str(value), f"transmittance_{value}")
    for count in _OBSTACLE_COUNTS:
        scenario = with_obstacles(base, count)
        yield _varied(base, scenario, OBSTACLES, str(count), f"obstacles_{count}")


def _varied(base: Scenario, scenario: Scenario, kind: str, value: str, cell: str) -> Variation:
    if scenario == base:
        return Variation(kind, value, "base", base, BASE_SCENARIO)
    return Variation(kind, value, cell, scenario, None)


def _other_teams() -> Iterator[Variation]:
    for name in _TEAM_SCENARIOS:
        size = name.removeprefix("MATE-")
        yield Variation(TEAMS, size, f"teams_{size}", load_scenario(name), name)


def _lost_messages(base: Scenario) -> Iterator[Variation]:
    for loss in _MESSAGE_LOSSES:
        cell = f"messages_{loss}" if loss > 0 else "base"
        yield Variation(MESSAGES, str(loss), cell, base, BASE_SCENARIO, message_loss=loss)


def with_transmittance(scenario: Scenario, transmittance: float) -> Scenario:
    """Return a scenario with obstacles that are seen through with another probability.

    Raises:
        ScenarioError: the probability is not valid.
    """
    content = scenario.to_mapping()
    content["obstacle"]["transmittance"] = transmittance
    return Scenario.from_mapping(content)


def with_obstacles(scenario: Scenario, count: int) -> Scenario:
    """Return a scenario with the first `count` obstacles; more of them stand anywhere.

    Args:
        scenario: with obstacles in boxes only.
        count: at least 0.
    """
    content: dict[str, Any] = scenario.to_mapping()  # Any: a MATE-format mapping
    boxes = content["obstacle"]["location_random_range"]
    content["name"] = f"MultiAgentTracking({scenario.n_cameras}v{scenario.n_targets}, {count})"
    if count == 0:
        del content["obstacle"]
    else:
        extra = [_ANYWHERE] * (count - len(boxes))
        content["obstacle"]["location_random_range"] = boxes[:count] + extra
    return Scenario.from_mapping(content)
