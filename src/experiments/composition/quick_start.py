"""Spare work that Hydra 1.3 repeats at each start: half of its composition, and of its help.

Hydra composes the whole configuration to learn `hydra.mode`, and then once more for the run. A
search of the files shows that none of them sets the mode. In doubt, Hydra does all of its work.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore

_OF_HYDRA = {"hydra", "schema"}
"""the sources of Hydra's own configurations, which leave the mode open"""
_STORED = {"hydra", "_dummy_empty_config_.yaml"}
"""the entries of Hydra's store of classes that are Hydra's own"""
_OVERRIDE = re.compile(r"hydra\.mode|@\S*\bhydra(?![.\w])|searchpath|^\W*hydra=")
_MOVED = re.compile(rb"searchpath|@\S*\bhydra(?![.\w])")  # another file becomes `hydra`
_MODE = re.compile(rb"\bmode\b")


def spare_repeated_work() -> None:
    """Let Hydra compose once for a run, and list its groups once for the help."""
    compose_for_mode, list_groups = Hydra.get_mode, Hydra.list_all_config_groups

    @functools.wraps(compose_for_mode)
    def get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        if may_set_mode(self, overrides):
            return compose_for_mode(self, config_name, overrides)
        return None

    @functools.cache
    def list_once(self: Hydra, parent: str = "") -> Sequence[str]:
        return list_groups(self, parent)

    Hydra.get_mode, Hydra.list_all_config_groups = get_mode, list_once  # type: ignore[method-assign]


def may_set_mode(hydra: Hydra, overrides: Sequence[str]) -> bool:
    """Return whether an override or a file may set `hydra.mode`; False is certain."""
    sources = [each for each in hydra.config_loader.get_sources() if each.provider not in _OF_HYDRA]
    if (
        any(map(_OVERRIDE.search, overrides))
        or any(each.scheme() != "file" for each in sources)
        or not ConfigStore.instance().repo.keys() <= _STORED
    ):
        return True
    return any(_may_set_mode(each.path) for each in sources)


def _may_set_mode(root: str) -> bool:
    seen = set()
    try:
        for folder, _, names in os.walk(root, followlinks=True):
            place = Path(folder).stat()
            if (place.st_dev, place.st_ino) in seen:
                return True  # a link leads to a folder above it
            seen.add((place.st_dev, place.st_ino))
            for name in names:
                if name.endswith((".yaml", ".yml")) and _is_suspect(Path(folder, name), root):
                    return True
    except OSError:
        return True  # Hydra may not need the file
    return False


def _is_suspect(file: Path, root: str) -> bool:
    text = file.read_bytes()
    is_of_hydra = b"hydra" in text or "hydra" in file.relative_to(root).parts
    return bool(_MOVED.search(text) or (is_of_hydra and _MODE.search(text)))
