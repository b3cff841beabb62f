"""Evaluation: the loss and the metrics of models on a split."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.data.batches import batches
from experiments.data.splits import Split
from experiments.distributed.team import ALONE, Team
from experiments.randomness import have_moved, random_state, seed_all
from experiments.tasks import Loss, Metric, Task
from experiments.training.precision import Precision, computing_in, outputs_of
from experiments.training.shared_batches import Buffers

EVALUATION_BATCH = 1000  # affects only the speed, as no gradients are kept


@dataclass(frozen=True)
class Evaluation:
    """A model's mean loss and metrics on `total` examples."""

    loss: float
    metrics: Mapping[str, float]
    total: int

    def named(self, split: str) -> dict[str, float]:
        """Return the values under the names that are recorded, such as `val_loss`."""
        return {f"{split}_loss": self.loss} | {
            f"{split}_{name}": value for name, value in self.metrics.items()
        }


def evaluate(
    *,
    models: Sequence[nn.Module],
    seeds: Sequence[int],
    task: Task,
    split: Split,
    limit_batches: int | None,
    after_batch: Callable[[], None],
    team: Team = ALONE,
    precision: Precision = "float32",
) -> list[Evaluation]:
    """Return the evaluation of each model on a split, in batches of `EVALUATION_BATCH`.

    The models share the batches. If a model draws random numbers, each model is evaluated alone,
    with the random numbers of its seed.

    Of N processes, rank r computes the outputs of each N-th batch, from batch r on. All then have
    all outputs, and the same result. If the model draws random numbers or changes its buffers, each
    process computes all batches from the state before, since the state of a batch follows that of
    the batch before.

    Args:
        models: each takes float32 (B, C, H, W) and returns the outputs of the task, on the split's
            device.
        seeds: one per model.
        task: its loss is averaged over the examples, and its metrics see all of them.
        split: the examples.
        limit_batches: the largest number of batches; None for all.
        after_batch: called after every batch; an exception of it ends the evaluation.
        team: the processes that share the batches of one model.
        precision: that of the models and the loss; the loss and the metrics get float32 outputs.
    """
    device = split.labels.device
    seed_all(seeds[0])
    before, buffers = random_state(device), Buffers(models[0])
    kept = buffers.copies() if team.size > 1 else {}
    found = _evaluate(models, task, split, limit_batches, after_batch, team, precision)
    if team.size > 1:
        moved = have_moved(device, before) or buffers.have_moved(kept)
        if team.gather(torch.tensor([moved], device=device, dtype=torch.uint8)).any():
            buffers.put(kept)
            seed_all(seeds[0])
            found = _evaluate(models, task, split, limit_batches, after_batch, ALONE, precision)
    if len(models) > 1 and have_moved(device, before):
        each = [
            evaluate(
                models=[model],
                seeds=[seed],
                task=task,
                split=split,
                limit_batches=limit_batches,
                after_batch=after_batch,
                precision=precision,
            )
            for model, seed in zip(models, seeds, strict=True)
        ]
        found = [one for (one,) in each]
    return found


def _evaluate(
    models: Sequence[nn.Module],
    task: Task,
    split: Split,
    limit_batches: int | None,
    after_batch: Callable[[], None],
    team: Team,
    precision: Precision,
) -> list[Evaluation]:
    for model in models:
        model.eval()
    losses = [torch.zeros((), device=split.labels.device) for _ in models]
    metrics = [copy.deepcopy(task.metrics) for _ in models]
    for metric in (each for own in metrics for each in own.values()):
        metric.reset()
    total = 0
    with (
        _left_alone(task.loss),
        torch.no_grad(),
    ):  # tensors that a model keeps from `inference_mode` would break training
        for images, labels, answers in _answered(models, split, limit_batches, team, precision):
            targets = task.targets(images, labels)
            for number, outputs in enumerate(answers):
                with computing_in(precision, images.device):
                    losses[number] += task.loss(outputs, targets) * len(labels)
                for metric in metrics[number].values():
                    metric.update(outputs, targets)
            total += len(labels)
            after_batch()
        return [
            Evaluation(
                value_of(loss) / total,
                {name: number_of(name, metric) for name, metric in own.items()},
                total,
            )
            for loss, own in zip(losses, metrics, strict=True)
        ]


def _answered(
    models: Sequence[nn.Module], split: Split, limit: int | None, team: Team, precision: Precision
) -> Iterator[tuple[Tensor, Tensor, list[Tensor]]]:
    """Yield the images, the labels and each model's outputs of all batches, in their order."""
    rest, device = batches(split, EVALUATION_BATCH, limit=limit), split.labels.device

    def answer(model: nn.Module, images: Tensor) -> Tensor:
        with computing_in(precision, device):
            return outputs_of(model, images)

    if team.size == 1:
        for images, labels in rest:
            yield images, labels, [answer(model, images) for model in models]
        return
    (model,) = models
    while turn := list(itertools.islice(rest, team.size)):
        own = answer(model, turn[team.rank][0]) if team.rank < len(turn) else None
        outputs = team.gather_outputs(own, device)
        for (images, labels), each in zip(turn, outputs, strict=True):
            yield images, labels, [each]


@contextmanager
def _left_alone(loss: Loss) -> Iterator[None]:
    """Evaluate a loss as a module in evaluation mode, and give it its modes and buffers again."""
    modules = list(loss.modules()) if isinstance(loss, nn.Module) else []
    modes = [module.training for module in modules]
    buffers = [each for module in modules for each in module.buffers(recurse=False)]
    before = [each.clone() for each in buffers]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for each, value in zip(buffers, before, strict=True):
            each.copy_(value)


def number_of(name: str, metric: Metric) -> float:
    """Return the value of a metric, after a wait for the device.

    Args:
        name: the metric's name, for the message.
        metric: the metric.

    Raises:
        TypeError: its value is not one number.
    """
    value = metric.compute()
    if isinstance(value, Tensor) and value.numel() != 1:
        shape = " x ".join(map(str, value.shape))
        raise TypeError(f"the metric {name} returns {shape} values in place of one number")
    return float(value)


def value_of(scalar: Tensor) -> float:
    """Return a scalar after a wait for the device; never call it in a loop over batches."""
    return float(scalar)
