"""Construction of a run's objects from a checked configuration."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import Dataset

from experiments.config import DataPart, RunConfig, Scheduled, Trainer
from experiments.data.batches import count_batches, normalise
from experiments.data.datasets import IdxImages
from experiments.data.splits import Splits, hold_out, load
from experiments.errors import InputError
from experiments.randomness import derive, seed_all
from experiments.run.try_first_step import check_can_be_saved, try_on_a_copy
from experiments.target_classes import accepts, build, explained, resolve


@dataclass(frozen=True)
class Parts:
    """The objects of a run, on its device."""

    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    splits: Splits
    device: torch.device
    classes: frozenset[type]
    """the classes of the data set, the schedule, the optimizer, the model and its modules"""

    @property
    def device_kind(self) -> str:
        """The GPU's name, or `cpu` or `mps`: it decides which kernels compute."""
        return _kind(self.device)


def assemble(config: RunConfig, *, tried: bool = False) -> Parts:
    """Build everything that a run needs.

    Args:
        config: the run's configuration.
        tried: whether a first step of the same parts was tried before.

    Raises:
        InputError: a class, an argument, the device or the data cannot be used, the model does not
            fit the data, or a first step fails.
    """
    resolve("optimizer", config.optimizer.target, Optimizer)  # before the data is loaded
    resolve("schedule", config.schedule.target, LRScheduler)
    resolve("model", config.model.target, nn.Module)
    device = _prepare_torch(config.trainer)
    splits = hold_out(_load(config.data, device), config.data.validation_size, config.seed)
    model = build_model(config, splits)
    steps = config.trainer.epochs * count_batches(
        splits.train, config.data.batch_size, config.trainer.limit_batches
    )
    if not tried:
        try_on_a_copy(model, splits.train, lambda copy: build_updates(config, copy, steps))
    optimizer, schedule = build_updates(config, model, steps)
    modules = map(type, model.modules())
    classes = {_data_set(config.data), type(schedule), type(optimizer)}
    return Parts(model, optimizer, schedule, splits, device, frozenset(classes.union(modules)))


def load_splits(config: RunConfig) -> Splits:
    """Load a run's data to its device, without a validation split.

    Raises:
        InputError: the data is not available or does not fit, or the device is missing.
    """
    return _load(config.data, _prepare_torch(config.trainer))


def build_model(config: RunConfig, splits: Splits) -> nn.Module:
    """Return a run's model with its initial weights, on the device of its data.

    Raises:
        InputError: its class or an argument cannot be used, or it does not fit the data.
    """
    model_class = resolve("model", config.model.target, nn.Module)
    seed_all(derive(config.seed, "weights"))
    model = build("model", model_class, {}, config.model.arguments())
    _check_fit(model, splits)
    _check_can_be_trained("model", model)
    device = splits.train.labels.device
    with explained(f"model: to have it on {device}", "mend the class"):
        return model.to(device)


def build_updates(
    config: RunConfig, model: nn.Module, total_steps: int
) -> tuple[Optimizer, LRScheduler]:
    """Return the optimizer and the schedule of a run with `total_steps` optimizer steps.

    Raises:
        InputError: a class or an argument cannot be used.
    """
    optimizer_class = resolve("optimizer", config.optimizer.target, Optimizer)
    schedule_class = resolve("schedule", config.schedule.target, LRScheduler)
    with explained("model: to have its parameters", "mend the class"):
        given = {"params": list(model.parameters())}
    optimizer = build("optimizer", optimizer_class, given, config.optimizer.arguments())
    schedule = _schedule(schedule_class, config.schedule, optimizer, total_steps=total_steps)
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
    torch.set_num_threads(trainer.threads)
    device = torch.device(_device_name(trainer.device))
    # On the CPU torch's kernels are deterministic anyway; the switch would only slow them.
    wanted = trainer.deterministic and device.type != "cpu"
    if wanted != torch.are_deterministic_algorithms_enabled():  # setting it loads torch's compiler
        torch.use_deterministic_algorithms(wanted)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic cuBLAS
    return device


def _device_name(wanted: str) -> str:
    there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]
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


def _check_fit(model: nn.Module, splits: Splits) -> None:
    """Check that the model maps two images (2, C, H, W) to logits (2, K) of enough classes."""
    images = normalise(splits.train.images[:2].cpu())
    shape = " x ".join(map(str, images.shape[1:]))
    with (
        explained(f"model: does not take images of {shape}", "mend the class, or its arguments"),
        torch.no_grad(),  # a lazy module's parameters must be trainable afterwards
    ):
        logits = model.eval()(images)
    classes = int(max(splits.train.labels.max(), splits.test.labels.max())) + 1
    shape_of_logits = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if not isinstance(logits, Tensor) or logits.dim() != 2 or logits.shape[1] < classes:
        raise InputError(
            f"model: returns {shape_of_logits} for 2 images, but the data has "
            f"{classes} classes, so (2, {classes}) is needed; set the model's number of classes"
        )


def _check_can_be_trained(key: str, part: nn.Module | Optimizer | LRScheduler) -> None:
    """Check that a part steps without arguments and that a checkpoint can hold its state."""
    name = type(part).__name__
    if not isinstance(part, nn.Module):
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


def _schedule(
    cls: type[LRScheduler], config: Scheduled, optimizer: Optimizer, *, total_steps: int
) -> LRScheduler:
    arguments = config.arguments()
    given: dict[str, object] = {"optimizer": optimizer}
    if accepts(cls, "total_steps") and "total_steps" not in arguments:
        given["total_steps"] = total_steps
    return build("schedule", cls, given, arguments)
