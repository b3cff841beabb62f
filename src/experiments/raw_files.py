"""The files of a data set as they lie on the disk: their names, and their checksums without torch.

A sweep's plan needs the checksum of the data that its jobs would train on, before it loads torch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from experiments.errors import InputError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SUMS = "SHA256SUMS"  # written beside the files when they are fetched, as sha256sum writes it
MNIST_SHA256: Mapping[str, str] = dict(
    zip(
        FILES,
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        strict=True,
    )
)
_SETS = frozenset(
    f"experiments.data.{name}" for name in ("MNIST", "FashionMNIST", "KMNIST", "Digits")
)


def raw_folder(root: str, name: str) -> Path:
    """Return the folder of a data set's files, as torchvision lays it out."""
    return Path(root).expanduser() / name / "raw"


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def combined(digests: Iterable[str]) -> str:
    """Return the checksum of a data set, from those of its files in the order of `FILES`."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def noted_sums(folder: Path) -> dict[str, str]:
    """Return the files' SHA-256 as noted when they were fetched; empty where they were not.

    Raises:
        InputError: the note is damaged.
    """
    path = folder / SUMS
    if not path.exists():
        return {}
    lines = re.findall(r"^([0-9a-f]{64})  (\S+)$", path.read_text(), flags=re.MULTILINE)
    noted = {name: sha256 for sha256, name in lines}
    if set(noted) != set(FILES):
        raise InputError(
            f"data.root: {path} is damaged; delete it and the data files beside it, and run again"
        )
    return noted


def is_fetched(target: str, root: str) -> bool:
    """Return whether a data set's files are there; a class of the user's sees to its own."""
    folder = raw_folder(root, target.rpartition(".")[2])
    return target not in _SETS or all((folder / file).exists() for file in FILES)


def checksum(target: str, root: str) -> str | None:
    """Return what a data set's `Splits.sha256` would be, without loading it.

    None where only loading tells: for files not fetched yet, and for classes of the user's.
    """
    if target not in _SETS:
        return None
    name = target.rpartition(".")[2]
    folder = raw_folder(root, name)
    if is_fetched(target, root):
        return combined(sha256_of(folder / file) for file in FILES)
    return combined(MNIST_SHA256.values()) if name == "MNIST" else None
