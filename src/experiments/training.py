"""Training and evaluation as plain functions. Shapes: B batch, K classes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.data import Split, batches
from experiments.randomness import derive, generator

EVALUATION_BATCH = 1000  # no gradients are kept, so this is about speed alone

Log = Callable[[Mapping[str, float], int], None]


@dataclass(frozen=True)
class Evaluation:
    """How a model did on `total` examples: mean cross-entropy, and how many it got right."""

    loss: float
    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """The share of examples classified correctly, 0 to 1."""
        return self.correct / self.total


def fit(
    *,
    model: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    schedule_interval: Literal["epoch", "batch"],
    train: Split,
    validation: Split | None,
    epochs: int,
    batch_size: int,
    limit_batches: int | None,
    seed: int,
    log: Log,
    after_batch: Callable[[], None],
) -> None:
    """Train a model in place with cross-entropy.

    After every epoch, counted from 1, `log` gets `train_loss` (the mean over the batches of each
    batch's mean loss, as the article prints it), `lr` (as the epoch began), `epoch_seconds`
    (training alone) and, with a validation split, `val_loss` and `val_accuracy`.

    Args:
        model: takes float32 (B, C, H, W), returns logits (B, K).
        optimizer: holds the model's parameters.
        schedule: holds the optimizer.
        schedule_interval: when the schedule steps.
        train: the training split, on the model's device.
        validation: evaluated after each epoch if given.
        epochs: passes over the training split.
        batch_size: B.
        limit_batches: at most so many batches an epoch.
        seed: shuffles and dropout of epoch e derive from (seed, e).
        log: receives the metrics and the epoch.
        after_batch: called after every batch; whatever it raises ends the training.
    """
    for epoch in range(1, epochs + 1):
        began = time.perf_counter()
        lr = float(schedule.get_last_lr()[0])
        train_loss = _train_epoch(
            model=model,
            optimizer=optimizer,
            schedule=schedule if schedule_interval == "batch" else None,
            split=train,
            batch_size=batch_size,
            limit_batches=limit_batches,
            seed=seed,
            epoch=epoch,
            after_batch=after_batch,
        )
        metrics = {"train_loss": train_loss, "lr": lr, "epoch_seconds": time.perf_counter() - began}
        if schedule_interval == "epoch":
            schedule.step()
        if validation is not None:
            result = evaluate(
                model=model, split=validation, limit_batches=limit_batches, after_batch=after_batch
            )
            metrics |= {"val_loss": result.loss, "val_accuracy": result.accuracy}
        log(metrics, epoch)


def _train_epoch(
    *,
    model: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler | None,
    split: Split,
    batch_size: int,
    limit_batches: int | None,
    seed: int,
    epoch: int,
    after_batch: Callable[[], None],
) -> float:
    model.train()
    torch.manual_seed(derive(seed, "forward", epoch))
    order = torch.randperm(len(split), generator=generator(seed, "shuffle", epoch))
    total = torch.zeros((), device=split.labels.device)
    count = 0
    for images, labels in batches(
        split, batch_size, order=order.to(total.device), limit=limit_batches
    ):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if schedule is not None:
            schedule.step()
        total += loss.detach()
        count += 1
        after_batch()
    return _value(total) / count


def evaluate(
    *,
    model: nn.Module,
    split: Split,
    limit_batches: int | None,
    after_batch: Callable[[], None],
) -> Evaluation:
    """Return how a model does on a split, in batches of `EVALUATION_BATCH`."""
    model.eval()
    device = split.labels.device
    loss, correct = torch.zeros((), device=device), torch.zeros((), device=device, dtype=torch.long)
    total = 0
    with torch.inference_mode():
        for images, labels in batches(split, EVALUATION_BATCH, limit=limit_batches):
            logits = model(images)
            loss += F.cross_entropy(logits, labels, reduction="sum")
            correct += (logits.argmax(1) == labels).sum()
            total += len(labels)
            after_batch()
    return Evaluation(_value(loss) / total, int(_value(correct)), total)


def _value(scalar: Tensor) -> float:
    """Wait for the device and return a scalar: once an epoch, never in a loop over batches."""
    return float(scalar)
