"""Options of a selection environment."""

from dataclasses import dataclass, field

from camcontrol.decision_arrays import REWARD_TERMS
from camcontrol.options import ControlOptions, check_control
from camsim import bounds
from camsim.layout import OBSERVATION_MODES


@dataclass(frozen=True)
class SelectionOptions(ControlOptions):
    """A camera's side, and against whom, for how long and for what the team plays."""

    opponent: str = "greedy"  # rule of the targets, or a mixture: camsim.scripted.spec
    opponent_view: str = "own"  # what targets observe: own, shared or enhanced
    message_loss: float = 0.0  # chance per frame that a shared view lacks a teammate's
    max_episode_steps: int | None = None  # None: the scenario's
    gamma: float = 0.9835  # discount per frame inside a decision
    auto_reset: bool = True  # the decision that ends an episode starts the next one
    check_actions: bool = True  # refuse actions that `avail_actions` masks
    reward_coefficients: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(REWARD_TERMS, 0.0) | {"coverage_rate": 1.0}
    )


def check_selection(options: SelectionOptions) -> None:
    """Check all options.

    Raises:
        ValueError: one is unknown, out of range or of a wrong kind.
    """
    check_control(options)
    flags = ("auto_reset", "check_actions")
    bounds.check_flags((key, getattr(options, key)) for key in flags)
    bounds.check_choices((("opponent_view", options.opponent_view, OBSERVATION_MODES),))
    bounds.DISCOUNT.check("gamma", options.gamma)
    bounds.check_coefficients(options.reward_coefficients, REWARD_TERMS)
