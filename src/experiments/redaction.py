"""Passwords stay out of files, logs and parameters."""

from __future__ import annotations

import re


def without_passwords(text: str) -> str:
    """Return a text with the password of every address in it (user:password@host) hidden."""
    return re.sub(r"(://[^\s:/@]*):[^\s@]*@", r"\1:***@", text)
