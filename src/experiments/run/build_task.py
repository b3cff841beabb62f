"""Construction of a run's task, with its loss and metrics, and of its callbacks."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from experiments.callbacks import Callback
from experiments.config import RunConfig, TaskPart
from experiments.data.splits import Splits
from experiments.errors import InputError, did_you_mean
from experiments.target_classes import (
    accepts,
    build,
    build_function,
    build_metric,
    resolve,
    resolve_loss,
    resolve_metric,
)
from experiments.target_classes.loading import weights_only
from experiments.tasks import Loss, Metric, OfAllExamples, Task


@weights_only()
def build_task(part: TaskPart, splits: Splits) -> Task:
    """Return the task of a configuration; its loss and metrics are on the device of the data.

    Raises:
        InputError: a class, function or argument cannot be used.
    """
    task = build("task", resolve("task", part.target, Task), {}, part.arguments())
    task.loss = _loss(part, splits)
    task.metrics = {
        name: _metric(part, name, task.outputs(splits), splits) for name in part.metrics
    }
    return task


@weights_only()
def build_callbacks(config: RunConfig) -> dict[str, Callback]:
    """Return the callbacks of a configuration, by name.

    Raises:
        InputError: a class or an argument cannot be used.
    """
    built: dict[str, Callback] = {}
    for name, part in config.callbacks.items():
        key = f"callbacks.{name}"
        cls = resolve(key, part.target, Callback)
        for moment in dir(cls):
            if moment.startswith("on_") and not hasattr(Callback, moment):
                moments = [each for each in dir(Callback) if each.startswith("on_")]
                raise InputError(
                    f"{key}: {cls.__name__}.{moment} would never be called; "
                    f"{did_you_mean(moment, moments)}"
                )
        built[name] = build(key, cls, {}, part.arguments())
    return built


def _loss(part: TaskPart, splits: Splits) -> Loss:
    key, arguments = "task.loss", part.loss.arguments()
    found = resolve_loss(key, part.loss.target)
    if not isinstance(found, type):
        return cast("Loss", build_function(key, found, arguments, takes=2))
    loss: nn.Module = build(key, cast("type[Any]", found), {}, arguments)
    if any(parameter.requires_grad for parameter in loss.parameters()):
        raise InputError(
            f"{key}: {type(loss).__name__} has parameters to train, and the optimizer has those of "
            "the model only; move them into the model"
        )
    return loss.to(splits.train.labels.device)


def _metric(part: TaskPart, name: str, outputs: int | None, splits: Splits) -> Metric:
    key, metric = f"task.metrics.{name}", part.metrics[name]
    arguments, given = metric.arguments(), {}
    found = resolve_metric(key, metric.target)
    if not isinstance(found, type):
        return OfAllExamples(build_function(key, found, arguments, takes=2))
    if outputs is not None and accepts(found, "num_classes") and "num_classes" not in arguments:
        given["num_classes"] = outputs
    made: Metric = build_metric(key, found, given, arguments)
    higher = getattr(made, "higher_is_better", None)
    if higher is not None and higher != (metric.direction == "maximize"):
        right = "maximize" if higher else "minimize"
        raise InputError(f"{key}.direction={metric.direction}: {metric.target} says {right}")
    if isinstance(made, nn.Module):
        made.to(splits.train.labels.device)
    return made
