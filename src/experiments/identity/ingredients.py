"""Identity: SHA-256 over what determines a run's result.

That is the configuration but for what only says where and how to look; the source of this package,
of the user's classes and of the modules they import, of installed packages among these the version;
the data's checksum; the kind of device; and the versions of torch and Python. Two runs with one
identity have one result, so it is trained once.

Nothing here imports torch or a class of the user's: a sweep's plan is made without them.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.identity.canonical import plain
from experiments.identity.sources import package_sha256, sources_of

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
_PARTS = ("data", "model", "optimizer", "schedule")


def ingredients(config: RunConfig, *, data_sha256: str, device: str) -> dict[str, Any]:
    """Return what determines a run's result, as plain data.

    Args:
        config: the run's configuration.
        data_sha256: the checksum of the training and test data.
        device: the kind of device, such as `cpu` or a GPU's name.

    Raises:
        InputError: the source of a class cannot be found out.
    """
    values = config.model_dump(exclude=_BESIDE)
    if config.trainer.patience is None and not config.trainer.save_best:
        for key in _MONITORING:
            del values["trainer"][key]
    source = {"experiments": package_sha256()}
    for part in _PARTS:
        target = values[part]["_target_"]
        try:
            source |= sources_of(target)
        except InputError as error:
            raise InputError(f"{part}._target_={target}: {error}") from error
    return {
        "config": plain(values),
        "source": source,
        "data_sha256": data_sha256,
        "device": device,
        "versions": {"python": platform.python_version(), "torch": metadata.version("torch")},
    }


def without_secrets(what: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """Return some ingredients as they may be written down.

    A secret, or a value that came from the environment, is its SHA-256, so that two files still
    tell whether two runs have the same.
    """
    return what | {"config": _hashed(what["config"], plain(config.public()))}


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
