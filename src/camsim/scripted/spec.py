"""What a scripted team plays: one rule or a mixture, what it observes, and its radio link."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from camsim.arrays import Floats
from camsim.bounds import NumberRange, check_flags, shortened
from camsim.scenario.parsing import suggestion
from camsim.scripted.evader_weights import learned_evasion

EXTERNAL = "external"
"""The name that says: nobody plays this team but the caller."""

CAMERA_POLICIES = {"random": 0, "naive": 1, "greedy": 2, "heuristic": 3}
"""Rules a camera team can follow, by the name used on the command line."""

TARGET_POLICIES = {"random": 0, "naive": 1, "greedy": 2, "heuristic": 3, "evader": 4}
"""Rules a target team can follow, by the name used in configurations."""


_DROPOUT = NumberRange(0, 1, whole=False)  # a chance
_REACH = NumberRange(0, float("inf"), whole=False)  # a distance
_FARTHEST = 1e300  # an integer beyond may have no float
_DELAY = NumberRange(0, 10_000)  # frames: a post has a slot for each
_WEIGHT = NumberRange(0, 10**6, whole=False)  # the sum of all stays finite


@dataclass(frozen=True)
class Link:
    """Limits of a team's communication (world 9.10)."""

    silent: bool = False  # no message arrives
    dropout: float = 0.0  # chance that a message is lost
    reach: float = float("inf")  # largest distance between sender and recipient
    delay: int = 0  # frames until a message arrives


class CameraRules(NamedTuple):
    """A scripted camera team, as kernels see it (world 11.1, 11.2, 11.6, 11.7)."""

    cumulative: Floats  # [K] running sum of the rules' weights; length 0: driven from outside
    observes: int  # what the team sees: camsim.layout.RAW, SHARED or ENHANCED
    random_hold: int  # frames between two draws of the random rule
    memory_period: int  # frames until the greedy rule forgets a target
    only_loaded: bool  # the greedy rule follows no target known to be unloaded
    only_in_range: bool  # the greedy rule tells a teammate of targets near it only
    silent: bool
    dropout: float
    reach: float
    delay: int


class TargetRules(NamedTuple):
    """A scripted target team, as kernels see it (world 11.1 to 11.4)."""

    cumulative: Floats  # [K] running sum of the rules' weights; length 0: driven from outside
    observes: int  # what the team sees: camsim.layout.RAW, SHARED or ENHANCED
    random_hold: int  # frames between two draws of the random rule
    noise_scale: float  # of the walk, relative to the action box
    silent: bool
    dropout: float
    reach: float
    delay: int
    evasion: Floats  # [EVASION_WEIGHTS] of evaders: camsim.scripted.targets.evader


def camera_rules(
    policy: str | Mapping[str, float] = "greedy",
    *,
    view: int = 0,
    link: Link | None = None,
    memory_period: int = 25,
    only_loaded: bool = False,
    only_in_range: bool = True,
) -> CameraRules:
    """Return the rules of a camera team.

    Args:
        policy: a name, `external`, a mixture as `greedy=0.5,random=0.5`, or names with weights.
        view: what the team observes: camsim.layout.RAW, SHARED or ENHANCED.
        link: limits of its communication; none if None.
        memory_period: frames until the greedy rule forgets a target.
        only_loaded: see `CameraRules`.
        only_in_range: see `CameraRules`.

    Raises:
        ValueError: a policy is unknown or a number is out of range.
    """
    weights = _team_weights("camera_policy", policy, CAMERA_POLICIES)
    if memory_period < 1:
        raise ValueError(f"memory_period = {memory_period}; expected at least 1 frame")
    limits = _limits(link or Link())
    return CameraRules(weights, view, 20, memory_period, only_loaded, only_in_range, *limits)


def target_rules(
    policy: str | Mapping[str, float] = "greedy",
    *,
    view: int = 0,
    link: Link | None = None,
    noise_scale: float = 0.5,
    key: str = "target_policy",
) -> TargetRules:
    """Return the rules of a target team; arguments and errors as in `camera_rules`.

    `noise_scale` is relative to the action box; `key` names the policy in messages.
    """
    weights = _team_weights(key, policy, TARGET_POLICIES)
    limits = _limits(link or Link())
    return TargetRules(weights, view, 20, noise_scale, *limits, learned_evasion())


def plays(rules: CameraRules | TargetRules, rule: int) -> bool:
    """Tell whether the team follows the rule of this number in some episodes."""
    weights = np.diff(rules.cumulative, prepend=0.0)
    return len(weights) > 0 and bool(weights[rule] > 0.0)


def policy_weights(policy: str | Mapping[str, float], known: Mapping[str, int]) -> Floats:
    """Return the running sum [K] of normalised weights in the order of `known`.

    Args:
        policy: a name, a mixture as `greedy=0.5,random=0.5`, or names with weights.
        known: numbers of the rules, by name.

    Raises:
        ValueError: a policy is unknown, a weight is negative or none is positive; the text says
            what is expected.
    """
    if not isinstance(policy, str | Mapping):
        raise ValueError("expected a name, a mixture such as greedy=0.5,random=0.5, or a mapping")
    given = _parsed(policy) if isinstance(policy, str) else dict(policy)
    weights = np.zeros(len(known))
    for name, weight in given.items():
        if name not in known:
            subject = "" if name == policy else f"{shortened(name)} is unknown, "
            hint = suggestion(str(name)[:100], known)
            raise ValueError(f"{subject}expected one of {', '.join(known)}{hint}")
        _WEIGHT.check(f"weight of {name}", weight)
        weights[known[name]] = weight
    if not weights.sum() > 0.0:
        raise ValueError("expected at least one positive weight")
    cumulative: Floats = np.cumsum(weights / weights.sum())
    return cumulative


def _team_weights(key: str, policy: str | Mapping[str, float], known: Mapping[str, int]) -> Floats:
    """Return `policy_weights`, of length 0 for a team driven from outside."""
    if policy == EXTERNAL:
        return np.zeros(0)
    try:
        return policy_weights(policy, known)
    except ValueError as error:
        raise ValueError(f"{key} = {shortened(policy)}; {error}") from None


def _parsed(text: str) -> dict[str, float]:
    """Return the names and weights in `name` or `name=weight,name=weight`."""
    if "=" not in text:
        return {text: 1.0}
    weights = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            raise ValueError(f"expected NAME=WEIGHT instead of {shortened(part)}") from None
    return weights


def _limits(link: Link) -> tuple[bool, float, float, int]:
    check_flags([("silent", link.silent)])
    _DROPOUT.check("dropout", link.dropout)
    _REACH.check("reach", link.reach)
    _DELAY.check("delay", link.delay)
    reach = math.inf if link.reach > _FARTHEST else float(link.reach)
    return bool(link.silent), float(link.dropout), reach, int(link.delay)
