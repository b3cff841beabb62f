"""The values that a configuration leaves to the data, the task and the monitored metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.config.model import SIZES, ConvNet, SimpleNet
from experiments.config.part import Part
from experiments.config.schedule import Plateau

if TYPE_CHECKING:
    from experiments.config.run import RunConfig

CLASSIFICATION = "experiments.tasks.Classification"
REGRESSION = "experiments.tasks.Regression"


def sizes_of(image: tuple[int, int, int], outputs: int | None) -> dict[str, int]:
    """Return the sizes that a model's arguments of these names take from the data, by name.

    `image_size` is there for square images only, and the sizes of the outputs if there is a number.

    Args:
        image: the shape of an image, (C, H, W).
        outputs: the number of outputs per example that the task needs; None if it may vary.
    """
    channels, height, width = image
    found = {"inputs": channels * height * width, "in_channels": channels, "in_chans": channels}
    if height == width:
        found["image_size"] = height
    if outputs is not None:
        found |= dict.fromkeys(("classes", "num_classes", "outputs"), outputs)
    return found


FILLED_IN = frozenset({*(f"model.{name}" for name in SIZES), "schedule.mode"})
"""the keys that the program fills in if they are null or left out"""


def with_model(config: RunConfig, sizes: Mapping[str, int]) -> RunConfig:
    """Return a configuration whose model has these arguments too."""
    return config.model_copy(update={"model": config.model.model_copy(update=dict(sizes))})


def with_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a model without the sizes that are null."""
    return {
        name: value for name, value in arguments.items() if value is not None or name not in SIZES
    }


def with_known_values(config: RunConfig) -> RunConfig:
    """Fill in the values that are known without loading the data.

    These are the sizes of this project's models on this project's data sets, and the direction of
    ReduceLROnPlateau. So a run has the same identity whether they are written or left out.
    """
    if isinstance(config.schedule, Plateau) and config.schedule.mode is None:
        name = config.trainer.monitor.removeprefix("val_")
        mode = config.task.direction_of(name)[:3]
        config = config.model_copy(
            update={"schedule": config.schedule.model_copy(update={"mode": mode})}
        )
    if config.data.IMAGE is None or not isinstance(config.model, SimpleNet | ConvNet):
        return config
    outputs = {CLASSIFICATION: config.data.CLASSES, REGRESSION: 1}.get(config.task.target)
    return with_model(config, missing(config.model, sizes_of(config.data.IMAGE, outputs)))


def missing(model: Part, sizes: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes that are null in a model's arguments."""
    return {
        name: sizes[name]
        for name, value in model.arguments().items()
        if value is None and name in sizes
    }
