"""The templates of a package's pages, and the checksums by which a page's policy names a script."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@functools.cache
def environment(package: str) -> Environment:
    """Return the environment of the templates of a package; it escapes the values."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(functools.partial(source, package)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def source(package: str, name: str) -> str:
    """Return the text of a file in the folder `templates` of a package."""
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the source expression of a script or style for a `Content-Security-Policy`."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
