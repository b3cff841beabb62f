"""Identity: SHA-256 over what determines a run's result.

That is the configuration but for what only says where and how to look; the source of this package,
of the user's classes and of the modules they import, of installed packages among these the version;
the data's checksum; the kind of device; and the versions of torch and Python. Two runs with one
identity have one result, so it is trained once.

Nothing here imports torch or a class of the user's: a sweep's plan is made without them.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import platform
import sysconfig
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.config import RunConfig

# What a configuration says beside what is computed. The data's checksum stands for its place.
_BESIDE: dict[str, Any] = {
    "force": True,
    "outputs": True,
    "sweep": True,
    "tracking": True,
    "data": {"root"},
    "trainer": {"device", "checkpoint_every"},
}
_MONITORING = frozenset({"monitor", "min_delta"})  # of no effect where nothing is monitored
_STDLIB = sysconfig.get_path("stdlib")  # where a module lies decides: a user's may be named alike
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_PARTS = ("data", "model", "optimizer", "schedule")


def ingredients(config: RunConfig, *, data_sha256: str, device: str) -> dict[str, Any]:
    """Return what determines a run's result, as plain data.

    Args:
        config: the run's configuration.
        data_sha256: the checksum of the training and test data.
        device: the kind of device, such as `cpu` or a GPU's name.
    """
    values = config.model_dump(exclude=_BESIDE)
    if config.trainer.patience is None and not config.trainer.save_best:
        for key in _MONITORING:
            del values["trainer"][key]
    targets = (values[part]["_target_"] for part in _PARTS)
    return {
        "config": _plain(values),
        "source": {"experiments": _package_sha256()} | _sources_of(*targets),
        "data_sha256": data_sha256,
        "device": device,
        "versions": {"python": platform.python_version(), "torch": metadata.version("torch")},
    }


def without_secrets(what: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """Return some ingredients as they may be written down.

    A secret, or a value that came from the environment, is its SHA-256, so that two files still
    tell whether two runs have the same.
    """
    return what | {"config": _hashed(what["config"], _plain(config.public()))}


def _hashed(value: Any, public: Any) -> Any:
    if value == public:
        return value
    if isinstance(value, dict) and isinstance(public, dict):
        return {key: _hashed(entry, public[key]) for key, entry in value.items()}
    if isinstance(value, list) and isinstance(public, list):
        return [_hashed(*pair) for pair in zip(value, public, strict=True)]
    return {"sha256": identity_of({"value": value})}


def identity_of(what: dict[str, Any]) -> str:
    """Return the SHA-256 of some ingredients, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def source_sha256(what: dict[str, Any]) -> str:
    """Return the SHA-256 of the source among some ingredients."""
    return identity_of(what["source"])


def _plain(value: Any) -> Any:
    """Return nested data with texts for keys, as JSON has them, no two of which fall together."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else f"{type(key).__name__} {key}": _plain(entry)
            for key, entry in value.items()
        }
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


@functools.cache
def _package_sha256() -> str:
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.py"), key=lambda file: file.relative_to(folder).as_posix())
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources_of(*targets: str) -> dict[str, str]:
    """Return what the targets come from or import.

    That is a SHA-256 for each module of the user's own and a version for each installed package.
    """
    pending = [target.rpartition(".")[0] for target in targets]
    found: dict[str, str] = {}
    while pending:
        name = pending.pop()
        if name in found or _stands_for_itself(name):
            continue
        file = _file_of(name)
        if file is None:
            continue
        if not _INSTALLED & set(file.parts) and file.is_relative_to(_STDLIB):
            continue
        if _INSTALLED & set(file.parts):
            top = name.partition(".")[0]
            found[top] = _version_of(top)
            continue
        source = file.read_bytes()
        found[name] = hashlib.sha256(source).hexdigest()
        is_package = file.name == "__init__.py"
        pending += _imported(source, name if is_package else name.rpartition(".")[0])
        pending += [name.rpartition(".")[0]]  # a package's __init__ runs before its modules
    return dict(sorted(found.items()))


@functools.cache
def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # its distribution has another name
        names = metadata.packages_distributions().get(package, [])
        return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(names))


def _stands_for_itself(name: str) -> bool:
    """Whether a module is torch's or this package's, or none at all."""
    return name.partition(".")[0] in {"", "torch", "experiments"}


def _file_of(name: str) -> Path | None:
    """Return a module's source file without importing any module; None where it has none.

    An attribute, as in `from module import attribute`, has none either.
    """
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    # A package without __init__.py may lie in several folders.
    for folder in spec.submodule_search_locations or ():
        base = Path(folder, *rest)
        for file in (base / "__init__.py", base.with_suffix(".py")):
            if file.is_file():
                return file
    return None


@functools.lru_cache(maxsize=1024)
def _imported(source: bytes, package: str) -> tuple[str, ...]:
    return tuple(_imports(source, package))


def _imports(source: bytes, package: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever imports the module is warned of its source
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # whoever imports it is told
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps = package.split(".")
            base = ".".join(steps[: len(steps) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
