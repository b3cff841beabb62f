"""Keys and texts in a spelling that MLflow and every database take."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Mapping

LONGEST_KEY = 250  # MLflow's limit, in characters


def storable(text: str) -> str:
    r"""Return a text that every database takes, with `\0` for NUL and `\udcff` for a surrogate."""
    return text.replace("\0", r"\0").encode(errors="backslashreplace").decode()


def spelled(params: Mapping[str, str]) -> dict[str, str]:
    """Return parameters with keys that MLflow accepts; different keys stay different.

    MLflow refuses keys with characters other than letters, digits and `_-. :/`, keys that are no
    plain path, and keys of more than 250 characters. If two keys would become equal, the changed
    key gets a digest.
    """
    keys = {key: _spelled(key) for key in params}
    counts = Counter(keys.values())
    found = {}
    for key, value in params.items():
        plain = keys[key]
        if counts[plain] > 1 and plain != key:
            plain = f"{plain[: LONGEST_KEY - 9]}-{_digest(key)}"
        found[plain] = value
    return found


def _spelled(key: str) -> str:
    plain = re.sub(r"[^\w\-. :/]", "_", key)
    if posixpath.normpath(plain) != plain or plain.startswith((".", "/")):
        plain = re.sub(r"/|^\.+|^$", "_", plain)
    if len(plain) > LONGEST_KEY:
        plain = f"{plain[: LONGEST_KEY - 9]}-{_digest(key)}"
    return plain


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:8]
