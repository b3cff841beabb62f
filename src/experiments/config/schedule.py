"""conf/schedule: the arguments of the learning-rate schedules that ship with the project."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from experiments.config.part import Choice, Part
from experiments.config.types import Count, Finite, NonNegative, Positive


class Scheduled(Part):
    """A learning-rate schedule of torch, and its interval."""

    OWN_KEYS = frozenset({"interval"})

    interval: Literal["epoch", "batch"] = Field(examples=["epoch"])
    """whether the schedule steps once per epoch or per batch"""


class OwnSchedule(Scheduled):
    """A schedule class of the user's."""

    model_config = ConfigDict(extra="allow")


class ConstantLR(Scheduled):
    """The learning rate of the optimizer, multiplied by a factor during the first 5 steps."""

    CLASS = "torch.optim.lr_scheduler.ConstantLR"

    factor: Annotated[Finite, Field(gt=0, le=1)] = Field(examples=[1.0])
    """the factor during the first 5 steps"""


class StepLR(Scheduled):
    """The learning rate is multiplied by `gamma` every `step_size` steps."""

    CLASS = "torch.optim.lr_scheduler.StepLR"

    step_size: Count = Field(examples=[5])
    """the number of steps between two reductions"""
    gamma: Positive = Field(examples=[0.1])
    """the factor of each reduction"""


class CosineAnnealingLR(Scheduled):
    """The learning rate falls along half a cosine to `eta_min`."""

    CLASS = "torch.optim.lr_scheduler.CosineAnnealingLR"

    T_max: Count = Field(examples=["${trainer.epochs}"])
    """the number of steps to the minimum"""
    eta_min: NonNegative = Field(examples=[0.0])
    """the learning rate at the minimum"""


class OneCycleLR(Scheduled):
    """The learning rate rises and falls once over the whole run."""

    CLASS = "torch.optim.lr_scheduler.OneCycleLR"

    max_lr: Positive = Field(examples=[0.1])
    """the learning rate at the top"""
    pct_start: Annotated[Finite, Field(gt=0, lt=1)] = Field(examples=[0.3])
    """the share of the run in which the learning rate rises, 0 to 1"""
    cycle_momentum: bool = Field(examples=["false"])
    """whether the schedule changes the momentum of the optimizer"""

    @model_validator(mode="after")
    def _needs_batches(self) -> OneCycleLR:
        if self.interval != "batch":
            raise ValueError(
                "schedule.interval=epoch: schedule=onecycle steps once per batch of the run; "
                "use schedule.interval=batch"
            )
        return self


Schedule = Annotated[
    Scheduled, Choice(ConstantLR, StepLR, CosineAnnealingLR, OneCycleLR, own=OwnSchedule)
]
