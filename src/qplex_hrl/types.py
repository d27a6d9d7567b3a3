"""Records passed between the parts of the learner.

Shape letters: B sequences, L decisions, C cameras, T targets, U selectable actions, D observation
length, S state length, E state embedding length, R recurrent state of one camera, G values after
mixing.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class ModelDims:
    """Sizes that the world dictates to the networks.

    One observation is the vector ``context | targets | actions`` with ``context_size``,
    ``n_targets * target_size`` and ``n_actions * action_size`` entries.
    """

    n_agents: int
    n_targets: int
    n_actions: int
    context_size: int
    target_size: int
    action_size: int
    state_size: int
    row_flag: int = 0
    """The feature of a target that is 1 if its row is not zero."""

    plan_advantage: int = -1
    """Index of an action's plan advantage among its features; -1: none."""

    n_target_coverages: int = 0
    """How many features at the end of an action's row are its best plan's coverage per target: T,
    or 0."""

    plan_size: int = 0
    """How many features at the end of an action's row come from planning, these included."""

    glance_columns: tuple[int, ...] = ()
    """Which features of an observation are a glance, what a camera reacts to within a decision."""

    glance_sizes: tuple[int, int, int] = (0, 0, 0)
    """How many of them are in its context, in the row of each target and in that of each action."""

    n_search: int = 0
    """How many actions, the last ones, search; they have no rows in a glance."""

    @property
    def obs_size(self) -> int:
        """Length D of one camera's observation."""
        return (
            self.context_size
            + self.n_targets * self.target_size
            + self.n_actions * self.action_size
        )


class SequenceBatch(NamedTuple):
    """Windows of consecutive decisions; decision t leads from frame t to frame t + 1.

    Every window holds decisions of one episode. Before its first decision and after its end is
    padding; there ``filled`` is false and only action 0 is available. Where ``filled`` is true and
    ``terminated`` is false, frame t + 1 is a frame of the same episode, to bootstrap from. An
    episode's first decision after padding is at the latest the first after the burn-in.
    """

    obs: Tensor  # [B, L+1, C, D] float16, as stored, or float32
    state: Tensor  # [B, L+1, S] float32
    avail_actions: Tensor  # [B, L+1, C, U] bool, at least one true per camera
    actions: Tensor  # [B, L, C] int64
    reward: Tensor  # [B, L] float32, the team's
    difference_reward: Tensor  # [B, L, C] float32, each camera's own
    terminated: Tensor  # [B, L] bool, nothing follows
    truncated: Tensor  # [B, L] bool, cut off: the value of frame t + 1 still counts
    filled: Tensor  # [B, L] bool
    hidden_state: Tensor  # [B, C, R] float32, recurrent state before frame 0; zero before padding


class AgentOutput(NamedTuple):
    """What the cameras' network says about L frames (without the axis L for a single decision)."""

    q_values: Tensor  # [B, L, C, U]
    hidden_state: Tensor  # [B, C, R] after the last frame
    fast_probs: Tensor  # [B, L, C, T+1], the last entry is "search"; zero without selectors
    slow_probs: Tensor  # [B, L, C, T+1]


class MixerOutput(NamedTuple):
    """Mixed values and, from the adaptive mixer, what its gate did."""

    q_tot: Tensor  # [B, L, G], G = 1, or C without mixing
    gate: Tensor | None = None  # [B, L] in [0, 1], share of the complex mixer
    complexity: Tensor | None = None  # [B, L] in [0, 1]
