"""The checks of an export that need neither torch nor a model: options, packages, and the place."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from experiments.errors import InputError, shortened

METADATA = "metadata.json"
KIND = "experiments.export"
"""the value of `kind` in the metadata, by which an export is known"""
_LONGEST = 200  # characters of the names of files
_EXTRA = ("onnx", "onnxscript", "onnxruntime")


def check_can_export(kind: str, output: Path, run: str, *, int8: bool) -> None:
    """Check what needs no model: the packages of a format, the options and the place.

    Args:
        kind: the format.
        output: the folder to be made.
        run: the id of the run.
        int8: whether a quantised model is asked for.

    Raises:
        InputError: a package is missing, the options do not fit, or something else lies there.
    """
    if int8 and kind != "onnx":
        raise InputError(
            f"--quantize=int8: is there for --format=onnx only, not for --format={kind}"
        )
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if kind == "onnx" and missing:
        raise InputError(
            f"--format=onnx: needs {', '.join(missing)}; "
            "`pip install -c constraints.txt -e '.[export]'`"
        )
    check_place(kind, output, run)


def check_place(kind: str, output: Path, run: str) -> None:
    """Check that a new export replaces nothing but an earlier one of its run and format.

    Raises:
        InputError: something else lies there.
    """
    if not os.path.lexists(output):
        return
    told = _told(output)
    if told is None:
        reason = "exists already and is no earlier export"
    elif (of := (str(told.get("format")), str(told.get("run")))) != (kind, run):
        reason = f"is an export of run {of[1]} as {of[0]}, not of {run} as {kind}"
    elif others := files_of(output) - {METADATA, *map(str, told.get("files", []))}:
        names = shortened(", ".join(sorted(others)), _LONGEST)
        reason = f"holds files that no export has made ({names}), and would be replaced"
    else:
        return
    raise InputError(f"{output}: {reason}; name a new folder by --output")


def files_of(folder: Path) -> set[str]:
    """Return the files of a folder at any depth, without those that Python caches."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path.parent.name != "__pycache__"
    }


def _told(folder: Path) -> dict[str, Any] | None:
    """Return the metadata of an earlier export; None if there is none."""
    try:
        told = json.loads((folder / METADATA).read_text())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("kind") == KIND else None
