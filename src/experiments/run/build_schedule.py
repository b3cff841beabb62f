"""Construction of a run's learning-rate schedule, which may hold further ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from experiments.config import RunConfig
from experiments.config.part import Part
from experiments.config.schedule import ChainedScheduler, LambdaLR, SequentialLR
from experiments.errors import InputError
from experiments.target_classes import (
    accepts,
    build,
    build_function,
    resolve,
    resolve_function,
)

_LENGTHS = ("total_steps", "T_max")
"""the arguments of schedules that are, unless they are given, the number of their steps"""


def build_schedule(config: RunConfig, optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """Return the schedule of a run with `total_steps` optimizer steps.

    Raises:
        InputError: a class, function or argument cannot be used.
    """
    part = config.schedule
    steps = config.trainer.epochs if part.interval == "epoch" else total_steps
    schedule = _build("schedule", part, optimizer, steps)
    if isinstance(schedule, ReduceLROnPlateau):
        if part.interval == "batch":
            raise InputError(
                f"schedule.interval=batch: {type(schedule).__name__} looks at a metric of each "
                "epoch; use schedule.interval=epoch"
            )
        if config.data.validation_size == 0:
            raise InputError(
                f"schedule._target_={part.target}: looks at {config.trainer.monitor}, and there is "
                "no validation split; set data.validation_size, for example to 5000"
            )
    return schedule


def nested_in(schedule: LRScheduler) -> Sequence[LRScheduler]:
    """Return the schedules that a schedule of torch holds."""
    return getattr(schedule, "_schedulers", ())


def _build(key: str, part: Part, optimizer: Optimizer, steps: int) -> LRScheduler:
    """Return the schedule of a part, which has a number of steps."""
    cls = resolve(key, part.target, LRScheduler)
    arguments, given = (
        part.arguments(),
        {"optimizer": optimizer, **_nested(key, part, optimizer, steps)},
    )
    for name in _LENGTHS:
        told = arguments.get(name)
        if accepts(cls, name) and told is None:
            given[name] = steps
        if name == "total_steps" and told is not None and told < steps:
            raise InputError(
                f"{key}.{name}={told}: the schedule has {steps} steps; set it to {steps}, or leave "
                "it out"
            )
    told = {name: value for name, value in arguments.items() if name not in given}
    return build(key, cls, given, told)


def _nested(key: str, part: Part, optimizer: Optimizer, steps: int) -> dict[str, Any]:
    """Return the arguments of a schedule that are functions or schedules themselves."""
    if isinstance(part, LambdaLR):
        place, inner = f"{key}.lr_lambda", part.lr_lambda
        function = resolve_function(place, inner.target, float)
        return {"lr_lambda": build_function(place, function, inner.arguments(), takes=1)}
    if not isinstance(part, SequentialLR | ChainedScheduler):
        return {}
    lengths = [steps] * len(part.schedulers)
    if isinstance(part, SequentialLR):
        bounds = [0, *part.milestones, steps]
        if bounds[-2] >= steps:
            is_one = len(part.milestones) == 1 and steps > 1
            smaller = f"set {key}.milestones=[{steps - 1}], " if is_one else "set "
            raise InputError(
                f"{key}.milestones={part.milestones}: the schedule has {steps} "
                f"{'step' if steps == 1 else 'steps'}, so that its last part would never begin; "
                f"{smaller}more trainer.epochs, or {key}.interval=batch, which counts batches"
            )
        lengths = [end - begin for begin, end in pairwise(bounds)]
    return {
        "schedulers": [
            _build_inner(f"{key}.schedulers.{number}", each, optimizer, length)
            for number, (each, length) in enumerate(zip(part.schedulers, lengths, strict=True))
        ]
    }


def _build_inner(key: str, part: Part, optimizer: Optimizer, steps: int) -> LRScheduler:
    schedule = _build(key, part, optimizer, steps)
    if isinstance(schedule, ReduceLROnPlateau):
        raise InputError(
            f"{key}._target_={part.target}: cannot be nested, since it looks at a metric; choose "
            "another class"
        )
    return schedule
