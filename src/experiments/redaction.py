"""Passwords stay out of files, logs and parameters."""

from __future__ import annotations

import re

_USER_AND_PASSWORD = re.compile(r"(:\\?//[^\s/:@\\]*)\\?:[^\s/]*@")
_TOKEN = re.compile(r"://[^\s/:@]+@")
_QUERY = re.compile(r"([?&][\w-]*(?:password|passwd|pwd|token|secret|key)=)[^\s&#]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    r"""Return a text with the secrets of every address in it hidden.

    These are the password in user:password@host, what stands alone before @host, and the values
    of keys in a query that end in `password`, `token`, `secret`, `key` or the like. Hydra may have
    written `\:` for `:`.
    """
    text = _USER_AND_PASSWORD.sub(r"\1:***@", text)
    text = _TOKEN.sub("://***@", text)
    return _QUERY.sub(r"\1***", text)
