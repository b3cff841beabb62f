"""Restoring of a run's objects from a checkpoint, after a check that it fits them.

An undamaged checkpoint may still have another form. It is checked as a whole before any of it is
used, because an optimizer, a schedule or a kernel would accept it unchecked.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adafactor, AdamW, Optimizer

from experiments.errors import InputError
from experiments.journal.events import NAME, Place, passes
from experiments.randomness import set_random_state
from experiments.run.build import Parts
from experiments.run.build_schedule import nested_in
from experiments.run.checkpoint import check_architecture, unusable
from experiments.training.best_epoch import Best
from experiments.training.gradients import scaler_state
from experiments.training.updates import parameters_of

if TYPE_CHECKING:
    from torch.amp import GradScaler

    from experiments.tasks import Task
    from experiments.training.position import Position


@dataclasses.dataclass(frozen=True)
class Restored:
    """The contents of a checkpoint beside the states of the run's parts."""

    position: Position
    best: Best
    best_weights: dict[str, Tensor]


def check_journal(folder: Path, state: Mapping[str, Any]) -> None:
    """Check that the journal in a run's folder contains the place at which a state was saved.

    Raises:
        InputError: it is another journal, or a part of it is missing.
    """
    try:
        is_ours = passes(folder, Place(**state["journal"]))
    except (LookupError, TypeError):
        is_ours = False
    if not is_ours:
        raise InputError(
            f"{os.path.relpath(folder / NAME)}: is not the journal that the last checkpoint was "
            "saved with, or not all of it; restore it, or train anew with force=true"
        )


def restore(
    folder: Path,
    state: Mapping[str, Any],
    parts: Parts,
    scaler: GradScaler | None,
    begin: tuple[Position, Best],
    *,
    steered: bool,
    epochs: int,
    batches: int,
    accumulate: int,
) -> Restored:
    """Restore a run's parts and torch's generators from a state, and return the rest of it.

    Args:
        folder: the folder of the checkpoints, for messages.
        state: the saved state.
        parts: the parts, as `assemble` returns them.
        scaler: the scaler of the loss, if there is one.
        begin: the position and the best epoch of a run that begins.
        steered: whether metrics may steer the run, so that its best epoch must be the saved one.
        epochs: the number of epochs of the run.
        batches: the number of batches of an epoch.
        accumulate: the number of batches of an optimizer step.

    Raises:
        InputError: the state does not fit the run.
    """
    try:
        restored = Restored(
            _position(begin[0], state["position"], epochs, batches, accumulate),
            _best(begin[1], state["best"], steered=steered),
            _tensors("best_weights", state["best_weights"]),
        )
        weights = parts.model.state_dict()
        check_architecture(folder, weights, saved=_tensors("model", state["model"]))
        if restored.best_weights:
            check_architecture(folder, weights, saved=restored.best_weights)
        # A schedule may add keys to the optimizer's groups, so both must be torch's.
        is_torchs = all(map(_is_torchs, [parts.schedule, *nested_in(parts.schedule)]))
        exactly = _is_torchs(parts.optimizer) and is_torchs
        _check_optimizer(parts.optimizer, state["optimizer"], exactly=exactly)
        schedule = parts.schedule.state_dict()
        _check_alike("schedule", schedule, state["schedule"], exactly=is_torchs)
        _check_alike("loss", loss_state(parts.task), state["loss"], exactly=True)
        _check_alike("scaler", scaler_state(scaler), state["scaler"], exactly=True)
        _check_alike(
            "callbacks", dict.fromkeys(parts.callbacks), state["callbacks"]["states"], exactly=True
        )
        parts.model.load_state_dict(state["model"])
        _restore_optimizer(parts.optimizer, state["optimizer"])
        parts.schedule.load_state_dict(dict(state["schedule"]))
        if isinstance(parts.task.loss, nn.Module):
            parts.task.loss.load_state_dict(dict(state["loss"]))
        if scaler is not None:
            scaler.load_state_dict(dict(state["scaler"]))
        set_random_state(parts.device, state["random"])
    except InputError:
        raise
    except Exception as error:
        raise unusable(folder, f"does not fit the run ({type(error).__name__}: {error})") from error
    return restored


def _position(
    begin: Position, saved: Mapping[str, Any], epochs: int, batches: int, accumulate: int
) -> Position:
    _check_alike("position", dataclasses.asdict(begin), saved, exactly=True)
    position = dataclasses.replace(begin, **saved)
    if not all(isinstance(saved[name], int) for name in ("epoch", "batches", "steps")):
        raise TypeError("its position is no whole number")
    in_epoch, here = (-(-count // accumulate) for count in (batches, position.batches))
    steps = (position.epoch - 1) * in_epoch + here
    if not (1 <= position.epoch <= epochs + 1 and 0 <= position.batches <= batches):
        raise ValueError("its position is none of this run")
    if position.steps != steps:
        raise ValueError(f"it has taken {position.steps} steps in place of {steps}")
    return position


def _best(best: Best, saved: Mapping[str, Any], *, steered: bool) -> Best:
    metrics = saved["metrics"]
    if isinstance(saved["epoch"], int) and metrics and best.monitor not in metrics and not steered:
        return best  # the command names another objective, which no weight depends on
    if not isinstance(saved["epoch"], int) or (metrics and best.monitor not in metrics):
        raise ValueError("its best epoch has not the metrics of one")
    return dataclasses.replace(
        best, epoch=saved["epoch"], metrics={key: float(value) for key, value in metrics.items()}
    )


def loss_state(task: Task) -> dict[str, Any]:
    """Return the state of a task's loss; empty for a function."""
    return task.loss.state_dict() if isinstance(task.loss, nn.Module) else {}


def _tensors(name: str, saved: Any) -> dict[str, Tensor]:
    if not isinstance(saved, dict) or not all(isinstance(v, Tensor) for v in saved.values()):
        raise TypeError(f"{name} is no mapping of tensors")
    return saved


def _check_optimizer(optimizer: Optimizer, saved: Mapping[str, Any], *, exactly: bool) -> None:
    """Check the hyperparameters, and that each saved state fits its parameter."""
    here = optimizer.state_dict()
    groups = saved["param_groups"]
    _check_alike("param_groups", here["param_groups"], groups, exactly=exactly)
    if [group["params"] for group in groups] != [g["params"] for g in here["param_groups"]]:
        raise ValueError("its parameter groups are others")
    parameters = parameters_of(optimizer)
    for number, entries in saved["state"].items():
        parameter = parameters[range(len(parameters)).index(number)]
        missing = _names(optimizer) - entries.keys()
        if missing:
            raise ValueError(f"the optimizer's state has no {', '.join(sorted(missing))}")
        for name, value in entries.items():
            if _is_torchs(optimizer) and not _fits(optimizer, parameter, value):
                raise ValueError(f"{name} in the optimizer's state does not fit its parameter")


def _names(optimizer: Optimizer) -> set[str]:
    """Return the states of a parameter that `Updates` would create if they were missing."""
    if type(optimizer) is SGD:
        return {"momentum_buffer"} if optimizer.defaults["momentum"] else set()
    if type(optimizer) is not AdamW:
        return set()
    largest = {"max_exp_avg_sq"} if optimizer.defaults["amsgrad"] else set()
    return {"step", "exp_avg", "exp_avg_sq", *largest}


def _fits(optimizer: Optimizer, parameter: Tensor, value: Any) -> bool:
    if not isinstance(value, Tensor):
        return value is None or isinstance(value, int | float)
    if isinstance(optimizer, Adafactor):  # it keeps statistics of rows and columns
        return value.dim() in {0, parameter.dim()}
    return value.is_floating_point() and value.shape in {parameter.shape, torch.Size()}


def _is_torchs(part: object) -> bool:
    """Return whether a part is torch's own, whose state has the same form at every step."""
    return type(part).__module__.startswith("torch.")


def _check_alike(place: str, here: Any, saved: Any, *, exactly: bool) -> None:
    """Check that saved data has the same form as data of this run; values may differ.

    Args:
        place: the name of the data, for the message.
        here: data of the right form.
        saved: the data to check.
        exactly: whether added keys and other lengths are errors too.
    """
    if here is None or (saved is None and not exactly):
        return
    if not _is_alike(here, saved, exactly=exactly):
        raise ValueError(f"{place} is not as in this run")
    if isinstance(here, Mapping):
        for key, value in here.items():
            _check_alike(f"{place}.{key}", value, saved[key], exactly=exactly)
    elif isinstance(here, list | tuple) and exactly:
        for number, (one, other) in enumerate(zip(here, saved, strict=True)):
            _check_alike(f"{place}.{number}", one, other, exactly=exactly)


def _is_alike(here: Any, saved: Any, *, exactly: bool) -> bool:
    match here:
        case Tensor():
            return isinstance(saved, Tensor) and saved.shape == here.shape
        case Mapping():
            known = isinstance(saved, Mapping) and here.keys() <= saved.keys()
            return known and (not exactly or saved.keys() <= here.keys())
        case str():
            return isinstance(saved, str)
        case Sequence():
            return isinstance(saved, list | tuple) and (not exactly or len(saved) == len(here))
    return isinstance(saved, int | float)


def _restore_optimizer(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Restore an optimizer's state; each tensor keeps the precision that it had."""
    optimizer.load_state_dict(dict(saved))  # this casts to the precision of the weights
    parameters = parameters_of(optimizer)
    for index, entries in saved["state"].items():
        loaded = optimizer.state[parameters[index]]
        for name, value in entries.items():
            if isinstance(value, Tensor) and loaded[name].dtype != value.dtype:
                loaded[name] = value.to(loaded[name].device)
