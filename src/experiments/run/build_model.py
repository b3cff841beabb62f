"""Construction of a run's model: the sizes that it takes from the data, and its fit to the data."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from experiments.config import RunConfig
from experiments.config.from_data import sizes_of, with_values
from experiments.data.batches import normalise
from experiments.data.splits import Splits
from experiments.errors import InputError
from experiments.randomness import derive, seed_all
from experiments.target_classes import accepts, explained
from experiments.target_classes.calling import takes_any
from experiments.target_classes.models import (
    Maker,
    build_model,
    is_timms,
    is_torchvisions,
    resolve_model,
)
from experiments.tasks import Classification, Task


def model_on_cpu(config: RunConfig, task: Task, splits: Splits) -> tuple[nn.Module, dict[str, int]]:
    """Return a run's model with its initial weights, and the sizes that it takes from the data.

    An argument with one of the names in `config.model.SIZES` is such a size, if the class or
    function takes it and the configuration gives no value.

    Raises:
        InputError: its class, function or an argument cannot be used, or it does not fit the data.
    """
    maker = resolve_model("model", config.model.target)
    known = sizes_of(_shape(splits), task.outputs(splits))
    told = config.model.arguments()
    arguments = with_values(told)
    for name in told.keys() - arguments.keys() - known.keys():
        if _takes(maker, name, arguments):
            raise InputError(_unknown(name, task, splits))
    sizes = {
        name: value
        for name, value in known.items()
        if name not in arguments and _takes(maker, name, arguments)
    }
    seed_all(derive(config.seed, "weights"))
    model = build_model("model", maker, sizes, arguments)
    _check_fit(config, model, task, splits, known)
    return model, sizes


def _unknown(name: str, task: Task, splits: Splits) -> str:
    if name == "image_size":
        return (
            f"model.{name}=null: the images are not square ({_written(_shape(splits))}), so that "
            "this model cannot take them; choose another model"
        )
    return (
        f"model.{name}=null: {type(task).__name__} tells no number of outputs; give it a value, or "
        f"write the method `def outputs(self, splits) -> int:` of {type(task).__name__}"
    )


def _takes(maker: Maker, name: str, arguments: Mapping[str, object]) -> bool:
    """Return whether a class or function takes an argument, also by way of `**`."""
    if is_torchvisions(maker):  # weights have a number of classes of their own
        return name == "num_classes" and arguments.get("weights") is None
    if is_timms(maker):
        return name in {"num_classes", "in_chans"}
    takers = maker.__mro__ if isinstance(maker, type) else (maker,)
    for taker in takers:
        if taker is nn.Module:
            break
        if accepts(taker, name):
            return True
        if not takes_any(taker):
            break
    return False


def _shape(splits: Splits) -> tuple[int, int, int]:
    """Return the shape of a normalised image, (C, H, W)."""
    channels, height, width = normalise(splits.train.images[:1]).shape[1:]
    return channels, height, width


def _check_fit(
    config: RunConfig, model: nn.Module, task: Task, splits: Splits, sizes: Mapping[str, int]
) -> None:
    """Check that the model maps two images (2, C, H, W) to the outputs that the task needs."""
    images = normalise(splits.train.images[:2].cpu())
    said = f"model: does not take images of {_written(images.shape[1:])}"
    try:
        with explained(said, "mend the class, or its arguments"), torch.no_grad():
            outputs = model.eval()(images)  # without gradients, so that a lazy module can be built
    except InputError as error:
        advice = _wrong_size(config, task, images, sizes) or _other_channels(config, model, images)
        if advice is None:
            raise
        raise InputError(advice) from error
    if isinstance(outputs, Tensor) and task.fits(outputs, splits):
        return
    if advice := _wrong_size(config, task, images, sizes):
        raise InputError(advice)
    shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    needed = task.outputs(splits)
    raise InputError(
        f"model: returns {shape} for 2 images, but the data has {_counted(needed, task)}, so "
        f"(2, {needed}) is needed; choose another model, or mend it"
    )


def _wrong_size(
    config: RunConfig, task: Task, images: Tensor, sizes: Mapping[str, int]
) -> str | None:
    """Return a message about the first size in the configuration that is not the data's, or None.

    Args:
        config: the run's configuration.
        task: its task.
        images: some images, (B, C, H, W).
        sizes: the sizes of the data, by the names of arguments.
    """
    for name, value in config.model.arguments().items():
        right = sizes.get(name)
        if value is None or right is None or value == right:
            continue
        has = f"the images have {_written(images.shape[1:])}"
        if name == "inputs":
            has += f" = {right} values"
        if name in {"classes", "num_classes", "outputs"}:
            has = f"the data has {_counted(right, task)}"
        return (
            f"model.{name}={value}: {has}; set model.{name}={right}, or null to take it from the "
            "data"
        )
    return None


def _other_channels(config: RunConfig, model: nn.Module, images: Tensor) -> str | None:
    channels = images.shape[1]
    found = ((name, each) for name, each in model.named_modules() if isinstance(each, nn.Conv2d))
    place, first = next(found, ("", None))
    if first is None or first.in_channels == channels:
        return None
    return (
        f"model._target_={config.model.target}: takes images of {first.in_channels} channels, and "
        f"those of data._target_={config.data.target} have {channels}; set model._target_ to a "
        f"function of your own that puts nn.Conv2d({channels}, {first.out_channels}, …) in the "
        f"place of {place}"
    )


def _counted(outputs: int | None, task: Task) -> str:
    if isinstance(task, Classification):
        return f"{outputs} classes"
    return "1 number to predict" if outputs == 1 else f"{outputs} numbers to predict"


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
