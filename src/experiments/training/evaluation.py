"""Evaluation: the loss and accuracy of models on a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.data.batches import batches
from experiments.data.splits import Split
from experiments.randomness import have_moved, random_state, seed_all

EVALUATION_BATCH = 1000  # affects only the speed, as no gradients are kept


@dataclass(frozen=True)
class Evaluation:
    """A model's mean cross-entropy, and the number of correct answers, on `total` examples."""

    loss: float
    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """The share of correct answers, 0 to 1."""
        return self.correct / self.total


def evaluate(
    *,
    models: Sequence[nn.Module],
    seeds: Sequence[int],
    split: Split,
    limit_batches: int | None,
    after_batch: Callable[[], None],
) -> list[Evaluation]:
    """Return the evaluation of each model on a split, in batches of `EVALUATION_BATCH`.

    The models share the batches. If a model draws random numbers, each model is evaluated alone,
    with the random numbers of its seed.

    Args:
        models: each takes float32 (B, C, H, W) and returns logits (B, K), on the split's device.
        seeds: one per model.
        split: the examples.
        limit_batches: the largest number of batches; None for all.
        after_batch: called after every batch; an exception of it ends the evaluation.
    """
    device = split.labels.device
    seed_all(seeds[0])
    before = random_state(device)
    found = _evaluate(models, split, limit_batches, after_batch)
    if len(models) > 1 and have_moved(device, before):
        each = [
            evaluate(
                models=[model],
                seeds=[seed],
                split=split,
                limit_batches=limit_batches,
                after_batch=after_batch,
            )
            for model, seed in zip(models, seeds, strict=True)
        ]
        found = [one for (one,) in each]
    return found


def _evaluate(
    models: Sequence[nn.Module],
    split: Split,
    limit_batches: int | None,
    after_batch: Callable[[], None],
) -> list[Evaluation]:
    device = split.labels.device
    for model in models:
        model.eval()
    losses = [torch.zeros((), device=device) for _ in models]
    correct = [torch.zeros((), device=device, dtype=torch.long) for _ in models]
    total = 0
    with torch.no_grad():  # tensors that a model keeps from `inference_mode` would break training
        for images, labels in batches(split, EVALUATION_BATCH, limit=limit_batches):
            for number, model in enumerate(models):
                logits = model(images)
                losses[number] += F.cross_entropy(logits, labels, reduction="sum")
                correct[number] += (logits.argmax(1) == labels).sum()
            total += len(labels)
            after_batch()
    return [
        Evaluation(value_of(loss) / total, int(value_of(right)), total)
        for loss, right in zip(losses, correct, strict=True)
    ]


def value_of(scalar: Tensor) -> float:
    """Return a scalar after a wait for the device; never call it in a loop over batches."""
    return float(scalar)
