"""Canonical JSON: two data have the same text if, and only if, they are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """Return nested data as JSON; the order of keys makes no difference."""
    return json.dumps(plain(value), sort_keys=True)


def plain(value: Any) -> Any:
    """Return nested data with texts as keys, as in JSON; different keys stay different."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else f"{type(key).__name__} {key}": plain(entry)
            for key, entry in value.items()
        }
    return [plain(entry) for entry in value] if isinstance(value, list) else value


def sha256_of_data(data: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data; the order of keys makes no difference."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
