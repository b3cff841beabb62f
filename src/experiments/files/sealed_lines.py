"""Sealed lines: JSON objects of one line, each with a checksum over itself and the line before.

A line that was altered, removed, inserted or moved no longer fits. The seal (the checksum) finds
damage and accidental edits; it is no signature, because anybody can compute a new one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

_DIGITS = 16  # the first hexadecimal digits of the SHA-256
_NAME = "checksum"
_TAIL = rb', "checksum": "([0-9a-f]{16})"\}'
TAIL_BYTES = len(f', "{_NAME}": "{"0" * _DIGITS}"}}')
"""the length of the seal at the end of each sealed line, in bytes"""


def seal(content: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """Return a mapping as a sealed line, without the newline, and the checksum of the line.

    Args:
        content: JSON data; not empty.
        before: the checksum of the line before; for a first line, any text that it belongs to.
    """
    body = json.dumps(content)[:-1].encode()
    checksum = _checksum(body, before)
    return body + f', "{_NAME}": "{checksum}"}}'.encode(), checksum


def checksum_of(line: bytes) -> str | None:
    """Return the checksum at the end of a line; None if the line is not sealed."""
    found = re.fullmatch(_TAIL, line[-TAIL_BYTES:])
    return found[1].decode() if found else None


def unseal(line: bytes, before: str) -> dict[str, Any]:
    """Return the content of a sealed line.

    Raises:
        ValueError: the line was altered, or does not follow the line with checksum `before`.
    """
    checksum = checksum_of(line)
    if checksum is None:
        raise ValueError("a line has no checksum")
    if checksum != _checksum(line[:-TAIL_BYTES], before):
        raise ValueError("a line's checksum is not the one of its content")
    content: dict[str, Any] = json.loads(line)
    del content[_NAME]
    return content


def reaches_beyond(text: bytes) -> bool:
    """Return whether a text without a newline has more bytes after a seal.

    A line that was cut short has none, because its newline follows directly after the seal.
    """
    return re.search(_TAIL + b".", text, re.DOTALL) is not None


def _checksum(body: bytes, before: str) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()[:_DIGITS]
