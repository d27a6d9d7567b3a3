"""The training reward from what the environment reports: shaping, exploration bonus, scale.

Also each camera's credit. Arrays are NumPy, float64; evaluation never sees any of this.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Shaping:
    """``scale * (reward + coverage_weight * coverage shaping + bonus_weight * bonus)``."""

    discount: float  # of one whole decision
    coverage_weight: float
    bonus_weight: float
    scale: float
    credit_scale: float  # of a camera's credit

    @classmethod
    def from_config(cls, algorithm: AlgorithmConfig, hrl: HRLConfig) -> Self:
        """Return the configured shaping."""
        return cls(
            discount=algorithm.gamma**hrl.fast_interval,
            coverage_weight=hrl.coverage_reward_weight,
            bonus_weight=hrl.exploration_bonus,
            scale=algorithm.reward_scale,
            credit_scale=algorithm.reward_scale * hrl.reward_coefficients.coverage_rate,
        )

    def __call__(
        self,
        reward: NDArray[np.float64],
        coverage_before: NDArray[np.float64],
        coverage_after: NDArray[np.float64],
        bonus: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Return the training reward [N] of one decision per environment.

        Args:
            reward: [N] configured reward of the environment, discounted within the decision.
            coverage_before: [N] coverage of the frame the decision was taken in.
            coverage_after: [N] coverage of the decision's last frame.
            bonus: [N] unweighted exploration bonus.
            terminated: [N] bool, nothing follows.
        """
        shaping = coverage_shaping(coverage_before, coverage_after, terminated, self.discount)
        return self.scale * (reward + self.coverage_weight * shaping + self.bonus_weight * bonus)

    def credit(self, credit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the training credit [N, C] of one decision: its coverage, scaled as in the reward.

        Args:
            credit: [N, C] share of targets that only this camera has in view, discounted within
                the decision.
        """
        return self.credit_scale * credit
