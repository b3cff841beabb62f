"""The parts of modules that compute, remembered by the contents of the modules.

To find the part takes a syntax tree of each module, a fiftieth of a start. A content that was seen
before has the same part, and a checksum tells damage, so the memory cannot become wrong. It lies
beside Python's own, the bytecode of this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from importlib.util import cache_from_source
from pathlib import Path


class KnownParts:
    """The SHA-256 of the computing part of each content that was seen before."""

    def __init__(self) -> None:
        self._file = _file()
        self._before = _read(self._file) if self._file else {}
        self._now: dict[str, str] = {}

    def sha256_of(self, content: bytes) -> bytes:
        """Return the SHA-256 of the computing part of a module's text."""
        key = hashlib.sha256(content).hexdigest()
        found = self._before.get(key)
        if found is None:
            from experiments.identity.computing_part import computing_part

            found = hashlib.sha256(computing_part(content)).hexdigest()
        self._now[key] = found
        return bytes.fromhex(found)

    def keep(self) -> None:
        """Remember the contents of this object, and forget others, if they differ."""
        if self._file is None or self._now == self._before:
            return
        staged = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        told = {"parts": self._now, "sha256": _seal(self._now)}
        with contextlib.suppress(OSError):  # the package is installed where nobody may write
            try:
                staged.write_text(json.dumps(told))
                staged.replace(self._file)
            finally:
                staged.unlink(missing_ok=True)


def _file() -> Path | None:
    """Return the file of the memory; None where Python writes no bytecode either."""
    if sys.dont_write_bytecode:
        return None
    file = Path(cache_from_source(__file__)).with_suffix(".json")
    return file if file.parent.is_dir() else None


def _read(file: Path) -> dict[str, str]:
    try:
        told = json.loads(file.read_text())
        parts = {str(key): str(value) for key, value in told["parts"].items()}
        return parts if told["sha256"] == _seal(parts) else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # it is made anew


def _seal(parts: Mapping[str, str]) -> str:
    """Return the SHA-256 of parts, and of the rule by which they were found."""
    rule = Path(__file__).with_name("computing_part.py").read_bytes()
    return hashlib.sha256(rule + json.dumps(parts, sort_keys=True).encode()).hexdigest()
