"""The gradient method: which parameters form a group, their step sizes, decoupled weight decay."""

from typing import Any

import torch

from qplex_hrl.config import AlgorithmConfig
from qplex_hrl.model import QPLEXHRLModel


def build_optimizer(model: QPLEXHRLModel, config: AlgorithmConfig) -> torch.optim.Optimizer:
    """Return the configured optimiser; the mixer is a group of its own if it is treated apart."""
    scale, decay = config.mixer_learning_rate_scale, config.mixer_weight_decay
    mixer = list(model.mixer.parameters())
    # Any: torch's groups mix lists of parameters and numbers.
    groups: list[dict[str, Any]] = [{"params": list(model.parameters())}]
    if mixer and (scale != 1.0 or decay > 0.0):
        others = [*model.agent.parameters(), *model.state_encoder.parameters()]
        groups = [{"params": others}, {"params": mixer, "scale": scale, "decay": decay}]
    lr, eps = config.learning_rate, config.optimizer_eps
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=lr, eps=eps, fused=True)
    return torch.optim.RMSprop(groups, lr=lr, alpha=config.rmsprop_alpha, eps=eps, foreach=True)


def step_optimizer(
    optimizer: torch.optim.Optimizer, learning_rate: float, mixer_learning_rate: float | None = None
) -> None:
    """Step all parameters by their gradients, then let the mixer's weights shrink.

    Args:
        optimizer: of ``build_optimizer``.
        learning_rate: of this step.
        mixer_learning_rate: the mixer's, if it is a group of its own; None: ``learning_rate`` times
            the group's scale.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("scale", 1.0)
        if "scale" in group and mixer_learning_rate is not None:
            group["lr"] = mixer_learning_rate
    optimizer.step()
    for group in optimizer.param_groups:
        if group.get("decay", 0.0) > 0:  # apart from the gradient (Loshchilov and Hutter 2019)
            torch._foreach_mul_(
                [parameter.data for parameter in group["params"]],
                1.0 - group["lr"] * group["decay"],
            )
