"""conf/schedule: the arguments of the learning-rate schedules that ship with the project."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from experiments.config.part import Choice, Own, Part, optional
from experiments.config.types import Count, Finite, Fraction, NonNegative, Positive

Share = Annotated[Finite, Field(gt=0, lt=1)]
Factor = Annotated[Finite, Field(gt=0, le=1)]


class Scheduled(Part):
    """A learning-rate schedule of torch, and its interval."""

    OWN_KEYS = frozenset({"interval"})

    interval: Literal["epoch", "batch"] = Field(examples=["epoch"])
    """whether the schedule steps once per epoch or per batch"""


class OwnSchedule(Scheduled):
    """A schedule class of the user's."""

    model_config = ConfigDict(extra="allow")


class ConstantLR(Part):
    """The learning rate of the optimizer, multiplied by a factor during the first steps."""

    CLASS = "torch.optim.lr_scheduler.ConstantLR"

    factor: Factor = Field(default=1 / 3, examples=[1.0])
    """the factor during the first steps"""
    total_iters: Annotated[int, Field(ge=0)] = optional(5, examples=[5])
    """the number of steps with the factor"""


class LinearLR(Part):
    """The learning rate is multiplied by a factor that changes linearly during the first steps."""

    CLASS = "torch.optim.lr_scheduler.LinearLR"

    start_factor: Factor = Field(default=1 / 3, examples=[0.1])
    """the factor of the first step"""
    end_factor: Annotated[Finite, Field(ge=0, le=1)] = Field(default=1.0, examples=[1.0])
    """the factor from the last of these steps on"""
    total_iters: Count = Field(default=5, examples=[5])
    """the number of steps in which the factor changes"""


class StepLR(Part):
    """The learning rate is multiplied by `gamma` every `step_size` steps."""

    CLASS = "torch.optim.lr_scheduler.StepLR"

    step_size: Count = Field(examples=[5])
    """the number of steps between two reductions"""
    gamma: Positive = Field(default=0.1, examples=[0.1])
    """the factor of each reduction"""


class CosineAnnealingLR(Part):
    """The learning rate falls along half a cosine to `eta_min`."""

    CLASS = "torch.optim.lr_scheduler.CosineAnnealingLR"

    T_max: Count | None = Field(default=None, examples=["${trainer.epochs}"])
    """the number of steps to the minimum; null for all steps that the schedule has"""
    eta_min: NonNegative = Field(default=0.0, examples=[0.0])
    """the learning rate at the minimum"""


class OneCycleLR(Part):
    """The learning rate rises and falls once over the whole run."""

    CLASS = "torch.optim.lr_scheduler.OneCycleLR"

    max_lr: Positive = Field(examples=[0.1])
    """the learning rate at the top"""
    total_steps: Count | None = optional(None, examples=["null"])
    """the number of steps of the cycle; null for all steps that the schedule has"""
    pct_start: Share = Field(default=0.3, examples=[0.3])
    """the share of the run in which the learning rate rises, 0 to 1"""
    anneal_strategy: Literal["cos", "linear"] = optional("cos", examples=["linear"])
    """the form of the rise and the fall"""
    cycle_momentum: bool = Field(default=True, examples=["false"])
    """whether the schedule changes the momentum of the optimizer"""
    base_momentum: Fraction = optional(0.85, examples=[0.85])
    """the momentum at the top of the learning rate"""
    max_momentum: Fraction = optional(0.95, examples=[0.95])
    """the momentum at the beginning and at the end"""
    div_factor: Positive = optional(25.0, examples=[10])
    """the top divided by the first learning rate"""
    final_div_factor: Positive = optional(1e4, examples=[1e4])
    """the first learning rate divided by the last"""
    three_phase: bool = optional(False, examples=["true"])
    """whether the fall has a phase of its own below the first learning rate"""

    @model_validator(mode="after")
    def _needs_batches(self) -> OneCycleLR:
        if getattr(self, "interval", "batch") != "batch":
            raise ValueError(
                "schedule.interval=epoch: schedule=onecycle steps once per batch of the run; "
                "use schedule.interval=batch"
            )
        return self


class LambdaLR(Part):
    """The learning rate is multiplied by a function of the step."""

    CLASS = "torch.optim.lr_scheduler.LambdaLR"

    lr_lambda: Own = Field(examples=["{_target_: my_schedules.factor}"])
    """a function of your own (step: int) -> float, by _target_, with further arguments"""


class ReduceLROnPlateau(Part):
    """The learning rate is reduced when trainer.monitor has not improved for some epochs."""

    CLASS = "torch.optim.lr_scheduler.ReduceLROnPlateau"

    mode: Literal["min", "max"] | None = Field(default=None, examples=["min"])
    """whether a smaller or a larger value is better; null for the metric's own direction"""
    factor: Share = Field(default=0.1, examples=[0.1])
    """the factor of each reduction"""
    patience: Annotated[int, Field(ge=0)] = Field(default=10, examples=[3])
    """the number of epochs without improvement before a reduction"""
    threshold: NonNegative = Field(default=1e-4, examples=[1e-4])
    """the change that an improvement must exceed"""
    threshold_mode: Literal["rel", "abs"] = optional("rel", examples=["abs"])
    """whether the threshold is a share of the best value, or a difference"""
    cooldown: Annotated[int, Field(ge=0)] = optional(0, examples=[2])
    """the number of epochs after a reduction in which none is counted"""
    min_lr: NonNegative = Field(default=0.0, examples=[1e-5])
    """the smallest learning rate"""
    eps: NonNegative = optional(1e-8, examples=[1e-8])
    """the smallest reduction"""


Nested = Annotated[
    Part,
    Choice(ConstantLR, LinearLR, StepLR, CosineAnnealingLR, OneCycleLR, LambdaLR, own=Own),
]
"""a schedule in another one, which has the interval"""


class ChainedScheduler(Part):
    """The factors of several schedules are multiplied."""

    CLASS = "torch.optim.lr_scheduler.ChainedScheduler"

    schedulers: list[Nested] = Field(min_length=1)
    """the schedules, a list"""


class SequentialLR(Part):
    """Several schedules follow one another."""

    CLASS = "torch.optim.lr_scheduler.SequentialLR"

    schedulers: list[Nested] = Field(min_length=1)
    """the schedules, a list"""
    milestones: list[Count] = Field(examples=["[2]"])
    """the steps at which the second and each further schedule begins, a list"""

    @model_validator(mode="after")
    def _follow_one_another(self) -> SequentialLR:
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"schedule.milestones={self.milestones}: {len(self.schedulers)} schedules need "
                f"{len(self.schedulers) - 1} milestones, the steps at which a schedule begins"
            )
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"schedule.milestones={self.milestones}: they must rise; sort them")
        return self


class _Constant(ConstantLR, Scheduled): ...


class _Linear(LinearLR, Scheduled): ...


class _Step(StepLR, Scheduled): ...


class _Cosine(CosineAnnealingLR, Scheduled): ...


class _OneCycle(OneCycleLR, Scheduled): ...


class _Lambda(LambdaLR, Scheduled): ...


class Plateau(ReduceLROnPlateau, Scheduled):
    """A `ReduceLROnPlateau` that is the schedule of a run."""

    @model_validator(mode="after")
    def _needs_epochs(self) -> Plateau:
        if self.interval != "epoch":
            raise ValueError(
                "schedule.interval=batch: ReduceLROnPlateau looks at a metric of each epoch; use "
                "schedule.interval=epoch"
            )
        return self


class _Chained(ChainedScheduler, Scheduled): ...


class _Sequential(SequentialLR, Scheduled): ...


Schedule = Annotated[
    Scheduled,
    Choice(
        *(_Constant, _Linear, _Step, _Cosine, _OneCycle, _Lambda, Plateau, _Chained, _Sequential),
        own=OwnSchedule,
    ),
]
