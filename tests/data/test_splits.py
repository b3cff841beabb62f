"""Splits: memory shared between runs, a stratified validation split, data sets of users."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import Dataset

from experiments.data import Digits
from experiments.data.splits import Split, hold_out, load, on_device
from experiments.errors import InputError


class Own(Dataset):
    """A data set as a user would write it."""

    def __init__(self, *, root: str, train: bool, size: int = 40) -> None:
        self.data = torch.full((size if train else 10, 5, 5), 7, dtype=torch.uint8)
        self.targets = torch.arange(len(self.data)) % 4


class Floats(Own):
    """A data set with images that are not bytes."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.data = self.data.float()


class Unlabelled(Own):
    """A data set with too few labels."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.targets = self.targets[:3]


class Empty(Own):
    """A data set without an example for training."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train, size=0)


class Without(Own):
    """A data set whose images have another name."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.images = self.__dict__.pop("data")


class Flat(Own):
    """A data set of images without a pixel."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.data = self.data[:, :0]


class Listed(Own):
    """A data set whose labels are a list."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.targets = self.targets.tolist()


class Negative(Own):
    """A data set with a label below 0."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.targets = self.targets - 1


class Uneven(Own):
    """A data set with smaller images for the test."""

    def __init__(self, *, root: str, train: bool) -> None:
        super().__init__(root=root, train=train)
        self.data = self.data if train else self.data[:, :3]


def test_the_digits_are_scikit_learn_s(digits) -> None:
    assert digits.train.images.shape == (1500, 28, 28)
    assert digits.test.images.shape == (297, 28, 28)
    assert digits.train.images.dtype == torch.uint8
    assert digits.train.images.max() == 255
    assert digits.train.labels.unique().tolist() == list(range(10))


def test_a_process_loads_a_data_set_once(root: str) -> None:
    assert load(Digits, {"root": root}) is load(Digits, {"root": root})


def test_only_small_tensors_are_pinned_on_their_way_to_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pinned: list[int] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(len(tensor))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_, **__: tensor)
    load(Own, {"root": "", "size": 14}, torch.device("cuda"))
    assert pinned == []
    on_device(torch.arange(5), torch.device("cuda"))
    assert pinned == [5]


@pytest.mark.parametrize("size", [1, 10, 150, 1333])
def test_the_validation_split_is_exact_disjoint_and_stratified(digits, size: int) -> None:
    held = hold_out(digits, size, seed=3)
    assert held.validation is not None
    assert len(held.validation) == size
    assert len(held.train) == 1500 - size
    indices = torch.cat([held.train.index, held.validation.index])
    assert torch.equal(indices.sort().values, torch.arange(1500))
    share = digits.train.labels.bincount(minlength=10) * size / 1500
    _, labels = held.validation.at(slice(None))
    assert (labels.bincount(minlength=10) - share).abs().max() <= 1
    assert held.test is digits.test


def test_the_validation_split_derives_from_the_seed(digits) -> None:
    first, again, other = (hold_out(digits, 100, seed).validation for seed in (1, 1, 2))
    assert torch.equal(first.index, again.index)
    assert not torch.equal(first.index, other.index)


def test_splits_share_the_memory_of_their_data_set(digits) -> None:
    held = hold_out(digits, 100, seed=1)
    assert held.train.images is held.validation.images is digits.train.images
    images, labels = held.validation.at(torch.tensor([3, 0]))
    places = held.validation.index[[3, 0]]
    assert torch.equal(images, digits.train.images[places])
    assert torch.equal(labels, digits.train.labels[places])


def test_no_validation_split_unless_asked(digits) -> None:
    assert hold_out(digits, 0, seed=0) is digits


def test_a_user_s_own_data_set() -> None:
    splits = load(Own, {"root": "", "size": 12})
    assert isinstance(splits.train, Split)
    assert len(splits.train) == 12
    assert len(splits.sha256) == 64
    assert load(Own, {"root": "", "size": 13}).sha256 != splits.sha256


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Floats, r"Floats.data must be a uint8 tensor .*, and is a float32 tensor \(\d+, 5, 5\)"),
        (Without, r"Without has no data; set self\.data to the images, a uint8 tensor"),
        (Flat, "Flat.data has images of 0 x 5 pixels; each size must be at least 1"),
        (Listed, "Listed.targets must be a tensor of 40 labels, and is a list"),
        (Unlabelled, "must be a tensor of 40 labels"),
        (Empty, "Empty is empty; it needs examples"),
        (Negative, "Negative.targets has a label -1; labels begin with 0"),
        (Uneven, "Uneven has images of 5 x 5 for training and 3 x 5 for the test"),
    ],
)
def test_a_data_set_of_another_shape_is_refused(cls, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(cls, {"root": ""})
