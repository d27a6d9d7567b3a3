"""The gradient method: which parameters form a group, their step sizes, decoupled weight decay."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from qplex_hrl.config import OptimizerConfig
from qplex_hrl.storage.stored_values import check_tensor, mapping_of, number_of

_ADAM = frozenset({"exp_avg", "exp_avg_sq"})
_RMSPROP = frozenset({"square_avg"})
_LOG = logging.getLogger(__name__)
_SQUARES = {_ADAM: "exp_avg_sq", _RMSPROP: "square_avg"}


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


def load_optimizer(optimizer: torch.optim.Optimizer, stored: Mapping[str, Any]) -> None:
    """Take over moments and the last step's size; all other numbers stay those of the recipe.

    PyTorch's own way would take these over, too, whatever the configuration says. Every step has a
    size of its own.

    Args:
        optimizer: of ``build_optimizer``.
        stored: a state that ``check_stored_optimizer`` accepts.
    """
    own = optimizer.state_dict()["param_groups"]
    for ours, group in zip(own, stored["param_groups"], strict=True):
        ours["lr"] = group["lr"]
        for name in ours.keys() & group.keys() - {"params"}:
            was, now = _plain(group[name]), _plain(ours[name])
            if was != now:
                _LOG.warning(
                    "resumed with the optimiser's %s changed from %s to %s", name, was, now
                )
    optimizer.load_state_dict({"state": stored["state"], "param_groups": own})


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def check_stored_optimizer(optimizer: torch.optim.Optimizer, value: object) -> None:
    """Check a stored state of an optimiser like ours, whose kernels trust every size.

    Raises:
        ValueError: it is of other parameters or another method, or out of its range; one line.
    """
    stored, own = mapping_of(value, "optimizer"), optimizer.state_dict()["param_groups"]
    groups, moments = stored.get("param_groups"), stored.get("state")
    if not isinstance(groups, list) or len(groups) != len(own) or not isinstance(moments, dict):
        raise ValueError("optimizer has other groups of parameters than this configuration")
    for index, (group, ours) in enumerate(zip(groups, own, strict=True)):
        _check_group(mapping_of(group, "optimizer"), ours, f"optimizer.param_groups[{index}]")
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    names = _ADAM if isinstance(optimizer, torch.optim.Adam) else _RMSPROP
    for key, each in moments.items():
        place = f"optimizer.state[{key!r:.20}]"
        if type(key) is not int or not 0 <= key < len(parameters):
            raise ValueError(f"{place} is of no parameter")
        moment = mapping_of(each, place)
        if moment.keys() != names | {"step"}:
            raise ValueError(f"{place} is of another method; expected {', '.join(sorted(names))}")
        check_tensor(moment["step"], torch.zeros((), dtype=torch.float32), f"{place}.step")
        for name in sorted(names):
            check_tensor(moment[name], parameters[key].detach(), f"{place}.{name}")
        squares = moment[_SQUARES[names]]
        assert isinstance(squares, torch.Tensor)
        step = moment["step"]
        assert isinstance(step, torch.Tensor)
        if float(step) < 0.0 or bool((squares < 0.0).any()):
            raise ValueError(f"{place} holds a negative count or square")


def _check_group(group: Mapping[str, object], own: Mapping[str, object], place: str) -> None:
    """Check a group's parameters and the numbers that its method works with."""
    # PyTorch gives its switches a value where an older file has none, but no number.
    needed = {name for name, ours in own.items() if ours is not None and not isinstance(ours, bool)}
    odd = group.keys() - own.keys() or needed - group.keys()
    if odd:
        raise ValueError(
            f"{place} is of another gradient method ({min(odd)}); "
            "expected the one that the checkpoint was trained with"
        )
    if group.get("params") != own["params"]:
        raise ValueError(f"{place} is of other parameters")
    for name, value in group.items():
        ours = own[name]
        if ours is None or isinstance(ours, bool):
            if value is not ours:
                raise ValueError(f"{place}.{name} is {value!r:.40}; expected {ours}")
        elif name == "betas":
            if not isinstance(value, list | tuple) or len(value) != 2:
                raise ValueError(f"{place}.betas is no pair")
            for beta in value:
                number_of(beta, f"{place}.betas", 1.0)
        elif name != "params":
            number_of(value, f"{place}.{name}")


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
