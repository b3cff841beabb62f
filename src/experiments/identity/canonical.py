"""Plain nested data as a text that only equal data share."""

from __future__ import annotations

import json
from typing import Any


def canonical(value: Any) -> str:
    """Return nested data as JSON, whatever the order of its keys."""
    return json.dumps(plain(value), sort_keys=True)


def plain(value: Any) -> Any:
    """Return nested data with texts for keys, as JSON has them, no two of which fall together."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else f"{type(key).__name__} {key}": plain(entry)
            for key, entry in value.items()
        }
    return [plain(entry) for entry in value] if isinstance(value, list) else value
