"""The gradient method: groups, step sizes, weight decay apart from the gradient."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_model import model

from qplex_hrl.algorithm.optimizer import (
    build_optimizer,
    check_stored_optimizer,
    load_optimizer,
    step_optimizer,
)
from qplex_hrl.config import ADAM, OptimizerConfig
from qplex_hrl.model import QPLEXHRLModel

RATE = 0.01


def build(built: QPLEXHRLModel, recipe: OptimizerConfig) -> torch.optim.Optimizer:
    return build_optimizer(list(built.parameters()), list(built.mixer.parameters()), 1.0, recipe)


def after_a_step(
    mixer_rate: float | None = None, *, gradient: float = 0.0, **recipe: object
) -> tuple[float, float]:
    """Return how far the first weight of the cameras and of the mixer moved, from 1."""
    built = model(mixer="qplex")
    config = OptimizerConfig.model_validate({"optimizer": "rmsprop"} | recipe)
    optimizer = build(built, config)
    for parameter in built.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.full_like(parameter, gradient)
    step_optimizer(optimizer, RATE, mixer_rate)
    parts = (built.agent, built.mixer)
    camera, mixer = (1.0 - next(part.parameters()).flatten()[0].item() for part in parts)
    return camera, mixer


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_every_parameter_is_in_one_group(optimizer: str) -> None:
    built = model()
    for scale in (1.0, 3.0):
        config = OptimizerConfig.model_validate(
            {"optimizer": optimizer, "mixer_learning_rate_scale": scale}
        )
        groups = build(built, config).param_groups
        held = [id(parameter) for group in groups for parameter in group["params"]]
        assert len(groups) == (1 if scale == 1.0 else 2)
        assert sorted(held) == sorted(id(parameter) for parameter in built.parameters())


def test_the_mixer_has_its_own_step_size_if_it_is_treated_apart() -> None:
    camera, mixer = after_a_step(gradient=1.0)
    assert camera == pytest.approx(mixer)
    camera, mixer = after_a_step(gradient=1.0, mixer_learning_rate_scale=3.0)
    assert mixer == pytest.approx(3 * camera, rel=1e-3)
    camera, mixer = after_a_step(2 * RATE, gradient=1.0, mixer_learning_rate_scale=3.0)
    assert mixer == pytest.approx(2 * camera, rel=1e-3)


def test_only_the_mixers_weights_shrink_by_rate_times_decay() -> None:
    camera, mixer = after_a_step(mixer_weight_decay=0.5, mixer_learning_rate_scale=3.0)
    assert camera == 0.0
    assert mixer == pytest.approx(3 * RATE * 0.5, rel=1e-3)


# Any: torch's own mixture of tensors, numbers and lists.
CRAFTED: dict[str, Callable[[dict[str, Any]], object]] = {
    "no mapping of moments": lambda state: state.update(state=[1]),
    "no moments": lambda state: state.pop("state"),
    "no groups": lambda state: state.pop("param_groups"),
    "a group too many": lambda state: state["param_groups"].append(state["param_groups"][0]),
    "a group that is none": lambda state: state["param_groups"].__setitem__(0, 1.0),
    "no parameters": lambda state: state["param_groups"][0].pop("params"),
    "other parameters": lambda state: state["param_groups"][0].update(params=[0, 10**6]),
    "no epsilon": lambda state: state["param_groups"][0].pop("eps"),
    "one decay of moments": lambda state: state["param_groups"][0].update(betas=0.9),
    "three of them": lambda state: state["param_groups"][0].update(betas=(0.9, 0.9, 0.9)),
    "a decay above 1": lambda state: state["param_groups"][0].update(betas=(0.9, 2.0)),
    "no step size": lambda state: state["param_groups"][0].update(lr=float("nan")),
    "another kernel": lambda state: state["param_groups"][0].update(capturable=True),
    "an unknown key": lambda state: state["param_groups"][0].update(x=1),
    "moments of no parameter": lambda state: state["state"].update({10**6: state["state"][0]}),
    "moments without a number": lambda state: state["state"].update(x=state["state"][0]),
    "moments that are none": lambda state: state["state"].update({0: 3}),
    "no first moment": lambda state: state["state"][0].pop("exp_avg"),
    "no count": lambda state: state["state"][0].pop("step"),
    "a count that is a number": lambda state: state["state"][0].update(step=3),
    "a negative count": lambda state: state["state"][0].update(step=torch.tensor(-1.0)),
    "another shape": lambda state: state["state"][0].update(exp_avg=torch.zeros(1)),
    "another type": lambda state: state["state"][0].update(exp_avg=torch.zeros(1).long()),
    "negative squares": lambda state: state["state"][0]["exp_avg_sq"].fill_(-1.0),
    "infinite moments": lambda state: state["state"][0]["exp_avg"].fill_(float("inf")),
}


def stepped() -> torch.optim.Optimizer:
    built = model()
    optimizer = build(built, OptimizerConfig.model_validate({"optimizer": "adam"}))
    for parameter in built.parameters():
        parameter.grad = torch.ones_like(parameter)
    step_optimizer(optimizer, RATE)
    return optimizer


@pytest.mark.parametrize("what", CRAFTED)
def test_a_stored_state_is_checked_before_kernels_trust_it(what: str) -> None:
    optimizer = stepped()
    stored = copy.deepcopy(optimizer.state_dict())
    check_stored_optimizer(optimizer, stored)
    CRAFTED[what](stored)
    with pytest.raises(ValueError, match=r"^[^\n]*optimizer[^\n]*$"):
        check_stored_optimizer(optimizer, stored)


def test_switches_that_an_older_file_lacks_are_no_reason_to_refuse_it() -> None:
    optimizer = stepped()
    stored = copy.deepcopy(optimizer.state_dict())
    del stored["param_groups"][0]["decoupled_weight_decay"]
    check_stored_optimizer(optimizer, stored)


def stepped_by(recipe: OptimizerConfig, rate: float = RATE) -> torch.optim.Optimizer:
    """Return an optimiser of equal parameters, after one step."""
    built = model()
    for parameter in built.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.ones_like(parameter)
    optimizer = build(built, recipe)
    step_optimizer(optimizer, rate)
    return optimizer


NUMBERS: dict[str, tuple[str, dict[str, object], str, object]] = {
    "adam's epsilon": ("adam", {}, "eps", 1e-8),
    "adam's decays": ("adam", {}, "betas", (0.5, 0.5)),
    "adam's own weight decay": ("adam", {}, "weight_decay", 0.5),
    "rmsprop's epsilon": ("rmsprop", {}, "eps", 1e-8),
    "rmsprop's alpha": ("rmsprop", {}, "alpha", 0.5),
    "rmsprop's momentum": ("rmsprop", {}, "momentum", 0.5),
    "the mixer's step size": ("adam", {"mixer_learning_rate_scale": 3.0}, "scale", 5.0),
    "the mixer's decay": ("adam", {"mixer_weight_decay": 0.5}, "decay", 0.25),
}
"""A method, what else its recipe says, a number of it, and what a file says instead."""


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_are_those_of_the_recipe_and_not_of_a_file(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    method, more, name, other = NUMBERS[what]
    recipe = OptimizerConfig.model_validate({"optimizer": method} | more)
    left, right = stepped_by(recipe), stepped_by(recipe)
    stored = copy.deepcopy(left.state_dict())
    stored["param_groups"][-1][name] = other
    check_stored_optimizer(right, stored)
    load_optimizer(right, stored)
    own = right.param_groups[-1][name]
    assert own == left.param_groups[-1][name] != other
    assert f"resumed with the optimiser's {name} changed from {other} to {own}" in caplog.text
    for optimizer in (left, right):
        step_optimizer(optimizer, RATE)
    for a, b in zip(left.param_groups, right.param_groups, strict=True):
        assert all(map(torch.equal, a["params"], b["params"]))


def test_a_step_has_its_own_size_whatever_a_file_says(caplog: pytest.LogCaptureFixture) -> None:
    left, right = stepped_by(ADAM), stepped_by(ADAM)
    stored = copy.deepcopy(stepped_by(ADAM, rate=0.5).state_dict())
    load_optimizer(right, stored)
    assert not caplog.text  # the loop says so of its configuration
    for optimizer in (left, right):
        step_optimizer(optimizer, RATE)
    for a, b in zip(left.param_groups[0]["params"], right.param_groups[0]["params"], strict=True):
        assert torch.equal(a, b)
