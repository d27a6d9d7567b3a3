"""The training reward from what the environment reports: shaping, exploration bonus, scale.

Also each camera's difference reward. Arrays are NumPy, float64. Evaluation uses nothing of this.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from qplex_hrl.config import AlgorithmConfig, HRLConfig


def coverage_shaping(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    terminated: NDArray[np.bool_],
    discount: float,
) -> NDArray[np.float64]:
    """Return the potential-based shaping reward ``discount * after - before``, [N].

    The potential of a state is its coverage, and 0 after termination, so that the terms of an
    episode telescope and no policy gains an advantage (Ng, Harada and Russell 1999, theorem 1).

    Args:
        before: [N] coverage of the frame the decision was taken in.
        after: [N] coverage of the decision's last frame.
        terminated: [N] bool, nothing follows.
        discount: of one whole decision, as in the learner's targets.
    """
    return discount * np.where(terminated, 0.0, after) - before


class TrainingReward(NamedTuple):
    """What one decision earns in training."""

    team: NDArray[np.float64]  # [N]
    own: NDArray[np.float64]  # [N, C], of each camera's difference reward


@dataclass(frozen=True)
class Shaping:
    """Makes the training rewards of the team and of each camera.

    The team's is ``scale * (reward + shaping)``, that of camera i is
    ``scale * (coverage_rate * D_i + stereo_coverage_rate * S_i + shaping)``, where D_i and S_i are
    the coverage and the stereo coverage that would be lost without it. In both,
    ``shaping = coverage_weight * coverage shaping + bonus_weight * bonus``.

    The coverage shaping has a potential of the state alone, the same for all cameras. So it changes
    neither the team's best policies nor any camera's best response (Devlin and Kudenko 2011). The
    bonus ranks a camera's actions as it does in the team's reward.
    """

    discount: float  # of one whole decision
    coverage_weight: float
    bonus_weight: float
    scale: float
    coverage_rate: float  # the reward's coefficient of coverage
    stereo_coverage_rate: float = 0.0  # and of stereo coverage

    @classmethod
    def from_config(cls, algorithm: AlgorithmConfig, hrl: HRLConfig) -> Self:
        """Return the configured shaping."""
        return cls(
            discount=algorithm.gamma**hrl.frame_skip,
            coverage_weight=hrl.coverage_reward_weight,
            bonus_weight=hrl.exploration_bonus,
            scale=algorithm.reward_scale,
            coverage_rate=hrl.reward_coefficients.coverage_rate,
            stereo_coverage_rate=hrl.reward_coefficients.stereo_coverage_rate,
        )

    def __call__(
        self,
        reward: NDArray[np.float64],
        difference_rewards: tuple[NDArray[np.float64], NDArray[np.float64]],
        coverage: tuple[NDArray[np.float64], NDArray[np.float64]],
        bonus: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> TrainingReward:
        """Return the training rewards of one decision per environment.

        Args:
            reward: [N] configured reward of the environment, discounted within the decision.
            difference_rewards: [N, C] each, discounted likewise: share of targets that only this
                camera has in view, and of those that would not be stereo covered without it.
            coverage: [N] each, of the frame the decision was taken in and of its last frame.
            bonus: [N] unweighted exploration bonus.
            terminated: [N] bool, nothing follows.
        """
        potential = coverage_shaping(*coverage, terminated, self.discount)
        shaping = self.coverage_weight * potential + self.bonus_weight * bonus
        lost = self.coverage_rate * difference_rewards[0]
        if self.stereo_coverage_rate != 0.0:
            lost = lost + self.stereo_coverage_rate * difference_rewards[1]
        return TrainingReward(
            team=self.scale * (reward + shaping),
            own=self.scale * (lost + shaping[:, None]),
        )
