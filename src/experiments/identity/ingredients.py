"""Identity: the SHA-256 of everything that determines a run's result.

Its ingredients are the configuration, without keys that do not change the result; the source of
this package, of the user's classes and of the modules that they import (the version, for installed
packages); the data's checksum; the kind of device; and the versions of torch and Python. Two runs
with the same identity have the same result, so that one of them is enough.

This module imports neither torch nor the user's classes: a sweep's plan is made without them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.identity.canonical import plain
from experiments.identity.sources import package_sha256, sources_of

if TYPE_CHECKING:
    from experiments.config import RunConfig

BESIDE: dict[str, Any] = {
    "force": True,
    "outputs": True,
    "sweep": True,
    "tracking": True,
    "data": {"root"},
    "trainer": {"device", "checkpoint_every"},
}
"""the keys that do not change the result; the data's checksum stands for `data.root`"""
_MONITORING = frozenset({"monitor", "min_delta"})  # without effect if nothing is monitored
_PARTS = ("data", "model", "optimizer", "schedule")


@dataclass(frozen=True)
class Ingredients:
    """Everything that determines a run's result, as plain data."""

    config: dict[str, Any]
    """the values that determine the result"""
    source: dict[str, str]
    """the SHA-256 of this package and of the user's modules, the version of installed packages"""
    data_sha256: str
    """the SHA-256 of the training and test data"""
    device: str
    """the kind of device, such as `cpu` or a GPU's name"""
    versions: dict[str, str] = field(
        default_factory=lambda: {
            "python": platform.python_version(),
            "torch": metadata.version("torch"),
        }
    )

    @functools.cached_property
    def identity(self) -> str:
        """The SHA-256 of all ingredients."""
        return sha256_of_data(asdict(self))

    @property
    def source_sha256(self) -> str:
        """The SHA-256 of `source`."""
        return sha256_of_data(self.source)

    def on(self, device: str) -> Ingredients:
        """Return the ingredients of the same run on another kind of device."""
        return replace(self, device=device)

    def public(self, config: RunConfig) -> dict[str, Any]:
        """Return the ingredients in a form that may be written to files.

        The SHA-256 replaces each secret and each value from the environment. So two files still
        show whether two runs have the same value.

        Args:
            config: the run's configuration.
        """
        return asdict(self) | {"config": _hashed(self.config, plain(config.public()))}


def ingredients_of(config: RunConfig, *, data_sha256: str, device: str) -> Ingredients:
    """Return the ingredients of a run.

    Args:
        config: the run's configuration.
        data_sha256: the checksum of the training and test data.
        device: the kind of device, such as `cpu` or a GPU's name.

    Raises:
        InputError: the source of a class cannot be found.
    """
    values = config.model_dump(exclude=BESIDE)
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
    return Ingredients(plain(values), source, data_sha256, device)


def _hashed(value: Any, public: Any) -> Any:
    if value == public:
        return value
    if isinstance(value, dict) and isinstance(public, dict):
        return {key: _hashed(entry, public[key]) for key, entry in value.items()}
    if isinstance(value, list) and isinstance(public, list):
        return [_hashed(*pair) for pair in zip(value, public, strict=True)]
    return {"sha256": sha256_of_data({"value": value})}


def sha256_of_data(data: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data; the order of keys makes no difference."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
