"""Checkpoints: where a run stands, in safetensors files, which cannot run code.

A checkpoint is one safetensors file. Its header holds, as JSON, what is no tensor; its name holds
the number of optimizer steps and the beginning of the file's own SHA-256. It is written whole or
not at all, and the one before it is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from experiments.durable import write_atomically
from experiments.errors import InputError

_log = logging.getLogger(__name__)

FORMAT = 1
_KEPT = 2  # the newest, and the one before it should the newest be damaged
_HEADER = "experiments"


def save_weights(weights: Mapping[str, Tensor], path: Path) -> str:
    """Write a model's parameters and buffers; return the SHA-256 of the file.

    The same weights give the same bytes: safetensors orders the tensors and stores no time. Tensors
    that share memory are written each for itself, which loads the same.

    Raises:
        RunError: the disk is full.
    """
    content = save({name: _own(value) for name, value in weights.items()})
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


class Checkpoints:
    """The checkpoints of a run, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint durably and drop all but the newest two; return its file.

        Args:
            step: the optimizer steps taken.
            state: tensors, numbers, texts and None in mappings, lists and tuples, nested at will.

        Raises:
            RunError: the disk is full; the checkpoints before are untouched.
            TypeError: the state holds something else.
        """
        tensors: dict[str, Tensor] = {}
        packed = json.dumps({"format": FORMAT, "state": pack(state, tensors)})
        content = save(tensors, metadata={_HEADER: packed})
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{step:09d}-{_digest(content)}.safetensors"
        write_atomically(path, content)
        for old in self._newest_first()[_KEPT:]:
            old.unlink()
        return path

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that is whole, None where none was saved.

        A damaged checkpoint is said aloud and set aside, and the one before it is taken.

        Raises:
            InputError: all are damaged, or one is whole but cannot be read by this version.
        """
        for staged in self.folder.glob(".*.partial"):
            staged.unlink()  # of a process that was killed
        for path in self._newest_first():
            content = path.read_bytes()
            if path.stem.partition("-")[2] == _digest(content):
                return _read(path, content)
            _log.warning(
                "%s: is damaged (its SHA-256 is not the one in its name); taking the one before",
                os.path.relpath(path),
            )
            path.rename(path.with_suffix(".damaged"))
        if any(self.folder.glob("*.damaged")):
            raise InputError(
                f"{os.path.relpath(self.folder)}: every checkpoint is damaged (its SHA-256 is not "
                "the one in its name); restore one, or train anew with force=true"
            )
        return None

    def remove(self) -> None:
        """Delete all checkpoints, the damaged ones too."""
        for path in (*self._newest_first(), *self.folder.glob("*.damaged")):
            path.unlink()
        if self.folder.exists() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _newest_first(self) -> list[Path]:
        def age(path: Path) -> tuple[str, int]:
            return path.name.partition("-")[0], path.stat().st_mtime_ns

        return sorted(self.folder.glob("*.safetensors"), key=age, reverse=True)


def check_architecture(
    path: Path, weights: Mapping[str, Tensor], *, saved: Mapping[str, Tensor]
) -> None:
    """Check that weights saved under a path fit a model that has the weights given.

    Raises:
        InputError: a name or a shape differs.
    """
    there, here = ({name: tuple(v.shape) for name, v in w.items()} for w in (saved, weights))
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            raise InputError(
                f"{os.path.relpath(path)}: is of another architecture ({name} is "
                f"{_shape(there.get(name))} there and {_shape(here.get(name))} in the model); "
                "continue with the model it was saved from, or train anew with force=true"
            )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else " x ".join(map(str, shape)) or "a scalar"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _own(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone().contiguous()


def _read(path: Path, content: bytes) -> dict[str, Any]:
    try:
        tensors = load(content)
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()[_HEADER])
        version = int(header["format"])
        state: dict[str, Any] = unpack(header["state"], tensors) if version <= FORMAT else {}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{os.path.relpath(path)}: is no checkpoint of this project ({error}); it is not "
            "opened in any other way. Delete it, or train anew with force=true"
        ) from error
    if version > FORMAT:
        raise InputError(
            f"{os.path.relpath(path)}: has format {version}, and this version reads up to "
            f"{FORMAT}; continue with the version that wrote it, or train anew with force=true"
        )
    return state


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return a nested value as JSON data; its tensors go into `tensors`, under their path.

    Raises:
        TypeError: it holds something that a checkpoint cannot keep.
    """
    return _pack(value, tensors, "")


def _pack(value: Any, tensors: dict[str, Tensor], path: str) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Tensor() if value.layout is torch.strided and not (
            value.is_complex() or value.is_meta
        ):
            name = path.lstrip(".")
            while name in tensors:  # {"a.b": 1, "a": {"b": 2}}
                name += "'"
            tensors[name] = _own(value)
            # Fused kernels pair a weight with its momentum by their places in memory.
            return {"tensor": [name, torch.empty_like(value, device="meta").stride()]}
        case Counter() | Mapping():
            kind = "counter" if isinstance(value, Counter) else "mapping"
            for key in value:
                if not isinstance(key, None | bool | int | float | str):
                    raise TypeError(
                        f"{path.lstrip('.')} has a key of the type {type(key).__name__}"
                    )
            return {kind: [[k, _pack(v, tensors, f"{path}.{k}")] for k, v in value.items()]}
        case list() | tuple():
            items = [_pack(v, tensors, f"{path}.{i}") for i, v in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
    raise TypeError(f"{path.lstrip('.')} is of the type {type(value).__name__}")


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the value that `pack` was given."""
    if isinstance(packed, list):
        return [unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    match kind:
        case "tensor":
            name, stride = content
            saved = tensors[name]
            return torch.empty_strided(saved.shape, stride, dtype=saved.dtype).copy_(saved)
        case "tuple":
            return tuple(unpack(item, tensors) for item in content)
        case "counter":
            return Counter({key: unpack(item, tensors) for key, item in content})
    return {key: unpack(item, tensors) for key, item in content}
