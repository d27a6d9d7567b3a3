"""How a learner's gradient step is made; no keys of a run, which always takes the defaults."""

from typing import Literal

from pydantic import Field

from qplex_hrl.config.section import Section, Weight

__all__ = ["ADAM", "OptimizerConfig"]


class OptimizerConfig(Section):
    """Loss and gradient method of the learner; the didactic games alone change them."""

    optimizer: Literal["adam", "rmsprop"] = Field(default="adam", description="gradient method")
    optimizer_eps: float = Field(
        default=1e-5,
        ge=1e-12,
        le=1,
        description="least root mean square that a gradient is divided by",
    )
    rmsprop_alpha: float = Field(
        default=0.99, ge=0, lt=1, description="memory of RMSprop's mean square of gradients"
    )
    mixer_weight_decay: Weight = Field(
        default=0.0,
        description="rate at which the mixer's weights shrink, times its step size",
    )
    mixer_learning_rate_scale: float = Field(
        default=1.0,
        ge=1e-3,
        le=1e3,
        description="the mixer's step size over that of all other parts",
    )
    loss: Literal["huber", "mse"] = Field(default="huber", description="loss of a TD error")


ADAM = OptimizerConfig()
"""What every run takes."""
