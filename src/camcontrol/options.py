"""What cameras choose from, how they remember and aim."""

from dataclasses import dataclass
from typing import Literal, get_args

from camcontrol.control.action_set import (
    EXECUTORS,
    GRID,
    Catalogue,
    make_catalogue,
    make_moves,
)
from camsim import bounds
from camsim.bounds import NumberRange
from camsim.layout import MIN_BASELINE_DEG, OBSERVATION_MODES

Belief = Literal["none", "last_seen", "particles"]
ActionMode = Literal["selection", "discrete"]
Executor = Literal["upstream", "lead"]
PlanGoal = Literal["coverage", "stereo_coverage"]


@dataclass(frozen=True)
class ControlOptions:
    """What a camera chooses from, how it remembers and aims, and what it observes.

    The defaults are those of the shipped system; the configuration of a run takes them from here.
    """

    action_mode: ActionMode = "selection"  # targets, or discrete: MATE's grid of turns and zooms
    action_levels: int = 5  # turns and zooms of the grid, each: odd, at least 3
    decision_frames: int = 5  # frames under one action, unless the camera reacts
    fast_interval: int = 1  # frames between two reactions within a decision; divides it
    belief: Belief = "particles"  # none: targets in view only, as in MATE; or last_seen
    n_particles: int = 24  # of each unseen target, of the particle belief
    random_walk_share: float = 0.0  # share of them that walk at random, to no warehouse
    memory_frames: int = 40  # how long an unseen target stays known, so that it may be selected
    multi_selection: bool = True  # this and the next three: of target selection only
    max_selected: int = 2  # targets in one selection
    search_actions: int = 16  # actions that search instead
    executor: Executor = "lead"  # upstream: MATE's rule
    lookahead: bool = True  # actions have plan features (camcontrol.features.plan_features)
    coverage_per_target: bool = True  # these include the coverage per target
    plan_goal: PlanGoal = "coverage"  # what plans are for
    observation_mode: str = "own"  # own, shared or enhanced (camsim.layout.OBSERVATION_MODES)
    min_baseline_deg: float = MIN_BASELINE_DEG  # of two views that are stereo coverage


RANGES = {
    "action_levels": bounds.ACTION_LEVELS,
    "decision_frames": NumberRange(1, 1000),  # half of the longest shipped episode
    "fast_interval": NumberRange(1, 1000),  # it divides decision_frames
    "n_particles": NumberRange(1, 4096),  # of each target of each camera: memory and time
    "random_walk_share": NumberRange(0, 0.5, whole=False),
    "memory_frames": NumberRange(0, 10**6),  # a hundred times MATE's longest episode
    "max_selected": NumberRange(
        1, 64
    ),  # more than targets of any preset; catalogues have a limit too
    "search_actions": NumberRange(0, 360),  # one per degree
    "min_baseline_deg": bounds.MIN_BASELINE_DEG,
}
"""Kind and range of every numeric option of `ControlOptions`."""

_FLAGS = ("multi_selection", "lookahead", "coverage_per_target")


def check_control(options: ControlOptions) -> None:
    """Check the kind and range of every value, and that they fit together.

    Raises:
        ValueError: one does not.
    """
    bounds.check_choices(
        (
            ("action_mode", options.action_mode, get_args(ActionMode)),
            ("belief", options.belief, get_args(Belief)),
            ("executor", options.executor, get_args(Executor)),
            ("plan_goal", options.plan_goal, get_args(PlanGoal)),
            ("observation_mode", options.observation_mode, OBSERVATION_MODES),
        )
    )
    for key, allowed in RANGES.items():
        allowed.check(key, getattr(options, key))
    bounds.check_flags((key, getattr(options, key)) for key in _FLAGS)
    if options.action_levels % 2 == 0:
        raise ValueError(f"action_levels = {options.action_levels}; expected an odd number")
    if options.lookahead:
        check_lookahead(options)
    if options.decision_frames % options.fast_interval:
        raise ValueError(
            f"fast_interval = {options.fast_interval}; "
            f"expected a divisor of decision_frames = {options.decision_frames}"
        )


def check_lookahead(options: ControlOptions) -> None:
    """Check that cameras with these options can look ahead.

    Raises:
        ValueError: there is no particle belief, or another executor or choice of actions.
    """
    for key, value, needed in (
        ("action_mode", options.action_mode, "selection"),
        ("belief", options.belief, "particles"),
        ("executor", options.executor, "lead"),
    ):
        if value != needed:
            raise ValueError(f"{key} = {value!r}; looking ahead needs {needed!r}")
    if options.search_actions < 1:
        raise ValueError("search_actions = 0; looking ahead needs at least 1")
    if options.plan_goal == "stereo_coverage" and options.observation_mode == "own":
        raise ValueError(
            "plan_goal = 'stereo_coverage'; a camera with a view of its own plans alone: "
            "expected a shared field of view with it"
        )


def catalogue_of(options: ControlOptions, n_targets: int) -> Catalogue:
    """Return the actions of a camera among `n_targets`.

    Raises:
        ValueError: the options give no catalogue, or one that is too large.
    """
    if options.action_mode == "discrete":
        return make_moves(options.action_levels, options.decision_frames)
    return make_catalogue(
        n_targets,
        multi_selection=options.multi_selection,
        max_selected=options.max_selected,
        search_actions=options.search_actions,
    )


def baseline_of(options: ControlOptions) -> float | None:
    """Return the smallest angle of two views in which a planned target counts, in degrees.

    None: it counts in any view.
    """
    return options.min_baseline_deg if options.plan_goal == "stereo_coverage" else None


def n_particles_of(options: ControlOptions) -> int:
    """Return the number of particles of each target; none without a particle belief."""
    return options.n_particles if options.belief == "particles" else 0


def executor_of(options: ControlOptions) -> int:
    """Return the kernels' number of the rule that turns actions into pan and zoom."""
    return GRID if options.action_mode == "discrete" else EXECUTORS[options.executor]
