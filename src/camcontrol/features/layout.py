"""Where each feature stands in the learner's observation: the only indices."""

from typing import NamedTuple

from camcontrol.planning.joint_plan import LOOKAHEAD_ACTION_FEATURES, PLAN_ADVANTAGE

CONTEXT_FEATURES, TARGET_FEATURES, ACTION_FEATURES = 18, 32, 12
"""Lengths of the feature rows (`track_features`); feature 0 of a target: known."""

GLANCE_CONTEXT_FEATURES, GLANCE_TARGET_FEATURES, GLANCE_ACTION_FEATURES = 10, 27, 11
"""How many of them come first in their row and are a glance, what cameras react to within a
decision: the camera's pose and counts; a target's estimate, obstacles and teammates; where an
action points and what it would show."""

BELIEF_CONTEXT_FEATURES, BELIEF_TARGET_FEATURES, BELIEF_ACTION_FEATURES = 16, 18, 5
"""How many features the particle belief adds to each row (`belief_features`)."""


class FeatureLayout(NamedTuple):
    """Parts of the learner's flat observation: context | targets [T, .] | actions [U, .]."""

    n_targets: int
    n_actions: int
    context_size: int = CONTEXT_FEATURES
    target_size: int = TARGET_FEATURES
    action_size: int = ACTION_FEATURES
    row_flag: int = 0
    """The feature of a target that is 1 if its row is not zero."""

    plan_advantage: int = -1
    """Index of an action's plan advantage, which is at most 0, among its features; -1: none."""

    n_target_coverages: int = 0
    """How many features at the end of an action's row are its best plan's coverage per target: T,
    or 0."""

    plan_size: int = 0
    """How many features at the end of an action's row come from planning, these included."""

    glance_sizes: tuple[int, int, int] = (
        GLANCE_CONTEXT_FEATURES,
        GLANCE_TARGET_FEATURES,
        GLANCE_ACTION_FEATURES,
    )
    """How many features come first in the rows of context, targets and actions and are a glance."""

    n_search: int = 0
    """How many actions, the last ones, search; they have no rows in a glance."""

    @property
    def size(self) -> int:
        """Length D of the learner's observation."""
        rows = self.n_targets * self.target_size + self.n_actions * self.action_size
        return self.context_size + rows

    @property
    def glance_columns(self) -> list[int]:
        """Return which features of the observation are a glance: G of them.

        Rows as in the observation, each with its first features only, `glance_sizes`, and none for
        search actions. They need no plans, and no counts of particles.
        """
        of_context, of_target, of_action = self.glance_sizes
        columns = list(range(of_context))
        start = self.context_size
        for _ in range(self.n_targets):
            columns += range(start, start + of_target)
            start += self.target_size
        for _ in range(self.n_actions - self.n_search):
            columns += range(start, start + of_action)
            start += self.action_size
        return columns


def feature_layout(
    n_targets: int,
    n_actions: int,
    *,
    n_search: int,
    particles: bool,
    lookahead: bool = False,
    by_target: bool = False,
) -> FeatureLayout:
    """Return the layout of the learner's observation.

    Args:
        n_targets: T.
        n_actions: U.
        n_search: how many of them search.
        particles: with the rows' second parts, of the particle belief.
        lookahead: with the actions' third parts, their plan features; needs the second parts.
        by_target: these include the coverage per target.
    """
    if not particles:
        return FeatureLayout(n_targets, n_actions, n_search=n_search)
    n_base = ACTION_FEATURES + BELIEF_ACTION_FEATURES
    n_target_coverages = n_targets if lookahead and by_target else 0
    return FeatureLayout(
        n_targets,
        n_actions,
        n_search=n_search,
        context_size=CONTEXT_FEATURES + BELIEF_CONTEXT_FEATURES,
        target_size=TARGET_FEATURES + BELIEF_TARGET_FEATURES,
        action_size=n_base + lookahead * LOOKAHEAD_ACTION_FEATURES + n_target_coverages,
        row_flag=TARGET_FEATURES,
        plan_advantage=n_base + PLAN_ADVANTAGE if lookahead else -1,
        n_target_coverages=n_target_coverages,
        plan_size=lookahead * LOOKAHEAD_ACTION_FEATURES + n_target_coverages,
    )
