"""The gradient method: which parameters form a group, their step sizes, decoupled weight decay."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from qplex_hrl.config import OptimizerConfig


def build_optimizer(
    parameters: Sequence[nn.Parameter],
    mixer: Sequence[nn.Parameter],
    learning_rate: float,
    recipe: OptimizerConfig,
) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe; the mixer is a group of its own if it is treated apart.

    Args:
        parameters: of the whole model.
        mixer: those of them that are the mixer's.
        learning_rate: at first.
        recipe: gradient method, and how it treats the mixer.
    """
    scale, decay = recipe.mixer_learning_rate_scale, recipe.mixer_weight_decay
    # Any: torch's groups mix lists of parameters and numbers.
    groups: list[dict[str, Any]] = [{"params": list(parameters)}]
    if mixer and (scale != 1.0 or decay > 0.0):
        of_mixer = {id(parameter) for parameter in mixer}
        others = [parameter for parameter in parameters if id(parameter) not in of_mixer]
        groups = [{"params": others}, {"params": list(mixer), "scale": scale, "decay": decay}]
    lr, eps = learning_rate, recipe.optimizer_eps
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=lr, eps=eps, fused=True)
    return torch.optim.RMSprop(groups, lr=lr, alpha=recipe.rmsprop_alpha, eps=eps, foreach=True)


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
