"""The source of classes, found and read without importing it.

A sweep's plan is made without torch and without running the user's code. So only `import`
statements are followed, not imports by other means. `refuse_unseen` refuses classes from such
imports once they are loaded.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import warnings
from collections.abc import Container, Iterable, Iterator
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder

from experiments.errors import InputError
from experiments.files.owners import owner_of


def sources_of(*targets: str) -> dict[str, str]:
    """Return the sources of classes: their modules, and all modules that these import.

    A module of the user's own has a SHA-256, an installed package a version.

    Args:
        targets: the classes, as `module.Class`.

    Raises:
        InputError: one of the modules has no file.
    """
    pending = [target.rpartition(".")[0] for target in targets]
    found: dict[str, str] = {}
    while pending:
        name = pending.pop()
        if name in found or _stands_for_itself(name):
            continue
        spec = _spec_of(name)
        if spec is None or not spec.has_location:
            continue
        owner = owner_of(spec.origin or "")
        if owner == "python":
            continue
        if owner == "package":
            top = name.partition(".")[0]
            found[top] = _version_of(top)
            continue
        content, source = _read(spec)
        found[name] = hashlib.sha256(content).hexdigest()
        is_package = spec.submodule_search_locations is not None
        pending += _imported(source, name if is_package else name.rpartition(".")[0])
        pending += [name.rpartition(".")[0]]  # a package's __init__ runs before its modules
    return dict(sorted(found.items()))


def refuse_unseen(classes: Iterable[type], seen: Container[str]) -> None:
    """Refuse classes whose source is not part of a run's identity.

    Args:
        classes: the classes of the run's parts.
        seen: the modules whose source is part of the identity.

    Raises:
        InputError: a class comes from a module to which no `import` statement leads.
    """
    for cls in {base for each in classes for base in each.__mro__}:
        name = cls.__module__
        if name in seen or _stands_for_itself(name):
            continue
        spec = _spec_of(name)
        if spec is None:
            raise InputError(_no_file(name))
        if spec.has_location and owner_of(spec.origin or "") == "user":
            raise InputError(
                f"{name}.{cls.__qualname__}: no import statement leads to its module, so that an "
                f"edit there would go unnoticed; write `import {name}` where it is used, or name "
                "the class itself in _target_"
            )


def _no_file(name: str) -> str:
    return (
        f"{name} is no module with a file of its own, so that an edit there would go unnoticed; "
        "move the class into a module beside train.py and write module.Class"
    )


@functools.cache
def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # its distribution has another name
        names = metadata.packages_distributions().get(package, [])
        return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(names))


def _stands_for_itself(name: str) -> bool:
    """Return whether the identity covers a module already, or the name is empty."""
    return name.partition(".")[0] in {"", "torch", "experiments"}


def _spec_of(name: str) -> ModuleSpec | None:
    """Return a module's location, without importing any module; None if there is no module.

    The name may be an attribute's, as in `from module import attribute`; then there is no module.

    Raises:
        InputError: the module has no location: train.py, a notebook, or one made by a program.
    """
    top, *rest = name.split(".")
    try:
        spec = None if top == "__main__" else importlib.util.find_spec(top)
    except ImportError:
        return None
    except ValueError as error:  # it is imported, and its location is not recorded
        raise InputError(_no_file(name)) from error
    if top == "__main__":  # a different module in every process
        raise InputError(_no_file(name))
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        folders = list(spec.submodule_search_locations)
        spec = PathFinder.find_spec(f"{spec.name}.{part}", folders)
    return spec


def _read(spec: ModuleSpec) -> tuple[bytes, bytes]:
    """Return a module's content, and its Python source, which is empty if it is compiled.

    The module may lie in an archive.
    """
    read = getattr(spec.loader, "get_data", None)  # all of Python's own loaders have it
    if read is None or spec.origin is None:
        raise InputError(_no_file(spec.name))
    content: bytes = read(spec.origin)
    return content, content if spec.origin.endswith(".py") else b""


@functools.lru_cache(maxsize=1024)
def _imported(source: bytes, package: str) -> tuple[str, ...]:
    return tuple(_imports(source, package))


def _imports(source: bytes, package: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # importing the module shows these warnings
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # importing the module raises the error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps = package.split(".")
            base = ".".join(steps[: len(steps) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
