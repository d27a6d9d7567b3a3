"""Learners of small models, batches for them, and what is compared."""

import torch
from small_model import FRAMES, batch, model, world

from qplex_hrl.config import AlgorithmConfig, HRLConfig, OptimizerConfig
from qplex_hrl.learner import EAGER, Execution, Learner
from qplex_hrl.types import SequenceBatch

BURN_IN = 2
RATE = 1e-2


def learner(
    q_type: str = "hierarchical_rnn",
    mixer: str = "adaptive",
    entropy_weight: float = 0.01,
    seed: int = 0,
    burn_in: int = BURN_IN,
    execution: Execution = EAGER,
    **algorithm: object,
) -> Learner:
    hrl = HRLConfig(frame_skip=FRAMES, fast_interval=1, selection_entropy_weight=entropy_weight)
    plain = {"learning_rate": RATE, "ema_decay": 0.0, "difference_reward_weight": 0.0}
    chosen = {key: algorithm.pop(key) for key in OptimizerConfig.model_fields if key in algorithm}
    recipe = OptimizerConfig.model_validate(chosen)
    config = AlgorithmConfig.model_validate(plain | algorithm)
    return Learner(model(q_type, mixer, seed=seed), config, hrl, burn_in, execution, recipe)


def windows(one: Learner, n_windows: int = 3, length: int = 7, seed: int = 0) -> SequenceBatch:
    dims, _ = world()
    return batch(dims, one.model.agent.recurrent_size, n_windows, length, seed)


def weights(one: Learner) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in one.model.parameters()]


def end(full: SequenceBatch, row: int, decision: int) -> SequenceBatch:
    """Return the batch with a termination in window ``row``, and padding after it."""
    padded = SequenceBatch(*(field.clone() for field in full))
    padded.terminated[row, decision] = True
    padded.filled[row, decision + 1 :] = False
    padded.actions[row, decision + 1 :] = 0
    padded.reward[row, decision + 1 :] = 0.0
    for field in (padded.obs, padded.state):
        field[row, decision + 1 :] = 0.0
    padded.avail_actions[row, decision + 1 :] = False
    padded.avail_actions[row, decision + 1 :, :, 0] = True
    return padded
