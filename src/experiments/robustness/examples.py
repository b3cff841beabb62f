"""The images that runs are evaluated on: their own test set, or that of other data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from experiments.errors import InputError
from experiments.inference.class_names import class_names
from experiments.inference.data import examples_of, load_data
from experiments.inference.trained import Trained


@dataclass(frozen=True)
class Examples:
    """A test set."""

    data: str
    """the name of the class of its data set"""
    images: Tensor
    """bytes (N, H, W) or (N, C, H, W)"""
    labels: Tensor
    """int64 (N), as the runs' task makes them"""
    is_own: bool
    """whether the runs themselves were tested on it"""
    note: str = ""
    """a line that its accuracy needs"""


def own_examples(trained: Trained) -> Examples:
    """Return the images that a run was tested on.

    Raises:
        InputError: the data is not here, or has changed.
    """
    return Examples(trained.data, *examples_of(trained), is_own=True)


def other_examples(trained: Trained, settings: Mapping[str, Any]) -> Examples:
    """Return the whole test set of other data, whose missing files are fetched.

    Args:
        trained: the run that is to answer.
        settings: the values of a configuration's group `data`.

    Raises:
        InputError: the data cannot be loaded, has other images or classes than the run, or the
            code of the run's task fails.
    """
    test = load_data(settings, fetch=True).test
    target = str(settings["_target_"])
    name = target.rpartition(".")[2]
    images = test.images
    shape = tuple(images.shape[1:]) if images.dim() == 4 else (1, *images.shape[1:])
    if shape != trained.shape:
        theirs, own = (" x ".join(map(str, each)) for each in (shape, trained.shape))
        raise InputError(
            f"--data: {name} has images of {theirs}, and {trained.short} was trained on {own}; "
            "choose data of that shape"
        )
    labels = trained.targets(images, test.labels)
    if labels.is_floating_point():
        raise InputError(f"--data: {name} has numbers in place of classes; choose other data")
    known = trained.logits(images[:1]).shape[1]
    if (count := int(labels.max()) + 1) > known:
        raise InputError(
            f"--data: {name} has {count} classes, and {trained.short} knows {known}; choose data "
            "with the same classes"
        )
    names, own_names = class_names(target, known), trained.names(known)
    note = ""
    if list(names) != list(own_names):
        note = (
            f"the classes of {name} have other names ({names[0]}, …) than those of "
            f"{trained.data} ({own_names[0]}, …)"
        )
    return Examples(name, images, labels, is_own=False, note=note)
