"""The names, folder and checksums of the four files of a data set, without torch."""

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
SUMS = "SHA256SUMS"  # written when the files are fetched, in the format of sha256sum


def raw_folder(root: str, name: str) -> Path:
    """Return the folder of the files of a data set, the same as that of torchvision."""
    return Path(root).expanduser() / name / "raw"


def combined(digests: Iterable[str]) -> str:
    """Return the checksum of a data set from the SHA-256 of its files, in the order of `FILES`."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def noted_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, noted when it was fetched; empty if it was not fetched.

    Raises:
        InputError: the file `SUMS` is damaged.
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
