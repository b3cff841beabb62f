"""conf/optimizer: the arguments of the optimizers that ship with the project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from experiments.config.part import Choice, Own, Part
from experiments.config.types import Fraction, NonNegative, Positive


class SGD(Part):
    """Stochastic gradient descent."""

    CLASS = "torch.optim.SGD"

    lr: Positive = Field(examples=[0.01])
    """the learning rate"""
    momentum: Fraction = Field(examples=[0.9])
    """the share of the last step that is kept, 0 to 1"""
    dampening: Fraction = Field(examples=[0.0])
    """the share of the gradient that is kept out of the momentum, 0 to 1"""
    weight_decay: NonNegative = Field(examples=[0.0005])
    """the factor of the L2 penalty"""
    nesterov: bool = Field(examples=["false"])
    """whether to use Nesterov momentum"""
    fused: bool = Field(examples=["true"])
    """whether one kernel updates all parameters"""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> SGD:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "optimizer.nesterov=true needs optimizer.momentum above 0 and optimizer.dampening=0"
            )
        return self


class AdamW(Part):
    """Adam with decoupled weight decay."""

    CLASS = "torch.optim.AdamW"

    lr: Positive = Field(examples=[0.001])
    """the learning rate"""
    betas: list[Fraction] = Field(min_length=2, max_length=2, examples=["[0.9,0.999]"])
    """the decay rates of the means of gradient and squared gradient, a list"""
    eps: Positive = Field(examples=[1e-8])
    """the term added to the denominator, so that it is never 0"""
    weight_decay: NonNegative = Field(examples=[0.01])
    """the factor of the decoupled weight decay"""
    fused: bool = Field(examples=["true"])
    """whether one kernel updates all parameters"""


Optimizer = Annotated[Part, Choice(SGD, AdamW, own=Own)]
