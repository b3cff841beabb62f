"""The training loop as plain functions. Shapes: B batch, C channels, H and W pixels, K classes.

"The article" is "Model definition and training in PyTorch", shared/article/article.txt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.callbacks.moments import NO_CALLBACKS, Moments
from experiments.data.batches import batches, count_batches, order_of
from experiments.data.splits import Split
from experiments.distributed.team import ALONE, Team
from experiments.randomness import derive, seed_all
from experiments.tasks import Task
from experiments.training.compiled_steps import CompiledSteps, compiled_steps
from experiments.training.evaluation import evaluate, value_of
from experiments.training.gradients import Autograd, Gradients
from experiments.training.marks import NO_MARKS, OPTIMIZER, Marks
from experiments.training.position import Log, Position
from experiments.training.precision import Precision
from experiments.training.schedules import step_schedule
from experiments.training.updates import Updates


def fit(
    *,
    model: nn.Module,
    task: Task,
    optimizer: Optimizer,
    schedule: LRScheduler,
    schedule_interval: Literal["epoch", "batch"],
    train: Split,
    validation: Split | None,
    epochs: int,
    batch_size: int,
    limit_batches: int | None,
    seed: int,
    position: Position,
    log: Log,
    after_epoch: Callable[[], None],
    after_batch: Callable[[], None],
    monitor: str = "val_loss",
    accumulate: int = 1,
    clip: Callable[[], object] | None = None,
    moments: Moments = NO_CALLBACKS,
    gradients: Gradients | None = None,
    team: Team = ALONE,
    precision: Precision = "float32",
    marks: Marks = NO_MARKS,
) -> None:
    """Train a model in place, from a position to the end.

    After every epoch, counted from 1, `log` gets `train_loss` (the mean of the batch losses, as
    the article prints it), `lr` (at the beginning of the epoch), `epoch_seconds` (training alone,
    in seconds) and, with a validation split, `val_loss` and `val_<name>` of each metric.

    Args:
        model: takes float32 (B, C, H, W), returns the outputs of the task.
        task: the targets, the loss and the metrics.
        optimizer: holds the model's parameters.
        schedule: holds the optimizer.
        schedule_interval: the schedule steps after each epoch, or after each optimizer step.
        train: the training split, on the model's device.
        validation: evaluated after each epoch if given.
        epochs: the number of passes over the training split.
        batch_size: B.
        limit_batches: the largest number of batches in an epoch; None for all.
        seed: shuffles, dropout and all other random numbers of epoch e derive from (seed, e).
        position: the position to begin at; the other objects must be in the same state.
        log: receives the metrics and the epoch.
        after_epoch: called after every epoch, when the position is at the beginning of the next;
            may set `position.stopped`.
        after_batch: called after every optimizer step, or a few compiled ones, and every batch of
            an evaluation. An exception of it ends the training at a position from which the run can
            be resumed.
        monitor: the metric that `ReduceLROnPlateau` looks at.
        accumulate: the number of batches whose mean gradient makes an optimizer step; the last
            step of an epoch may have fewer.
        clip: bounds the gradients of the parameters before each step; None for no bound.
        moments: the callbacks, called in the course of the training.
        gradients: computes the losses and gradients of batches; None for torch's autograd.
        team: the processes that share the batches of an evaluation.
        precision: that of the evaluation, and of the training by autograd.
        marks: marks the phases of each step for a profiler.
    """
    model.zero_grad()  # what a trial may have left where a copy of the model refers to the model
    gradients = gradients or Autograd(model, task, precision, marks)
    updates = Updates([optimizer], gradients.scaler)
    is_observed = clip is not None or moments.see_steps or marks is not NO_MARKS
    compiled = None
    if accumulate == 1 and schedule_interval == "epoch" and not is_observed:
        compiled = compiled_steps(gradients, updates, optimizer, train, batch_size)
    while position.epoch <= epochs and not position.stopped:
        begin_epoch(position, schedule, seed)
        train_loss = train_epoch(
            model=model,
            gradients=gradients,
            updates=updates,
            schedule=schedule if schedule_interval == "batch" else None,
            split=train,
            batch_size=batch_size,
            accumulate=accumulate,
            clip=clip,
            limit_batches=limit_batches,
            seed=seed,
            position=position,
            moments=moments,
            marks=marks,
            after_batch=after_batch,
            compiled=compiled,
        )
        metrics = metrics_of(position, train_loss)
        with moments.evaluated_weights(model):
            if validation is not None:
                (result,) = evaluate(
                    models=[model],
                    seeds=[derive(seed, "evaluation", position.epoch)],
                    task=task,
                    split=validation,
                    limit_batches=limit_batches,
                    after_batch=after_batch,
                    team=team,
                    precision=precision,
                )
                metrics |= result.named("val")
            moments.epoch_end(metrics)
        if schedule_interval == "epoch":
            step_schedule(schedule, metrics, monitor)
            updates.refresh()
        end_epoch(position, metrics, log)
        after_epoch()


def begin_epoch(position: Position, schedule: LRScheduler, seed: int) -> None:
    """At the beginning of an epoch, seed its random numbers and note its learning rate."""
    if position.batches == 0:
        seed_all(derive(seed, "forward", position.epoch))
        position.lr = float(schedule.get_last_lr()[0])


def metrics_of(position: Position, train_loss: float) -> dict[str, float]:
    """Return the metrics of an epoch's training."""
    return {"train_loss": train_loss, "lr": position.lr, "epoch_seconds": position.seconds}


def end_epoch(position: Position, metrics: Mapping[str, float], log: Log) -> None:
    """Log the metrics of an epoch, and move the position to the beginning of the next epoch."""
    log(metrics, position.epoch)
    position.epoch, position.batches = position.epoch + 1, 0
    position.loss = position.seconds = 0.0


def train_epoch(
    *,
    model: nn.Module,
    gradients: Gradients,
    updates: Updates,
    schedule: LRScheduler | None,
    split: Split,
    batch_size: int,
    limit_batches: int | None,
    seed: int,
    position: Position,
    after_batch: Callable[[], None],
    accumulate: int = 1,
    clip: Callable[[], object] | None = None,
    moments: Moments = NO_CALLBACKS,
    marks: Marks = NO_MARKS,
    compiled: CompiledSteps | None = None,
) -> float:
    """Train a model from a position to the end of its epoch; return the mean of the batch losses.

    The arguments are the same as for `fit`, except `schedule`, which steps after every optimizer
    step, and `compiled`: the steps of an epoch after its first, if nothing sees each of them.
    """
    began = time.perf_counter() - position.seconds
    model.train()
    total = torch.full((), position.loss, device=split.labels.device)
    count = count_batches(split, batch_size, limit_batches)
    order = order_of(split, seed, position.epoch)
    rest = batches(split, batch_size, order=order, limit=limit_batches, skip=position.batches)
    losses: list[Tensor] = []
    try:
        for images, labels in marks.batches(rest):
            first = position.batches // accumulate * accumulate
            loss = gradients.add(images, labels, min(accumulate, count - first))
            losses.append(loss)
            position.batches += 1
            if position.batches % accumulate and position.batches < count:
                continue  # a stop in between would lose gradients
            gradients.complete()
            for each in losses:
                total += each
            losses.clear()
            moments.before_step()
            if clip is not None:
                clip()
            with marks.phase(OPTIMIZER):
                updates.step()
            if schedule is not None:
                schedule.step()
                updates.refresh()
            position.steps += 1
            moments.batch_end(loss)
            marks.end_step()
            after_batch()
            if compiled is not None and compiled.are_ready():
                break
        places = split.places(order[position.batches * batch_size : count * batch_size])
        for done in compiled.take(places, total) if compiled and len(places) else ():
            position.batches += done
            position.steps += done
            after_batch()
    finally:
        position.loss = value_of(total)
        position.seconds = time.perf_counter() - began
    return position.loss / position.batches
