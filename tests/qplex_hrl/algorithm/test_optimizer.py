"""The gradient method: groups, step sizes, weight decay apart from the gradient."""

import pytest
import torch
from small_model import model

from qplex_hrl.algorithm.optimizer import build_optimizer, step_optimizer
from qplex_hrl.config import OptimizerConfig
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
