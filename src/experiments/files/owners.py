"""Whose the file of a module is: Python's, an installed package's, or the user's own."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Literal

_STDLIB = Path(sysconfig.get_path("stdlib")).resolve()
_INSTALLED = frozenset({"site-packages", "dist-packages"})

Owner = Literal["python", "package", "user"]


def owner_of(file: str | Path) -> Owner:
    """Return whose the file of a module is, by its place; links are followed.

    An editable install links to source that the user edits, so it is the user's. A name would not
    tell: a user's module may be called like one of Python's.
    """
    place = Path(file).resolve()
    if _INSTALLED & set(place.parts):
        return "package"
    return "python" if place.is_relative_to(_STDLIB) else "user"
