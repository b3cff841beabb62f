"""conf/optimizer: the arguments of the optimizers that ship with the project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from experiments.config.part import Choice, Own, Part, optional
from experiments.config.types import Fraction, NonNegative, Positive


class _Fused(Part):
    """The arguments that choose how torch computes a step."""

    fused: bool = Field(default=True, examples=["true"])
    """whether one kernel updates all parameters; this is the fastest way, so it is our default"""
    foreach: bool | None = optional(None, examples=["true"])
    """whether a few kernels update all parameters; null leaves it to torch"""
    differentiable: bool = optional(False, examples=["false"])
    """whether a step can be differentiated"""
    maximize: bool = optional(False, examples=["true"])
    """whether the loss is maximised"""

    @model_validator(mode="after")
    def _has_one_way(self) -> _Fused:
        for name in ("foreach", "differentiable"):
            if getattr(self, name) and self.fused:
                raise ValueError(
                    f"optimizer.{name}=true: is another way than optimizer.fused=true; set "
                    "optimizer.fused=false too"
                )
        return self


class SGD(_Fused):
    """Stochastic gradient descent."""

    CLASS = "torch.optim.SGD"

    lr: Positive = Field(default=0.001, examples=[0.01])
    """the learning rate"""
    momentum: Fraction = Field(default=0.0, examples=[0.9])
    """the share of the last step that is kept, 0 to 1"""
    dampening: Fraction = Field(default=0.0, examples=[0.0])
    """the share of the gradient that is kept out of the momentum, 0 to 1"""
    weight_decay: NonNegative = Field(default=0.0, examples=[0.0005])
    """the factor of the L2 penalty"""
    nesterov: bool = Field(default=False, examples=["false"])
    """whether to use Nesterov momentum"""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> SGD:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "optimizer.nesterov=true needs optimizer.momentum above 0 and optimizer.dampening=0"
            )
        return self


class AdamW(_Fused):
    """Adam with decoupled weight decay."""

    CLASS = "torch.optim.AdamW"

    lr: Positive = Field(default=0.001, examples=[0.001])
    """the learning rate"""
    betas: list[Fraction] = Field(
        default=[0.9, 0.999], min_length=2, max_length=2, examples=["[0.9,0.999]"]
    )
    """the decay rates of the means of gradient and squared gradient, a list"""
    eps: Positive = Field(default=1e-8, examples=[1e-8])
    """the term added to the denominator, so that it is never 0"""
    weight_decay: NonNegative = Field(default=0.01, examples=[0.01])
    """the factor of the decoupled weight decay"""
    amsgrad: bool = optional(False, examples=["true"])
    """whether the largest mean of the squared gradient is used (Reddi et al., 2018)"""
    capturable: bool = optional(False, examples=["false"])
    """whether a step can be captured in a CUDA graph"""


Optimizer = Annotated[Part, Choice(SGD, AdamW, own=Own)]
