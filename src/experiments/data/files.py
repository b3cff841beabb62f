"""The four files of a data set as they lie on the disk, and their checksums, without torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from experiments.errors import InputError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SUMS = "SHA256SUMS"  # written beside the files when they are fetched, as sha256sum writes it


def raw_folder(root: str, name: str) -> Path:
    """Return the folder of a data set's files, as torchvision lays it out."""
    return Path(root).expanduser() / name / "raw"


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
