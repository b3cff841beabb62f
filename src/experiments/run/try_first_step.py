"""A trial of the first training step, before anything of the run exists.

Some faults show only in a computation: a loss without gradients, an optimizer that refuses dense
gradients, a kernel that the device lacks. The trial reports them in one line instead of as a run
that has failed.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from experiments.data.batches import normalise
from experiments.data.splits import Split
from experiments.errors import InputError, text_of
from experiments.randomness import random_state, set_random_state
from experiments.run.packing import pack
from experiments.target_classes import explained
from experiments.training.updates import Updates

_log = logging.getLogger(__name__)
_IMAGES = 2  # enough for every layer; batch normalisation needs two

Build = Callable[[nn.Module], tuple[Optimizer, LRScheduler]]
"""makes the optimizer and the schedule of a model"""

T = TypeVar("T")


def try_on_a_copy(model: nn.Module, split: Split, build: Build) -> None:
    """Try the first step on a copy of a model; the model and all generators stay as they are.

    Attributes of a class are not copied. If the model cannot be copied, the trial is left out with
    a warning.

    Args:
        model: the model.
        split: the training split; the trial takes its first two images.
        build: makes the optimizer and the schedule of the copy.

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
        compute_gradients(trial, split)
        step(*build(trial))
    finally:
        set_random_state(device, before)


def compute_gradients(model: nn.Module, split: Split) -> None:
    """Compute a model's first loss, on two images, and the gradients at its parameters.

    Raises:
        InputError: the model fails.
    """

    def compute() -> None:
        images, labels = split.at(torch.arange(_IMAGES, device=split.labels.device))
        loss = F.cross_entropy(model.train()(normalise(images)), labels)
        loss.backward()  # type: ignore[no-untyped-call]

    _attempt("model", model, compute)


def step(optimizer: Optimizer, schedule: LRScheduler) -> None:
    """Step an optimizer by the gradients at its parameters, then step a schedule.

    Raises:
        InputError: one of them fails.
    """
    updates = _attempt("optimizer", optimizer, lambda: Updates([optimizer]))
    _attempt("optimizer", optimizer, updates.step)
    _attempt("schedule", schedule, schedule.step)
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


def _attempt(key: str, part: object, what: Callable[[], T]) -> T:
    try:
        return what()
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"{key}: {type(part).__name__} has no room on the device for its first step ({error}); "
            "choose a smaller model or another device"
        ) from error
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{key}: {type(part).__name__} fails in its first step with "
            f"{type(error).__name__}: {text_of(error)}; HYDRA_FULL_ERROR=1 shows where"
        ) from error
