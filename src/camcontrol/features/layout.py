"""Where each feature stands in the learner's observation: the only indices."""

from typing import NamedTuple

from camcontrol.planning.joint_plan import LOOKAHEAD_OPTION_FEATURES, PLAN_GAIN

CONTEXT_FEATURES, TARGET_FEATURES, OPTION_FEATURES = 18, 32, 12
"""Lengths of the feature rows (`track_features`); feature 0 of a target: known."""

CLOUD_CONTEXT_FEATURES, CLOUD_TARGET_FEATURES, CLOUD_OPTION_FEATURES = 16, 18, 5
"""What the particle belief adds to each (camcontrol/features/belief_features.py)."""


class FeatureLayout(NamedTuple):
    """Parts of the learner's flat observation: context | targets [T, .] | options [U, .]."""

    n_targets: int
    n_actions: int
    context_size: int = CONTEXT_FEATURES
    target_size: int = TARGET_FEATURES
    option_size: int = OPTION_FEATURES
    row_flag: int = 0
    """The feature of a target that is 1 if its row is not zero."""

    plan_gain: int = -1
    """The feature of an action that tells what its best plan gains, at most 0; -1: none does."""

    n_target_shares: int = 0
    """How many features at the end of an action's row tell what its best plan covers of a target:
    T, or 0."""

    @property
    def size(self) -> int:
        """Length D of the learner's observation."""
        rows = self.n_targets * self.target_size + self.n_actions * self.option_size
        return self.context_size + rows


def feature_layout(
    n_targets: int,
    n_actions: int,
    *,
    clouds: bool,
    lookahead: bool = False,
    by_target: bool = False,
) -> FeatureLayout:
    """Return the layout of the learner's observation.

    Args:
        n_targets: T.
        n_actions: U.
        clouds: with the rows' second parts, of the particle belief.
        lookahead: with the actions' third parts, which needs the second.
        by_target: these also tell of every target.
    """
    if not clouds:
        return FeatureLayout(n_targets, n_actions)
    n_base = OPTION_FEATURES + CLOUD_OPTION_FEATURES
    n_target_shares = n_targets if lookahead and by_target else 0
    return FeatureLayout(
        n_targets,
        n_actions,
        context_size=CONTEXT_FEATURES + CLOUD_CONTEXT_FEATURES,
        target_size=TARGET_FEATURES + CLOUD_TARGET_FEATURES,
        option_size=n_base + lookahead * LOOKAHEAD_OPTION_FEATURES + n_target_shares,
        row_flag=TARGET_FEATURES,
        plan_gain=n_base + PLAN_GAIN if lookahead else -1,
        n_target_shares=n_target_shares,
    )
