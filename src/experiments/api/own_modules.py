"""The user's modules: imported anew once their source has changed, as a new process would.

A run's identity holds the source on the disk. In a notebook that lives for days, the imported
module may be an older one, and a run of it would be taken for a run of the new source.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import psutil

from experiments.errors import InputError
from experiments.identity.sources import sources_of

_SHA256 = 64  # characters; an installed package has a version instead
_CLOCK_SECONDS = 2.0  # the coarsest time of a file's change

_imported: dict[str, tuple[ModuleSpec | None, str]] = {}
"""the source that a module was imported from, by its name; a reload gives it another spec"""


@contextmanager
def as_on_disk(targets: Iterable[str]) -> Iterator[None]:
    """Forget imported modules of the user whose source has changed, and all that import them.

    Modules of the user's that a notebook has imported before stay as they are, if their files are
    older than the process. Otherwise nothing tells whether they were edited after the import.

    Args:
        targets: the classes of a run, as `module.Class`.
    """
    importlib.invalidate_caches()
    names = [*targets]
    sources = _sources(names)
    while any(_has_changed(name, sha256) for name, sha256 in sources.items()):
        for name in sources:
            sys.modules.pop(name, None)
            _imported.pop(name, None)
        sources = _sources(names)
    try:
        yield
    finally:
        for name, sha256 in sources.items():
            if name in sys.modules and not _is_noted(name):
                _imported[name] = sys.modules[name].__spec__, sha256


def targets_of(config: Any) -> Iterator[str]:
    """Yield every `_target_` in a configuration of plain data."""
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield str(config["_target_"])
        config = config.values()
    elif not isinstance(config, list | tuple):
        return
    for each in config:
        yield from targets_of(each)


def _sources(targets: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of the user's modules behind classes, by name."""
    found: dict[str, str] = {}
    for target in targets:
        try:
            found |= sources_of(target)
        except InputError:
            continue  # the run's preparation raises it, with the key
    return {name: sha256 for name, sha256 in found.items() if len(sha256) == _SHA256}


def _is_noted(name: str) -> bool:
    return name in _imported and _imported[name][0] is sys.modules[name].__spec__


def _has_changed(name: str, sha256: str) -> bool:
    if name not in sys.modules:
        return False
    if _is_elsewhere(name):
        return True
    if _is_noted(name):
        return _imported[name][1] != sha256
    spec = sys.modules[name].__spec__
    changed = Path(spec.origin).stat().st_mtime if spec and spec.origin else 0.0
    began: float = psutil.Process().create_time()
    return changed > began - _CLOCK_SECONDS


def _is_elsewhere(name: str) -> bool:
    """Return whether a new process would find another module of that name."""
    spec, found = sys.modules[name].__spec__, None
    if "." not in name:
        found = PathFinder.find_spec(name)
    return spec is not None and found is not None and found.origin != spec.origin
