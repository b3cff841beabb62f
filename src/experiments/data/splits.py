"""Load a data set and divide it into the training, validation and test splits of a run."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from experiments.errors import InputError
from experiments.randomness import derive, generator, seed_all
from experiments.target_classes import build


@dataclass(frozen=True)
class Split:
    """Examples: images uint8 (M, H, W) or (M, C, H, W), and their labels, on one device.

    Labels are classes, int64 (M), or numbers, float32 (M) or (M, D).

    The split holds all M examples, or the N examples at `index`, int64 (N). So the splits of one
    data set share its memory.
    """

    images: Tensor
    labels: Tensor
    index: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels if self.index is None else self.index)

    def places(self, order: Tensor) -> Tensor:
        """Return the places in the data set of examples at places of the split, int64 (B)."""
        return order if self.index is None else self.index[order]

    def at(self, places: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return the images and labels at `places` of the split, int64 (B) or a slice."""
        if self.index is not None:
            places = self.index[places]
        if isinstance(places, slice):
            return self.images[places], self.labels[places]
        return self.images.index_select(0, places), self.labels.index_select(0, places)


@dataclass(frozen=True)
class Splits:
    """The splits of a data set, and the SHA-256 of the whole data set."""

    train: Split
    validation: Split | None
    test: Split
    sha256: str


def load(cls: type, arguments: Mapping[str, Any], device: torch.device | None = None) -> Splits:
    """Return the training and test split of a data set, verified and on a device.

    The last result is cached, so that the runs of a process share it. Random numbers that the class
    draws do not depend on the seed of the run, so that runs of different seeds see the same data.

    Args:
        cls: the class of the data set, called with `train` and the arguments.
        arguments: its arguments from the configuration.
        device: the device of the tensors; None for the CPU.

    Raises:
        InputError: the data cannot be fetched, is damaged, or has a wrong shape or type.
    """
    given = _Arguments(arguments)
    return _load(cls, given, device or torch.device("cpu"))


class _Arguments:
    """The arguments of a data set as a cache key: equal if their values and types are equal."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self._text = repr(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Arguments) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@functools.lru_cache(maxsize=1)
def _load(cls: type, arguments: _Arguments, device: torch.device) -> Splits:
    parts = [_part(cls, arguments, train=train) for train in (True, False)]
    train, test = (_split(part) for part in parts)
    if train.images.shape[1:] != test.images.shape[1:]:
        shapes = [_sizes(split.images) for split in (train, test)]
        raise InputError(
            f"data._target_: {cls.__name__} has images of {shapes[0]} for training and {shapes[1]} "
            "for the test; they should have one shape"
        )
    digests = [getattr(part, "sha256", None) for part in parts]
    sha256 = hashlib.sha256()
    for split, digest in zip((train, test), digests, strict=True):
        sha256.update(digest.encode() if digest else _content(split))
    train, test = (
        Split(split.images.to(device), split.labels.to(device)) for split in (train, test)
    )
    return Splits(train, None, test, sha256.hexdigest())


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a small tensor of the CPU on a device; a GPU copies it from pinned memory.

    So nobody waits: a GPU computes on a stream, and its next kernel sees the copy. Pinned memory is
    locked, so there should be little of it.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _part(cls: type, arguments: _Arguments, *, train: bool) -> object:
    seed_all(derive(0, "data", int(train)))
    return build("data", cls, {"train": train}, arguments.values)


def _split(dataset: object) -> Split:
    name = type(dataset).__name__
    images, labels = _tensors(dataset)
    if len(labels) == 0:
        raise InputError(f"data._target_: {name} is empty; it needs examples")
    if images[0].numel() == 0:
        raise InputError(
            f"data._target_: {name}.data has images of {_sizes(images)} pixels; each size must be "
            "at least 1"
        )
    if labels.is_floating_point():
        if labels.dim() > 2 or not labels.isfinite().all():
            raise InputError(
                f"data._target_: {name}.targets must be finite numbers (N) or (N, D), or whole "
                "labels (N)"
            )
        return Split(images, labels.float())
    if labels.dim() != 1:
        raise InputError(
            f"data._target_: {name}.targets has the shape {tuple(labels.shape)}; labels are whole "
            "numbers (N), and targets of a regression floats (N, D)"
        )
    if int(labels.min()) < 0:
        raise InputError(
            f"data._target_: {name}.targets has a label {int(labels.min())}; labels begin with 0"
        )
    return Split(images, labels.long())


def _tensors(dataset: object) -> tuple[Tensor, Tensor]:
    """Return the images and labels of a data set, of the right types and equal in number."""
    name = type(dataset).__name__
    images, labels = (getattr(dataset, attribute, None) for attribute in ("data", "targets"))
    for attribute, told in (("data", images), ("targets", labels)):
        if told is None:
            raise InputError(
                f"data._target_: {name} has no {attribute}; set self.data to the images, a "
                "uint8 tensor (N, H, W) or (N, C, H, W), and self.targets to a tensor of N labels"
            )
    if not (isinstance(images, Tensor) and images.dtype == torch.uint8 and images.dim() in {3, 4}):
        raise InputError(
            f"data._target_: {name}.data must be a uint8 tensor (N, H, W) or (N, C, H, W), and is "
            f"{_described(images)}; convert it"
        )
    if not (isinstance(labels, Tensor) and labels.shape[:1] == images.shape[:1]):
        raise InputError(
            f"data._target_: {name}.targets must be a tensor of {len(images)} labels, and is "
            f"{_described(labels)}; give each image one label"
        )
    return images, labels


def _sizes(images: Tensor) -> str:
    return " x ".join(map(str, images.shape[1:]))


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor {tuple(value.shape)}"
    shape = f" of the shape {value.shape}" if hasattr(value, "shape") else ""
    return f"a {type(value).__module__}.{type(value).__qualname__}{shape}".replace("builtins.", "")


def _content(split: Split) -> bytes:
    return b"".join(
        each.cpu().contiguous().numpy().tobytes() for each in (split.images, split.labels)
    )


def hold_out(splits: Splits, validation_size: int, seed: int) -> Splits:
    """Return splits with a validation split drawn out of the training split.

    Each class gives its share, rounded up or down; where labels are no classes, the draw is plain.
    The training examples keep their order.

    Args:
        splits: splits without validation.
        validation_size: the number of examples to draw; 0 for no validation split.
        seed: determines the draw.
    """
    if validation_size == 0:
        return splits
    device = splits.train.labels.device
    labels = splits.train.labels.cpu()
    drawn = torch.randperm(len(labels), generator=generator(seed, "validation"))
    classes = torch.zeros(len(labels)) if labels.is_floating_point() else labels
    # Sorted by class, and within a class by the draw; so every k-th example is a stratified draw.
    by_class = drawn[classes[drawn].argsort(stable=True)]
    held = by_class[torch.arange(validation_size) * len(labels) // validation_size]
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    is_held[held] = True
    train, validation = (
        Split(splits.train.images, splits.train.labels, on_device(chosen.nonzero()[:, 0], device))
        for chosen in (~is_held, is_held)
    )
    return Splits(train, validation, splits.test, splits.sha256)
