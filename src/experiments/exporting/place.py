"""The checks of an export that need neither torch nor a model: options, packages, and the place."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

from experiments.errors import InputError

METADATA = "metadata.json"
KIND = "experiments.export"
"""the value of `kind` in the metadata, by which an export is known"""
_EXTRA = ("onnx", "onnxscript", "onnxruntime")


def check_can_export(kind: str, output: Path, *, int8: bool) -> None:
    """Check what needs no model: the packages of a format, the options and the place.

    Args:
        kind: the format.
        output: the folder to be made.
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
    if os.path.lexists(output) and not _is_export(output):
        raise InputError(
            f"{output}: exists already and is no earlier export; name a new folder by --output"
        )


def _is_export(folder: Path) -> bool:
    try:
        told = json.loads((folder / METADATA).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("kind") == KIND
