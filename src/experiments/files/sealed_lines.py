"""Sealed lines: JSON objects of one line, each with a checksum over itself and what came before.

A line that was altered, removed, inserted or moved no longer fits. The seal tells damage and slips
of an editor; it is no signature, since anybody can seal anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

_DIGITS = 16  # of the SHA-256
_NAME = "checksum"
_TAIL = rb', "checksum": "([0-9a-f]{16})"\}'
TAIL_BYTES = len(f', "{_NAME}": "{"0" * _DIGITS}"}}')
"""how many bytes at the end of each sealed line are the seal"""


def seal(content: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """Return a mapping as a sealed line, without its end, and the line's checksum.

    Args:
        content: JSON data; not empty.
        before: the checksum of the line before, or whatever else the line belongs to.
    """
    body = json.dumps(content)[:-1].encode()
    checksum = _checksum(body, before)
    return body + f', "{_NAME}": "{checksum}"}}'.encode(), checksum


def checksum_of(line: bytes) -> str | None:
    """Return the checksum that a line ends with; None where it is not sealed."""
    found = re.fullmatch(_TAIL, line[-TAIL_BYTES:])
    return found[1].decode() if found else None


def unseal(line: bytes, before: str) -> dict[str, Any]:
    """Return what was sealed.

    Raises:
        ValueError: the line was altered, or does not follow what is before it.
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
    """Return whether a text without a line's end has something behind a seal.

    A line that was cut short has not: its end is the next byte after the seal.
    """
    return re.search(_TAIL + b".", text, re.DOTALL) is not None


def _checksum(body: bytes, before: str) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()[:_DIGITS]
