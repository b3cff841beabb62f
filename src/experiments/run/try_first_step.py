"""A trial of the first training step, before anything of the run exists.

Some faults show only in a computation: a loss without gradients, an optimizer that refuses dense
gradients, a kernel that the device lacks. The trial reports them in one line instead of as a run
that has failed.
"""

from __future__ import annotations

import copy
import logging
import math
import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.data.batches import first_batch
from experiments.data.splits import Split
from experiments.errors import InputError, text_of
from experiments.randomness import random_state, set_random_state
from experiments.run.packing import pack
from experiments.target_classes import explained
from experiments.tasks import Classification, Loss, Task
from experiments.training.evaluation import number_of
from experiments.training.precision import Precision, computing_in, outputs_of
from experiments.training.schedules import step_schedule
from experiments.training.updates import Updates

_log = logging.getLogger(__name__)
FEW = 7  # more than batch normalisation needs, and seldom the number of classes

Build = Callable[[nn.Module], tuple[Optimizer, LRScheduler]]
"""makes the optimizer and the schedule of a model"""

T = TypeVar("T")


def try_on_a_copy(
    model: nn.Module, task: Task, split: Split, build: Build, precision: Precision = "float32"
) -> None:
    """Try the first step on a copy of a model; the model and all generators stay as they are.

    Attributes of a class are not copied. If the model cannot be copied, the trial is left out with
    a warning.

    Args:
        model: the model.
        task: its task, whose loss and metrics are tried too.
        split: the training split; the trial takes its first images.
        build: makes the optimizer and the schedule of the copy.
        precision: that of the forward pass and the loss.

    Raises:
        InputError: the model, the optimizer or the schedule fails.
    """
    try:
        trial = copy.deepcopy(model)
    except Exception as error:  # noqa: BLE001  (training it needs no copy)
        _log.warning("The model cannot be copied, so its first step is not tried: %s", error)
        return
    device = split.labels.device
    before = random_state(device)
    try:
        with warnings.catch_warnings():  # the run repeats those that are not only about few images
            warnings.simplefilter("ignore")
            compute_gradients(trial, task, split, precision)
            step(*build(trial))
    finally:
        set_random_state(device, before)


def compute_gradients(
    model: nn.Module, task: Task, split: Split, precision: Precision = "float32"
) -> None:
    """Compute a model's first loss and metrics, on a few images, and the gradients of the loss.

    Args:
        model: the model.
        task: its task.
        split: the training split, on the model's device.
        precision: that of the forward pass and the loss.

    Raises:
        InputError: the model, the task, its loss or a metric fails.
    """
    images, labels = first_batch(split, FEW)
    with computing_in(precision, images.device):
        outputs = _attempt("model", model, lambda: outputs_of(model.train(), images))
    targets = _attempt("task", task, lambda: task.targets(images, labels))
    function: Callable[..., object] = copy.deepcopy(task.loss)
    with computing_in(precision, images.device), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Using a target size")  # it would broadcast
        advice = partial(_advice_on_loss, task, function, outputs, targets)
        loss = _attempt("task.loss", task.loss, lambda: function(outputs, targets), advice)
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise InputError(
            f"task.loss: {name_of(task.loss)} returns {shape} for a batch, and a loss is one "
            "number; return the mean over the batch (reduction=mean)"
        )
    if _attempt("task.loss", task.loss, lambda: _is_a_sum(task.loss, outputs, targets)):
        raise InputError(
            f"task.loss: {name_of(task.loss)} returns the sum over a batch, whose size would scale "
            "the steps; return the mean (reduction=mean)"
        )
    if outputs.requires_grad and not loss.requires_grad:
        raise InputError(
            f"task.loss: {name_of(task.loss)} returns a loss without a gradient; it may not detach "
            "what it computes"
        )
    _attempt("model", model, loss.backward)
    for name, metric in copy.deepcopy(dict(task.metrics)).items():
        key, measured = f"task.metrics.{name}", metric
        _attempt(key, metric, partial(measured.update, outputs.detach(), targets))
        _attempt(key, metric, partial(number_of, name, measured))


def _is_a_sum(loss: Loss, outputs: Tensor, targets: Tensor) -> bool:
    """Return whether a loss is the sum of the losses of its examples, one by one."""
    with torch.no_grad():
        whole = float(copy.deepcopy(loss)(outputs, targets))
        pairs = zip(torch.split(outputs, 1), torch.split(targets, 1), strict=True)
        total = math.fsum(float(copy.deepcopy(loss)(*pair)) for pair in pairs)
    is_one = len(outputs) == 1 or not math.isfinite(whole) or whole == 0
    return not is_one and math.isclose(whole, total, rel_tol=1e-3)


def step(optimizer: Optimizer, schedule: LRScheduler) -> None:
    """Step an optimizer by the gradients at its parameters, then step a schedule.

    Raises:
        InputError: one of them fails.
    """
    updates = _attempt("optimizer", optimizer, lambda: Updates([optimizer]))
    _attempt("optimizer", optimizer, updates.step)
    _attempt("schedule", schedule, lambda: step_schedule(schedule, {"any": 0.0}, "any"))
    _attempt("optimizer", optimizer, updates.refresh)
    check_can_be_saved("optimizer", optimizer)


def check_can_be_saved(key: str, part: nn.Module | Optimizer | LRScheduler) -> None:
    """Check that a checkpoint can hold a part's state.

    Raises:
        InputError: it cannot; an example is the sparse momentum of sparse gradients.
    """
    name = type(part).__name__
    with explained(f"{key}: {name} cannot be saved in a checkpoint: its", "choose another class"):
        pack(part.state_dict(), {})


def _advice_on_loss(
    task: Task, function: Callable[..., object], outputs: object, targets: object
) -> str | None:
    """Return why a loss has failed on these outputs and targets, with a remedy; None if unknown.

    Targets of another kind are blamed only if the loss takes the other kind.

    Args:
        task: the task, whose loss it is.
        function: a copy of the loss.
        outputs: of the model; a tensor (B, ...) unless the model has a mistake.
        targets: of the task; a tensor (B, ...) unless the task has a mistake.
    """
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    name = name_of(task.loss)
    weight = getattr(task.loss, "weight", None)
    classes = outputs.shape[1] if outputs.dim() > 1 else 1
    if isinstance(weight, Tensor) and weight.dim() == 1 and len(weight) not in {1, classes}:
        return (
            f"task.loss.weight: has {len(weight)} entries, and the model has {classes} outputs; "
            f"give it {classes}, one for each class"
        )
    if targets.is_floating_point():
        if isinstance(task, Classification) and _takes(function, outputs, targets.long()):
            return (
                f"task.loss: {name} does not take targets that are floating-point numbers; choose "
                "task=regression, or give the data set whole numbers as labels"
            )
    elif _takes(function, outputs, torch.zeros_like(outputs)):
        return (
            f"task.loss: {name} does not take outputs {tuple(outputs.shape)} and targets "
            f"{tuple(targets.shape)}, which are class labels; choose task=regression to predict "
            "them as numbers, or a loss of class labels, such as task/loss=cross_entropy"
        )
    return None


def _takes(function: Callable[..., object], outputs: Tensor, targets: Tensor) -> bool:
    try:
        function(outputs, targets)
    except (Exception, SystemExit):  # noqa: BLE001  (the first failure is reported)
        return False
    return True


def _attempt(
    key: str,
    part: object,
    what: Callable[[], T],
    advise: Callable[[], str | None] = lambda: None,
) -> T:
    try:
        return what()
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{key}: {name_of(part)} has no room on the device for its first step ({error}); "
            "choose a smaller model or another device"
        ) from error
    except (Exception, SystemExit) as error:
        if alert := re.match(r"(\S+) does not have a deterministic implementation", str(error)):
            raise InputError(
                f"trainer.deterministic=true: {name_of(part)} calls {alert[1]}, which has no "
                "repeatable kernel on the device; replace it, or set trainer.deterministic=false"
            ) from error
        line = advise() or (
            f"{key}: {name_of(part)} fails in its first step with "
            f"{type(error).__name__}: {text_of(error)}"
        )
        raise InputError(f"{line}; HYDRA_FULL_ERROR=1 shows where") from error


def name_of(part: object) -> str:
    """Return the name of a function, or of the class of an object."""
    function = getattr(part, "func", part)  # of a partial
    return str(getattr(function, "__name__", type(part).__name__))
