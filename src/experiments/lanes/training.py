"""The training loop of lanes: lanes join it at their own epoch and leave it when they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from experiments.data.batches import count_batches
from experiments.lanes.batches import batch_at, orders_of
from experiments.lanes.lane import Lane
from experiments.lanes.stack import DRAWS, CannotStackError
from experiments.lanes.together import OwnSteps, Together, layouts_for, own_steps
from experiments.randomness import derive, have_moved, random_state
from experiments.training.evaluation import Evaluation, evaluate
from experiments.training.loop import begin_epoch, end_epoch, metrics_of, train_epoch
from experiments.training.schedules import step_schedule


def fit_lanes(
    lanes: Sequence[Lane],
    *,
    batch_size: int,
    limit_batches: int | None,
    after_batch: Callable[[], None],
) -> Iterator[list[Lane]]:
    """Train lanes as a stack, each as `fit` would train it alone; yield the lanes that are done.

    Lanes may stand at different epochs and have different numbers of epochs. Lanes in the middle of
    an epoch finish it first. A lane without neighbours is trained as `fit` trains it.

    Args:
        lanes: runs of one model class with the same arguments, of one task, on the same data;
            splits may differ.
        batch_size: B.
        limit_batches: the largest number of batches of an epoch; None for all.
        after_batch: called after every batch, or a few compiled steps; an error that it raises ends
            the training, and every lane can be resumed.

    Raises:
        CannotStackError: the model does something that is impossible for all lanes at once.
    """
    layouts = layouts_for(lanes, batch_size)
    for lane in lanes:
        lane.model.zero_grad()  # as in `fit`
    own = {id(lane): own_steps(lane, batch_size) for lane in lanes}
    together: Together | None = None
    running = [lane for lane in lanes if not lane.is_done]
    if len(running) < len(lanes):
        yield [lane for lane in lanes if lane.is_done]
    while running:
        furthest = max(lane.position.batches for lane in running)
        chosen = [lane for lane in running if lane.position.batches == furthest]
        for lane in chosen:
            begin_epoch(lane.position, lane.schedule, lane.seed)
        with _drawing_nothing(chosen):
            if len(chosen) == 1:
                told = chosen[0], own[id(chosen[0])]
                losses = [_train_alone(*told, batch_size, limit_batches, after_batch)]
            else:
                if together is None or together.lanes != chosen:
                    together = Together(chosen, [own[id(lane)] for lane in chosen], layouts)
                losses = _train_epoch(together, batch_size, limit_batches, after_batch)
        results = _validate(chosen, limit_batches, after_batch)
        for lane, loss, result in zip(chosen, losses, results, strict=True):
            metrics = metrics_of(lane.position, loss)
            metrics |= result.named("val") if result is not None else {}
            if lane.schedule_interval == "epoch":
                step_schedule(lane.schedule, metrics, lane.monitor)
            end_epoch(lane.position, metrics, lane.log)
            lane.after_epoch()
        if leaving := [lane for lane in running if lane.is_done]:
            running = [lane for lane in running if not lane.is_done]
            together = None
            yield leaving


@contextmanager
def _drawing_nothing(lanes: Sequence[Lane]) -> Iterator[None]:
    """Check that no model draws random numbers in a part of an epoch; if one does, discard it.

    Lanes share torch's generators, so a model would draw other numbers than alone.

    Raises:
        CannotStackError: a model drew random numbers.
    """
    before = random_state(_device(lanes))
    try:
        yield
    finally:
        if drew := have_moved(_device(lanes), before):
            for lane in lanes:
                lane.position.batches = 0  # so that no checkpoint is saved within the epoch
    if drew:
        raise CannotStackError(DRAWS)


def _device(lanes: Sequence[Lane]) -> torch.device:
    return lanes[0].train.labels.device


def _train_alone(
    lane: Lane,
    own: OwnSteps,
    batch_size: int,
    limit_batches: int | None,
    after_batch: Callable[[], None],
) -> float:
    own.updates.refresh()
    return train_epoch(
        model=lane.model,
        gradients=lane.gradients,
        updates=own.updates,
        schedule=lane.schedule if lane.schedule_interval == "batch" else None,
        split=lane.train,
        batch_size=batch_size,
        limit_batches=limit_batches,
        seed=lane.seed,
        position=lane.position,
        after_batch=after_batch,
        compiled=own.compiled,
    )


def _train_epoch(
    together: Together,
    batch_size: int,
    limit_batches: int | None,
    after_batch: Callable[[], None],
) -> list[float]:
    """Train lanes from their present batch to the epoch's end; return their mean batch losses."""
    lanes = together.lanes
    together.train()
    began = time.perf_counter()
    by_batch = [lane.schedule for lane in lanes if lane.schedule_interval == "batch"]
    split = lanes[0].train
    orders = orders_of([(lane.train, lane.seed, lane.position.epoch) for lane in lanes])
    first = lanes[0].position.batches
    count = count_batches(split, batch_size, limit_batches)
    totals = torch.tensor([lane.position.loss for lane in lanes], device=_device(lanes))
    done = 0
    try:
        for batch in range(first, count):
            images, labels = batch_at(
                split, orders[:, batch * batch_size : (batch + 1) * batch_size]
            )
            losses = together.step(images, labels)
            for schedule in by_batch:
                schedule.step()
            if by_batch:
                together.refresh()
            totals += losses
            done += 1
            after_batch()
            if together.are_ready():
                break
        places = orders[:, (first + done) * batch_size : count * batch_size]
        for some in together.take(places, totals) if places.numel() else ():
            done += some
            after_batch()
    finally:
        seconds = (time.perf_counter() - began) / len(lanes)
        for lane, total in zip(lanes, totals.tolist(), strict=True):
            position = lane.position
            position.loss, position.seconds = total, position.seconds + seconds
            position.batches += done
            position.steps += done
    return [lane.position.loss / count for lane in lanes]


def _validate(
    lanes: Sequence[Lane], limit_batches: int | None, after_batch: Callable[[], None]
) -> list[Evaluation | None]:
    """Return each lane's evaluation on its validation split; lanes of a seed share batches."""
    results: dict[int, Evaluation] = {}
    by_seed: dict[int, list[int]] = {}
    for number, lane in enumerate(lanes):
        by_seed.setdefault(lane.seed, []).append(number)
    for numbers in by_seed.values():
        validation = lanes[numbers[0]].validation
        if validation is not None:
            models = [lanes[number].model for number in numbers]
            found = evaluate(
                models=models,
                task=lanes[0].task,
                seeds=[
                    derive(lanes[number].seed, "evaluation", lanes[number].position.epoch)
                    for number in numbers
                ],
                split=validation,
                limit_batches=limit_batches,
                after_batch=after_batch,
            )
            results |= zip(numbers, found, strict=True)
    return [results.get(number) for number in range(len(lanes))]
