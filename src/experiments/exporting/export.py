"""Export a run's model: written aside, checked, and put in its place."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, cast

from experiments.errors import InputError, unwritable
from experiments.exporting.check import Agreement, check
from experiments.exporting.place import KIND, METADATA, check_place, files_of
from experiments.exporting.source import Answer, Source
from experiments.files.safe_writes import make_folder


class _Format(Protocol):
    def write(self, source: Source, folder: Path) -> None: ...

    def load(self, folder: Path) -> Answer: ...


@dataclass(frozen=True)
class Exported:
    """An export that has passed its check."""

    folder: Path
    files: Mapping[str, int]
    """the names of its files and their sizes in bytes"""
    agreement: Agreement
    accuracy: float | None
    """of the run on its test images; None if it does not classify"""
    int8_accuracy: float | None
    """of the quantised model; None if there is none"""


def export(source: Source, kind: str, output: Path, *, int8: bool = False) -> Exported:
    """Export a run's model into a folder; it replaces an earlier one of its run and format there.

    Args:
        source: the run.
        kind: the format: mlflow, onnx, torch_export or safetensors.
        output: the folder to be made.
        int8: whether a quantised model is made as well; only for onnx.

    Raises:
        InputError: the model cannot be exported in this format, or something else lies in the
            place, or it cannot be written.
        RunError: the export does not give the answers of the run; nothing is left of it.
    """
    if edited := source.trained.edited:
        raise InputError(
            f"{source.trained.short}: {' and '.join(edited)} has been edited since the training, "
            "and an export would be another model; restore the code, as in the run's commit"
        )
    if int8 and not source.trained.classifies:
        raise InputError(
            "--quantize=int8: its loss is measured as accuracy, and the run does not classify; "
            "leave it out"
        )
    form = cast("_Format", importlib.import_module(f"experiments.exporting.as_{kind}"))
    make_folder(output.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as aside:
            staged = Path(aside) / "new"
            staged.mkdir()
            form.write(source, staged)
            agreement = check(form.load(staged), source)
            quantised = _quantised(source, staged) if int8 else None
            accuracy = source.accuracy(source.expected) if source.trained.classifies else None
            told = {
                "kind": KIND,
                "format": kind,
                **source.description,
                "check": asdict(agreement),
                "accuracy": accuracy,
                "int8_accuracy": quantised,
                "files": sorted(files_of(staged)),
            }
            (staged / METADATA).write_text(json.dumps(told, indent=2) + "\n")
            check_place(kind, output, source.trained.id)  # an export takes a while
            _put(staged, output, Path(aside) / "before")
    except OSError as error:
        raise unwritable(error, output) from error
    return Exported(output, _sizes(output), agreement, accuracy, quantised)


def _put(staged: Path, output: Path, before: Path) -> None:
    """Move an export to its place; an earlier one stays there if that does not succeed."""
    try:
        if output.exists():
            output.rename(before)
        staged.rename(output)
    finally:
        if before.exists() and not output.exists():
            before.rename(output)


def _quantised(source: Source, folder: Path) -> float:
    from experiments.exporting.as_onnx_int8 import write

    return write(source, folder)


def _sizes(folder: Path) -> dict[str, int]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}
