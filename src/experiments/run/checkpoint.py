"""Checkpoints: the state of a run in safetensors files, which cannot run code.

A checkpoint is one safetensors file. Its header holds the values other than tensors as JSON. Its
name holds the number of optimizer steps and the first 16 digits of the file's own SHA-256. A write
is atomic, and the checkpoint before is kept. A checkpoint holds the identity of its run, and no run
with another identity loads it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from experiments.errors import InputError, RunError, unreadable, unwritable
from experiments.files.safe_writes import make_folder, write_atomically
from experiments.run.packing import own, pack, unpack

_log = logging.getLogger(__name__)

FORMAT = 2  # 1, of version 0.1.0, did not hold the identity of its run
_KEPT = 2  # the newest, and one more in case the newest is damaged
_HEADER = "experiments"


def save_weights(weights: Mapping[str, Tensor], path: Path) -> str:
    """Write a model's parameters and buffers; return the SHA-256 of the file.

    The same weights give the same bytes: safetensors orders the tensors and stores no time. Tensors
    that share memory are written separately, with the same values.

    Raises:
        RunError: the file cannot be written.
    """
    content = save({name: own(value) for name, value in weights.items()})
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


class Checkpoints:
    """The checkpoints of a run, in a folder of their own."""

    def __init__(self, folder: Path, identity: str = "") -> None:
        self.folder, self._identity = folder, identity

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint durably, delete all but the newest two, and return its path.

        Args:
            step: the number of optimizer steps taken.
            state: tensors, numbers, texts and None in mappings, lists and tuples, nested at will.

        Raises:
            InputError: a file or a permission of the user's prevents the write.
            RunError: the disk does not take the file; older checkpoints are untouched.
            TypeError: the state holds a value of another type.
        """
        tensors: dict[str, Tensor] = {}
        about = {"format": FORMAT, "identity": self._identity, "state": pack(state, tensors)}
        content = save(tensors, metadata={_HEADER: json.dumps(about)})
        make_folder(self.folder)
        path = self.folder / f"{step:09d}-{_digest(content)}.safetensors"
        write_atomically(path, content)
        with _writing(self.folder):
            for old in self._newest_first()[_KEPT:]:
                old.unlink()
        return path

    def load(self) -> dict[str, Any] | None:
        """Return the newest undamaged state, None if none was saved.

        A damaged checkpoint is renamed with a warning, and the one before it is loaded.

        Raises:
            InputError: all are damaged, or one is undamaged but unusable for this run or version.
        """
        found = self.newest()
        return None if found is None else self.read(*found)

    def newest(self) -> tuple[Path, bytes] | None:
        """Return the place and the content of the newest undamaged checkpoint, None without one.

        Raises:
            InputError: all are damaged.
        """
        with _writing(self.folder):
            for staged in self.folder.glob(".*.partial"):
                staged.unlink()  # left by a process that was killed
        for path in self._newest_first():
            try:
                content = path.read_bytes()
            except OSError as error:
                raise unreadable(error, path) from error
            if path.stem.partition("-")[2] == _digest(content):
                return path, content
            _log.warning(
                "%s: is damaged (its SHA-256 is not the one in its name); taking the one before",
                os.path.relpath(path),
            )
            with _writing(path):
                path.rename(path.with_suffix(".damaged"))
        if any(self.folder.glob("*.damaged")):
            raise InputError(
                f"{os.path.relpath(self.folder)}: every checkpoint is damaged (its SHA-256 is not "
                "the one in its name); restore one, or train anew with force=true"
            )
        return None

    def remove(self) -> None:
        """Delete all checkpoints, the damaged ones too."""
        with _writing(self.folder):
            for path in (*self._newest_first(), *self.folder.glob("*.damaged")):
                path.unlink()
            if self.folder.exists() and not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _newest_first(self) -> list[Path]:
        def age(path: Path) -> tuple[str, int]:
            return path.name.partition("-")[0], path.lstat().st_mtime_ns

        return sorted(self.folder.glob("*.safetensors"), key=age, reverse=True)

    def read(self, path: Path, content: bytes) -> dict[str, Any]:
        """Return the state in the content of a checkpoint.

        Raises:
            InputError: it is unusable for this run or version.
        """
        try:
            metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            header = json.loads(metadata["__metadata__"][_HEADER])
            version = int(header["format"])
            if version == FORMAT:
                identity, state = header["identity"], unpack(header["state"], load(content))
        except Exception as error:  # a foreign file can cause any error
            reason = f"is no checkpoint of this project ({type(error).__name__}: {error})"
            raise unusable(path, reason) from error
        if version != FORMAT:
            raise unusable(path, f"has format {version}, and this version reads {FORMAT}")
        if identity != self._identity:
            raise unusable(path, "is of another run")
        if not isinstance(state, dict):
            raise unusable(path, "holds no state of a run")
        return state


def unusable(place: Path, reason: str) -> InputError:
    """Return the error for a checkpoint that is undamaged but that the run cannot resume from."""
    return InputError(
        f"{os.path.relpath(place)}: {reason}; restore the run's own, or train anew with force=true"
    )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(error, path) from error


def check_architecture(
    path: Path, weights: Mapping[str, Tensor], *, saved: Mapping[str, Tensor]
) -> None:
    """Check that saved weights have the names and shapes of a model's weights.

    Args:
        path: the place of the saved weights, for the message.
        weights: the model's weights by name.
        saved: the saved weights by name.

    Raises:
        InputError: a name or a shape differs.
    """
    there, here = ({name: tuple(v.shape) for name, v in w.items()} for w in (saved, weights))
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            raise InputError(
                f"{os.path.relpath(path)}: is of another architecture ({name} is "
                f"{_shape(there.get(name))} there and {_shape(here.get(name))} in the model); "
                "resume with the model it was saved from, or train anew with force=true"
            )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else " x ".join(map(str, shape)) or "a scalar"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def check_can_hold(states: Mapping[str, Any]) -> None:
    """Check before the first step that a checkpoint can hold the states of callbacks, by name.

    Raises:
        RunError: it cannot hold one of them.
    """
    for name, state in states.items():
        try:
            pack(state, {})
        except TypeError as error:
            raise RunError(
                f"callbacks.{name}: no checkpoint can hold its state: {error}; keep tensors, "
                "numbers, texts, lists and dicts in it"
            ) from error
