"""Construction of a run's objects from a checked configuration."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Mapping, Sized
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import Dataset

from experiments.callbacks import Callback
from experiments.config import DataPart, RunConfig, Trainer
from experiments.data.batches import count_batches
from experiments.data.datasets import IdxImages
from experiments.data.splits import Splits, hold_out, load
from experiments.distributed.team import ALONE, Team
from experiments.distributed.world import world
from experiments.errors import InputError
from experiments.run.build_model import model_on_cpu
from experiments.run.build_schedule import build_schedule, nested_in
from experiments.run.build_task import build_callbacks, build_task
from experiments.run.compiling import compile_model, obstacle
from experiments.run.numerics import set_precision
from experiments.run.processes import check_dense, check_processes, device_of_process
from experiments.run.try_first_step import check_can_be_saved, try_on_a_copy
from experiments.run.try_smallest_piece import smallest_piece, try_smallest_piece
from experiments.target_classes import build, explained, resolve, resolve_model
from experiments.target_classes.loading import weights_only
from experiments.tasks import Task


@dataclass(frozen=True)
class Parts:
    """The objects of a run, on its device."""

    model: nn.Module
    task: Task
    optimizer: Optimizer
    schedule: LRScheduler
    callbacks: Mapping[str, Callback]
    splits: Splits
    device: torch.device
    classes: frozenset[type]
    """the classes of all parts, and of the model's modules"""
    sizes: Mapping[str, int]
    """the arguments that the model took from the data"""
    team: Team = ALONE
    """the processes that train the run"""
    not_compiled: str | None = None
    """the reason why the model is not compiled although the configuration asks for it"""

    @property
    def device_kind(self) -> str:
        """The GPU's name, or `cpu` or `mps`: it decides which kernels compute."""
        return _kind(self.device)


def assemble(config: RunConfig, *, tried: bool = False) -> Parts:
    """Build everything that a run needs.

    Args:
        config: the run's configuration.
        tried: whether a first step of the same parts was tried before, compiled if asked for.

    Raises:
        InputError: a class, an argument, the device or the data cannot be used, the model does not
            fit the data, or a first step fails.
    """
    check_processes(config.trainer)
    resolve("optimizer", config.optimizer.target, Optimizer)  # before the data is loaded
    resolve("schedule", config.schedule.target, LRScheduler)
    resolve_model("model", config.model.target)
    device = _prepare_torch(config.trainer)
    splits = hold_out(_load(config.data, device), config.data.validation_size, config.seed)
    task = build_task(config.task, splits)
    model, sizes = build_model(config, task, splits)
    check_dense(config.trainer, model)
    callbacks = build_callbacks(config)
    steps = count_steps(config, splits.train)
    if not tried:
        precision = config.trainer.precision
        build = functools.partial(build_updates, config, total_steps=steps)
        try_on_a_copy(model, task, splits.train, build, precision)
        few = smallest_piece(config, splits.train)
        try_smallest_piece(config, model, task, splits.train, few)
    not_compiled = None
    if config.trainer.compile is not None:
        not_compiled = None if tried else obstacle(config, model, task, splits)
        if not_compiled is None:
            compile_model(model, config)
    optimizer, schedule = build_updates(config, model, steps)
    schedules = [schedule, *nested_in(schedule)]
    objects = [optimizer, *schedules, task, task.loss, *task.metrics.values(), *callbacks.values()]
    classes = {_data_set(config.data), *map(type, [*objects, *model.modules()])}
    return Parts(
        model,
        task,
        optimizer,
        schedule,
        callbacks,
        splits,
        device,
        frozenset(classes),
        sizes,
        not_compiled=not_compiled,
    )


def count_steps(config: RunConfig, train: Sized) -> int:
    """Return the number of optimizer steps of a run with these training examples."""
    trainer = config.trainer
    batches = count_batches(train, config.data.batch_size, trainer.limit_batches)
    return trainer.epochs * -(-batches // trainer.accumulate_grad_batches)


def load_splits(config: RunConfig) -> Splits:
    """Load a run's data to its device, without a validation split.

    Raises:
        InputError: the data is not available or does not fit, or the device is missing.
    """
    return _load(config.data, _prepare_torch(config.trainer))


def build_model(config: RunConfig, task: Task, splits: Splits) -> tuple[nn.Module, dict[str, int]]:
    """Return a run's model with its initial weights on the device of its data, and its sizes.

    The sizes are the arguments that it takes from the data.

    Raises:
        InputError: its class or an argument cannot be used, or it does not fit the data.
    """
    model, sizes = model_on_cpu(config, task, splits)
    _check_can_be_trained("model", model)
    device = splits.train.labels.device
    with explained(f"model: to have it on {device}", "mend the class"):
        return model.to(device), sizes


@weights_only()
def build_updates(
    config: RunConfig, model: nn.Module, total_steps: int
) -> tuple[Optimizer, LRScheduler]:
    """Return the optimizer and the schedule of a run with `total_steps` optimizer steps.

    Raises:
        InputError: a class or an argument cannot be used.
    """
    optimizer_class = resolve("optimizer", config.optimizer.target, Optimizer)
    with explained("model: to have its parameters", "mend the class"):
        given = {"params": list(model.parameters())}
    optimizer = build("optimizer", optimizer_class, given, config.optimizer.arguments())
    schedule = build_schedule(config, optimizer, total_steps)
    _check_can_be_trained("optimizer", optimizer)
    _check_can_be_trained("schedule", schedule)
    return optimizer, schedule


def surroundings(config: RunConfig) -> tuple[str, str]:
    """Return the SHA-256 of a run's data, fetched if needed, and the kind of its device.

    Raises:
        InputError: the data is not available, or the device is missing.
    """
    splits = load_splits(config)
    return splits.sha256, _kind(splits.train.labels.device)


def _kind(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _prepare_torch(trainer: Trainer) -> torch.device:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it as CUDA starts
    torch.set_num_threads(trainer.threads)
    device = torch.device(_device_name(trainer.device))
    # On the CPU torch's kernels are deterministic anyway; the switch would only slow them.
    wanted = trainer.deterministic and device.type != "cpu"
    if wanted != torch.are_deterministic_algorithms_enabled():  # setting it loads torch's compiler
        torch.use_deterministic_algorithms(wanted)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    set_precision(trainer, device)
    return device


def _device_name(wanted: str) -> str:
    there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]
    if world().size > 1:
        return device_of_process(wanted, there)
    if wanted == "auto":
        return there[0]
    name = "cuda:0" if wanted == "cuda" else wanted
    if name not in there:
        raise InputError(
            f"trainer.device={wanted}: is not on this machine; "
            f"choose from {', '.join(there)} or auto"
        )
    return name


def _data_set(data: DataPart) -> type:
    return resolve("data", data.target, Dataset, IdxImages)


def _load(data: DataPart, device: torch.device) -> Splits:
    splits = load(_data_set(data), data.arguments(), device)
    try:
        data.check_fits(len(splits.train))
    except ValueError as error:
        raise InputError(str(error)) from error
    return splits


def _check_can_be_trained(key: str, part: nn.Module | Optimizer | LRScheduler) -> None:
    """Check that a part steps without arguments and that a checkpoint can hold its state."""
    name = type(part).__name__
    if not isinstance(part, nn.Module | ReduceLROnPlateau):  # the loop gives the latter its metric
        with explained(f"{key}: the arguments of {name}.step", "mend the class"):
            wanted = list(inspect.signature(type(part).step).parameters.values())[1:]
        for parameter in wanted:
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
                raise InputError(
                    f"{key}: {name}.step asks for {parameter.name}, which the training loop does "
                    "not have; choose another class"
                )
    check_can_be_saved(key, part)
    if isinstance(part, nn.Module):
        for entry, value in part.state_dict().items():
            if not isinstance(value, Tensor):
                raise InputError(
                    f"{key}: {name}'s state has {entry}, which is no tensor; remove it"
                )
