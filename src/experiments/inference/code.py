"""The code of a finished run's model, then and now."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.errors import InputError
from experiments.identity.sources import sources_of

_SHA256 = 64  # characters; a package has a version in place of a hash


def edited_modules(folder: Path, target: str) -> list[str]:
    """Return the user's modules that a class needs and that differ from those of a run.

    Args:
        folder: the run's folder; a run of an early version, which noted no sources, has none.
        target: the class, as `module.Class`.
    """
    try:
        then = json.loads((folder / "identity.json").read_text())["source"]
        now = sources_of(target)
    except (OSError, ValueError, KeyError, InputError):
        return []  # loading the class tells about a module that is gone
    return sorted(
        name
        for name, source in now.items()
        if len(source) == _SHA256 and name != "experiments" and then.get(name) != source
    )
